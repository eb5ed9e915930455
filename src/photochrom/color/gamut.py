"""Map colours into sRGB at constant luminance.

Chroma is reduced, not luminance: in linear light every colour on the line
``Y + t (rgb - Y)`` has luminance Y, so the largest t in [0, 1] that keeps the three channels in
[0, 1] is the answer in closed form.
"""

from typing import NamedTuple

import numpy as np

from photochrom.color.arrays import Bytes, array_namespace
from photochrom.color.lab import (
    Array,
    lab_to_linear,
    lightness_to_luminance,
    linear_to_luminance,
    linear_to_srgb,
)

TOLERANCE = 1e-6  # of linear light: rounding, not colour


class Bounded(NamedTuple):
    """Colours inside the gamut, and the number of pixels whose chroma was reduced."""

    rgb: Array
    moved: int


def bound_chroma(linear: Array, luminance: Array | None = None) -> Bounded:
    """Reduce chroma until linear sRGB is inside [0, 1]; luminance stays.

    Parameters
    ----------
    linear : float array, (..., 3)
        Linear light, unbounded; its luminance lies in [0, 1].
    luminance : float array, (...), optional
        Its relative luminance, if already known.

    Returns
    -------
    Bounded
        `rgb`: linear light in [0, 1], same shape and library; `moved`: pixels outside the gamut.
    """
    xp = array_namespace(linear)
    y = linear_to_luminance(linear) if luminance is None else luminance
    y = xp.clip(y, 0.0, 1.0)[..., None]
    chroma = linear - y
    # Channel by channel: a reduction over an axis of three numbers takes three times as long.
    red, green, blue = chroma[..., :1], chroma[..., 1:2], chroma[..., 2:]
    above = xp.maximum(xp.maximum(red, green), blue)
    below = -xp.minimum(xp.minimum(red, green), blue)
    moved = (above > 1 - y + TOLERANCE) | (below > y + TOLERANCE)
    tiny = 1e-12
    t = xp.minimum((1 - y) / xp.clip(above, tiny, None), y / xp.clip(below, tiny, None))
    bounded = xp.clip(y + xp.clip(t, 0.0, 1.0) * chroma, 0.0, 1.0)
    return Bounded(bounded, int(xp.sum(xp.astype(moved, xp.int64))))


def lab_to_rgb(lab: Array) -> Bounded:
    """Convert CIE L*a*b* (D65) to sRGB, inside the gamut at constant luminance.

    Parameters
    ----------
    lab : float array, (..., 3)
        L in [0, 100], a and b.

    Returns
    -------
    Bounded
        `rgb`: gamma-encoded sRGB in [0, 1], same shape and library; `moved`: pixels whose chroma
        was reduced.

    Raises
    ------
    ShapeError
        If the last axis is not 3.
    """
    bounded = bound_chroma(lab_to_linear(lab), lightness_to_luminance(lab[..., 0]))
    return Bounded(linear_to_srgb(bounded.rgb), bounded.moved)


def lab_to_bytes(lab: Array) -> Bytes:
    """Convert CIE L*a*b* (..., 3), an array of NumPy, to 8-bit sRGB; as `lab_to_rgb`."""
    rgb: Bytes = np.rint(lab_to_rgb(lab).rgb * 255).astype(np.uint8)
    return rgb
