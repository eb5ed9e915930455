"""Between luma planes and colour: the law of lightness in a film.

The luma plane Y' is never changed. Its level is read as a gray of sRGB, which gives L*; a colour
field gives ab; and the colour's chroma, (R' - Y', B' - Y'), is stored in the chroma planes, reduced
until R', G' and B' at the plane's own luma lie within their range. Sources: ITU-R BT.601 and BT.709
(Y'CbCr, limited range), ITU-R BT.2020 (more than 8 bits), IEC 61966-2-1, CIE 15:2004.
"""

from functools import lru_cache
from typing import NamedTuple

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
STRIP_SAMPLES = 2**15
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
    place = _places(codes, levels)
    ab = _colours(field, _gray_tables()[0][place])
    cb, cr = np.empty((height, width), luma.dtype), np.empty((height, width), luma.dtype)
    rows = max(1, STRIP_SAMPLES // width)
    for top in range(0, height, rows):  # a strip's arrays stay in the processor's cache
        strip = np.s_[top : top + rows]
        blue, red = _chroma(place[strip], ab[strip], *facts.weights)
        cb[strip], cr[strip] = _as_codes(blue, levels), _as_codes(red, levels)  # rounded down
    return cb, cr


def _places(codes: np.ndarray, levels: Levels) -> np.ndarray:
    """Return where codes lie in the tables of grays."""
    scale = (CODES - 1) / (levels.white - levels.black)
    place = (np.asarray(codes, np.float32) - np.float32(levels.black)) * np.float32(scale)
    return np.asarray(np.clip(place + np.float32(0.5), 0, CODES - 1), np.int32)


def _colours(field: ColourField, lightness: np.ndarray) -> np.ndarray:
    """Return ab, (h, w, 2), of a field at a larger lightness, (h, w)."""
    ab = _enlarged(field.slope, *lightness.shape)
    ab *= lightness[..., None]
    ab += _enlarged(field.offset, *lightness.shape)
    np.maximum(ab, _enlarged(field.low, *lightness.shape), out=ab)
    np.minimum(ab, _enlarged(field.high, *lightness.shape), out=ab)
    return ab


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


def _enlarged(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Interpolate planes, (h', w', 2), to (height, width, 2) float32."""
    import cv2

    planes = np.ascontiguousarray(planes, np.float32)
    if height < planes.shape[0] or width < planes.shape[1]:
        return resize(planes, height, width)
    return np.asarray(cv2.resize(planes, (width, height)))


def _chroma(
    place: np.ndarray, ab: np.ndarray, red: float, blue: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return Cb and Cr, in [-0.5, 0.5], of grays by their places in the tables and their ab."""
    f = _gray_tables()[1][place]
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
    fits = _fit(place * np.float32(1 / (CODES - 1)), away)
    return (
        np.asarray(away[2] * fits / (2 * (1 - blue))),
        np.asarray(away[0] * fits / (2 * (1 - red))),
    )


def _fit(gray: np.ndarray, away: list[np.ndarray]) -> np.ndarray:
    """Return the share of a chroma that keeps all channels in [0, 1] at a gray's luma."""
    most = np.maximum(np.maximum(away[0], away[1]), away[2])
    least = np.minimum(np.minimum(away[0], away[1]), away[2])
    tiny = np.float32(1e-6)
    fits = np.minimum((1 - gray) / np.maximum(most, tiny), gray / np.maximum(-least, tiny))
    return np.asarray(np.minimum(fits, 1))


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


def _as_codes(chroma: np.ndarray, levels: Levels) -> np.ndarray:
    codes = chroma * np.float32(levels.span) + np.float32(levels.middle + 0.5)
    return np.asarray(np.clip(codes, 1, levels.top))  # the caller stores it as integers
