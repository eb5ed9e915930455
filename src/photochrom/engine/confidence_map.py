"""Write a map of a method's confidence."""

from pathlib import Path

import numpy as np

from photochrom.engine.colorize import Colorizer
from photochrom.engine.originals import keep_original
from photochrom.photo.photo import Photo
from photochrom.photo.resize import reduced_size, resize
from photochrom.photo.write import write_photo

MOST_MAP_PX = 1024


def write_confidence(colorizer: Colorizer, source: Path, target: Path) -> None:
    """Write `Colorizer.confidence` as an 8-bit gray PNG of the photo's size, at most 1024 px.

    Raises
    ------
    PhotoError
        If the photograph cannot be read or the map cannot be written.
    """
    photo = Photo.open(source)
    keep_original(photo, target)
    width, height = reduced_size(*photo.upright_size, MOST_MAP_PX)
    levels = resize(colorizer.confidence(photo)[..., None], height, width)[..., 0] * 255
    plane = Photo.from_array(np.round(levels).astype(np.uint8))
    # With the marker, so that no later run colours the map itself.
    write_photo(plane, [None], target, format="png", marker=colorizer.marker())
