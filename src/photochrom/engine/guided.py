"""The fast guided filter: upsample colours to a full-size lightness.

Source: He and Sun, "Fast Guided Filter", arXiv 1505.00996 (2015). The fit is made at the working
size and its coefficients are enlarged, so colour stops at the edges of the full-size picture.
"""

import functools
from collections.abc import Iterator
from typing import Literal

import numpy as np

from photochrom.photo.field import ColourField
from photochrom.photo.resize import resize

_Mode = Literal["constant", "edge"]

RADIUS = 3  # of the fit's window, pixels of the working size
EPSILON = np.float32(2)  # L* units squared: at edges the variance of lightness is larger
MIDDLE = np.float32(50)  # of L*: subtracted so that squares are small enough for float32
BOUND_RADIUS = 4  # of the window whose range of ab bounds the result


def box_mean(planes: np.ndarray, radius: int) -> np.ndarray:
    """Average over a square window, clipped at the borders.

    Parameters
    ----------
    planes : float array, (h, w, n)
    radius : int
        The window has 2 radius + 1 pixels a side.

    Returns
    -------
    float array, (h, w, n)
        The same dtype.
    """
    for axis in (0, 1):
        planes = _box_mean_along(planes, radius, axis)
    return planes


def _box_mean_along(planes: np.ndarray, radius: int, axis: int) -> np.ndarray:
    length = planes.shape[axis]
    centre = np.arange(length)
    start, stop = np.maximum(centre - radius, 0), np.minimum(centre + radius + 1, length)
    shape = [1] * planes.ndim
    shape[axis] = length
    total = np.zeros_like(planes)
    for part in _shifted(planes, radius, axis, "constant"):
        total += part
    return np.asarray(total / (stop - start).reshape(shape).astype(planes.dtype))


def _extreme_along(planes: np.ndarray, radius: int, axis: int, largest: bool) -> np.ndarray:
    pick = np.maximum if largest else np.minimum
    return np.asarray(functools.reduce(pick, _shifted(planes, radius, axis, "edge")))


def _shifted(planes: np.ndarray, radius: int, axis: int, mode: _Mode) -> Iterator[np.ndarray]:
    """Return the shifted planes of a window; much faster than a sliding window."""
    padding = [(0, 0)] * planes.ndim
    padding[axis] = (radius, radius)
    padded = np.pad(planes, padding, mode=mode)
    for start in range(2 * radius + 1):
        part = [slice(None)] * planes.ndim
        part[axis] = slice(start, start + planes.shape[axis])
        yield padded[tuple(part)]


def fit_field(lightness: np.ndarray, ab: np.ndarray) -> ColourField:
    """Fit ab = slope * L + offset in every window.

    Parameters
    ----------
    lightness : float array, (h, w)
        L* in [0, 100] at the working size.
    ab : float array, (h, w, 2)
        Colours at the same size.

    Returns
    -------
    ColourField
        Slope, offset and the local bounds of ab, float32.
    """
    guide = lightness[..., None].astype(np.float32) - MIDDLE
    moments = np.concatenate((guide, guide * guide, ab, ab * guide), axis=-1)
    means = box_mean(moments, RADIUS)
    mean_l, mean_ll, mean_ab, mean_lab = (
        means[..., :1],
        means[..., 1:2],
        means[..., 2:4],
        means[..., 4:],
    )
    slope = (mean_lab - mean_l * mean_ab) / (np.maximum(mean_ll - mean_l**2, 0) + EPSILON)
    offset = mean_ab - slope * (mean_l + MIDDLE)
    smooth = box_mean(np.concatenate((slope, offset), axis=-1), RADIUS)
    low, high = (
        _extreme_along(_extreme_along(ab, BOUND_RADIUS, 0, largest), BOUND_RADIUS, 1, largest)
        for largest in (False, True)
    )
    return ColourField(
        slope=smooth[..., :2].astype(np.float32),
        offset=smooth[..., 2:].astype(np.float32),
        low=low.astype(np.float32),
        high=high.astype(np.float32),
    )


def apply_field(field: ColourField, lightness: np.ndarray) -> np.ndarray:
    """Evaluate a field at a larger lightness, as `photochrom.photo.join` does in a stream.

    Parameters
    ----------
    field : ColourField
    lightness : float array, (H, W)
        L* in [0, 100].

    Returns
    -------
    float32 array, (H, W, 2)
        ab.
    """
    height, width = lightness.shape
    large = ColourField.of(resize(field.planes, height, width))
    ab = large.slope * lightness[..., None].astype(np.float32) + large.offset
    return np.asarray(np.clip(ab, large.low, large.high))
