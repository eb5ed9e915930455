"""Spots in a photo: bounds check and averaging."""

import numpy as np

from photochrom.errors import (
    InvalidValueError,
)
from photochrom.photo.photo import Photo


def checked_spot(photo: Photo, x: float, y: float) -> tuple[int, int]:
    """Return the upright size of a photo; raise if the spot lies outside."""
    width, height = photo.upright_size
    if not (0 <= x < width and 0 <= y < height):
        raise InvalidValueError(
            f"The spot {x:g}, {y:g} lies outside the picture of {width} x {height} pixels."
        )
    return width, height


def window_mean(planes: np.ndarray, x: float, y: float, radius: float = 0.0) -> np.ndarray:
    """Average (h, w, n) planes around a place given as shares of the sides."""
    high, wide = planes.shape[:2]
    reach = radius * wide
    rows, columns = (
        slice(int(max(0, at * n - reach)), int(min(n - 1, at * n + reach)) + 1)
        for at, n in ((y, high), (x, wide))
    )
    return np.asarray(planes[rows, columns].mean(axis=(0, 1)))
