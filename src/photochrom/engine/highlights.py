"""Tone down pure white, so that it can show colour; this changes the lightness.

Tones below a knee stay; above it, tones follow a parabola to the new white, with a slope of at
least a half, so that no tones merge and no edge appears.
"""

import numpy as np

from photochrom.options.ranges import WHITE_LIGHTNESS
from photochrom.photo.photo import Photo

KNEE = 4.0  # distance of the knee from white, as a multiple of the lowering
TOP = 65535  # the code of L* 100


def toned_down(lightness: np.ndarray, white: float) -> np.ndarray:
    """Return a lightness with its lightest tones lowered.

    Parameters
    ----------
    lightness : float array, (...)
        L* in [0, 100].
    white : float
        New L* of white; see `options.ranges.WHITE_LIGHTNESS`.

    Returns
    -------
    float array, (...)
        L*, never more than `lightness`; increasing with it.

    Raises
    ------
    InvalidValueError
        If `white` is out of its range.
    """
    WHITE_LIGHTNESS.check("white_lightness", white)
    width = KNEE * (100 - white)
    above = np.maximum(lightness - (100 - width), 0)
    return np.asarray(lightness - (100 - white) * (above / width) ** 2)


def toned_down_photo(photo: Photo, white: float) -> tuple[Photo, tuple[str, ...]]:
    """Lower the lightest tones of every page of a photo.

    Parameters
    ----------
    photo : Photo
        Each page's lightness is held in memory, two bytes per pixel.
    white : float
        See `toned_down`.

    Returns
    -------
    (Photo, tuple of str)
        The same photo with the changed lightness, and notes.

    Raises
    ------
    InvalidValueError
        If `white` is out of its range.
    UnreadablePhotoError
        If the pixels are truncated or corrupt.
    """
    tones = toned_down(np.linspace(0, 100, TOP + 1), white)
    table = np.round(tones * (TOP / 100)).astype(np.uint16)
    pages = [table[photo.lightness_codes(page)] for page in range(photo.pages)]
    note = f"white toned down to L* {white:g}: the lightness is changed"
    return photo.with_lightness(pages), (note,)
