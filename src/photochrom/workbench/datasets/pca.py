"""Reduce one picture by principal component analysis, and restore it.

After the second seed project (see docs/data.md): the rows of a picture are the samples, the columns
and channels of 8-bit Lab the features. Departures: as many components as reach the wanted share of
variance, where the source's index from 0 made it one fewer; Lab is not rounded before.
"""

from typing import NamedTuple

import numpy as np

from photochrom.color.gamut import lab_to_bytes
from photochrom.color.lab import bytes_to_lab
from photochrom.errors import InvalidValueError, ShapeError

ROUNDINGS = 8  # units in the last place, of a number that was computed in several steps
LIGHTNESS_SCALE = 255 / 100  # 8-bit Lab: lightness counts 2.55 times as much as a and b


class Reduced(NamedTuple):
    """A picture restored from fewer numbers.

    pixels : array, (H, W, C); as restored
    components : how many were kept; 0 where all rows are the same
    stored : numbers to store, as a share of the picture's own
    """

    pixels: np.ndarray
    components: int
    stored: float


def stored_share(components: int, rows: int, columns: int, channels: int = 3) -> float:
    """Return the share k (1 + N + C D) / (C N D) of a picture's numbers that is stored.

    For each of the k components: its variance, N scores and C D loadings.
    """
    values = rows * columns * channels
    return components * (1 + rows + channels * columns) / values


def reduce_rows(values: np.ndarray, variance: float) -> Reduced:
    """Keep as many principal components of a picture's rows as a share of their variance needs.

    `values` (H, W, C) may be in any space, but the share depends on its scales; `variance` is in
    (0, 1]. Raise ShapeError or InvalidValueError if they are not.
    """
    if values.ndim != 3:
        raise ShapeError(f"A picture needs the shape (H, W, C); got {values.shape}.")
    if not 0 < variance <= 1:
        raise InvalidValueError(f"The share of variance must be in (0, 1]; got {variance}.")
    rows = values.reshape(len(values), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    scores, scales, loadings = np.linalg.svd(rows - mean, full_matrices=False)
    # What rounding alone makes of equal rows is no component, whatever share of nothing it has.
    scales[scales <= _rounding(values)] = 0.0
    shares = np.cumsum(scales**2)
    kept = 0
    if shares[-1] > 0:
        kept = min(int(np.searchsorted(shares / shares[-1], variance)) + 1, len(scales))
    restored = mean + (scores[:, :kept] * scales[:kept]) @ loadings[:kept]
    pixels = restored.reshape(values.shape).astype(values.dtype)
    return Reduced(pixels, kept, stored_share(kept, *values.shape))


def _rounding(values: np.ndarray) -> float:
    """Return the largest singular value that rounding of such numbers can make: their error's norm.

    Each number was computed, perhaps in several steps, with an error of some units in its last
    place; values and their mean are of the size of the largest.
    """
    kind = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
    largest = float(np.abs(values).max(initial=0.0))
    return ROUNDINGS * float(np.finfo(kind).eps) * largest * float(np.sqrt(values.size))


def reduce_rgb(rgb: np.ndarray, variance: float) -> Reduced:
    """Reduce and restore sRGB, uint8 (H, W, 3), in Lab as 8 bits scale it; see `reduce_rows`.

    Colours outside sRGB lose chroma.
    """
    scale = np.array([LIGHTNESS_SCALE, 1, 1], np.float32)
    reduced = reduce_rows(bytes_to_lab(rgb) * scale, variance)
    lab = reduced.pixels / scale
    lab[..., 0] = np.clip(lab[..., 0], 0, 100)
    return reduced._replace(pixels=lab_to_bytes(lab))
