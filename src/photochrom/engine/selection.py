"""Select an object by a click: the outline of what belongs to a place.

The object is what a hint there with the reach 'thing' would colour; see
`photochrom.engine.hint_propagation`. The outline runs along pixel borders of the working size and
is simplified (Douglas and Peucker, "Algorithms for the reduction of the number of points required
to represent a digitized line or its caricature", 1973).
"""

import numpy as np

from photochrom.engine.hint_propagation import BELONGS, Spot, belonging

SURE_PX = 1  # pixels around the place that certainly belong to the object
TOLERANCE_PX = 0.9  # of the simplified outline, at the working size
MOST_CORNERS = 400  # of an outline; a ragged one is simplified further
# The four directions along pixel borders, in the order of right turns: right, down, left, up.
TURNS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def thing_at(lightness: np.ndarray, features: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the mask of the object at a place.

    Parameters
    ----------
    lightness : float array, (h, w)
        L* in [0, 100].
    features : float array, (h', w', n)
        See `hint_propagation.features_of`.
    row, column : int
        The place.

    Returns
    -------
    bool array, (h, w)
        One connected piece.
    """
    seed = np.zeros(lightness.shape, bool)
    rows, columns = (slice(max(0, at - SURE_PX), at + SURE_PX + 1) for at in (row, column))
    seed[rows, columns] = True
    _, share = belonging(lightness, features, [Spot(seed, None, "thing")])
    return connected((share > BELONGS) | seed, row, column)


def connected(mask: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the piece of a mask, (h, w) bool, that holds a place: its four-connected part."""
    piece = np.zeros_like(mask)
    piece[row, column] = mask[row, column]
    count = -1
    while count != (count := int(piece.sum())):
        for axis in (0, 1):
            for step in (1, -1):
                piece = _swept(piece, mask, axis, step)
    return piece


def _swept(piece: np.ndarray, mask: np.ndarray, axis: int, step: int) -> np.ndarray:
    """Grow a piece in one direction as far as the mask goes."""
    piece, mask = (np.moveaxis(plane, axis, 0)[::step] for plane in (piece, mask))
    grown = piece.copy()
    for line in range(1, len(grown)):
        grown[line] |= grown[line - 1] & mask[line]
    return np.moveaxis(grown[::step], 0, axis)


def outline(mask: np.ndarray) -> np.ndarray:
    """Return the outer border of a connected mask.

    Parameters
    ----------
    mask : bool array, (h, w)
        One piece, not empty.

    Returns
    -------
    float array, (n, 2)
        Corners (x, y) of a closed polygon in pixels of the mask, clockwise; n in [3, MOST_CORNERS].
    """
    padded = np.pad(mask, 1)
    row, column = divmod(int(padded.argmax()), padded.shape[1])
    start, at, heading = (row, column), (row, column), 0
    corners = []
    while True:
        corners.append((at[1] - 1, at[0] - 1))
        at = at[0] + TURNS[heading][0], at[1] + TURNS[heading][1]
        heading = _turned(padded, at, heading)
        if at == start and heading == 0:
            break
    border, tolerance = np.array(corners, float), TOLERANCE_PX
    while len(found := _simplified(border, tolerance)) > MOST_CORNERS:
        tolerance *= 1.5
    return found


def _turned(padded: np.ndarray, at: tuple[int, int], heading: int) -> int:
    """Follow the border with the mask to the right; at a corner of two pieces keep to one."""
    row, column = at
    ahead = {  # the pixels ahead on the left and on the right of each direction
        0: ((row - 1, column), (row, column)),
        1: ((row, column), (row, column - 1)),
        2: ((row, column - 1), (row - 1, column - 1)),
        3: ((row - 1, column - 1), (row - 1, column)),
    }[heading]
    left, right = (bool(padded[place]) for place in ahead)
    if not right:
        return (heading + 1) % 4
    return (heading - 1) % 4 if left else heading


def _simplified(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Leave out corners of a closed polygon that lie near the line between their neighbours."""
    far = int(np.linalg.norm(points - points[0], axis=1).argmax())
    closed = np.concatenate((points, points[:1]))
    kept = np.zeros(len(closed), bool)
    kept[[0, far, -1]] = True
    waiting = [(0, far), (far, len(points))]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        line = closed[last] - closed[first]
        offsets = closed[first + 1 : last] - closed[first]
        length = max(float(np.hypot(*line)), 1e-9)
        away = np.abs(offsets[:, 0] * line[1] - offsets[:, 1] * line[0]) / length
        if length <= 1e-9 or away.max() > tolerance:
            middle = first + 1 + int(away.argmax())
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    found = closed[:-1][kept[:-1]]
    return found if len(found) >= 3 else points[:: 1 + len(points) // MOST_CORNERS]
