"""The results of colouring: the picture and its notes."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from photochrom.engine.guidance import Guidance, outside
from photochrom.photo.join import Tally
from photochrom.photo.negative_detection import looks_like_negative
from photochrom.photo.photo import Photo

MOST_EXTREME = 0.9  # share of pixels too dark or too light to show colour
GAP_PX = 8  # between before and after
Kind = TypeVar("Kind", covariant=True)


class Coloured(NamedTuple):
    """A coloured file.

    Attributes
    ----------
    content : bytes or None
        The picture, if no target was given.
    target : Path or None
        The file that was written.
    notes : tuple of str
        What was repaired, lost or decided.
    guidance : Guidance
        The guidance that was followed, with the reference chosen from a folder.
    size : (width, height)
        Upright, of the first page.
    confidence : float32 array, (h, w), or None
        Of the first page; see `Colorizer.confidence`.
    megapixels : float
        Of all pages.
    """

    content: bytes | None
    target: Path | None
    notes: tuple[str, ...]
    guidance: Guidance
    size: tuple[int, int]
    confidence: np.ndarray | None = None
    megapixels: float = 0.0


@dataclass(frozen=True)
class Result(Generic[Kind]):
    """A coloured picture, its notes and its confidence.

    Attributes
    ----------
    image : Path, bytes, BytesIO, PIL image, tensor or array
        As `Colorizer.colorize` returns it.
    notes : tuple of str
        What was repaired, lost, assumed or decided.
    confidence : float32 array, (h, w), or None
        At the working size, in [0, 1]: 0 is a guess, 1 is certain; None if the method does not
        estimate it.
    """

    image: Kind
    notes: tuple[str, ...] = ()
    confidence: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Comparison:
    """A photograph before and after colouring, shown side by side in a notebook.

    Attributes
    ----------
    before, after : uint8 array, (h, w, 3)
        sRGB, upright, of the same size.
    notes : tuple of str
        As in `Result`.
    """

    before: np.ndarray = field(repr=False)
    after: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()

    def _repr_png_(self) -> bytes:
        from PIL import Image

        gap = np.full((len(self.before), GAP_PX, 3), 255, np.uint8)
        content = io.BytesIO()
        pair = np.concatenate((self.before, gap, self.after), axis=1)
        Image.fromarray(pair).save(content, "PNG")
        return content.getvalue()


class Findings:
    """Findings collected while the pages of a photo are coloured."""

    def __init__(self) -> None:
        self.tallies: list[Tally] = []
        self.lightness: np.ndarray | None = None  # of the first page, small
        self.confidence: np.ndarray | None = None

    def notes(self, photo: Photo, guidance: Guidance, method: str) -> list[str]:
        """Return the notes on a coloured photo.

        Parameters
        ----------
        photo : Photo
        guidance : Guidance
            Guidance with which it was coloured.
        method : str
            The method's name; `gray` changes no colour.
        """
        return [*self._of_photo(photo, guidance, method), *self._of_tallies()]

    def _of_photo(self, photo: Photo, guidance: Guidance, method: str) -> list[str]:
        notes = outside(guidance.hints, photo.upright_size)
        if method == "gray":
            return notes
        if photo.tint.kind == "toned":
            notes.append(f"a toned original ({photo.tint.name}): its tone is ignored")
        elif photo.is_colour:
            notes.append("was in colour: recoloured from its lightness")
        is_done = photo.reading.negative or photo.tint.kind == "colour"
        is_dark = not is_done and self.lightness is not None and looks_like_negative(self.lightness)
        if photo.looks_like_negative or is_dark:
            notes.append(
                "looks like a negative: if it is one, use --negative (Reading(negative=True))"
            )
        return notes

    def _of_tallies(self) -> list[str]:
        found = [n for n, t in enumerate(self.tallies, 1) if t.extreme_share > MOST_EXTREME]
        if not found:
            return []
        where = f" (page {', '.join(map(str, found))})" if len(self.tallies) > 1 else ""
        return [
            f"nearly every pixel is black or white and cannot show colour{where}: a bilevel or "
            "halftone scan? Scan it in gray, or use --descreen (Reading(descreen=True))"
        ]


def decoded_png(content: bytes) -> np.ndarray:
    """Return the pixels of a PNG as a uint8 array, (h, w, 3); transparency is dropped."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
