"""A palette of colours, or a named mood, as the ab histogram passed to a method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from photochrom.color.bins import soft_encode
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import InvalidValueError
from photochrom.options.hint import parse_colour

MOST_COLOURS = 12
# A photograph with a dominant colour shows it in shades down to gray. These shares of its chroma,
# and their frequencies, are typical: mostly muted, rarely pure.
SHADES = (0.15, 0.4, 0.7, 1.0)
SHADE_WEIGHTS = (0.35, 0.3, 0.2, 0.15)

# Mood -> a few sRGB colours.
MOODS: dict[str, tuple[str, ...]] = {
    "warm": ("#d9a066", "#b5651d", "#8c4a32", "#e8c9a0"),
    "cool": ("#5b84b1", "#7fa7bd", "#3f5e7a", "#a9c3cf"),
    "autumn": ("#c0622d", "#d99a2b", "#7a5a2a", "#6b6b2f"),
    "spring": ("#8fb75a", "#e7a7b5", "#a8d0e0", "#f0e19a"),
    "seaside": ("#3f8fb5", "#7cc0c4", "#e2cfa4", "#f1e6cf"),
    "forest": ("#3f6b35", "#6b8c46", "#7a5e3c", "#a3b57a"),
    "dusk": ("#6a4c7d", "#c76f6b", "#e39f6a", "#3d4a75"),
    "pastel": ("#d8b4c4", "#b4c9d8", "#cfd8b4", "#e6d3b8"),
    "muted": ("#9a8c7c", "#8a9492", "#a39a84", "#7f7a78"),
}


@dataclass(frozen=True)
class Palette:
    """A palette of colours.

    Attributes
    ----------
    colours : tuple of (r, g, b)
        sRGB, 0 to 255; one to twelve.
    """

    colours: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.colours) <= MOST_COLOURS:
            raise InvalidValueError(
                f"A palette needs 1 to {MOST_COLOURS} colours; got {len(self.colours)}."
            )

    @classmethod
    def of(cls, colours: "str | Sequence[str | Sequence[int]]") -> Self:
        """Read a palette.

        Parameters
        ----------
        colours : str or sequence
            A mood's name ('autumn'), comma-separated colours ('#c0622d,#d99a2b'), or a sequence of
            colours as `parse_colour` takes them.

        Raises
        ------
        InvalidValueError
            If it is none of these.
        """
        if isinstance(colours, str):
            named = MOODS.get(colours.strip().lower())
            colours = named or [part.strip() for part in colours.split(",")]
        try:
            return cls(tuple(parse_colour(colour) for colour in colours))
        except InvalidValueError as error:
            raise InvalidValueError(
                f"A palette is colours such as '#c0622d,#d99a2b', or a mood: {', '.join(MOODS)}. "
                f"{error}"
            ) from error

    @property
    def ab(self) -> np.ndarray:
        """Its colours in ab units, (n, 2) float32."""
        return np.asarray(rgb_to_lab(np.array(self.colours) / 255.0)[:, 1:], np.float32)

    def to_table(self) -> list[str]:
        """Return its colours as '#rrggbb'."""
        return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in self.colours]

    def histogram(self, centres: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the palette as shares of the bins, and its mean chroma.

        Parameters
        ----------
        centres : float array, (Q, 2)
            Bin centres, ab units.

        Returns
        -------
        histogram : float32 array, (Q,)
            Sums to 1.
        chroma : float
            Mean chroma, ab units.
        """
        shades = (self.ab[:, None] * np.array(SHADES)[None, :, None]).reshape(-1, 2)
        shares = np.tile(SHADE_WEIGHTS, len(self.ab)) / len(self.ab)
        indices, weights = soft_encode(shades.astype(np.float32), centres)
        histogram = np.zeros(len(centres))
        np.add.at(histogram, indices.ravel(), (weights * shares[:, None]).ravel())
        chroma = float(np.hypot(shades[:, 0], shades[:, 1]) @ shares)
        return histogram.astype(np.float32), chroma
