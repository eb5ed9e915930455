"""Write an array of grays as a PNG file."""

from pathlib import Path

import numpy as np
import pyvips

from photochrom.photo.atomic import atomic_target, unwritable


def write_gray(levels: np.ndarray, path: Path) -> None:
    """Write a PNG.

    Parameters
    ----------
    levels : uint8 or uint16 array, (h, w)
        Grays of sRGB.
    path : Path

    Raises
    ------
    UnwritablePhotoError
        If it cannot be written; no partial file is left.
    """
    try:
        with atomic_target(path) as part:
            _image(levels).pngsave(str(part))
    except pyvips.Error as error:
        raise unwritable(path, str(error)) from error


def encode_gray(levels: np.ndarray) -> bytes:
    """Return the bytes of a PNG; `levels` as for `write_gray`."""
    return bytes(_image(levels).pngsave_buffer())


def _image(levels: np.ndarray) -> pyvips.Image:
    kind = "b-w" if levels.dtype == np.uint8 else "grey16"
    return pyvips.Image.new_from_array(np.ascontiguousarray(levels), interpretation=kind)
