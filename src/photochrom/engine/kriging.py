"""Kriging (Gaussian process interpolation) of values known at a few places.

Source: Krige, "A Statistical Approach to Some Basic Mine Valuation Problems on the Witwatersrand",
1951; Rasmussen, Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, chapter 2. Two
pixels are similar if they are near, of similar lightness, and if the method predicts a similar
colour for them: sky is similar to sky, wherever it is.
"""

import numpy as np

from photochrom.colorization import rbf
from photochrom.colorization.method import Hints

# Length scales of similarity: in units of the longer side, in L*, in ab units of the method's own
# colours. One or two hints are for their objects; many hints far apart represent the picture, and
# reach farther. The second length and the others were fitted on validation pictures for the error
# after 1, 5, 10 and 100 revealed patches, the first was chosen by eye.
PLACE = (0.12, 1.5)
LIGHTNESS, COLOUR = 15.0, 21.0
ONE, MANY = 1.0, 3.0  # effective numbers of hints at which the two lengths apply
NOISE = 0.01  # variance of a hint that fills its cell, relative to the signal
MOST_CENTRES = 120


class Kriging:
    """Interpolation of values known at hinted pixels.

    Parameters
    ----------
    hints : Hints
        At least one pixel; only the mask counts.
    lightness : float array, (h, w)
        L* in [0, 100].
    ab : float array, (h, w, 2)
        The method's own colours, which separate objects.

    Attributes
    ----------
    told : float
        How representative the hints are of the whole picture: from 0 for one, or several in one
        place, to 1 for five or more that are far apart.
    """

    def __init__(self, hints: Hints, lightness: np.ndarray, ab: np.ndarray) -> None:
        self._mask, self._lightness = hints.mask, lightness
        centres = self._gather(ab)
        height, width = lightness.shape
        rows, columns = np.mgrid[:height, :width]
        places = np.stack((rows, columns), axis=-1).reshape(-1, 2)
        longer = max(height, width)
        known = (centres.places / longer, centres.lightness, centres.ab)
        everywhere = (places / longer, lightness.reshape(-1), ab.reshape(-1, 2))
        noise = NOISE / np.maximum(centres.shares, 0.05)
        between = np.sqrt(_squared_distances(known[0], known[0]))
        # The effective number of independent hints (Cressie, "Statistics for Spatial Data", 1993,
        # section 1.3).
        effective = np.linalg.inv(np.exp(-between / PLACE[0]) + np.diag(noise)).sum()
        self.told = float(np.clip((effective - ONE) / (MANY - ONE), 0, 1)) ** 3
        place = PLACE[0] + (PLACE[1] - PLACE[0]) * self.told
        self._alike = _covariance(everywhere, known, place)
        self._inverse = np.linalg.inv(_covariance(known, known, place) + np.diag(noise))

    def known(self) -> np.ndarray:
        """Return how much is known about each pixel, (h, w, 1): 1 at known places, 0 far away."""
        ones = np.ones((len(self._inverse), 1))
        return np.asarray(np.clip(self._interpolate(ones), 0, 1))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Spread values (h, w, 2), known where the mask is 1, over all pixels.

        Returns
        -------
        float array, (h, w, 2)
            Within the range of the known values and 0; 0 far from all of them.
        """
        known = self._gather(values).ab
        low, high = np.minimum(known.min(0), 0), np.maximum(known.max(0), 0)
        return np.asarray(np.clip(self._interpolate(known), low, high))

    def _gather(self, ab: np.ndarray) -> rbf.Centres:
        return rbf.gather(Hints(ab, self._mask), self._lightness, MOST_CENTRES)

    def _interpolate(self, known: np.ndarray) -> np.ndarray:
        weights = (self._inverse @ known).astype(np.float32)
        return np.asarray((self._alike @ weights).reshape(*self._mask.shape, -1))


_Places = tuple[np.ndarray, np.ndarray, np.ndarray]  # place, L*, ab


def _covariance(one: _Places, two: _Places, length: float) -> np.ndarray:
    """Return the covariance of n places with m, (n, m) float32."""
    # Two matrix products instead of five differences of all pairs.
    place = _squared_distances(one[0] / length, two[0] / length)
    tones, colours = 2**0.5 * LIGHTNESS, 2**0.5 * COLOUR
    kinds = (np.column_stack((x[1] / tones, x[2] / colours)) for x in (one, two))
    return np.asarray(np.exp(-np.sqrt(place) - _squared_distances(*kinds)))


def _squared_distances(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return those of n points from m, (n, k) and (m, k) -> (n, m) float32."""
    one, two = one.astype(np.float32), two.astype(np.float32)
    squared = -2 * one @ two.T
    squared += (one * one).sum(1)[:, None]
    squared += (two * two).sum(1)
    return np.asarray(np.maximum(squared, 0, out=squared))
