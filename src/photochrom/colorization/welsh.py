"""Take colours from a reference, pixel by pixel, by similar lightness and texture.

Source: Welsh, Ashikhmin, Mueller, "Transferring Color to Greyscale Images", SIGGRAPH 2002. About
200 samples of the reference lie on a jittered grid, its lightness remapped to the picture's mean
and standard deviation; each pixel takes the a and b of the sample that is nearest in lightness
(half) and in the standard deviation of lightness over 5 x 5 pixels (half). With swatches, each
pixel of a swatch takes them from 50 samples of its partner, and then every other pixel from the one
inside a swatch whose 5 x 5 neighbourhood differs least, by its squares.

Departures: L*a*b* takes the place of l-alpha-beta. Of a folder of references, the most similar
one is used, and the halves cannot be changed. The two halves are two coordinates,
not one sum, in which a light smooth place would equal a dark rough one. Of the pixels inside each
swatch at most about 500, on a jittered grid too, are compared with those outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import numpy as np

from photochrom.colorization.method import MethodInfo, Prediction, Request, check_request
from photochrom.colorization.transfer import match_statistics
from photochrom.errors import InvalidValueError
from photochrom.extras import require

SAMPLES = 200
SWATCH_SAMPLES = 50
FILL_SAMPLES = 500  # of each coloured swatch, for the pixels outside
WINDOW_PX = 5
LIGHTNESS_SHARE = 0.5  # of the squared distance; the rest is the standard deviation's

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Swatch:
    """Two rectangles of the same object, in the picture and in the reference.

    Attributes
    ----------
    picture, reference : (top, left, bottom, right)
        As shares of height and width, from 0 to 1.

    Raises
    ------
    InvalidValueError
        If a rectangle is empty or reaches outside.
    """

    picture: Box
    reference: Box

    def __post_init__(self) -> None:
        for top, left, bottom, right in (self.picture, self.reference):
            if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
                raise InvalidValueError(
                    "A swatch needs 0 <= top < bottom <= 1 and 0 <= left < right <= 1, as shares "
                    f"of the picture; got {(top, left, bottom, right)}."
                )


class Welsh:
    """Colours of a reference that is similar to the picture.

    Colours depend on lightness and texture only: objects missing in the reference get wrong ones,
    so the choice of the reference matters. Swatches pair regions explicitly.

    Parameters
    ----------
    swatches : sequence of Swatch
        Pairs of regions; without any, the whole reference is used for the whole picture.

    Examples
    --------
    >>> lawn = Swatch(picture=(0.6, 0.0, 1.0, 1.0), reference=(0.5, 0.2, 0.9, 0.8))
    >>> prediction = Welsh([lawn]).predict(Request(lightness, reference=lab))
    """

    info = MethodInfo(
        name="welsh",
        paper='Welsh, Ashikhmin, Mueller, "Transferring Color to Greyscale Images", SIGGRAPH 2002',
        licence="Apache-2.0",
        short_side_px=256,
        accepts=("reference",),
        requires=("reference",),
    )

    def __init__(self, swatches: Sequence[Swatch] = ()) -> None:
        self.swatches = tuple(swatches)

    def predict(self, request: Request) -> Prediction:
        """Return the colours, (1, h, w, 2); the request's seed places the samples.

        Raises
        ------
        InvalidValueError
            If the request has no reference.
        MissingExtraError
            If SciPy is not installed.
        """
        check_request(self.info, request)
        assert request.reference is not None
        lightness = np.asarray(request.lightness, np.float64)
        reference = np.asarray(request.reference, np.float64)
        random = np.random.default_rng(request.seed)
        if self.swatches:
            ab = _from_swatches(lightness, reference, self.swatches, random)
        else:
            ab = _borrow(lightness, reference, SAMPLES, random)
        return Prediction(ab[None].astype(np.float32))


def _borrow(
    lightness: np.ndarray, reference: np.ndarray, count: int, random: "np.random.Generator"
) -> np.ndarray:
    """Return each pixel's colour from the sample with the nearest statistics, (h, w, 2)."""
    remapped = match_statistics(reference[..., 0], lightness)
    rows, columns = jittered_grid(remapped.shape, count, random)
    samples = neighbourhood_statistics(remapped)[rows, columns]
    nearest = _nearest(samples, neighbourhood_statistics(lightness))
    return np.asarray(reference[rows, columns, 1:][nearest])


def _from_swatches(
    lightness: np.ndarray,
    reference: np.ndarray,
    swatches: Sequence[Swatch],
    random: "np.random.Generator",
) -> np.ndarray:
    """Colour the swatches, then everything else from similar places in them."""
    ab, coloured = np.zeros((*lightness.shape, 2)), np.zeros(lightness.shape, bool)
    windows = _windows(lightness)
    known_windows, known_ab = [], []
    for swatch in swatches:
        own, theirs = _cut(lightness, swatch.picture), _cut(reference, swatch.reference)
        ab[own] = _borrow(lightness[own], reference[theirs], SWATCH_SAMPLES, random)
        coloured[own] = True
        chosen = jittered_grid(lightness[own].shape, FILL_SAMPLES, random)
        known_windows.append(windows[own][chosen])
        known_ab.append(ab[own][chosen])
    if not coloured.all():
        nearest = _nearest(np.concatenate(known_windows), windows[~coloured])
        ab[~coloured] = np.concatenate(known_ab)[nearest]
    return ab


def _cut(plane: np.ndarray, box: Box) -> tuple[slice, slice]:
    """Return the pixels of a rectangle, at least one."""
    height, width = plane.shape[:2]
    top, left = min(height - 1, int(box[0] * height)), min(width - 1, int(box[1] * width))
    bottom, right = max(top + 1, round(box[2] * height)), max(left + 1, round(box[3] * width))
    return slice(top, bottom), slice(left, right)


def jittered_grid(
    shape: tuple[int, ...], count: int, random: "np.random.Generator"
) -> tuple[np.ndarray, np.ndarray]:
    """Choose pixels at random, one in each cell of a grid.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    count : int
        Approximate number; fewer if the picture has fewer pixels.
    random : Generator

    Returns
    -------
    rows, columns : int arrays, (n,)
        All different.
    """
    height, width = shape
    high = int(np.clip(round(np.sqrt(count * height / width)), 1, min(height, count)))
    wide = int(np.clip(round(count / high), 1, width))
    high = int(np.clip(round(count / wide), 1, high))  # a narrow picture has few columns to choose
    row, column = (each.ravel() for each in np.mgrid[:high, :wide])
    return _in_cells(row, high, height, random), _in_cells(column, wide, width, random)


def _in_cells(
    cell: np.ndarray, cells: int, length: int, random: "np.random.Generator"
) -> np.ndarray:
    """Choose one place in each cell; cells are at least a pixel long."""
    start, stop = cell * length // cells, (cell + 1) * length // cells
    return random.integers(start, stop)


def neighbourhood_statistics(lightness: np.ndarray) -> np.ndarray:
    """Return the features of pixels: lightness and its local standard deviation.

    Parameters
    ----------
    lightness : float array, (h, w)
        L*.

    Returns
    -------
    float64 array, (h, w, 2)
        L* and its standard deviation over 5 x 5 pixels (fewer at the borders), each times the root
        of its share of the squared distance.
    """
    centred = lightness - lightness.mean()
    variance = _box_mean(centred**2) - _box_mean(centred) ** 2
    deviation = np.sqrt(np.maximum(variance, 0.0))
    share = np.sqrt(LIGHTNESS_SHARE), np.sqrt(1 - LIGHTNESS_SHARE)
    return np.stack((share[0] * lightness, share[1] * deviation), axis=-1)


def _box_mean(plane: np.ndarray) -> np.ndarray:
    """Average over 5 x 5 pixels, clipped at the borders."""
    ndimage = _scipy("ndimage")
    inside = ndimage.uniform_filter(np.ones_like(plane), WINDOW_PX, mode="constant")
    return np.asarray(ndimage.uniform_filter(plane, WINDOW_PX, mode="constant") / inside)


def _windows(lightness: np.ndarray) -> np.ndarray:
    """Return the neighbourhood of each pixel, (h, w, 25), mirrored at the borders."""
    padded = np.pad(lightness, WINDOW_PX // 2, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (WINDOW_PX, WINDOW_PX))
    return windows.reshape(*lightness.shape, WINDOW_PX**2)


def _nearest(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the index of the nearest known point, for each of (..., n) asked points."""
    return np.asarray(_scipy("spatial").cKDTree(known).query(asked)[1])


def _scipy(part: str) -> ModuleType:
    require("methods", "'welsh'", "scipy")
    return import_module(f"scipy.{part}")
