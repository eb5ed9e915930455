"""The guidance for one photograph: hints, a reference, a palette, a candidate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from photochrom.colorization.method import Hints
from photochrom.engine.picture_types import Colours, HintTable, Lender
from photochrom.engine.reference import Reference, References
from photochrom.errors import InvalidValueError
from photochrom.options.hint import MOST_HINTS, Hint
from photochrom.options.palette import Palette
from photochrom.options.ranges import CANDIDATE, SEED
from photochrom.photo.addresses import is_address
from photochrom.photo.find import find_photos
from photochrom.photo.rasterize import Overlay

SMALLEST_RADIUS_PX = 0.71  # at the working size: a smaller place could fall between the pixels


@dataclass(frozen=True)
class Guidance:
    """The guidance for one photograph.

    Attributes
    ----------
    hints : tuple of Hint
        In pixels of the upright full-size photo; later ones are on top.
    reference : Reference or References, optional
        A colour photograph to take colours from, or a folder to choose one from.
    palette : Palette, optional
        Colours to use.
    candidate : int
        0 is the most likely colouring; 1, 2, ... are other plausible ones.
    seed : int
        Seed of random choices: places of samples, which regions candidates change.

    Raises
    ------
    InvalidValueError
        If a number is out of its range, or a reference and a palette are both given.
    """

    hints: tuple[Hint, ...] = ()
    reference: Reference | References | None = None
    palette: Palette | None = None
    candidate: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.hints) > MOST_HINTS:
            raise InvalidValueError(
                f"At most {MOST_HINTS} hints are allowed; got {len(self.hints)}."
            )
        CANDIDATE.check("candidate", self.candidate)
        SEED.check("seed", self.seed)
        if self.reference is not None and self.palette is not None:
            raise InvalidValueError("Give a reference or a palette, not both.")

    @classmethod
    def of(
        cls,
        hints: "Iterable[Hint | HintTable]" = (),
        reference: "Lender | None" = None,
        palette: "Colours | None" = None,
        candidate: int = 0,
        seed: int = 0,
    ) -> Self:
        """Return the guidance for a caller's arguments; see `Colorizer.colorize`."""
        if palette is not None and not isinstance(palette, Palette):
            palette = Palette.of(palette)
        decided = (h if isinstance(h, Hint) else Hint.from_table(h) for h in hints)
        return cls(tuple(decided), _reference(reference), palette, candidate, seed)

    def scaled(self, factor: float) -> Self:
        """Return the guidance scaled to a copy of the photo that is `factor` times as large."""
        return replace(self, hints=tuple(hint.scaled(factor) for hint in self.hints))

    def to_table(self) -> dict[str, object]:
        """Return plain values, for a sidecar and a marker."""
        return {
            "hints": [hint.to_table() for hint in self.hints],
            "reference": self.reference and self.reference.to_table(),
            "palette": self.palette and self.palette.to_table(),
            "candidate": self.candidate,
            "seed": self.seed,
        }


def _reference(given: "Lender | None") -> Reference | References | None:
    """Open a reference, or a folder of them."""
    if given is None or isinstance(given, (Reference, References)):
        return given
    if isinstance(given, str) and is_address(given):
        from photochrom.photo.storage import is_folder

        return References.far(given) if is_folder(given) else Reference.of(given)
    if isinstance(given, (str, Path)) and Path(given).is_dir():
        return References(Path(given), find_photos(Path(given), recursive=True))
    return Reference.of(given)


def overlays_of(hints: Sequence[Hint]) -> tuple[Overlay, ...]:
    """Return each hint as an exact place of the full-size picture."""
    return tuple(
        Overlay(
            np.asarray(hint.points, float),
            0.0 if hint.shape == "region" else hint.radius,
            None if hint.keep else hint.ab,
            closed=hint.shape == "region",
        )
        for hint in hints
    )


def outside(hints: Sequence[Hint], size: tuple[int, int]) -> list[str]:
    """Return a note on hints outside a picture of (width, height) pixels."""
    windows = [overlay.window(*size) for overlay in overlays_of(hints)]
    missed = sum(right <= left or bottom <= top for left, top, right, bottom in windows)
    if not missed:
        return []
    where = f"the {size[0]} x {size[1]} pixels of the upright picture"
    return [f"hints outside {where}, which have no effect: {missed} of {len(hints)}"]


def hint_planes(
    overlays: Sequence[Overlay], size: tuple[int, int], working: tuple[int, int]
) -> Hints | None:
    """Draw hints at a method's working size.

    Parameters
    ----------
    overlays : sequence of Overlay
        On the full-size picture.
    size, working : (height, width)
        Of the full-size picture; of the planes.

    Returns
    -------
    Hints or None
        Later hints are on top of earlier ones; None if there are none.
    """
    if not overlays:
        return None
    ab = np.zeros((*working, 2), np.float32)
    mask = np.zeros(working, np.float32)
    for overlay in overlays:
        small = overlay.scaled(working[1] / size[1], working[0] / size[0])
        if not overlay.closed:
            small = replace(small, radius=max(small.radius, SMALLEST_RADIUS_PX))
        left, top, right, bottom = small.window(working[1], working[0])
        if left >= right or top >= bottom:
            continue
        inside = small.coverage(left, top, right - left, bottom - top) >= 1
        ab[top:bottom, left:right][inside] = 0 if overlay.ab is None else overlay.ab
        mask[top:bottom, left:right][inside] = 1
    return Hints(ab, mask)
