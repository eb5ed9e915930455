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
    kind = "b-w" if levels.dtype == np.uint8 else "grey16"
    image = pyvips.Image.new_from_array(np.ascontiguousarray(levels), interpretation=kind)
    try:
        with atomic_target(path) as part:
            image.pngsave(str(part))
    except pyvips.Error as error:
        raise unwritable(path, str(error)) from error
