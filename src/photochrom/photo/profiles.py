"""Embedded ICC profiles: whether one is usable, and whether it differs from sRGB.

Source: ICC.1:2022, section 7.2 (the header: colour space at byte 16, signature `acsp` at byte 36).
"""

from functools import cache, lru_cache

import numpy as np
import pyvips

from photochrom.color.lab import XYZ_TO_RGB, linear_to_srgb, rgb_to_lab
from photochrom.photo.icc import MOST_KEPT, CurveProfile, curve_profile
from photochrom.photo.lightness import TOP, XYZ_MAX, import_xyz, srgb_table

SPACES = {1: b"GRAY", 3: b"RGB ", 4: b"CMYK"}
MEAN_LIGHTNESS_ERROR, MOST_LIGHTNESS_ERROR = 0.5, 2.0  # L*, there and back
MEDIAN_COLOUR_ERROR = 4.0  # ab units: half of the colours come back at least so well
SRGB_TOLERANCE = 1 / 255  # libvips' own sRGB profile departs by half of it in the shadows


def describe_space(profile: bytes) -> str:
    """Return the colour space a profile says it is for, such as 'RGB', or 'nothing'."""
    if len(profile) < 128 or profile[36:40] != b"acsp":
        return "nothing"
    return profile[16:20].decode("latin-1").strip()


@lru_cache(MOST_KEPT)
def fits(profile: bytes, bands: int) -> bool:
    """Return whether the profile describes pictures of 1, 3 or 4 bands and libvips can use it."""
    if profile[16:20] != SPACES.get(bands) or not _is_whole(profile):
        return False
    probe = pyvips.Image.black(1, 1, bands=bands).copy(
        interpretation={1: "b-w", 3: "srgb", 4: "cmyk"}[bands]
    )
    try:
        return bool(np.isfinite(import_xyz(probe, profile).numpy()).all())
    except pyvips.Error:
        return False


def _is_whole(profile: bytes) -> bool:
    """Check that every tag lies inside; libvips silently uses sRGB for a truncated profile."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return False
    count = int.from_bytes(profile[128:132], "big")
    table = profile[132 : 132 + 12 * count]
    places = [table[at + 4 : at + 12] for at in range(0, len(table), 12)]
    ends = [int.from_bytes(p[:4], "big") + int.from_bytes(p[4:], "big") for p in places]
    return len(table) == 12 * count > 0 and max(ends) <= len(profile)


@lru_cache(MOST_KEPT)
def is_srgb(profile: bytes) -> bool:
    """Return whether an RGB profile describes sRGB, whose own formula is exact and faster."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    image = pyvips.Image.new_from_array(grid).copy(interpretation="srgb")
    xyz = import_xyz(image, profile).numpy() / XYZ_MAX
    linear = xyz @ np.array(XYZ_TO_RGB).T
    encoded = linear_to_srgb(np.clip(linear, 0.0, 1.0))
    return bool(np.abs(encoded - grid / 255).max() <= SRGB_TOLERANCE)


@lru_cache(MOST_KEPT)
def has_way_back(profile: bytes) -> bool:
    """Return whether colours survive a round trip through an RGB profile.

    Profiles of scanners and cameras often have only a table from device values to colours (A2B0
    without B2A0), or an inaccurate inverse. Grays that the profile can show, and colours half as
    vivid as sRGB's, are converted through `srgb_to_profile` and back.
    """
    steps = np.linspace(0, 255, 5)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    grid = (grid + grid.mean(axis=1, keepdims=True)) / 2
    colours = np.concatenate((np.linspace(0, 255, 18)[:, None].repeat(3, 1), grid))
    codes = np.round(colours * 257).astype(np.uint16)[None]
    try:
        darkest, lightest = _lab(np.array([[[0] * 3, [65535] * 3]], np.uint16), profile)[:, 0]
        image = pyvips.Image.new_from_array(codes).copy(interpretation="rgb16")
        back = _lab(srgb_to_profile(image, profile, sixteen_bit=True).numpy(), profile)
    except pyvips.Error:
        return False
    lab = _lab(codes, None)
    shown = (lab[:, 0] >= darkest - 0.5) & (lab[:, 0] <= lightest + 0.5)
    if shown.sum() < len(lab) / 4:
        return False
    error = np.abs(back - lab)[shown]
    of_lightness, of_colour = error[:, 0], np.hypot(error[:, 1], error[:, 2])
    return bool(
        of_lightness.mean() <= MEAN_LIGHTNESS_ERROR
        and np.percentile(of_lightness, 95) <= MOST_LIGHTNESS_ERROR
        and np.median(of_colour) <= MEDIAN_COLOUR_ERROR
    )


def _lab(codes: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Return L*a*b* (D65) of RGB numbers of 16 bits: (1, n, 3) -> (n, 3)."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(codes)).copy(interpretation="rgb16")
    xyz = import_xyz(image, profile).numpy().reshape(-1, 3).astype(np.float64) / XYZ_MAX
    linear = np.clip(xyz @ np.array(XYZ_TO_RGB).T, 0.0, 1.0)
    return np.asarray(rgb_to_lab(linear_to_srgb(linear)))


@cache
def srgb_profile() -> bytes:
    """Return the sRGB profile that libvips carries."""
    return bytes(pyvips.Image.profile_load("srgb"))


def srgb_to_profile(image: pyvips.Image, profile: bytes, *, sixteen_bit: bool) -> pyvips.Image:
    """Convert sRGB to an RGB profile, relative colorimetric.

    Parameters
    ----------
    image : pyvips.Image
        Three bands, uchar or ushort.
    profile : bytes
        Of the colour space wanted.
    sixteen_bit : bool
        Whether the result is ushort.
    """
    exact = curve_profile(profile)
    if exact is not None and exact.to_xyz is not None:
        return _encode(image, exact, sixteen_bit)
    light = image.icc_import(input_profile="srgb", pcs="xyz", intent="relative").copy()
    light.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return light.icc_export(pcs="xyz", intent="relative", depth=16 if sixteen_bit else 8)


def _encode(image: pyvips.Image, exact: CurveProfile, sixteen_bit: bool) -> pyvips.Image:
    decode = srgb_table(TOP[image.format] + 1).astype(np.float32)
    linear = image.maplut(pyvips.Image.new_from_array(decode[None, :, None]))
    steps = linear.recomb(exact.from_srgb().tolist()).linear(65535.0, 0.5).cast("ushort")
    top, kind = (65535, np.uint16) if sixteen_bit else (255, np.uint8)
    encode = pyvips.Image.new_from_array(exact.encoding(top).astype(kind)[None])
    return steps.maplut(encode).copy(interpretation="rgb16" if sixteen_bit else "srgb")
