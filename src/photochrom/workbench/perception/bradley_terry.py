"""Rankings from paired comparisons: the model of Bradley and Terry.

Sources: Bradley & Terry, "Rank Analysis of Incomplete Block Designs: I. The Method of Paired
Comparisons", Biometrika 39, 1952; the iteration of Hunter, "MM Algorithms for Generalized
Bradley-Terry Models", Annals of Statistics 32, 2004; that there is a largest likelihood only where
every two sets of objects have beaten each other, Ford, 1957.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from photochrom.errors import InvalidValueError

Z_95 = 1.959963984540054  # the normal distribution's 0.975 quantile
TOLERANCE = 1e-12
MOST_STEPS = 100_000
HALF_A_VOTE = 0.5

Floats = NDArray[np.float64]


class Ranking(NamedTuple):
    """Strengths on the scale of log-odds, of mean zero.

    strengths : float64 array, (n,); i is preferred to j with a probability of 1 / (1 + exp(s_j -
        s_i))
    covariance : float64 array, (n, n); of the strengths, from the observed information
    is_bounded : whether half a vote was added both ways to each pair, for without it some strength
        has no bound: an object, or a set of them, won or lost every comparison with the rest
    """

    strengths: Floats
    covariance: Floats
    is_bounded: bool

    @property
    def half_widths(self) -> Floats:
        """Half the width of each strength's 95 % interval."""
        spread: Floats = Z_95 * np.sqrt(np.clip(np.diag(self.covariance), 0, None))
        return spread


def bradley_terry(wins: Floats) -> Ranking:
    """Fit the model of Bradley and Terry by maximum likelihood.

    `wins` (n, n) says how often the row's object was preferred to the column's; the diagonal is
    ignored. Raise InvalidValueError if it is no square of numbers of 0 or more, or some objects
    were never compared with the rest, even by way of others.
    """
    won = np.array(wins, np.float64)
    if won.ndim != 2 or not 2 <= won.shape[0] == won.shape[1] or not (won >= 0).all():
        raise InvalidValueError(
            "a ranking needs a square of counts of 0 or more, of two objects at least; it has the "
            f"shape {won.shape}."
        )
    np.fill_diagonal(won, 0)
    if not _reaches_all(won + won.T):
        raise InvalidValueError("a ranking needs objects that were compared with each other.")
    is_bounded = not _reaches_all(won)
    if is_bounded:
        won += HALF_A_VOTE * ((won + won.T) > 0)
    strengths = _fit(won)
    return Ranking(strengths, _covariance(won, strengths), is_bounded)


def _reaches_all(edges: Floats) -> bool:
    """Return whether every object is reached from every other along positive entries."""
    reached = (edges > 0) | np.eye(len(edges), dtype=bool)
    for _ in range(max(1, len(edges).bit_length())):  # each squaring doubles the length of paths
        reached = reached @ reached
    return bool(reached.all())


def _fit(won: Floats) -> Floats:
    compared, total = won + won.T, won.sum(axis=1)
    worth = np.ones(len(won))
    for _ in range(MOST_STEPS):
        before = worth
        worth = total / (compared / (worth[:, None] + worth)).sum(axis=1)
        worth /= np.exp(np.log(worth).mean())
        if np.abs(np.log(worth / before)).max() < TOLERANCE:
            break
    strengths: Floats = np.log(worth)
    return strengths


def _covariance(won: Floats, strengths: Floats) -> Floats:
    """Invert the information within strengths of mean zero."""
    odds = strengths[:, None] - strengths
    weights = (won + won.T) / (2 + np.exp(odds) + np.exp(-odds))  # n p (1 - p)
    information = np.diag(weights.sum(axis=1)) - weights
    inverse: Floats = np.linalg.pinv(information, hermitian=True)
    return inverse
