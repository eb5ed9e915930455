"""An array in memory as the source of a Photo."""

import numpy as np
import pyvips

from photochrom.errors import (
    DtypeError,
    InvalidValueError,
    ShapeError,
)
from photochrom.photo.reading import PLAIN

FORMATS_BY_DTYPE = {"uint8": "uchar", "uint16": "ushort", "float32": "float", "float64": "double"}


class ArraySource:
    """A picture in memory.

    Parameters
    ----------
    array : array, (H, W), (H, W, 1), (H, W, 3), or with alpha (H, W, 2) or (H, W, 4)
        bool, uint8, uint16, or float in [0, 1] (sRGB-encoded).

    Raises
    ------
    DtypeError
        If it is not a NumPy array, or has another dtype.
    ShapeError
        If it has another shape or no pixels.
    InvalidValueError
        If a float is NaN or outside [0, 1].
    """

    name = "array"
    kind = "array"
    reading = PLAIN
    notes = ()

    def __init__(self, array: np.ndarray) -> None:
        _check_array(array)
        self.array = array
        planes = array if array.ndim == 3 else array[..., None]
        if planes.dtype == bool:
            planes = planes * np.uint8(255)
        elif planes.dtype == np.float16:
            planes = planes.astype(np.float32)
        planes = planes.astype(planes.dtype.newbyteorder("="), copy=False)
        self._pixels = np.ascontiguousarray(planes)

    def head(self, page: int) -> pyvips.Image:
        """Return the picture."""
        return self.open(page)

    def open(self, page: int) -> pyvips.Image:
        """Return the picture."""
        height, width, bands = self._pixels.shape
        band_format = FORMATS_BY_DTYPE[self._pixels.dtype.name]
        image = pyvips.Image.new_from_memory(self._pixels, width, height, bands, band_format)
        gray, colour = ("grey16", "rgb16") if band_format == "ushort" else ("b-w", "srgb")
        return image.copy(interpretation=gray if bands < 3 else colour)

    def open_small(self, page: int, shrink: float) -> pyvips.Image:
        """Return the picture; an array cannot be shrunk on load."""
        return self.open(page)


def _check_array(array: np.ndarray) -> None:
    if not isinstance(array, np.ndarray):
        raise DtypeError(f"A picture must be a NumPy array; got a {type(array).__name__}.")
    if array.dtype.name not in ("bool", "float16", *FORMATS_BY_DTYPE):
        raise DtypeError(
            f"A picture's dtype must be bool, uint8, uint16, float16, float32 or float64; got "
            f"{array.dtype}. Convert it, for example with array.astype('uint8')."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise ShapeError(
            f"A picture needs shape (H, W), (H, W, 1) or (H, W, 3), or with alpha (H, W, 2) or "
            f"(H, W, 4); got {array.shape}."
        )
    if array.size == 0:
        raise ShapeError(f"A picture needs at least one pixel; got shape {array.shape}.")
    if array.dtype.kind == "f":
        _check_floats(array)


def _check_floats(array: np.ndarray) -> None:
    missing = int(np.isnan(array).sum())
    if missing:
        raise InvalidValueError(
            f"A picture must not contain NaN; {missing} of {array.size} values are NaN."
        )
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise InvalidValueError(
            f"Floats must lie in [0, 1]; got [{low:g}, {high:g}]. Rescale them first, for "
            f"example by dividing by 255."
        )
