"""Names of results, and detection of files that photochrom created."""

import errno
import hashlib
import os
from pathlib import Path

from photochrom.errors import UnwritablePhotoError
from photochrom.photo.atomic import unwritable
from photochrom.photo.formats import FOREIGN_SUFFIXES, FORMATS, INSTEAD
from photochrom.photo.metadata.xmp import Marker
from photochrom.photo.photo import Photo

INSTEAD_OF_SUFFIX = {
    suffix: FORMATS[INSTEAD[kind]].suffixes[0] for suffix, kind in FOREIGN_SUFFIXES.items()
}


def beside(source: Path, folder: Path | None = None, suffix: str | None = None) -> Path:
    """Return the name of the coloured file: `photo.jpg` -> `photo-color.jpg`.

    Formats that are read but not written are replaced as in `photochrom.photo.formats`.
    """
    ending = suffix or INSTEAD_OF_SUFFIX.get(source.suffix.lower(), source.suffix)
    return (folder or source.parent) / f"{source.stem}-color{ending}"


def numbered(target: Path, number: int) -> Path:
    """Yield the names for further results: `old-color.jpg` -> `old-color-2.jpg` and so on."""
    return target if number == 1 else target.with_stem(f"{target.stem}-{number}")


def free_name(target: Path) -> Path:
    """Return the first of these names that is free, or a file that photochrom created."""
    number = 1
    while is_taken(numbered(target, number)) and not is_own(numbered(target, number)):
        number += 1
    return numbered(target, number)


def is_taken(target: Path) -> bool:
    """Return whether a path exists, including as a broken link.

    Raises
    ------
    UnwritablePhotoError
        If the name is too long.
    """
    try:
        target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        size = len(os.fsencode(target.name))
        if error.errno == errno.ENAMETOOLONG:
            raise UnwritablePhotoError(
                f"{target}: the name of the result is too long ({size} bytes; usually at most 255 "
                "are allowed). Rename the photograph, or name the result with -o."
            ) from error
        raise unwritable(target, error) from error
    return True


def is_own(photo: Path) -> bool:
    """Return whether photochrom created a file, by its marker.

    Formats that are never written, such as HEIC and camera raw, are not opened.
    """
    return photo.suffix.lower() not in FOREIGN_SUFFIXES and marker_on(photo) is not None


def marker_on(photo: Path) -> Marker | None:
    """Read a file's marker; None if the file cannot be read: colouring it gives the error."""
    try:
        return Photo.open(photo).marker if photo.is_file() else None
    except Exception:  # one bad photograph must not stop the others
        return None


def state_of(photo: Path, known: str = "") -> str:
    """Return the state of a file: its size, its time and a hash of its bytes.

    Parameters
    ----------
    photo : Path
    known : str
        An earlier state, whose hash is reused if size and time are unchanged.

    Returns
    -------
    str
        'SIZE-NANOSECONDS-HASH', the hash in 16 hexadecimal digits.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    found = photo.stat()
    seen = f"{found.st_size}-{found.st_mtime_ns}-"
    if known.startswith(seen):
        return known
    with photo.open("rb") as file:
        return seen + hashlib.file_digest(file, "sha256").hexdigest()[:16]


def is_same(photo: Path, state: str) -> bool:
    """Return whether a file has the same bytes as in a state, whatever its time.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    size, _, digest = state.partition("-")
    if size != str(photo.stat().st_size):
        return False
    return state_of(photo, state).rpartition("-")[2] == digest.rpartition("-")[2]
