"""Confidence intervals of means over pictures, by the percentile bootstrap.

Source: Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. The pictures are
drawn with replacement; a ratio of means draws numerator and denominator together, and a difference
of two rows draws both rows together, so that what makes a picture hard for both cancels out.
"""

from typing import NamedTuple

import numpy as np

from photochrom.color.arrays import Floats
from photochrom.errors import InvalidValueError, ShapeError

RESAMPLES = 2000
LEVEL = 0.95


class Estimate(NamedTuple):
    """A number, and its 95 % confidence interval."""

    value: float
    low: float
    high: float


class Quantity(NamedTuple):
    """What is estimated from one value per picture: a mean, a ratio of means, a root, a quantile.

    numerator : float array, (n,)
    denominator : float array, (n,), or None
    root : whether the root of the mean is meant
    quantile : in [0, 1]: that of the numerators whose denominator is not 0 is meant, not a mean
    """

    numerator: Floats
    denominator: Floats | None = None
    root: bool = False
    quantile: float | None = None

    def over(self, weights: Floats) -> Floats:
        """Return the quantity for each row of weights, (..., n) -> (...)."""
        if self.quantile is not None:
            there = slice(None) if self.denominator is None else self.denominator != 0
            return _quantile(self.numerator[there], weights[..., there], self.quantile)
        mean: Floats = weights @ self.numerator / weights.sum(axis=-1)
        if self.denominator is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # a truth without colour: NaN
                mean = mean / (weights @ self.denominator / weights.sum(axis=-1))
        return mean**0.5 if self.root else mean


def _quantile(values: Floats, counts: Floats, share: float) -> Floats:
    """Return NumPy's quantile of values (n,), each repeated as often as it is counted, (..., n)."""
    if values.size == 0:
        return np.full(counts.shape[:-1], np.nan)
    order = np.argsort(values)
    values, upto = values[order], np.cumsum(counts[..., order], axis=-1)
    place = share * (upto[..., -1] - 1)
    # The k-th of the repeated values is the first that fewer than k + 1 lie at or below.
    low, high = (
        values[(upto <= k[..., None]).sum(axis=-1).clip(max=values.size - 1)]
        for k in (np.floor(place), np.ceil(place))
    )
    found: Floats = low + (high - low) * (place - np.floor(place))
    return np.where(upto[..., -1] > 0, found, np.nan)


def resample_weights(pictures: int, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Draw the count of each picture in each resample: (1 + resamples, pictures).

    The first row is all ones: the pictures themselves. Every other sums to `pictures`. The same
    seed gives the same draws, which is what pairs two estimates.

    Raise InvalidValueError if a number is below 1.
    """
    if pictures < 1 or resamples < 1:
        raise InvalidValueError(
            f"pictures and resamples must be at least 1; got {pictures} and {resamples}."
        )
    random = np.random.default_rng(seed)
    counts = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=resamples)
    return np.concatenate([np.ones((1, pictures)), counts])


def interval(values: Floats) -> Estimate:
    """Summarise a quantity over the rows of `resample_weights`, of which the first is the estimate.

    NaN bounds the percentile interval where more than one resample in forty has no value.
    """
    tail = (1 - LEVEL) / 2
    known = values[1:][np.isfinite(values[1:])]
    if known.size < (1 - tail) * (values.size - 1):
        return Estimate(float(values[0]), float("nan"), float("nan"))
    low, high = np.quantile(known, (tail, 1 - tail))
    return Estimate(float(values[0]), float(low), float(high))


def estimate(quantity: Quantity, weights: Floats) -> Estimate:
    """Estimate a quantity with its interval; the weights are from `resample_weights`.

    Raise ShapeError if quantity and weights have different numbers of pictures.
    """
    return interval(_over(quantity, weights))


def _over(quantity: Quantity, weights: Floats) -> Floats:
    if quantity.numerator.shape != weights.shape[1:]:
        raise ShapeError(
            f"the weights are for {weights.shape[1]} pictures; "
            f"the quantity has the shape {quantity.numerator.shape}."
        )
    return quantity.over(weights)
