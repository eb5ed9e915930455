"""Descreen bilevel and halftone pictures.

Every pixel of such a picture is black or white, and neither can show colour. The mean of the dots,
in linear light as seen from a distance, can. The dots' distance is found in the
spectrum of the middle of the picture (the strongest period of 2 to 24 pixels); where there is no
regular screen, as of a dithered picture, a fixed radius serves.
"""

import numpy as np
import pyvips

from photochrom.photo.headers import array_of
from photochrom.photo.lightness import tone_of_lightness, tone_of_luminance
from photochrom.photo.photo import Photo

PROBE_PX = 512  # side of the middle that is looked at
SHORTEST, LONGEST = 2.0, 24.0  # pixels between dots
PEAK = 12.0  # times the median of the spectrum at its period: a regular screen
RADIUS = 0.6  # standard deviation of the mean, in distances between dots
WITHOUT_SCREEN = 3.5  # pixels between dots where none is found


def descreened(photo: Photo) -> tuple[Photo, tuple[str, ...]]:
    """Return a photo whose lightness is the mean of its dots, and a note.

    Raises
    ------
    UnreadablePhotoError
        If the pixels are truncated or corrupt.
    """
    pages, distances = [], []
    for page in range(photo.pages):
        codes, distance = descreen(photo.lightness_codes(page))
        pages.append(codes)
        distances.append(f"{distance:.1f}")
    said = ", ".join(dict.fromkeys(distances))
    return photo.with_lightness(pages), (
        f"descreened: the mean of dots {said} pixels apart; fine detail is softer than the scan's",
    )


def descreen(codes: np.ndarray) -> tuple[np.ndarray, float]:
    """Average the dots of one page.

    Parameters
    ----------
    codes : uint16 array, (H, W)
        L* 0 to 100 in 65535 steps.

    Returns
    -------
    (uint16 array (H, W), float)
        The averaged lightness, and the distance between dots in pixels.
    """
    distance = dot_distance(codes)
    tone = tone_of_lightness(codes)
    light = tone.luminance.astype(np.float32)
    luminance = tone.codes.maplut(pyvips.Image.new_from_array(light[None, :, None]))
    mean = luminance.gaussblur(RADIUS * distance, precision="float")
    return array_of(tone_of_luminance(mean).codes)[..., 0], distance


def dot_distance(codes: np.ndarray) -> float:
    """Find the distance between the dots of a screen, in pixels."""
    side = min(PROBE_PX, *codes.shape)
    if side < 4 * LONGEST:
        return WITHOUT_SCREEN
    top, left = ((length - side) // 2 for length in codes.shape)
    part = codes[top : top + side, left : left + side].astype(np.float64)
    window = np.hanning(side)
    power = np.abs(np.fft.fft2((part - part.mean()) * np.outer(window, window))) ** 2
    rows, columns = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    frequency = np.hypot(rows, columns)
    ring = (frequency > 1 / LONGEST) & (frequency < 1 / SHORTEST)
    # Pictures have less power at higher frequencies; each is judged by its like.
    rings = np.round(frequency * side).astype(int)
    usual = np.array(
        [
            np.median(power[rings == r]) if (rings == r).any() else 1.0
            for r in range(rings.max() + 1)
        ]
    )
    strength = np.where(ring, power / (usual[rings] + 1e-9), 0.0)
    peak = np.unravel_index(np.argmax(strength * np.sqrt(power)), power.shape)
    if strength[peak] < PEAK**2:
        return WITHOUT_SCREEN
    return float(1 / frequency[peak])
