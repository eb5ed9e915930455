"""EXIF orientation: from stored rows and columns to an upright picture and back.

Source: EXIF 2.32, tag 0x0112. Orientation 6, for example, means that the stored picture's first
row is the visual right-hand side: it must be turned a quarter clockwise to stand upright.
"""

import numpy as np

SWAPS_SIDES = frozenset({5, 6, 7, 8})


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Return the size after turning; the same function serves both directions."""
    return (height, width) if orientation in SWAPS_SIDES else (width, height)


def to_upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored picture upright.

    Parameters
    ----------
    stored : array, (H, W) or (H, W, C)
    orientation : int
        1 to 8.

    Returns
    -------
    array
        A view, with sides swapped for 5 to 8.
    """
    turned = np.swapaxes(stored, 0, 1) if orientation in SWAPS_SIDES else stored
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned[::-1] if orientation in (3, 4, 7, 8) else turned


def to_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an upright picture back; the inverse of `to_upright`.

    Parameters
    ----------
    upright : array, (H, W) or (H, W, C)
    orientation : int
        1 to 8.

    Returns
    -------
    array
        A view, with sides swapped for 5 to 8.
    """
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    return to_upright(upright, inverse)
