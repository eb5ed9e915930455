"""What results are called, and which files photochrom made itself."""

from pathlib import Path

from photochrom.errors import PhotoError
from photochrom.photo.formats import FOREIGN_SUFFIXES, FORMATS, INSTEAD
from photochrom.photo.photo import Photo
from photochrom.photo.xmp import Marker

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
    """Give the first of these names that is free, or a file that photochrom made."""
    number = 1
    while not is_free(numbered(target, number)):
        number += 1
    return numbered(target, number)


def is_free(target: Path) -> bool:
    """Whether a result may go there: nothing is there, or an earlier result."""
    return not target.exists() or is_own(target)


def is_own(photo: Path) -> bool:
    """Whether photochrom made this file: it bears the marker.

    Of formats that are never written, such as HEIC and camera raw, none does; none is opened.
    """
    return photo.suffix.lower() not in FOREIGN_SUFFIXES and marker_on(photo) is not None


def marker_on(photo: Path) -> Marker | None:
    """Read a file's marker; a file that is no picture has none."""
    try:
        return Photo.open(photo).marker
    except PhotoError:
        return None
