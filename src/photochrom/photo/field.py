"""Colour as a small field of local linear functions of lightness."""

from dataclasses import dataclass

import numpy as np

from photochrom.photo.orientation import to_stored


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
        return ColourField.of(np.ascontiguousarray(to_stored(self.planes, orientation)))
