"""Analyse a set of pictures: PCA, palettes, and groups of similar pictures.

A seeded sample is read, whatever the size of the data set, and three things are measured on it:

- how much of a picture a PCA of its rows must keep (photochrom.workbench.datasets.pca);
- what a palette of K colours costs (photochrom.workbench.datasets.ab_palette);
- which groups of similar pictures there are (photochrom.workbench.datasets.similarity_groups).
"""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.bins import zhang_bins
from photochrom.errors import DataError, InvalidValueError
from photochrom.photo.cores import cores
from photochrom.workbench.datasets.ab_palette import (
    SAMPLED_PIXELS,
    Palette,
    PaletteError,
    palette_error,
    palette_of,
    pixels_to_lab,
    sample_pixels,
)
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.pca import reduce_rgb
from photochrom.workbench.datasets.picture_files import Encoded, decode
from photochrom.workbench.datasets.reader_processes import map_ahead
from photochrom.workbench.datasets.similarity_groups import (
    GROUPS,
    GroupModel,
    fit_group_model,
    thumbnail,
)
from photochrom.workbench.datasets.sources import open_source, read_pictures, rows_of

SHORT_SIDE_PX = 256
PICTURES = 400  # about 100 MB decoded
REDUCED_PICTURES = 100  # of them, at most, for the PCA of images
VARIANCES = (0.80, 0.90, 0.95, 0.98, 0.99, 0.995)
PALETTE_SIZES = (8, 16, 32, 50, 64, 128, 313)
JUDGED_PIXELS = 100_000  # of the sampled ones, for a palette's error
CHUNK = 64  # pictures decoded ahead


@dataclass(frozen=True)
class Sample:
    """Pictures drawn from a data set.

    pictures : list of uint8 array, (H, W, 3), sRGB, short side at most 256
    keys : list of str
    seen : pictures in the data set
    unreadable : drawn pictures that could not be decoded
    """

    pictures: list[Bytes]
    keys: list[str]
    seen: int
    unreadable: int


@dataclass(frozen=True)
class Reduction:
    """The cost of keeping a share of the variance, over the sample.

    variance : target, in (0, 1)
    components, stored_share, psnr : float array, (N,), of each picture
    """

    variance: float
    components: Floats
    stored_share: Floats
    psnr: Floats


@dataclass(frozen=True)
class PaletteTrial:
    """A palette, its error and the time it took; `seconds` is None for a grid."""

    name: str
    palette: Palette
    error: PaletteError
    seconds: float | None


@dataclass(frozen=True)
class Grouping:
    """The groups of a sample; `members` are numbers of pictures, the typical first."""

    model: GroupModel
    members: tuple[NDArray[np.intp], ...]


@dataclass(frozen=True)
class Study:
    """All measurements; `photochrom.workbench.datasets.data_report_page` draws them."""

    data: str
    seed: int
    sample: Sample
    reductions: tuple[Reduction, ...]
    palettes: tuple[PaletteTrial, ...]
    pixels: int
    first_scores: Grouping
    all_scores: Grouping


def draw_sample(data: Path, count: int = PICTURES, seed: int = 0) -> Sample:
    """Draw at most `count` pictures, uniformly, in constant memory.

    Raise DataError if there is no picture, or none that can be decoded, and InvalidValueError if
    `count` is below 1.
    """
    if count < 1:
        raise InvalidValueError(f"pictures must be 1 or more; got {count}.")
    random = np.random.default_rng(seed)
    source = open_source(str(data))
    seen = len(source.units)
    if all(unit.rows == 1 for unit in source.units):  # then only the drawn files need to be read
        drawn = random.choice(seen, min(count, seen), replace=False)
        encoded = list(rows_of(replace(source, units=[source.units[i] for i in drawn])))
    else:
        encoded, seen = _reservoir(rows_of(source), count, random)
    decoded = list(_decoded(iter(encoded), SHORT_SIDE_PX))
    good = [(pixels, key) for pixels, key in decoded if pixels is not None]
    if not good:
        raise DataError(f"{data}: none of {len(encoded)} pictures drawn from it can be decoded.")
    pictures, keys = zip(*good, strict=True)
    return Sample(list(pictures), list(keys), seen, len(decoded) - len(good))


def _reservoir(
    pictures: Iterator[Encoded], count: int, random: np.random.Generator
) -> tuple[list[Encoded], int]:
    """Keep `count` pictures of a stream of unknown length (Vitter's algorithm R), shuffled."""
    kept: list[Encoded] = []
    seen = 0
    for seen, picture in enumerate(pictures, 1):
        if seen <= count:
            kept.append(picture)
        elif (place := random.integers(seen)) < count:
            kept[place] = picture
    return [kept[i] for i in random.permutation(len(kept))], seen


def _decoded(pictures: Iterator[Encoded], short_side_px: int) -> Iterator[tuple[Bytes | None, str]]:
    """Decode on all cores, in order; Pillow lets other threads run meanwhile."""
    with ThreadPoolExecutor(cores()) as pool:
        yield from map_ahead(
            pool, lambda one: (decode(one.image, short_side_px), one.key), pictures, CHUNK
        )


def measure_reduction(pictures: list[Bytes], variance: float) -> Reduction:
    """Reduce each picture by PCA to a share of its variance, and measure the result."""
    rows = []
    for picture in pictures:
        restored, components, stored_share = reduce_rgb(picture, variance)
        rows.append((components, stored_share, peak_signal_to_noise(picture, restored)))
    components, stored, psnr = np.array(rows, np.float64).T
    return Reduction(variance, components, stored, psnr)


def peak_signal_to_noise(one: Bytes, two: Bytes) -> float:
    """Return the PSNR of two uint8 pictures in dB; at most 99, for equal pictures."""
    error = float(np.mean((one.astype(np.float32) - two.astype(np.float32)) ** 2))
    return min(99.0, 10 * math.log10(255**2 / max(error, 1e-9)))


def try_palettes(
    pixels: Bytes,
    sizes: tuple[int, ...] = PALETTE_SIZES,
    seed: int = 0,
    report: Report = lambda line: None,
) -> tuple[PaletteTrial, ...]:
    """Fit palettes of several sizes to sampled pixels (N, 3) uint8 sRGB, and measure each.

    The 313 grid bins of Zhang et al. 2016 come last, for comparison. A size for which the pixels
    have too few colours is left out.
    """
    lab = pixels_to_lab(pixels)
    judged = lab[:JUDGED_PIXELS]
    trials = []
    for size in sizes:
        start = time.perf_counter()
        try:
            palette = palette_of(lab[:, 1:], size, seed)
        except DataError as error:
            report(str(error))
            continue
        seconds = time.perf_counter() - start
        trials.append(
            PaletteTrial(f"{size}", palette, palette_error(judged, palette.centres), seconds)
        )
        report(f"palette of {size}: {trials[-1].error.ab:.2f} ab units, {seconds:.1f} s")
    bins = zhang_bins()
    grid = Palette(bins, np.zeros(len(bins), np.float32))
    return (*trials, PaletteTrial("313 grid bins", grid, palette_error(judged, bins), None))


def group_sample(sample: Sample, groups: int, seed: int, *, all_scores: bool) -> Grouping:
    """Group the pictures of a sample; see `fit_group_model`."""
    thumbnails = np.stack([thumbnail(picture) for picture in sample.pictures])
    found = fit_group_model(thumbnails, groups, seed, all_scores=all_scores)
    numbers, distances = found.groups(thumbnails), found.distances(thumbnails)
    members = []
    for group in range(1, groups + 1):
        inside = np.flatnonzero(numbers == group)
        members.append(inside[np.argsort(distances[inside, group - 1], kind="stable")])
    return Grouping(found, tuple(members))


def keys_of_group(
    data: Path, model: GroupModel, group: int, report: Report = lambda line: None
) -> list[str]:
    """Return the keys of all pictures of a data set that belong to one group; 1 is the largest.

    The data are read once, in constant memory, and in their order; pictures that cannot be decoded
    are in no group. Raise InvalidValueError if there is no such group.
    """
    check_group(group, len(model.order))
    keys: list[str] = []
    pictures = _decoded(read_pictures(data), SHORT_SIDE_PX)
    seen = 0
    while chunk := list(islice(pictures, 4 * CHUNK)):
        seen += len(chunk)
        good = [(thumbnail(pixels), key) for pixels, key in chunk if pixels is not None]
        if good:
            numbers = model.groups(np.stack([small for small, _ in good]))
            keys += [key for (_, key), n in zip(good, numbers, strict=True) if n == group]
        report(f"{seen} pictures, {len(keys)} in group {group}")
    return keys


def check_group(group: int, groups: int) -> None:
    """Raise InvalidValueError unless `group` is in 1..`groups`."""
    if not 1 <= group <= groups:
        raise InvalidValueError(f"group must lie in 1..{groups}; got {group}.")


def study(
    data: Path,
    *,
    pictures: int = PICTURES,
    groups: int = GROUPS,
    palette_sizes: tuple[int, ...] = PALETTE_SIZES,
    pixels: int = SAMPLED_PIXELS,
    seed: int = 0,
    report: Report = lambda line: None,
) -> Study:
    """Study a data set; the options are those of `photochrom data study`.

    Raise DataError if the data set has fewer different pictures than groups, or none that can be
    decoded, and MissingExtraError if scikit-learn is not installed.

    Parameters
    ----------
    palette_sizes : tuple of int
        Colours in the palettes that are tried.
    pixels : int
        Pixels drawn for the palettes, at most.
    """
    sample = draw_sample(data, pictures, seed)
    report(f"{len(sample.pictures)} of {sample.seen} pictures drawn.")
    first = group_sample(sample, groups, seed, all_scores=False)
    full = group_sample(sample, groups, seed, all_scores=True)
    reductions = []
    for variance in VARIANCES:
        reductions.append(measure_reduction(sample.pictures[:REDUCED_PICTURES], variance))
        report(f"{variance:.1%} of the variance kept: {reductions[-1].psnr.mean():.1f} dB")
    drawn = sample_pixels(sample.pictures, pixels, seed)
    trials = try_palettes(drawn, palette_sizes, seed, report)
    return Study(data.name, seed, sample, tuple(reductions), trials, len(drawn), first, full)
