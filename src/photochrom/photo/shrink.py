"""A written file made smaller, with its metadata."""

from pathlib import Path

import pyvips

from photochrom.errors import UnwritablePhotoError
from photochrom.photo.atomic import atomic_target
from photochrom.photo.formats import FORMATS, output_bits, save_options
from photochrom.photo.photo import Photo
from photochrom.photo.read import first_line
from photochrom.photo.tiff import TiffError, write_metadata


def shrink_file(path: Path, long_side_px: int, quality: int | None = None) -> tuple[str, ...]:
    """Reduce a picture in place until its long side has at most so many pixels.

    Parameters
    ----------
    path : Path
    long_side_px : int
    quality : int, optional
        1 to 100 for lossy formats; the file's own by default.

    Returns
    -------
    tuple of str
        What a person should know.

    Raises
    ------
    PhotoError
        If it cannot be read or written.
    """
    photo = Photo.open(path)
    scale = long_side_px / max(photo.width, photo.height)
    if scale >= 1:
        return ()
    if photo.pages > 1:
        return (f"Its {photo.pages} pages keep their full size.",)
    options = save_options(photo, 0, photo.format, output_bits(photo, 0, photo.format), quality)
    notes: list[str] = []
    with atomic_target(path) as part:
        try:
            small = photo.stored().resize(scale)
            getattr(small, FORMATS[photo.format].saver)(str(part), keep="all", **options)
            if photo.format == "tiff":  # libvips writes neither into a TIFF
                write_metadata(part, photo.metadata.exif, photo.metadata.iptc)
        except TiffError as error:
            notes.append(f"EXIF and IPTC could not be entered into the TIFF ({error}): left out.")
        except pyvips.Error as error:
            reason = first_line(error)
            raise UnwritablePhotoError(f"{path}: cannot be written ({reason}).") from error
    return tuple(notes)
