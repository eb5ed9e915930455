"""Colour transfer by statistics: the reference's colours, by lightness.

Source: Reinhard, Ashikhmin, Gooch, Shirley, "Color Transfer between Images", IEEE Computer Graphics
and Applications 21 (5), 2001: each channel is given the mean and the standard deviation of the
reference's.

Departures: a gray picture has no colour statistics to match, and its lightness must not change.
So each pixel's lightness is matched to the mean and standard deviation of the reference's only
for a lookup: the pixel takes the reference's mean a and b at that lightness. L*a*b* replaces the
paper's l-alpha-beta.
"""

import numpy as np

from photochrom.colorization.method import MethodInfo, Prediction, Request, check_request

SMOOTH_LIGHTNESS = 2.0  # standard deviation of the kernel that smooths the curve, L* units
KNOTS = np.arange(101.0)  # of the curve, L*


class Transfer:
    """One curve from lightness to colour, for the whole picture.

    It tones a picture like the reference; objects of the same lightness get the same colour.
    """

    info = MethodInfo(
        name="transfer",
        paper='after Reinhard, Ashikhmin, Gooch, Shirley, "Color Transfer between Images", 2001',
        licence="Apache-2.0",
        accepts=("reference",),
        requires=("reference",),
    )

    def predict(self, request: Request) -> Prediction:
        """Return the reference's mean colour at each pixel's lightness, (1, h, w, 2).

        Raises
        ------
        InvalidValueError
            If the request has no reference.
        """
        check_request(self.info, request)
        assert request.reference is not None
        reference = np.asarray(request.reference, np.float64)
        asked = match_statistics(request.lightness, reference[..., 0])
        curve = colour_by_lightness(reference)
        ab = np.stack([np.interp(asked, KNOTS, channel) for channel in curve.T], axis=-1)
        return Prediction(ab[None].astype(np.float32))


def match_statistics(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Match the mean and the standard deviation of values to those of others.

    Parameters
    ----------
    values, wanted : float array
        Any shapes.

    Returns
    -------
    float64 array
        The shape of `values`; if either is constant, only the mean is matched.
    """
    values, wanted = np.asarray(values, np.float64), np.asarray(wanted, np.float64)
    own, theirs = values.std(), wanted.std()
    scale = theirs / own if min(own, theirs) > 1e-6 else 1.0
    return np.asarray(scale * (values - values.mean()) + wanted.mean())


def colour_by_lightness(lab: np.ndarray) -> np.ndarray:
    """Return the mean colour of a picture at each lightness.

    Parameters
    ----------
    lab : float array, (h, w, 3)
        L*a*b*.

    Returns
    -------
    float64 array, (101, 2)
        a and b at L* = 0, 1, ..., 100, smoothed; the nearest known value where the picture lacks
        that lightness.
    """
    lightness = np.clip(lab[..., 0].ravel(), 0, 100)
    ab = lab[..., 1:].reshape(-1, 2)
    below = np.minimum(lightness.astype(int), 99)
    share = lightness - below
    sums = [
        np.bincount(below, (1 - share) * value, 101) + np.bincount(below + 1, share * value, 101)
        for value in (np.ones_like(share), *ab.T)
    ]
    kernel = np.exp(-0.5 * ((KNOTS[:, None] - KNOTS) / SMOOTH_LIGHTNESS) ** 2)
    weight, *colours = (kernel @ each for each in sums)
    known = weight > 1e-6 * weight.max()
    curve = [np.interp(KNOTS, KNOTS[known], each[known] / weight[known]) for each in colours]
    return np.stack(curve, axis=-1)
