"""What results are called, and which files photochrom made itself."""

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
    """Name the coloured file: `photo.jpg` -> `photo-color.jpg`, perhaps elsewhere.

    Formats that are read but not written become what `photochrom.photo.formats` puts instead.
    """
    ending = suffix or INSTEAD_OF_SUFFIX.get(source.suffix.lower(), source.suffix)
    return (folder or source.parent) / f"{source.stem}-color{ending}"


def numbered(target: Path, number: int) -> Path:
    """Name the second and later results of one name: `old-color.jpg` -> `old-color-2.jpg`."""
    return target if number == 1 else target.with_stem(f"{target.stem}-{number}")


def free_name(target: Path) -> Path:
    """Return the first of these names that is free, or a file that photochrom made."""
    number = 1
    while not is_free(numbered(target, number)):
        number += 1
    return numbered(target, number)


def is_free(target: Path) -> bool:
    """Whether a result may go there: nothing is there, or an earlier result."""
    return not is_taken(target) or is_own(target)


def is_taken(target: Path) -> bool:
    """Whether anything bears a name, be it a link that leads nowhere.

    Raises
    ------
    UnwritablePhotoError
        If nothing can bear it.
    """
    try:
        target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        size = len(os.fsencode(target.name))
        if error.errno == errno.ENAMETOOLONG:
            raise UnwritablePhotoError(
                f"{target}: the name of the result is too long ({size} bytes; 255 at most, as a "
                "rule). Rename the photograph, or name the result with -o."
            ) from error
        raise unwritable(target, error) from error
    return True


def is_own(photo: Path) -> bool:
    """Whether photochrom made this file: it bears the marker.

    Of formats that are never written, such as HEIC and camera raw, none does; none is opened.
    """
    return photo.suffix.lower() not in FOREIGN_SUFFIXES and marker_on(photo) is not None


def marker_on(photo: Path) -> Marker | None:
    """Read a file's marker; a file that cannot be read has none: colouring it will say why."""
    try:
        return Photo.open(photo).marker if photo.is_file() else None
    except Exception:  # whatever is wrong with one photograph must not stop the others
        return None


def state_of(photo: Path, known: str = "") -> str:
    """Tell one state of a file from another: its size, its time and a hash of its bytes.

    Parameters
    ----------
    photo : Path
    known : str
        An earlier state, whose hash is taken over if size and time are as they were.

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
    """Whether a file has the bytes that it had in a state; the time alone changes nothing.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    size, _, digest = state.partition("-")
    if size != str(photo.stat().st_size):
        return False
    return state_of(photo, state).rpartition("-")[2] == digest.rpartition("-")[2]
