"""Scribbles spread by optimisation: neighbours of like lightness have like colours.

Source: Levin, Lischinski, Weiss, "Colorization using Optimization", SIGGRAPH 2004: the colours U
minimise the sum over pixels r of (U(r) - sum of w_rs U(s) over r's eight neighbours s)^2, where U
is given at the hints, and w is large where the lightness of r and s is alike against its variance
around r. The constants of w are those of the authors' published code.

Departures: L*/100 and ab take the place of Y and IQ. As in the authors' code the sum leaves out the
hinted pixels themselves, so that its minimum is 0, where each free pixel *is* the mean of its
neighbours: one sparse linear system, factorised once for a and b, and no colour beyond the hints'.
A pull of 1e-12 to the mean hint keeps the system solvable if edges nearly isolate a region.
"""

from typing import TYPE_CHECKING

import numpy as np

from photochrom.colorization.method import MethodInfo, Prediction, Request, check_request
from photochrom.extras import require

if TYPE_CHECKING:
    from scipy.sparse import csc_array

OFFSETS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))
SPREAD = 0.6  # of the window's variance: similar lightness
LEAST_WEIGHT = 0.01  # of the likest neighbour, before the weights are brought to a sum of 1
LEAST_SPREAD = 2e-6  # of lightness in [0, 1], squared
PULL = 1e-12  # of each pixel to the mean hint: bounds the condition number at strong edges
LEAF_PIXELS = 16  # smallest blocks of the dissection


class Levin:
    """Spread hints to near pixels of similar lightness, up to edges.

    The system is solved directly, by SuperLU on one core: about half a second at the engine's
    working size, and for a megapixel (possible in Python) about 8 seconds and 2 GB.
    """

    info = MethodInfo(
        name="levin",
        paper='Levin, Lischinski, Weiss, "Colorization using Optimization", SIGGRAPH 2004',
        licence="Apache-2.0",
        short_side_px=384,
        accepts=("hints",),
        requires=("hints",),
    )

    def predict(self, request: Request) -> Prediction:
        """Solve for the colours, (1, h, w, 2); gray if there is no hint.

        Raises
        ------
        InvalidValueError
            If the request has no hints.
        MissingExtraError
            If SciPy is not installed.
        """
        check_request(self.info, request)
        assert request.hints is not None
        hinted = request.hints.mask > 0
        ab = np.where(hinted[..., None], request.hints.ab, 0.0)
        if hinted.any() and not hinted.all():
            ab = _solve(request.lightness, ab, hinted)
        return Prediction(ab[None].astype(np.float32))


def _solve(lightness: np.ndarray, ab: np.ndarray, hinted: np.ndarray) -> np.ndarray:
    """Return the hinted colours where they are, and the solution elsewhere, (h, w, 2)."""
    require("methods", "'levin'", "scipy")
    from scipy.sparse.linalg import splu

    order = _dissect(np.arange(hinted.size).reshape(hinted.shape))
    order = order[~hinted.ravel()[order]]
    middle = ab[hinted].mean(0)
    apart = np.where(hinted[..., None], ab - middle, 0.0)
    matrix, right = _system(lightness, apart, hinted, order)
    # Each row is dominated by its diagonal: no pivoting is needed, and the order can be kept.
    options = {"SymmetricMode": True, "Equil": False}
    factors = splu(matrix, "NATURAL", diag_pivot_thresh=0.0, options=options)
    filled = ab.reshape(-1, 2).copy()
    filled[order] = middle + factors.solve(right)
    return filled.reshape(ab.shape)


def _system(
    lightness: np.ndarray, ab: np.ndarray, hinted: np.ndarray, order: np.ndarray
) -> "tuple[csc_array, np.ndarray]":
    """Return U(r) - sum w_rs U(s) = 0 for the free r; hinted pixels go to the right-hand side.

    `ab` is 0 where nothing is hinted; `order` lists the free pixels.
    """
    from scipy.sparse import coo_array

    count = len(order)
    place = np.full(hinted.shape, -1, np.int32)
    place.ravel()[order] = np.arange(count)
    to = _neighbours(place, -1)  # of those outside the picture too, where w is 0
    weights = affinities(lightness)
    there = (to >= 0) & ~hinted
    own = np.arange(count, dtype=np.int32)
    rows = np.concatenate((own, np.broadcast_to(place, to.shape)[there]))
    columns = np.concatenate((own, to[there]))
    values = np.concatenate((np.full(count, 1 + PULL), -weights[there]))
    right = sum(w[..., None] * near for w, near in zip(weights, _neighbours(ab, 0.0), strict=True))
    matrix = coo_array((values, (rows, columns)), (count, count)).tocsc()
    return matrix, np.reshape(right, (-1, 2))[order]


def affinities(lightness: np.ndarray) -> np.ndarray:
    """Return how much each pixel's colour depends on that of each neighbour.

    Parameters
    ----------
    lightness : float array, (h, w)
        L* in [0, 100]; more than one pixel.

    Returns
    -------
    float64 array, (8, h, w)
        w_rs by neighbour, in the order of OFFSETS: exp(-(Y_s - Y_r)^2 / v_r) brought to a sum of 1,
        where v_r is 0.6 of the variance in the 3 x 3 window around r; 0 outside the picture.
    """
    tone = np.asarray(lightness, np.float64) / 100
    near = _neighbours(tone, np.nan)
    there = np.isfinite(near)
    count = there.sum(0) + 1
    differences = np.where(there, near - tone, 0.0)  # the window's mean and variance, less tone
    variance = (differences**2).sum(0) / count - (differences.sum(0) / count) ** 2
    squared = np.where(there, differences**2, np.inf)
    floor = np.maximum(squared.min(0) / -np.log(LEAST_WEIGHT), LEAST_SPREAD)
    weights = np.exp(-squared / np.maximum(SPREAD * variance, floor))
    return np.asarray(weights / weights.sum(0))


def _neighbours(plane: np.ndarray, outside: float) -> np.ndarray:
    """Return the neighbours of each pixel, (8, h, w, ...)."""
    height, width = plane.shape[:2]
    margins = ((1, 1), (1, 1)) + ((0, 0),) * (plane.ndim - 2)
    padded = np.pad(plane, margins, constant_values=outside)
    return np.stack([padded[1 + y :, 1 + x :][:height, :width] for y, x in OFFSETS])


def _dissect(index: np.ndarray) -> np.ndarray:
    """Order a grid for little fill-in: two halves first, then the separator.

    Nested dissection (George, "Nested Dissection of a Regular Finite Element Mesh", 1973); half the
    time of SuperLU's own orders on a megapixel.
    """
    if index.size <= LEAF_PIXELS:
        return index.ravel()
    if index.shape[0] < index.shape[1]:
        return _dissect(index.T)
    middle = index.shape[0] // 2
    halves = _dissect(index[:middle]), _dissect(index[middle + 1 :])
    return np.concatenate((*halves, index[middle]))
