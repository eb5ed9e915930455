"""Colours as a distribution over ab bins.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, sections 2.1 to 2.3: the
ab plane on a grid of 10 units, of which 313 bins are used; a soft encoding over the nearest bins;
the annealed mean. The exact set of bins follows no simple gamut rule and is stored as ranges.

Colours and logits are finite: a NaN has no nearest bin.
"""

import numpy as np

from photochrom.color.arrays import array_namespace
from photochrom.color.lab import Array, check_last_axis
from photochrom.errors import InvalidValueError

GRID = 10  # ab units between two bins

# a -> (smallest b, largest b)
_RANGES = {
    -90: (50, 90),
    -80: (20, 90),
    -70: (0, 90),
    -60: (-20, 90),
    -50: (-30, 100),
    -40: (-40, 100),
    -30: (-50, 100),
    -20: (-50, 100),
    -10: (-60, 100),
    0: (-70, 100),
    10: (-80, 90),
    20: (-80, 90),
    30: (-90, 90),
    40: (-100, 90),
    50: (-100, 80),
    60: (-110, 80),
    70: (-110, 80),
    80: (-110, 70),
    90: (-110, 70),
    100: (-90, 0),
}


def zhang_bins() -> np.ndarray:
    """Return the 313 bin centres of Zhang et al. 2016, (313, 2) float32, a ascending, then b."""
    pairs = [(a, b) for a, (low, high) in _RANGES.items() for b in range(low, high + GRID, GRID)]
    return np.array(pairs, dtype=np.float32)


def nearest_bins(ab: Array, centres: Array, neighbours: int) -> tuple[Array, Array]:
    """Find the nearest bins of each colour.

    Parameters
    ----------
    ab : float array, (N, 2)
        Colours in ab units.
    centres : float array, (Q, 2)
        Bin centres; same library.
    neighbours : int
        How many, from 1 to Q.

    Returns
    -------
    indices : int array, (N, neighbours)
        Nearest first.
    squared : float array, (N, neighbours)
        Squared distances in ab units.

    Raises
    ------
    ShapeError
        If the last axis of `ab` or `centres` is not 2.
    InvalidValueError
        If `neighbours` is not in 1..Q.
    """
    check_last_axis(ab, 2, "ab")
    check_last_axis(centres, 2, "centres")
    if not 1 <= neighbours <= centres.shape[0]:
        raise InvalidValueError(
            f"neighbours must lie in 1..{centres.shape[0]} (the bins); got {neighbours}."
        )
    xp = array_namespace(ab)
    squared = xp.sum(centres**2, axis=-1) - 2 * ab @ centres.T
    squared = xp.clip(squared + xp.sum(ab**2, axis=-1)[:, None], 0.0, None)
    if hasattr(squared, "topk"):  # torch: an order of magnitude faster than a full sort
        found = squared.topk(neighbours, dim=-1, largest=False)
        return found.indices, found.values
    indices = np.argpartition(squared, neighbours - 1, axis=-1)[:, :neighbours]
    order = np.argsort(np.take_along_axis(squared, indices, -1), axis=-1, kind="stable")
    indices = np.take_along_axis(indices, order, -1)
    return indices, np.take_along_axis(squared, indices, -1)


def soft_encode(
    ab: Array, centres: Array, neighbours: int = 5, sigma: float = 5.0
) -> tuple[Array, Array]:
    """Encode colours softly over their nearest bins.

    Parameters
    ----------
    ab : float array, (N, 2)
        Colours in ab units.
    centres : float array, (Q, 2)
        Bin centres; same library.
    neighbours : int
        Bins a colour is spread over (5 in the paper).
    sigma : float
        Width of the Gaussian, ab units (5 in the paper).

    Returns
    -------
    indices : int array, (N, neighbours)
        The bins, nearest first.
    weights : float array, (N, neighbours)
        Their weights; each row sums to 1.
    """
    xp = array_namespace(ab)
    indices, squared = nearest_bins(ab, centres, neighbours)
    # Relative to the nearest, so that a colour far from every bin does not divide zero by zero.
    weights = xp.exp((squared[:, :1] - squared) / (2 * sigma**2))
    return indices, weights / xp.sum(weights, axis=-1, keepdims=True)


def annealed_mean(logits: Array, centres: Array, temperature: float = 0.38) -> Array:
    """Return the expected colour of a sharpened distribution.

    Parameters
    ----------
    logits : float array, (..., Q)
        Log-probabilities, up to a constant.
    centres : float array, (Q, 2)
        Bin centres; same library.
    temperature : float
        1 is the mean, towards 0 the mode; 0.38 in the paper.

    Returns
    -------
    float array, (..., 2)
        ab.

    Raises
    ------
    ShapeError
        If the last axis of `logits` is not the number of bins.
    InvalidValueError
        If the temperature is not above 0.
    """
    check_last_axis(logits, centres.shape[0], "logits")
    if not temperature > 0:
        raise InvalidValueError(f"temperature must be above 0; got {temperature}.")
    xp = array_namespace(logits)
    weights = xp.exp((logits - xp.max(logits, axis=-1, keepdims=True)) / temperature)
    return (weights / xp.sum(weights, axis=-1, keepdims=True)) @ centres


def histogram(ab: Array, centres: Array) -> Array:
    """Return the share of colours nearest to each bin.

    Parameters
    ----------
    ab : float array, (N, 2)
        Colours in ab units, at least one.
    centres : float array, (Q, 2)
        Bin centres; same library.

    Returns
    -------
    float array, (Q,)
        Shares that sum to 1.
    """
    xp = array_namespace(ab)
    indices, _ = nearest_bins(ab, centres, 1)
    counts = xp.bincount(indices[:, 0], minlength=centres.shape[0])
    return xp.astype(counts, ab.dtype) / ab.shape[0]
