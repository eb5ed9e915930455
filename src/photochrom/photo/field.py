"""Colour as a small field of local linear functions of lightness."""

from dataclasses import dataclass

import numpy as np

# EXIF orientation -> whether the upright picture is transposed, then its rows, its columns turned
# round, to lie as in its file.
UPRIGHT_TO_STORED = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


@dataclass(frozen=True)
class ColourField:
    """ab = slope * L + offset, bounded.

    Attributes
    ----------
    slope, offset : float32 array, (h, w, 2)
        With L* in [0, 100] and ab in ab units.
    low, high : float32 array, (h, w, 2)
        Bounds of ab.
    """

    slope: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def planes(self) -> np.ndarray:
        """All of it as (h, w, 8), in the order of the attributes."""
        return np.concatenate((self.slope, self.offset, self.low, self.high), axis=-1)

    @classmethod
    def of(cls, planes: np.ndarray) -> "ColourField":
        """Take `planes` apart again."""
        return cls(*np.split(planes, 4, axis=-1))

    def stored(self, orientation: int) -> "ColourField":
        """Turn an upright field to how the picture lies in its file.

        Parameters
        ----------
        orientation : int
            The EXIF orientation, 1 to 8.

        Returns
        -------
        ColourField
        """
        planes = self.planes
        transposed, rows_turned, columns_turned = UPRIGHT_TO_STORED[orientation]
        if transposed:
            planes = planes.transpose(1, 0, 2)
        if rows_turned:
            planes = planes[::-1]
        if columns_turned:
            planes = planes[:, ::-1]
        return ColourField.of(np.ascontiguousarray(planes))
