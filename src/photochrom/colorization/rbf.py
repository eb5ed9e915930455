"""Spread hints by radial basis functions: the baseline for methods with hints.

Source: Shepard, "A Two-Dimensional Interpolation Function for Irregularly-Spaced Data", 1968: the
mean of all hinted colours, weighted by an inverse power of their distance. Here the distance
combines place and lightness.
"""

from typing import NamedTuple

import numpy as np

from photochrom.colorization.method import Hints, MethodInfo, Prediction, Request, check_request

# Chosen on photographs for the highest PSNR at ten patches. No other kernel tried was better: a
# Gaussian in both lost 0.1 dB, one that ignores the lightness 0.7 dB.
LIGHTNESS_RANGE = 43.0  # L* difference that counts like the picture's longer side
NEAR = 0.0015  # squared distance below which the weight does not increase

CELL_PX = 6  # hinted pixels of a cell are one centre
MOST_CENTRES = 500  # beyond this, cells grow: time is centres times pixels


class Centres(NamedTuple):
    """Places where colours are known.

    Attributes
    ----------
    places : float array, (n, 2)
        Row and column, in pixels.
    ab : float array, (n, 2)
        Their colours, ab units.
    lightness : float array, (n,)
        L* of the picture there.
    shares : float array, (n,)
        Weight of each; 1 for a cell full of hints.
    """

    places: np.ndarray
    ab: np.ndarray
    lightness: np.ndarray
    shares: np.ndarray


class Rbf:
    """Colour each pixel with the mean of the hinted colours, weighted by nearness.

    Hinted pixels are grouped in cells of 6 pixels, or of 12, 24, ... if there are more than
    500, since the result is smoothed over a larger area anyway.
    """

    info = MethodInfo(
        name="rbf",
        paper='Shepard, "A Two-Dimensional Interpolation Function for Irregularly-Spaced Data", '
        "1968, with a distance in lightness too",
        licence="Apache-2.0",
        short_side_px=256,
        accepts=("hints",),
        requires=("hints",),
    )

    def predict(self, request: Request) -> Prediction:
        """Spread the hints, (1, h, w, 2); gray if there are none.

        Raises
        ------
        InvalidValueError
            If the request has no hints.
        """
        check_request(self.info, request)
        assert request.hints is not None
        centres = gather(request.hints, request.lightness)
        return Prediction(spread(centres, request.lightness)[None])


def gather(hints: Hints, lightness: np.ndarray, most: int = MOST_CENTRES) -> Centres:
    """Group hinted pixels into centres.

    Parameters
    ----------
    hints : Hints
        At the size of the lightness.
    lightness : float array, (h, w)
        L* in [0, 100].
    most : int
        Maximum number of centres.

    Returns
    -------
    Centres
        The mean place, colour and lightness of the hinted pixels of each cell.
    """
    rows, columns = np.nonzero(hints.mask)
    width, cell = lightness.shape[1], CELL_PX
    numbers = _cells(rows, columns, width, cell)
    while numbers.max(initial=0) >= most:
        cell *= 2
        numbers = _cells(rows, columns, width, cell)
    values = np.column_stack((rows, columns, hints.ab[rows, columns], lightness[rows, columns]))
    counts = np.bincount(numbers)
    sums = np.stack([np.bincount(numbers, column) for column in values.T], axis=-1)
    means = sums / counts[:, None]
    return Centres(means[:, :2], means[:, 2:4], means[:, 4], counts / cell**2)


def _cells(rows: np.ndarray, columns: np.ndarray, width: int, cell: int) -> np.ndarray:
    """Return the cell number of each pixel, counting non-empty cells from 0."""
    cells = (rows // cell) * (width // cell + 1) + columns // cell
    return np.unique(cells, return_inverse=True)[1]


def spread(centres: Centres, lightness: np.ndarray) -> np.ndarray:
    """Spread the colours of centres over a picture.

    Parameters
    ----------
    centres : Centres
    lightness : float array, (h, w)
        L* in [0, 100] of the gray picture.

    Returns
    -------
    float32 array, (h, w, 2)
        a and b: the mean of the centres' colours, weighted by the inverse cube of their distance,
        in units of the longer side and of 43 L*; 0 without centres.
    """
    if not len(centres.places):
        return np.zeros((*lightness.shape, 2), np.float32)
    shape = lightness.shape
    colours, total = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    tops, lefts = centres.places.T
    rows = ((np.arange(shape[0])[:, None] - tops) / max(shape)) ** 2
    columns = ((np.arange(shape[1])[:, None] - lefts) / max(shape)) ** 2
    each = zip(rows.T, columns.T, centres.lightness, centres.ab, centres.shares, strict=True)
    for row, column, own, ab, share in each:
        squared = (row[:, None] + column).astype(np.float32) + NEAR
        squared += ((lightness - own) / LIGHTNESS_RANGE) ** 2
        weight = float(share) / (squared * np.sqrt(squared))
        colours += weight[..., None] * ab
        total += weight
    return np.asarray(colours / total[..., None])
