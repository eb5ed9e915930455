"""Find the photographs of a folder."""

from pathlib import Path

from photochrom.errors import UnreadablePhotoError
from photochrom.photo.formats import FOREIGN_SUFFIXES, FORMATS

READ_SUFFIXES = frozenset(FOREIGN_SUFFIXES).union(*(f.suffixes for f in FORMATS.values()))


def find_photos(folder: Path, recursive: bool = False) -> list[Path]:
    """List the photographs of a folder, by suffix, sorted, without photochrom's unfinished files.

    Raises
    ------
    UnreadablePhotoError
        If there is none, or the folder cannot be read.
    """
    try:
        entries = list(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise UnreadablePhotoError(f"{folder}: cannot be read ({error.strerror}).") from error
    found = sorted(
        p for p in entries if p.suffix.lower() in READ_SUFFIXES and p.is_file() and p.name[0] != "."
    )
    if not found:
        below = " or below it" if recursive else "; --recursive looks below it"
        raise UnreadablePhotoError(f"{folder}: a folder without pictures in it{below}.")
    return found
