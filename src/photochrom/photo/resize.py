"""Resize small float planes: by area down, linearly up."""

import numpy as np


def resize(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize each axis, by the mean over each new pixel's area or between pixel centres.

    Parameters
    ----------
    planes : float array, (h, w, n)
    height, width : int
        The size wanted, at least 1.

    Returns
    -------
    float array, (height, width, n)
        The same dtype; constant planes stay constant, edges are extended.
    """
    for axis, size in ((0, height), (1, width)):
        if size < planes.shape[axis]:
            planes = _shrink(planes, size, axis)
        elif size > planes.shape[axis]:
            length = planes.shape[axis]
            centres = (np.arange(size) + 0.5) * length / size - 0.5
            planes = interpolate(planes, np.clip(centres, 0, length - 1), axis)
    return planes


def reduced_size(width: int, height: int, long_side_px: int) -> tuple[int, int]:
    """Return the size of a picture reduced to a maximum long side."""
    scale = min(1.0, long_side_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def repeated(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by whole cells, (h, w) or (h, w, n): no two are averaged."""
    rows = np.arange(height) * planes.shape[0] // height
    columns = np.arange(width) * planes.shape[1] // width
    return np.asarray(planes[rows][:, columns])


def _shrink(planes: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Average over areas: differences of the running integral at the new pixels' borders."""
    length = planes.shape[axis]
    first = np.zeros_like(np.take(planes, [0], axis), dtype=np.float64)
    integral = np.concatenate((first, np.cumsum(planes, axis, dtype=np.float64)), axis)
    borders = np.linspace(0, length, size + 1)
    at_borders = interpolate(integral, borders, axis)
    means = np.diff(at_borders, axis=axis) * (size / length)
    return np.asarray(means, dtype=planes.dtype)


def interpolate(planes: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    """Interpolate linearly at positions of an axis, counted from its first element."""
    before = np.minimum(positions.astype(int), planes.shape[axis] - 1)
    after = np.minimum(before + 1, planes.shape[axis] - 1)
    shape = [1] * planes.ndim
    shape[axis] = len(positions)
    share = (positions - before).reshape(shape).astype(planes.dtype)
    low, high = np.take(planes, before, axis), np.take(planes, after, axis)
    return np.asarray(low + (high - low) * share)
