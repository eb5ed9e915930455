"""The frequencies of true colours over all photographs, measured before the evaluation.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, section 3.1: the
class-rebalanced metric weighs each pixel by the inverse of how common its true colour is (equation
4 with lambda = 0). The paper counts over ImageNet's training pictures; here the prior is that of
the photographs that are judged, so that it depends on nothing but them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from photochrom.color.arrays import Floats
from photochrom.color.bins import GRID, nearest_bins, zhang_bins
from photochrom.errors import DataError
from photochrom.workbench.evaluation.evaluation_pictures import Sample

_REACH = 13  # cells of the grid on each side of gray: sRGB ends before 130 ab units


@cache
def _bin_of_cell() -> NDArray[np.int64]:
    """Return the bin nearest to each cell of the grid, (27, 27)."""
    line = np.arange(-_REACH, _REACH + 1, dtype=np.float32) * GRID
    cells = np.stack(np.meshgrid(line, line, indexing="ij"), -1)
    nearest: NDArray[np.int64] = nearest_bins(cells.reshape(-1, 2), zhang_bins(), 1)[0]
    return nearest.reshape(cells.shape[:2])


def bin_numbers(ab: Floats) -> NDArray[np.int64]:
    """Return the bin of each ab (..., 2) by rounding to the grid: a hundredth of a search's time.

    The number is that of the nearest of `photochrom.color.bins.zhang_bins`, but for colours beyond
    all bins, which get that nearest to their cell.
    """
    cells = np.rint(ab / GRID).clip(-_REACH, _REACH).astype(np.int64) + _REACH
    found: NDArray[np.int64] = _bin_of_cell()[cells[..., 0], cells[..., 1]]
    return found


@dataclass(frozen=True)
class ClassPrior:
    """Keys of the photographs in order, and how common each true colour is among them.

    keys : tuple of str
    prior : float array, (313,), share of the pixels in each bin, every photograph counting alike
    short_sides_px : tuple of int, of the photographs in the same order
    """

    keys: tuple[str, ...]
    prior: Floats
    short_sides_px: tuple[int, ...] = ()

    def weights(self, truth_ab: Floats) -> Floats:
        """Weigh pixels, by their true ab (h, w, 2), so that every colour that occurs counts alike.

        The inverse of the prior; the mean over all photographs is 1. Colours that do not occur in
        them weigh nothing.
        """
        met = self.prior > 0
        rarity = np.divide(1 / met.sum(), self.prior, out=np.zeros_like(self.prior), where=met)
        weights: Floats = rarity[bin_numbers(truth_ab)]
        return weights


def measure_class_prior(samples: Iterable[Sample]) -> ClassPrior:
    """Read all photographs once.

    Raise DataError if there is no photograph.
    """
    keys: list[str] = []
    short_sides_px: list[int] = []
    counts = np.zeros(len(zhang_bins()))
    for sample in samples:
        keys.append(sample.key)
        short_sides_px.append(min(sample.lightness.shape))
        numbers = bin_numbers(sample.lab[..., 1:])
        counts += np.bincount(numbers.reshape(-1), minlength=counts.size) / numbers.size
    if not keys:
        raise DataError("an evaluation needs at least one photograph; got none.")
    return ClassPrior(tuple(keys), counts / counts.sum(), tuple(short_sides_px))
