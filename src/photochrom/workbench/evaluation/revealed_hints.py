"""Revealed colours: how much a method gains from a few hints.

Source: Zhang, Zhu, Isola, Geng, Lin, Yu, Efros, "Real-Time User-Guided Image Colorization with
Learned Deep Priors", SIGGRAPH 2017, section 4.1: small patches at random places show their mean
true colour. The places of a picture are nested: the first ten of a hundred are those of ten.
"""

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from photochrom.color.arrays import Floats
from photochrom.colorization import rbf
from photochrom.errors import InvalidValueError

PATCH_PX = 6
COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)


class Patches(NamedTuple):
    """Revealed patches of a picture.

    corners : int array, (n, 2), top and left in pixels
    ab : float array, (n, 2), the mean true colour of each
    """

    corners: NDArray[np.int64]
    ab: Floats


def reveal(truth_ab: Floats, count: int, key: str, seed: int = 0) -> Patches:
    """Reveal the true ab (h, w, 2) of `count` patches at uniform places.

    Each picture, by its key, and each seed has its own places: the first `count` of a list. Raise
    InvalidValueError if the picture is smaller than a patch, or the count is negative.
    """
    height, width = truth_ab.shape[:2]
    if min(height, width) < PATCH_PX or count < 0:
        raise InvalidValueError(
            f"revealing needs a picture of at least {PATCH_PX} x {PATCH_PX} and a count of 0 or "
            f"more; got {width} x {height} and {count}."
        )
    random = np.random.default_rng((seed, zlib.crc32(key.encode())))
    ends = (height - PATCH_PX + 1, width - PATCH_PX + 1)
    corners = (random.random((count, 2)) * ends).astype(np.int64)
    ab = [truth_ab[y : y + PATCH_PX, x : x + PATCH_PX].mean((0, 1)) for y, x in corners]
    return Patches(corners, np.array(ab, truth_ab.dtype).reshape(count, 2))


def paint(patches: Patches, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Paint patches into the two float32 maps that a method takes, of a height and width.

    The colour (h, w, 2) inside the patches, 0 outside; the mask (h, w), 1 inside, 0 outside.
    """
    ab, mask = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    # Backwards, so that a later patch never covers an earlier one: more hints only add.
    for (y, x), colour in zip(patches.corners[::-1], patches.ab[::-1], strict=True):
        ab[y : y + PATCH_PX, x : x + PATCH_PX] = colour
        mask[y : y + PATCH_PX, x : x + PATCH_PX] = 1
    return ab, mask


def spread(patches: Patches, lightness: Floats) -> Floats:
    """Spread the colours of patches by `colorization.rbf`: the baseline of the hint curve.

    Lightness (h, w) in [0, 100] -> ab (h, w, 2), 0 without patches.
    """
    inside = [lightness[y : y + PATCH_PX, x : x + PATCH_PX].mean() for y, x in patches.corners]
    middles = patches.corners + (PATCH_PX - 1) / 2
    centres = rbf.Centres(middles, patches.ab, np.array(inside), np.ones(len(inside)))
    return rbf.spread(centres, lightness)
