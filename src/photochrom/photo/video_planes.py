"""Between luma planes and colour: the law of lightness in a film.

The luma plane Y' is never changed. Its level is read as a gray of sRGB, which gives L*; a colour
field gives ab; and the colour's chroma, (R' - Y', B' - Y'), is stored in the chroma planes, reduced
until R', G' and B' at the plane's own luma lie within their range. Sources: ITU-R BT.601 and BT.709
(Y'CbCr, limited range), ITU-R BT.2020 (more than 8 bits), IEC 61966-2-1, CIE 15:2004.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from photochrom.color.lab import (
    CHROMA,
    DELTA,
    linear_to_srgb,
    luminance_to_lightness,
    srgb_to_linear,
)
from photochrom.photo.field import ColourField
from photochrom.photo.resize import resize
from photochrom.photo.video import SHALLOW, VideoFacts, pyav

CODES = 4096  # of the table that encodes linear light
OF_X, OF_Z = np.array(CHROMA, np.float32).T  # of each channel: its part of X - Y and of Z - Y


class Levels(NamedTuple):
    """How a film's codes stand for levels.

    Attributes
    ----------
    black, white : float
        Codes of Y' = 0 and 1.
    middle, span : float
        The code of no chroma; codes between the chromas -0.5 and 0.5.
    top : int
        The largest code.
    """

    black: float
    white: float
    middle: float
    span: float
    top: int


def levels_of(facts: VideoFacts) -> Levels:
    """Return how a film's codes stand for levels."""
    top = 2**facts.plane.bits - 1
    unit = 2 ** (facts.plane.bits - SHALLOW)
    if facts.full_range:
        return Levels(0.0, float(top), (top + 1) / 2, float(top), top)
    return Levels(16.0 * unit, 235.0 * unit, 128.0 * unit, 224.0 * unit, top)


def small_lightness(luma: np.ndarray, facts: VideoFacts, height: int, width: int) -> np.ndarray:
    """Return the lightness of an upright frame at a small size.

    Parameters
    ----------
    luma : uint8 or uint16 array, (h, w)
        As stored.
    facts : VideoFacts
    height, width : int
        Of the upright result.

    Returns
    -------
    float32 array, (height, width)
        L* in [0, 100].
    """
    stored = (width, height) if facts.rotation % 180 else (height, width)
    small = _shrunk(luma, *stored)
    table = _lightness_table(levels_of(facts))
    return np.ascontiguousarray(
        upright(table[np.clip(small + 0.5, 0, len(table) - 1).astype(int)], facts.rotation)
    )


def gray_levels(luma: np.ndarray, facts: VideoFacts) -> np.ndarray:
    """Return a frame as grays of all codes, (h, w) uint8 or uint16."""
    levels = levels_of(facts)
    grays = (luma.astype(np.float32) - levels.black) / (levels.white - levels.black)
    top = 255 if facts.plane.bits == SHALLOW else 65535
    dtype = np.uint8 if facts.plane.bits == SHALLOW else np.uint16
    return np.asarray(np.clip(grays, 0, 1) * top + 0.5, dtype)


def upright(planes: np.ndarray, rotation: int) -> np.ndarray:
    """Turn stored planes, (h, w) or (h, w, n), counter-clockwise by a multiple of 90 degrees."""
    return np.rot90(planes, rotation // 90)


def stored_field(field: ColourField, rotation: int) -> ColourField:
    """Turn an upright colour field back to how the film's frames are stored."""
    if not rotation:
        return field
    return ColourField.of(np.ascontiguousarray(np.rot90(field.planes, -rotation // 90)))


def chroma_planes(
    luma: np.ndarray, field: ColourField, facts: VideoFacts
) -> tuple[np.ndarray, np.ndarray]:
    """Return the chroma planes of a frame.

    Parameters
    ----------
    luma : uint8 or uint16 array, (h, w)
    field : ColourField
        As stored, of any smaller size.
    facts : VideoFacts

    Returns
    -------
    cb, cr : arrays of the luma's dtype, (h', w')
        At the size of the format's chroma.
    """
    plane = facts.plane
    height, width = -(-luma.shape[0] // plane.down), -(-luma.shape[1] // plane.across)
    codes = luma if (height, width) == luma.shape else _shrunk(luma, height, width)
    levels = levels_of(facts)
    gray = np.asarray(codes, np.float32) - np.float32(levels.black)
    gray = np.clip(gray / np.float32(levels.white - levels.black), 0, 1)
    blue, red = _chroma(gray, _enlarged(field, height, width), *facts.weights)
    return _as_codes(blue, levels, luma.dtype), _as_codes(red, levels, luma.dtype)


def interlaced_chroma(
    luma: np.ndarray, field: ColourField, facts: VideoFacts
) -> tuple[np.ndarray, np.ndarray]:
    """Return the chroma planes of an interlaced frame: each field has its own lines."""
    fields = [chroma_planes(luma[parity::2], field, facts) for parity in (0, 1)]
    height = -(-luma.shape[0] // facts.plane.down)
    woven = []
    for top, bottom in zip(*fields, strict=True):
        whole = np.empty((height, top.shape[1]), top.dtype)
        whole[0::2] = top[: len(whole[0::2])]
        whole[1::2] = bottom[: len(whole[1::2])]
        woven.append(whole)
    return woven[0], woven[1]


def _shrunk(luma: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average codes over areas: float32."""
    pyav()
    import cv2

    return np.asarray(
        cv2.resize(luma.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    )


def _enlarged(field: ColourField, height: int, width: int) -> np.ndarray:
    """Interpolate slope, offset and bounds: (h, w, 8) float32."""
    import cv2

    planes = np.ascontiguousarray(field.planes, np.float32)
    if height < planes.shape[0] or width < planes.shape[1]:
        return resize(planes, height, width)
    halves = (planes[..., :4], planes[..., 4:])  # OpenCV interpolates at most four at once
    wide = [cv2.resize(np.ascontiguousarray(half), (width, height)) for half in halves]
    return np.concatenate(wide, axis=-1)


def _chroma(
    gray: np.ndarray, planes: np.ndarray, red: float, blue: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return Cb and Cr, in [-0.5, 0.5], of grays in [0, 1] under a field at their size."""
    lightness, f_table = _gray_tables()
    place = (gray * (CODES - 1) + np.float32(0.5)).astype(np.int32)
    light = lightness[place][..., None]
    ab = np.clip(planes[..., :2] * light + planes[..., 2:4], planes[..., 4:6], planes[..., 6:8])
    f = f_table[place]
    y = _cube(f)
    less_x = _cube(f + ab[..., 0] * np.float32(1 / 500)) - y
    less_z = _cube(f - ab[..., 1] * np.float32(1 / 200)) - y
    encode = _encoding_table()
    rgb = [
        encode[(np.clip(y + OF_X[n] * less_x + OF_Z[n] * less_z, 0, 1) * CODES).astype(np.int32)]
        for n in range(3)
    ]
    luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
    away = [channel - luma for channel in rgb]
    most = np.maximum(np.maximum(away[0], away[1]), away[2])
    least = np.minimum(np.minimum(away[0], away[1]), away[2])
    tiny = np.float32(1e-6)
    fits = np.minimum((1 - gray) / np.maximum(most, tiny), gray / np.maximum(-least, tiny))
    fits = np.minimum(fits, 1)
    return np.asarray(away[2] * fits / (2 * (1 - blue))), np.asarray(
        away[0] * fits / (2 * (1 - red))
    )


def _cube(f: np.ndarray) -> np.ndarray:
    """Return linear light for CIE's f: the straight line below DELTA is the cube's tangent."""
    above = np.maximum(f, np.float32(DELTA))
    return np.asarray(above * above * above + np.float32(3 * DELTA**2) * (f - above))


@lru_cache(maxsize=1)
def _gray_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return L*, and f = (L* + 16) / 116, of encoded grays from 0 to 1."""
    lightness = luminance_to_lightness(srgb_to_linear(np.linspace(0, 1, CODES)))
    return lightness.astype(np.float32), ((lightness + 16) / 116).astype(np.float32)


@lru_cache(maxsize=1)
def _encoding_table() -> np.ndarray:
    """Return encoded light of linear light from 0 to 1, with one entry beyond."""
    centres = np.minimum((np.arange(CODES + 1) + 0.5) / CODES, 1)
    return np.asarray(linear_to_srgb(centres), np.float32)


@lru_cache(maxsize=4)
def _lightness_table(levels: Levels) -> np.ndarray:
    grays = (np.arange(levels.top + 1) - levels.black) / (levels.white - levels.black)
    linear = srgb_to_linear(np.clip(grays, 0, 1))
    return np.asarray(luminance_to_lightness(linear), np.float32)


def _as_codes(chroma: np.ndarray, levels: Levels, dtype: Any) -> np.ndarray:
    codes = chroma * np.float32(levels.span) + np.float32(levels.middle + 0.5)
    return np.asarray(np.clip(codes, 1, levels.top), dtype)
