"""A palette: the colours that a set of pictures uses most, found by k-means over ab.

Source: the student system of the recipe `resnet50-palette`, which clusters the ab of a hundred
pictures into 50 colours. Here mini-batches of pixels sampled from all pictures, in float ab, with
a seed; the colours come in the order of how much they are used.
"""

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.difference import ciede2000
from photochrom.color.gamut import lab_to_bytes
from photochrom.color.lab import bytes_to_lab
from photochrom.errors import DataError, InvalidValueError
from photochrom.extras import require

SAMPLED_PIXELS = 1_000_000
BATCH = 4096  # pixels a step of the mini-batch k-means sees
CHUNK = 65_536  # pixels converted at once


class Palette(NamedTuple):
    """The colours of a palette, the most used first.

    centres : float32 array, (K, 2), ab units
    shares : float32 array, (K,), how much of the pictures is nearest to each; sums to 1
    """

    centres: Floats
    shares: Floats


class PaletteError(NamedTuple):
    """The error of a palette: mean distance in ab units, and mean CIEDE2000."""

    ab: float
    ciede2000: float


def import_cluster() -> ModuleType:
    """Return `sklearn.cluster`.

    Raise MissingExtraError if scikit-learn is not installed.
    """
    require("train", "k-means", "sklearn")
    return import_module("sklearn.cluster")


def sample_pixels(
    pictures: Iterable[Bytes], count: int = SAMPLED_PIXELS, seed: int = 0
) -> NDArray[np.uint8]:
    """Draw at most `count` pixels (N, 3) from pictures, uniformly, in constant memory.

    Every pixel is given a random number, and those with the smallest numbers stay; so of a later
    picture only the few that can still stay are looked at. Raise DataError if there is no picture.
    """
    random = np.random.default_rng(seed)
    parts: list[tuple[Bytes, Floats]] = []
    held, highest = 0, 1.0
    for picture in pictures:
        flat = picture.reshape(-1, 3)
        drawn = int(random.binomial(len(flat), highest))
        chosen = random.choice(len(flat), drawn, replace=False, shuffle=False)
        parts.append((flat[chosen], random.uniform(0, highest, drawn)))
        held += drawn
        if held > 2 * count:
            parts, held = [_smallest(parts, count)], count
            highest = float(parts[0][1].max())
    if not held:
        raise DataError("Pixels are drawn from pictures, and there is no picture.")
    return random.permutation(_smallest(parts, count)[0])


def _smallest(parts: list[tuple[Bytes, Floats]], count: int) -> tuple[Bytes, Floats]:
    pixels, numbers = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if len(pixels) <= count:
        return pixels, numbers
    kept = np.argpartition(numbers, count - 1)[:count]
    return pixels[kept], numbers[kept]


def pixels_to_lab(pixels: Bytes) -> Floats:
    """Convert uint8 sRGB (N, 3) to CIE L*a*b* (N, 3) float32, some at a time."""
    parts = [pixels[at : at + CHUNK] for at in range(0, len(pixels), CHUNK)]
    return np.concatenate([bytes_to_lab(part) for part in parts])


def fit_palette(pictures: Iterable[Bytes], count: int, seed: int = 0) -> Palette:
    """Find the palette of sRGB pictures, such as a PixelCache, by up to a million of their pixels.

    Raise DataError if there is no picture, or they have fewer different colours than the palette,
    InvalidValueError if `count` is below 1, and MissingExtraError if scikit-learn is not installed.
    """
    return palette_of(pixels_to_lab(sample_pixels(pictures, seed=seed))[:, 1:], count, seed)


def palette_of(ab: Floats, count: int, seed: int = 0) -> Palette:
    """Find the palette of sampled colours (N, 2) in ab units; else as `fit_palette`."""
    if count < 1:
        raise InvalidValueError(f"a palette needs 1 colour or more; {count} were asked for.")
    different = len(np.unique(ab[: 100 * count], axis=0))
    if different < count:  # the first thousands of a shuffled sample rarely repeat that much
        different = len(np.unique(ab, axis=0))
    if different < count:
        raise DataError(
            f"A palette of {count} colours needs pictures with as many; these have {different}."
        )
    kmeans = import_cluster().MiniBatchKMeans(
        count, random_state=seed, batch_size=BATCH, n_init=3, max_iter=100
    )
    centres = kmeans.fit(ab).cluster_centers_
    used = np.bincount(nearest_colours(ab, centres), minlength=count)
    order = np.argsort(-used, kind="stable")
    shares = used[order] / len(ab)
    return Palette(centres[order].astype(np.float32), shares.astype(np.float32))


def nearest_colours(ab: Floats, centres: Floats) -> NDArray[np.intp]:
    """Return the index of the palette's nearest colour for each of (N, 2) colours, (N,)."""
    import_cluster()
    from sklearn.metrics import pairwise_distances_argmin

    nearest: NDArray[np.intp] = pairwise_distances_argmin(ab, centres.astype(ab.dtype))
    return nearest


def palette_error(lab: Floats, centres: Floats) -> PaletteError:
    """Measure the error if every pixel takes the palette's nearest colour.

    Of `lab` (N, 3) in CIE L*a*b* the lightness is kept; `centres` (K, 2) are in ab units.
    """
    taken = centres[nearest_colours(lab[:, 1:], centres)]
    distance = np.linalg.norm(taken - lab[:, 1:], axis=-1).mean()
    moved = np.concatenate([lab[:, :1], taken], axis=-1).astype(lab.dtype)
    return PaletteError(float(distance), float(ciede2000(lab, moved).mean()))


def recolour(rgb: Bytes, centres: Floats) -> Bytes:
    """Give each pixel of sRGB (H, W, 3) the palette's nearest colour, at its own lightness.

    `centres` (K, 2) are in ab units. Colours outside sRGB lose chroma, not lightness.
    """
    lab = pixels_to_lab(rgb.reshape(-1, 3))
    lab[:, 1:] = centres[nearest_colours(lab[:, 1:], centres)]
    return lab_to_bytes(lab).reshape(rgb.shape)
