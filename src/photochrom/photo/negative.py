"""Invert scanned film negatives.

Film responds to light with density, D = -log10 of its transmittance, nearly in proportion to the
logarithm of the exposure (Hurter and Driffield, 1890); the slope, gamma, is about 0.6 for
pictorial black-and-white and for colour negatives. So a code becomes light, light becomes density,
the density of the bare base (its orange mask, per channel) is subtracted, and exposure is
10 ** (density / gamma), white where the film is densest. Subtracting from white would not do:
shadows would keep the base's colour, and tones would be bent.
"""

from dataclasses import dataclass

import numpy as np

from photochrom.color.lab import (
    LUMINANCE,
    linear_to_srgb,
    luminance_to_lightness,
    rgb_to_lab,
    srgb_to_linear,
)

FILM_GAMMA = 0.6
STEEPEST, FLATTEST = 1 / 0.45, 0.35  # exponents that are tried where the usual one fails
DARKEST_MEDIAN, LIGHTEST_MEDIAN = 20.0, 85.0  # L*: a picture whose median is beyond is misread
LEAST_LIGHT = 1e-4  # density 4: film has no more
LEAST_RANGE = 0.1  # densities: less is a blank frame
MOST_RANGE = 2.3  # densities: more has no film, but a picture that a program reversed
BASE, DENSEST = 99.5, 99.7  # percentiles of light, and of density
MOST_CLIPPED = 0.002  # share of clipped pixels above which they are the light table
MARGIN = 0.06  # of each side, left out of the measure of white: holders are denser than any film

# Of a colour negative's base, which lets red through and holds back blue.
ORANGE_HUES = (25.0, 85.0)  # degrees
ORANGE_CHROMA = 18.0  # ab units
LEAST_STEP = 0.12  # densities of green above red, and of blue above green
MOST_MASKED_RANGE = 1.5  # densities of red
LEAST_ORANGE = 0.6  # share of the picture, in hues about the base's


@dataclass(frozen=True)
class Inversion:
    """The conversion of a negative's codes to a positive.

    Attributes
    ----------
    tables : float64 array, (levels, channels)
        Positive, sRGB-encoded in [0, 1], of each code.
    base : float64 array, (channels,)
        Density of the bare film.
    is_film : bool
        Whether its densities are a film's; else the codes are reversed.
    """

    tables: np.ndarray
    base: np.ndarray
    is_film: bool = True


def find_inversion(sample: np.ndarray, light: np.ndarray) -> Inversion:
    """Return the tables that invert a negative, from a measured sample.

    Parameters
    ----------
    sample : uint8 or uint16 array, (h, w, channels)
        A small copy, as stored; 1 or 3 channels.
    light : float64 array, (levels, channels)
        Linear light in [0, 1] of each code.
    """
    density = -np.log10(np.maximum(light, LEAST_LIGHT))
    channels = sample.shape[2]
    seen = np.stack([light[sample[..., c], c] for c in range(channels)], axis=-1)
    base = -np.log10(np.maximum(_base_light(seen), LEAST_LIGHT))
    above = -np.log10(np.maximum(_middle(seen), LEAST_LIGHT)) - base
    ranges = np.maximum(np.percentile(above.reshape(-1, channels), DENSEST, axis=0), LEAST_RANGE)
    if ranges.mean() > MOST_RANGE:
        return Inversion(_reversed(sample, len(light)), base, is_film=False)
    # Each layer of colour film has its own contrast; white is white in all of them.
    scale = ranges.mean() / ranges
    relative = (above * scale - ranges.mean()).clip(max=0)
    exponent = _exponent(relative)
    codes = ((density - base) * scale - ranges.mean()).clip(max=0)
    return Inversion(np.asarray(linear_to_srgb(10 ** (codes * exponent))), base)


def _reversed(sample: np.ndarray, levels: int) -> np.ndarray:
    """Reverse codes between the brightest and the densest of each channel."""
    pixels = sample.reshape(-1, sample.shape[2])
    low, high = (np.percentile(pixels, q, axis=0) for q in (100 - DENSEST, BASE))
    steps = (high - np.arange(levels)[:, None]) / np.maximum(high - low, 1)
    return np.asarray(steps.clip(0, 1))


def _middle(planes: np.ndarray) -> np.ndarray:
    rows, columns = (int(side * MARGIN) for side in planes.shape[:2])
    return planes[rows : planes.shape[0] - rows, columns : planes.shape[1] - columns]


def _base_light(seen: np.ndarray) -> np.ndarray:
    """Return the light through the bare base: the brightest that is not the bare light table."""
    pixels = seen.reshape(-1, seen.shape[-1])
    clipped = (pixels >= 0.99).all(axis=1)
    if MOST_CLIPPED < clipped.mean() < 0.9:
        pixels = pixels[~clipped]
    return np.asarray(np.percentile(pixels, BASE, axis=0))


def _exponent(relative: np.ndarray) -> float:
    """Return 1 / gamma: the film's, or the value that keeps the median off black and white."""
    weights = np.array(LUMINANCE) if relative.shape[-1] == 3 else np.ones(1)

    def median(exponent: float) -> float:
        luminance = (10 ** (relative * exponent)) @ weights
        return float(np.median(luminance_to_lightness(luminance)))

    usual = 1 / FILM_GAMMA
    found = median(usual)
    if DARKEST_MEDIAN <= found <= LIGHTEST_MEDIAN:
        return usual
    wanted = DARKEST_MEDIAN if found < DARKEST_MEDIAN else LIGHTEST_MEDIAN
    low, high = FLATTEST, STEEPEST  # the median falls as the exponent grows
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if median(middle) > wanted else (low, middle)
    return (low + high) / 2


def looks_like_colour_negative(rgb: np.ndarray) -> bool:
    """Detect a colour negative by its mask: all of it is orange, the brightest parts most evenly.

    Parameters
    ----------
    rgb : uint8 array, (h, w, 3)
        A small copy, sRGB.
    """
    lab = rgb_to_lab(rgb / 255.0).reshape(-1, 3)
    light = srgb_to_linear(rgb / 255.0).reshape(-1, 3)
    bright = light.sum(axis=1) >= np.percentile(light.sum(axis=1), 90)
    base_lab, base = lab[bright].mean(axis=0), light[bright].mean(axis=0)
    chroma = float(np.hypot(*base_lab[1:]))
    hue = float(np.degrees(np.arctan2(base_lab[2], base_lab[1])) % 360)
    density = -np.log10(np.maximum(base, LEAST_LIGHT))
    masked = density[1] - density[0] >= LEAST_STEP and density[2] - density[1] >= LEAST_STEP
    if not (masked and chroma >= ORANGE_CHROMA and ORANGE_HUES[0] <= hue <= ORANGE_HUES[1]):
        return False
    # No density of film hides as much red as the blacks of a warm photograph.
    darkest = np.percentile(light[:, 0], 1)
    if darkest < base[0] * 10**-MOST_MASKED_RANGE:
        return False
    hues = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    orange = (hues >= ORANGE_HUES[0] - 25) & (hues <= ORANGE_HUES[1] + 15)
    return bool(orange.mean() >= LEAST_ORANGE)
