"""Colour as a small field of local linear functions of lightness."""

from dataclasses import dataclass, replace

import numpy as np

from photochrom.photo.orientation import to_stored
from photochrom.photo.rasterize import Overlay


@dataclass(frozen=True)
class ColourField:
    """ab = slope * L + offset, bounded.

    Attributes
    ----------
    slope, offset : float32 array, (h, w, 2)
        With L* in [0, 100] and ab in ab units.
    low, high : float32 array, (h, w, 2)
        Bounds of ab.
    overlays : tuple of Touch
        Hinted places of the full-size picture.
    """

    slope: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    overlays: tuple[Overlay, ...] = ()

    @property
    def planes(self) -> np.ndarray:
        """Slope, offset and bounds as (h, w, 8), in the order of the attributes."""
        return np.concatenate((self.slope, self.offset, self.low, self.high), axis=-1)

    @classmethod
    def of(cls, planes: np.ndarray) -> "ColourField":
        """Return a field from its `planes`."""
        slope, offset, low, high = np.split(planes, 4, axis=-1)
        return cls(slope, offset, low, high)

    def stored(self, orientation: int, width: int, height: int) -> "ColourField":
        """Turn an upright field to the file's stored orientation.

        Parameters
        ----------
        orientation : int
            The EXIF orientation, 1 to 8.
        width, height : int
            Of the upright picture, pixels.
        """
        turned = ColourField.of(np.ascontiguousarray(to_stored(self.planes, orientation)))
        overlays = (overlay.stored(orientation, width, height) for overlay in self.overlays)
        return replace(turned, overlays=tuple(overlays))
