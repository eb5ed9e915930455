"""Join a full-size picture's lightness with a small field of colour, as a libvips stream.

Fast guided filter (He & Sun 2015): ab = slope * L + offset, where slope and offset are small and
smooth, so that only one multiply and one add happen at full size; then CIE Lab to sRGB at constant
luminance (see `photochrom.color.gamut`). Nothing is held in memory but a few rows.
"""

from functools import lru_cache

import numpy as np
import pyvips

from photochrom.color.lab import WHITE, XYZ_TO_RGB, linear_to_srgb, luminance_to_lightness
from photochrom.photo.field import ColourField
from photochrom.photo.tone import Tone

VIPS_WHITE = (95.0470, 100.0, 108.8827)  # libvips' D65, which its Lab2XYZ scales by
STEPS_PER_CELL = 4  # the field is interpolated to this, then repeated: its steps cannot be seen
LINEAR_MAX = 65535
TINY, HUGE = 1e-9, 1e12


def join(tone: Tone, field: ColourField, *, sixteen_bit: bool = False) -> pyvips.Image:
    """Colour a picture.

    Parameters
    ----------
    tone : Tone
        The full-size picture.
    field : ColourField
        Its colours, at any smaller size.
    sixteen_bit : bool
        Give 16 bits a channel instead of 8.

    Returns
    -------
    pyvips.Image
        Three bands of sRGB, a stream of the tone's size; every pixel keeps its luminance but for
        rounding.
    """
    codes = tone.codes
    lightness = codes.maplut(_table(luminance_to_lightness(tone.luminance)))
    ab = _field_at(field, lightness)
    lab = lightness.bandjoin(ab).copy(interpretation="lab")
    chroma = lab.Lab2XYZ().recomb(_CHROMA_FROM_VIPS_XYZ)
    encoded = _bound_chroma(chroma, tone).cast("ushort").maplut(_srgb_table(sixteen_bit))
    return encoded.copy(interpretation="rgb16" if sixteen_bit else "srgb")


# linear sRGB less its luminance, which is the Y of libvips over 100
_CHROMA_FROM_VIPS_XYZ = (
    np.array(XYZ_TO_RGB) * (np.array(WHITE) / np.array(VIPS_WHITE)) - (0, 1 / VIPS_WHITE[1], 0)
).tolist()


def _field_at(field: ColourField, lightness: pyvips.Image) -> pyvips.Image:
    """Evaluate the field at full size: two bands, a and b."""
    large = enlarge(field.planes, lightness.width, lightness.height)
    slope, offset, low, high = (large.extract_band(2 * i, n=2) for i in range(4))
    ab = slope * lightness + offset
    return ab.maxpair(low).minpair(high)


def enlarge(planes: np.ndarray, width: int, height: int) -> pyvips.Image:
    """Enlarge small planes to exactly (width, height): linearly, then by repetition.

    Parameters
    ----------
    planes : float32 array, (h, w, bands)
        Smooth.
    width, height : int
        The size wanted, in pixels.

    Returns
    -------
    pyvips.Image
        Float, a stream.
    """
    planes = np.ascontiguousarray(planes, dtype=np.float32)
    h, w, bands = planes.shape
    small = pyvips.Image.new_from_memory(planes.tobytes(), w, h, bands, "float")
    repeat_x = max(1, width // (STEPS_PER_CELL * w))
    repeat_y = max(1, height // (STEPS_PER_CELL * h))
    wide, high = -(-width // repeat_x), -(-height // repeat_y)
    scale_x, scale_y = width / repeat_x / w, height / repeat_y / h
    # One more cell all round, so that the rim is extended and not faded.
    padded = small.embed(1, 1, w + 2, h + 2, extend="copy")
    stretched = padded.affine(
        [scale_x, 0, 0, scale_y],
        interpolate=pyvips.Interpolate.new("bilinear"),
        oarea=[0, 0, wide, high],
        idx=-0.5 - 1,
        idy=-0.5 - 1,
        odx=-0.5,
        ody=-0.5,
        extend="copy",
    )
    return stretched.zoom(repeat_x, repeat_y).crop(0, 0, width, height)


def _bound_chroma(chroma: pyvips.Image, tone: Tone) -> pyvips.Image:
    """Y + (rgb - Y) / excess, the least excess >= 1 that stays in gamut; see color.gamut.

    Scaled to 16 bits, half a step up for the cast that follows: what depends on lightness alone
    is in the tables, so that few passes are left.
    """
    y = tone.luminance
    luminance = tone.codes.maplut(_table(LINEAR_MAX * y + 0.5))
    per_room_above = tone.codes.maplut(_table(1 / (LINEAR_MAX * (1 - y + TINY))))
    per_room_below = tone.codes.maplut(_table(-1 / (LINEAR_MAX * (y + TINY))))
    red, green, blue = chroma[0], chroma[1], chroma[2]
    above = red.maxpair(green).maxpair(blue) * per_room_above
    below = red.minpair(green).minpair(blue) * per_room_below
    excess = above.maxpair(below).clamp(min=1 / LINEAR_MAX, max=HUGE)
    return chroma / excess + luminance


def _table(values: np.ndarray) -> pyvips.Image:
    return pyvips.Image.new_from_array(values.astype(np.float32)[None])


@lru_cache(maxsize=2)
def _srgb_table(sixteen_bit: bool) -> pyvips.Image:
    encoded = linear_to_srgb(np.arange(LINEAR_MAX + 1) / LINEAR_MAX)
    kind, top = (np.uint16, 65535) if sixteen_bit else (np.uint8, 255)
    return pyvips.Image.new_from_array(np.round(encoded * top).astype(kind)[None])
