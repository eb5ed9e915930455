"""The lightness of a picture.

A `Tone` is a stream of codes and a table that gives each code's relative luminance Y (D65, linear
light). Gray pictures keep their own codes, so that nothing is rounded; their table is the sRGB
curve, or the result of an embedded gray profile (gamma 2.2, dot gain) for all codes.
Colours become CIE lightness, quantised to 16 bits.

Y of a colour with a profile of curves and a matrix is computed exactly; see `photochrom.photo.icc`.
With any other profile libvips imports it to XYZ with relative colorimetric intent. Both adapt from
the profile's D50 to D65 by Bradford (measured to 1e-4: sRGB's own primaries come back). Y of a
colour without a profile: the weights of `photochrom.color.lab`.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pyvips

from photochrom.color.lab import (
    LUMINANCE,
    lightness_to_luminance,
    luminance_to_lightness,
    srgb_to_linear,
)
from photochrom.photo.icc import MOST_KEPT, curve_profile

TOP = {"uchar": 255, "ushort": 65535}
XYZ_MAX = 100.0  # libvips' Y of white


@dataclass(frozen=True)
class Tone:
    """The lightness of a picture.

    Attributes
    ----------
    codes : pyvips.Image
        One band, uchar or ushort, full size, stored orientation; a stream that can be read once.
    luminance : float64 array, (256,) or (65536,)
        Relative luminance Y in [0, 1] of each code.
    """

    codes: pyvips.Image
    luminance: np.ndarray


@cache
def srgb_table(levels: int) -> np.ndarray:
    """Return Y of each of 256 or 65536 sRGB-encoded grays; float64."""
    table: np.ndarray = srgb_to_linear(np.arange(levels) / (levels - 1))
    table.flags.writeable = False
    return table


@cache
def lightness_table() -> np.ndarray:
    """Return Y of the codes of L* 0 to 100 in 65535 steps; float64, (65536,)."""
    table: np.ndarray = lightness_to_luminance(np.arange(65536) * (100 / 65535))
    table.flags.writeable = False
    return table


def tone_of_gray(codes: pyvips.Image, profile: bytes | None) -> Tone:
    """Return the tone of a gray picture, with its own codes.

    Parameters
    ----------
    codes : pyvips.Image
        One band, uchar or ushort.
    profile : bytes or None
        A usable gray ICC profile; None means the sRGB curve.
    """
    levels = TOP[codes.format] + 1
    table = srgb_table(levels) if profile is None else _profile_table(profile, levels)
    return Tone(codes, table)


def lightness_of(tone: Tone) -> Tone:
    """Return the same tone in codes of lightness, 16 bits; see `lightness_table`."""
    if tone.luminance is lightness_table():
        return tone
    return Tone(tone.codes.maplut(_lightness_codes(tone.luminance)), lightness_table())


def tone_of_lightness(codes: np.ndarray) -> Tone:
    """Return the tone of lightness codes in memory, uint16 (H, W)."""
    height, width = codes.shape
    pixels = np.ascontiguousarray(codes)
    image = pyvips.Image.new_from_memory(pixels, width, height, 1, "ushort")
    return Tone(image.copy(interpretation="grey16"), lightness_table())


@lru_cache(MOST_KEPT)
def _profile_table(profile: bytes, levels: int) -> np.ndarray:
    exact = curve_profile(profile)
    if exact is not None:
        return exact.linear(levels)[:, 0]
    kind, interpretation = (np.uint8, "b-w") if levels == 256 else (np.uint16, "grey16")
    ramp = pyvips.Image.new_from_array(np.arange(levels, dtype=kind)[None, :, None])
    luminance = import_xyz(ramp.copy(interpretation=interpretation), profile)[1]
    table: np.ndarray = np.clip(
        luminance.numpy().astype(np.float64).reshape(-1) / XYZ_MAX, 0.0, 1.0
    )
    table.flags.writeable = False
    return table


def tone_of_colour(colour: pyvips.Image, profile: bytes | str | None) -> Tone:
    """Convert colours to lightness.

    Parameters
    ----------
    colour : pyvips.Image
        sRGB of three bands, or whatever the profile describes; uchar or ushort.
    profile : bytes, str or None
        An ICC profile, or the name of one of libvips' own ('cmyk'); None means sRGB.
    """
    weighted = _weighted_light(profile, TOP[colour.format] + 1)
    if weighted is None:
        luminance = import_xyz(colour, profile)[1] / XYZ_MAX
    else:  # the weights are in the table: Y is one look-up and one sum
        luminance = colour.maplut(weighted).bandmean() * 3.0
    return tone_of_luminance(luminance)


def tone_of_luminance(luminance: pyvips.Image) -> Tone:
    """Convert Y, 0 to 1, to lightness in 65535 steps."""
    steps = luminance.linear(65535.0, 0.5).cast("ushort")
    return Tone(steps.maplut(_lightness_of_steps()), lightness_table())


@lru_cache(MOST_KEPT)
def _weighted_light(profile: bytes | str | None, levels: int) -> pyvips.Image | None:
    """Return each channel's share of Y for each code; None for a profile that has no such table."""
    if profile is None:
        table = srgb_table(levels)[:, None] * np.array(LUMINANCE)
    else:
        exact = curve_profile(profile) if isinstance(profile, bytes) else None
        if exact is None or exact.to_xyz is None:
            return None
        table = exact.linear(levels) * exact.luminance_weights()
    return pyvips.Image.new_from_array(table.astype(np.float32)[None])


@cache
def _lightness_of_steps() -> pyvips.Image:
    return _lightness_codes(np.arange(65536) / 65535)


def _lightness_codes(luminance: np.ndarray) -> pyvips.Image:
    """Return a table of lightness codes, 16 bits."""
    codes = np.round(luminance_to_lightness(luminance) * (65535 / 100)).astype(np.uint16)
    return pyvips.Image.new_from_array(codes[None, :, None])


def import_xyz(image: pyvips.Image, profile: bytes | str | None) -> pyvips.Image:
    """Convert device colours to XYZ (D65, Y of white 100) through a profile, or from sRGB."""
    if profile is None:
        profile = "srgb"
    if isinstance(profile, str):
        return image.icc_import(input_profile=profile, pcs="xyz", intent="relative")
    tagged = image.copy()
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return tagged.icc_import(embedded=True, pcs="xyz", intent="relative")
