"""Hints are obeyed: what a method missed of them is spread to near pixels of like lightness.

Twice. Widely, by the inverse cube of the distance in place and lightness (`methods.rbf`), which
fades out away from all hints; then closely, so that the hinted places are exact: a normalised sum
over the hinted pixels on a bilateral grid (Chen, Paris, Durand, "Real-time Edge-Aware Image
Processing with the Bilateral Grid", SIGGRAPH 2007): cells over rows, columns and lightness, so that
the correction stops at edges.
"""

import numpy as np

from photochrom.engine.guided import box_mean
from photochrom.methods import rbf
from photochrom.methods.method import Hints

CELL_PX = 8  # of the grid, rows and columns
CELL_LIGHTNESS = 10.0  # of the grid, L* units
BLUR_CELLS = 1  # radius of each of three box blurs
ENOUGH = 0.004  # of hinted pixels in a blurred cell, where the whole correction applies
# The weight of hints at which half of what was missed is believed: a hint's own weight is half of
# this at a fifth of the picture's side, and a tenth at two fifths.
HALF_TRUST = 150.0
# The same where what the method itself makes of the hints is believed: farther.
HALF_REACH = 30.0
# What is told needs no boldness: the saturation that looks best where nothing is known gives way.
TOLD_SATURATION = 0.8


def obey_hints(
    ab: np.ndarray, hints: Hints, lightness: np.ndarray, saturation: float = TOLD_SATURATION
) -> np.ndarray:
    """Correct colours where hints say something else.

    Parameters
    ----------
    ab : float array, (h, w, 2)
        A method's colours, ab units.
    hints : Hints
        At the same size.
    lightness : float array, (h, w)
        L* in [0, 100].
    saturation : float
        By which the method raised its colours for the look; above 0.

    Returns
    -------
    float array, (h, w, 2)
        Exactly the hints where `mask` is 1.
    """
    if not hints.mask.any():
        return ab
    return _closely(_widely(ab, hints, lightness, saturation), hints, lightness)


def reach(hints: Hints, lightness: np.ndarray) -> np.ndarray:
    """Tell how far a method may follow hints: a network would change far places by them too.

    Parameters
    ----------
    hints : Hints
    lightness : float array, (h, w)
        L* in [0, 100].

    Returns
    -------
    float array, (h, w, 1)
        1 at the hints, towards 0 far away in place or lightness; 0 without hints.
    """
    if not hints.mask.any():
        return np.zeros((*lightness.shape, 1))
    weight = rbf.weigh(rbf.gather(hints, lightness), lightness)[1][..., None]
    return np.asarray(weight / (weight + HALF_REACH))


def _widely(ab: np.ndarray, hints: Hints, lightness: np.ndarray, saturation: float) -> np.ndarray:
    places = rbf.gather(hints, lightness)
    trust = rbf.weigh(places, lightness)[1][..., None]
    told = min(1.0, TOLD_SATURATION / saturation)
    calm = ab * (1 - (1 - told) * trust / (trust + HALF_TRUST))
    missed = Hints((hints.ab - calm) * hints.mask[..., None], hints.mask)
    colours, total = rbf.weigh(rbf.gather(missed, lightness), lightness)
    return np.asarray(calm + colours / (total[..., None] + HALF_TRUST))


def _closely(ab: np.ndarray, hints: Hints, lightness: np.ndarray) -> np.ndarray:
    missed = (hints.ab - ab) * hints.mask[..., None]
    height, width = lightness.shape
    rows, columns = np.mgrid[:height, :width] // CELL_PX
    tone = np.clip(lightness, 0, 100) / CELL_LIGHTNESS
    slices = int(100 / CELL_LIGHTNESS) + 2
    grid = np.zeros((rows[-1, -1] + 1, columns[-1, -1] + 1, slices, 3))
    np.add.at(
        grid,
        (rows, columns, tone.round().astype(int)),
        np.concatenate((missed, hints.mask[..., None]), axis=-1) / CELL_PX**2,
    )
    blurred = _blur(grid)
    below = tone.astype(int)
    share = (tone - below)[..., None]
    sampled = (
        blurred[rows, columns, below] * (1 - share) + blurred[rows, columns, below + 1] * share
    )
    weight = sampled[..., 2:]
    spread = sampled[..., :2] / np.maximum(weight, 1e-9) * np.minimum(1.0, weight / ENOUGH)
    mask = hints.mask[..., None]
    return np.asarray(mask * hints.ab + (1 - mask) * (ab + spread))


def _blur(grid: np.ndarray) -> np.ndarray:
    """Blur rows, columns and slices, three times by boxes: nearly a Gaussian."""
    rows, columns, slices, values = grid.shape
    for _ in range(3):
        flat = box_mean(grid.reshape(rows, columns, slices * values), BLUR_CELLS)
        flat = flat.reshape(rows * columns, slices, values)
        grid = _blur_slices(flat).reshape(rows, columns, slices, values)
    return grid


def _blur_slices(flat: np.ndarray) -> np.ndarray:
    """Blur (cells, slices, values) along the slices with the kernel (1 2 1) / 4."""
    padded = np.pad(flat, ((0, 0), (1, 1), (0, 0)))
    return np.asarray((padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4)
