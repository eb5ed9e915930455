"""sRGB, linear light, CIE XYZ and CIE L*a*b*.

Sources: IEC 61966-2-1 (the sRGB transfer curve; the matrix to seven digits follows from its
primaries and D65), CIE 15:2004 (L*a*b* with the exact constants 6/29 and 4/29).

White is the sum of each row of the matrix, so that a gray is exactly neutral. Every function takes
NumPy arrays and torch tensors alike, and returns the same kind. NaN stays NaN, in its own pixel.
"""

from typing import Any

import numpy as np

from photochrom.color.arrays import Bytes, Floats, array_namespace
from photochrom.errors import ShapeError

Array = Any  # a NumPy array or a torch tensor

RGB_TO_XYZ = (
    (0.4123908, 0.3575843, 0.1804808),
    (0.2126390, 0.7151687, 0.0721923),
    (0.0193308, 0.1191948, 0.9505322),
)
WHITE = tuple(sum(row) for row in RGB_TO_XYZ)
LUMINANCE = RGB_TO_XYZ[1]
DELTA = 6 / 29


def _inverse(m: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """Invert a 3 x 3 matrix by its cofactors."""
    cofactors = [
        [
            m[(i + 1) % 3][(j + 1) % 3] * m[(i + 2) % 3][(j + 2) % 3]
            - m[(i + 1) % 3][(j + 2) % 3] * m[(i + 2) % 3][(j + 1) % 3]
            for i in range(3)
        ]
        for j in range(3)
    ]
    determinant = sum(m[0][j] * cofactors[j][0] for j in range(3))
    return tuple(tuple(c / determinant for c in row) for row in cofactors)


XYZ_TO_RGB = _inverse(RGB_TO_XYZ)

# White-relative XYZ from RGB: x = g + X_RED (r - g) + X_BLUE (b - g), exactly g where r = g = b.
X_RED, X_BLUE = RGB_TO_XYZ[0][0] / WHITE[0], RGB_TO_XYZ[0][2] / WHITE[0]
Y_RED, Y_BLUE = LUMINANCE[0], LUMINANCE[2]
Z_RED, Z_BLUE = RGB_TO_XYZ[2][0] / WHITE[2], RGB_TO_XYZ[2][2] / WHITE[2]

# RGB from white-relative XYZ: channel - y = CHROMA[i][0] (x - y) + CHROMA[i][1] (z - y).
CHROMA = tuple((row[0] * WHITE[0], row[2] * WHITE[2]) for row in XYZ_TO_RGB)


def check_last_axis(values: Array, count: int, name: str) -> None:
    """Raise ShapeError unless the last axis of `values` has `count` numbers."""
    if values.ndim < 1 or values.shape[-1] != count:
        shape = tuple(values.shape)
        raise ShapeError(f"{name} needs {count} numbers on its last axis; its shape is {shape}.")


def srgb_to_linear(srgb: Array) -> Array:
    """Decode the sRGB transfer curve.

    Parameters
    ----------
    srgb : float array, any shape
        Gamma-encoded values in [0, 1].

    Returns
    -------
    float array
        Linear light in [0, 1]; same shape, dtype and library.
    """
    xp = array_namespace(srgb)
    bright = ((xp.clip(srgb, 0.04045, None) + 0.055) / 1.055) ** 2.4
    return xp.where(srgb <= 0.04045, srgb / 12.92, bright)


def linear_to_srgb(linear: Array) -> Array:
    """Encode linear light with the sRGB transfer curve.

    Parameters
    ----------
    linear : float array, any shape
        Linear light in [0, 1].

    Returns
    -------
    float array
        Gamma-encoded values in [0, 1]; same shape, dtype and library.
    """
    xp = array_namespace(linear)
    bright = 1.055 * xp.clip(linear, 0.0031308, None) ** (1 / 2.4) - 0.055
    return xp.where(linear <= 0.0031308, linear * 12.92, bright)


def _compress(t: Array) -> Array:
    xp = array_namespace(t)
    return xp.where(
        t > DELTA**3, xp.clip(t, DELTA**3, None) ** (1 / 3), t / (3 * DELTA**2) + 4 / 29
    )


def _expand(f: Array) -> Array:
    xp = array_namespace(f)
    return xp.where(f > DELTA, f**3, 3 * DELTA**2 * (f - 4 / 29))


def luminance_to_lightness(luminance: Array) -> Array:
    """Convert relative luminance Y in [0, 1] to lightness L* in [0, 100]; any shape."""
    return 116 * _compress(luminance) - 16


def lightness_to_luminance(lightness: Array) -> Array:
    """Convert lightness L* in [0, 100] to relative luminance Y in [0, 1]; any shape."""
    return _expand((lightness + 16) / 116)


def linear_to_luminance(linear: Array) -> Array:
    """Return the relative luminance Y of linear sRGB.

    Parameters
    ----------
    linear : float array, (..., 3)
        Linear light in [0, 1].

    Returns
    -------
    float array, (...)
        Y in [0, 1]; exactly the common value where r = g = b.

    Raises
    ------
    ShapeError
        If the last axis is not 3.
    """
    check_last_axis(linear, 3, "linear")
    red, green, blue = linear[..., 0], linear[..., 1], linear[..., 2]
    return green + Y_RED * (red - green) + Y_BLUE * (blue - green)


def rgb_to_lab(rgb: Array) -> Array:
    """Convert sRGB to CIE L*a*b* (D65).

    Parameters
    ----------
    rgb : float array, (..., 3)
        Gamma-encoded sRGB, each channel in [0, 1].

    Returns
    -------
    float array, (..., 3)
        L in [0, 100], a and b in about [-110, 110]; same dtype and library as `rgb`.

    Raises
    ------
    ShapeError
        If the last axis is not 3.
    """
    check_last_axis(rgb, 3, "rgb")
    return linear_to_lab(srgb_to_linear(rgb))


def bytes_to_lab(rgb: Bytes) -> Floats:
    """Convert 8-bit sRGB (..., 3) to CIE L*a*b*, float32; as `rgb_to_lab`."""
    lab: Floats = rgb_to_lab(rgb.astype(np.float32) / 255)
    return lab


def linear_to_lab(linear: Array) -> Array:
    """Convert linear sRGB to CIE L*a*b* (D65).

    Parameters
    ----------
    linear : float array, (..., 3)
        Linear light in [0, 1].

    Returns
    -------
    float array, (..., 3)
        L in [0, 100], a and b; same dtype and library.

    Raises
    ------
    ShapeError
        If the last axis is not 3.
    """
    check_last_axis(linear, 3, "linear")
    xp = array_namespace(linear)
    red, green, blue = linear[..., 0], linear[..., 1], linear[..., 2]
    x = _compress(green + X_RED * (red - green) + X_BLUE * (blue - green))
    y = _compress(green + Y_RED * (red - green) + Y_BLUE * (blue - green))
    z = _compress(green + Z_RED * (red - green) + Z_BLUE * (blue - green))
    return xp.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def lab_to_linear(lab: Array) -> Array:
    """Convert CIE L*a*b* (D65) to linear sRGB, unbounded.

    Parameters
    ----------
    lab : float array, (..., 3)
        L in [0, 100], a and b.

    Returns
    -------
    float array, (..., 3)
        Linear light; outside [0, 1] where the colour is outside sRGB. See
        `photochrom.color.gamut.bound_chroma`.

    Raises
    ------
    ShapeError
        If the last axis is not 3.
    """
    check_last_axis(lab, 3, "lab")
    xp = array_namespace(lab)
    f = (lab[..., 0] + 16) / 116
    y = _expand(f)
    x_less_y = _expand(f + lab[..., 1] / 500) - y
    z_less_y = _expand(f - lab[..., 2] / 200) - y
    return xp.stack([y + cx * x_less_y + cz * z_less_y for cx, cz in CHROMA], axis=-1)
