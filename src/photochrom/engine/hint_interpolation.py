"""Apply hints exactly: spread a method's error at the hints to near and similar pixels.

In two steps: widely, by kriging (`engine.kriging`), which fades out away from the hints; then
locally, so that hinted places are exact: a normalised sum over the hinted pixels on a bilateral
grid (Chen, Paris, Durand, "Real-time Edge-Aware Image Processing with the Bilateral Grid",
SIGGRAPH 2007):
cells over rows, columns and lightness, so that the correction stops at edges.
"""

import numpy as np

from photochrom.colorization.method import Hints
from photochrom.engine.guided import box_mean
from photochrom.engine.kriging import Kriging

CELL_PX = 8  # of the grid, rows and columns
CELL_LIGHTNESS = 10.0  # of the grid, L* units
BLUR_CELLS = 1  # radius of each of three box blurs
ENOUGH = 0.004  # share of hinted pixels in a blurred cell at which the full correction applies
# The weight of the method's own use of hints is the logistic function of BELIEF[0] +
# BELIEF[1] * known, where known is 1 at the hints and 0 far from them: near hints, the hints
# themselves are better. It changes a colour by at most FAR[0] ab units where nothing is known, and
# more where it is: FAR[1] if the hints are representative of the whole picture.
BELIEF = (2.2, -2.8)
FAR, NEARER = 1.0, (25.0, 330.0)
# Hinted areas need no extra saturation: the look's saturation is replaced by TOLD_SATURATION, by
# half where known is HALF_TOLD, and everywhere as far as the hints are representative of the
# whole picture.
TOLD_SATURATION, HALF_TOLD = 0.8, 0.1


def interpolate_hints(
    plain: np.ndarray,
    hinted: np.ndarray,
    hints: Hints,
    lightness: np.ndarray,
    saturation: float = TOLD_SATURATION,
) -> np.ndarray:
    """Join a method's colours without and with hints, and correct both where hints differ.

    Parameters
    ----------
    plain : float array, (h, w, 2)
        A method's colours without hints, ab units.
    hinted : float array, (h, w, 2)
        Its colours with them; the same array if the method ignores hints.
    hints : Hints
        At the same size.
    lightness : float array, (h, w)
        L* in [0, 100].
    saturation : float
        Factor by which the method raised its colours for the look; above 0.

    Returns
    -------
    float array, (h, w, 2)
        Exactly the hints where `mask` is 1.
    """
    if not hints.mask.any():
        return plain
    kriging = Kriging(hints, lightness, plain)
    known = kriging.known()
    told = 1 - min(1.0, TOLD_SATURATION / saturation)
    most = FAR + known * (NEARER[0] + (NEARER[1] - NEARER[0]) * kriging.told)
    ab = plain + _believed(hinted - plain, known, most)
    ab = ab * (1 - told * np.maximum(known / (known + HALF_TOLD), kriging.told))
    obeyed = _closely(ab + kriging.spread(hints.ab - ab), hints, lightness)
    missed = (hints.ab - ab) * hints.mask[..., None]
    # Together, the two steps never exceed the largest error at a hint.
    return np.asarray(ab + np.clip(obeyed - ab, missed.min((0, 1)), missed.max((0, 1))))


def _believed(change: np.ndarray, known: np.ndarray, most: np.ndarray) -> np.ndarray:
    share = 1 / (1 + np.exp(-BELIEF[0] - BELIEF[1] * known))
    length = np.linalg.norm(change, axis=-1, keepdims=True)
    return np.asarray(change * np.minimum(share, most / (length + 1e-6)))


def _closely(ab: np.ndarray, hints: Hints, lightness: np.ndarray) -> np.ndarray:
    height, width = lightness.shape
    rows, columns = np.arange(height)[:, None] // CELL_PX, np.arange(width) // CELL_PX
    tone = (np.clip(lightness, 0, 100) / CELL_LIGHTNESS).astype(np.float32)
    slices = int(100 / CELL_LIGHTNESS) + 2
    grid = np.zeros((rows[-1, 0] + 1, columns[-1] + 1, slices, 3), np.float32)
    hinted = np.nonzero(hints.mask)
    share = hints.mask[hinted][:, None]
    missed = np.concatenate(((hints.ab - ab)[hinted] * share, share), axis=-1) / CELL_PX**2
    cells = (hinted[0] // CELL_PX, hinted[1] // CELL_PX, tone[hinted].round().astype(int))
    np.add.at(grid, cells, missed)
    below = tone.astype(int)
    upper = (tone - below)[..., None]
    blurred = _blur(grid).reshape(-1, 3)
    flat = (rows * (columns[-1] + 1) + columns) * slices + below
    lower = blurred.take(flat, axis=0)
    sampled = lower + (blurred.take(flat + 1, axis=0) - lower) * upper
    weight = sampled[..., 2:]
    spread = sampled[..., :2] / np.maximum(weight, 1e-9) * np.minimum(1.0, weight / ENOUGH)
    mask = hints.mask[..., None]
    return np.asarray(mask * hints.ab + (1 - mask) * (ab + spread))


def _blur(grid: np.ndarray) -> np.ndarray:
    """Blur rows, columns and slices with three box blurs: nearly a Gaussian."""
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
