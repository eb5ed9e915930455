"""Where each place of a frame was before, and how far that can be trusted.

Dense inverse search (Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow using Dense Inverse
Search", ECCV 2016) between lightnesses whose brightness and contrast are made alike first, so that
fades and flicker do not look like motion. A place is trusted as far as the flow back leads home
(forward-backward check; Sundaram, Brox, Keutzer, ECCV 2010), and as it looks the same there.

Flow is kept as maps of positions on a small grid, so that steps can be composed.
"""

from types import ModuleType
from typing import NamedTuple

import numpy as np

from photochrom.photo.video import pyav

FLOW_PX, GRID_PX = 160, 80  # short sides: of the lightness that is compared; of the grid of maps
LOCAL = 0.12  # of the short side: the window in which brightness and contrast are made alike
QUIET = 2.0  # L*, added to the local contrast: grain on flat ground is not texture
HOME, HOME_SHARE = 0.35, 0.08  # allowed error of the way back: grid cells, and share of the motion
UNLIKE = 0.9  # difference of normalised lightness at which trust falls to 1/e


class Sight(NamedTuple):
    """What is compared of a frame.

    Attributes
    ----------
    image : uint8 array, (h, w)
        Normalised lightness, at `FLOW_PX`.
    small : float32 array, (gh, gw)
        The same in units of its local contrast, on the grid.
    is_flat : bool
        Whether it shows nothing, as black and white frames do.
    """

    image: np.ndarray
    small: np.ndarray
    is_flat: bool


class FlowMap(NamedTuple):
    """Where each place of one frame lies in another.

    Attributes
    ----------
    places : float32 array, (gh, gw, 2)
        x and y on the grid of the other frame.
    trust : float32 array, (gh, gw)
        From 0 to 1.
    """

    places: np.ndarray
    trust: np.ndarray


def opencv() -> ModuleType:
    """Return the OpenCV module."""
    pyav()
    import cv2

    return cv2


def sight(lightness: np.ndarray) -> Sight:
    """Prepare a frame for comparison.

    Parameters
    ----------
    lightness : float32 array, (h, w)
        L* at the working size.

    Returns
    -------
    Sight
    """
    cv2 = opencv()
    height, width = lightness.shape
    scale = FLOW_PX / min(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    light = cv2.resize(lightness, size, interpolation=cv2.INTER_AREA)
    sigma = LOCAL * FLOW_PX
    mean = cv2.GaussianBlur(light, (0, 0), sigma)
    spread = np.sqrt(np.maximum(cv2.GaussianBlur(light * light, (0, 0), sigma) - mean**2, 0))
    alike = (light - mean) / (spread + QUIET)
    grid = grid_size(height, width)
    small = cv2.resize(alike, grid[::-1], interpolation=cv2.INTER_AREA)
    image = np.clip(alike * 40 + 128, 0, 255).astype(np.uint8)
    return Sight(image, small, bool(np.mean(spread) < QUIET / 4))


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Return (rows, columns) of the grid for a picture's size."""
    scale = GRID_PX / min(height, width)
    return max(4, round(height * scale)), max(4, round(width * scale))


class FlowEstimator:
    """Estimate paths between frames; one for each thread."""

    def __init__(self) -> None:
        cv2 = opencv()
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def paths(self, before: Sight, after: Sight) -> tuple[FlowMap, FlowMap]:
        """Return the path from `after` back to `before`, and the path ahead.

        Parameters
        ----------
        before, after : Sight
            Of one size.

        Returns
        -------
        back, ahead : FlowMap
        """
        ahead = self._flow(before, after)
        back = self._flow(after, before)
        here = identity(before.small.shape).places
        return (
            FlowMap(here + back, _trust(back, ahead, after, before)),
            FlowMap(here + ahead, _trust(ahead, back, before, after)),
        )

    def _flow(self, one: Sight, other: Sight) -> np.ndarray:
        """Return motion in grid cells, (gh, gw, 2)."""
        cv2 = opencv()
        flow = self._search.calc(one.image, other.image, None)
        rows, columns = one.small.shape
        small = cv2.resize(flow, (columns, rows), interpolation=cv2.INTER_AREA)
        scale = np.array([columns / one.image.shape[1], rows / one.image.shape[0]], np.float32)
        return np.asarray(small * scale)


def identity(shape: tuple[int, ...], trust: float = 1.0) -> FlowMap:
    """Return the path of a picture that does not move, of a grid (gh, gw)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return FlowMap(np.stack((columns, rows), axis=-1), np.full(shape, trust, np.float32))


def sample(planes: np.ndarray, path: FlowMap) -> np.ndarray:
    """Return the values of planes, (gh, gw) or (gh, gw, n), at the places where a path leads."""
    cv2 = opencv()
    x, y = np.ascontiguousarray(path.places[..., 0]), np.ascontiguousarray(path.places[..., 1])
    shape = (*x.shape, *planes.shape[2:])
    if planes.ndim == 2 or planes.shape[-1] <= 4:
        return np.asarray(_remapped(cv2, planes, x, y)).reshape(shape)
    parts = [
        _remapped(cv2, np.ascontiguousarray(planes[..., first : first + 4]), x, y)
        for first in range(0, planes.shape[-1], 4)
    ]
    return np.concatenate([p.reshape(*x.shape, -1) for p in parts], axis=-1)


def _remapped(cv2: ModuleType, planes: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.remap(planes, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def composed(first: FlowMap, then: FlowMap) -> FlowMap:
    """Return the path that follows one, from there on another."""
    trust = first.trust * sample(then.trust, first)
    return FlowMap(sample(then.places, first), trust)


def seen_alike(path: FlowMap, here: Sight, there: Sight) -> FlowMap:
    """Return a path trusted only where both of its ends look alike."""
    return path._replace(trust=path.trust * _likeness(path.places, here, there))


def similarity(path: FlowMap, here: Sight, there: Sight) -> float:
    """Return the correlation, -1 to 1, of a frame with another that is moved onto it."""
    moved = sample(there.small, path)
    one, other = here.small - here.small.mean(), moved - moved.mean()
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / size if size > 0 else 0.0


def _trust(flow: np.ndarray, other: np.ndarray, here: Sight, there: Sight) -> np.ndarray:
    """Return how far each place's flow can be trusted."""
    places = identity(here.small.shape).places + flow
    home = flow + sample(other, FlowMap(places, places[..., 0]))
    allowed = HOME + HOME_SHARE * np.linalg.norm(flow, axis=-1)
    error = np.linalg.norm(home, axis=-1) / allowed
    rows, columns = here.small.shape
    inside = (places >= -0.5).all(axis=-1)
    inside &= (places[..., 0] <= columns - 0.5) & (places[..., 1] <= rows - 0.5)
    trust = np.exp(-(error**2)) * inside * _likeness(places, here, there)
    return np.asarray(trust, np.float32)


def _likeness(places: np.ndarray, here: Sight, there: Sight) -> np.ndarray:
    change = here.small - sample(there.small, FlowMap(places, places[..., 0]))
    return np.asarray(np.exp(-((change / UNLIKE) ** 2)))
