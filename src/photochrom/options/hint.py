"""Hints: the colour at a point, along a stroke or in a region.

A hint is geometry in full-size pixels of the upright photograph, so it is independent of the
working size; methods receive hints as planes at their working size
(`colorization.method.Hints`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self, SupportsFloat, TypeAlias

import numpy as np

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import InvalidValueError
from photochrom.options.ranges import RADIUS, REACH

Number: TypeAlias = SupportsFloat | str  # a string is rejected with a message of its own
REACHES = ("near", "thing", "whole")
FEWEST_POINTS = {"point": 1, "stroke": 1, "region": 3}
MOST_HINTS = 1000
MOST_POINTS = 2000  # of one stroke or region

# Part of the sidecar's schema and of the service's: JSON Schema 2020-12.
HINT_SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["shape", "points"],
    "additionalProperties": False,
    "properties": {
        "shape": {"enum": list(FEWEST_POINTS)},
        "points": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_POINTS,
            "items": {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": {"type": "number"},
            },
            "description": "x to the right and y down, in pixels of the upright full-size photo.",
        },
        "colour": {
            "type": ["string", "null"],
            "pattern": "^#[0-9a-fA-F]{6}$",
            "description": "sRGB; only hue and chroma count. null keeps the place gray.",
        },
        "keep": {
            "type": "boolean",
            "description": "Keep the colours that the place has without hints; no colour is taken.",
        },
        "reach": {
            "anyOf": [
                {"enum": list(REACHES)},
                REACH.schema,
            ],
            "description": "How far a point's or stroke's colour spreads: near it on its thing, "
            "over its thing, or over the whole picture, as far as that looks alike; or a "
            "distance, in shares of the picture's longer side, on its thing.",
        },
        "radius": {
            **RADIUS.schema,
            "description": "Of a point, or half a stroke's width, in pixels.",
        },
    },
}


@dataclass(frozen=True)
class Hint:
    """One hint.

    Attributes
    ----------
    shape : str
        'point', 'stroke' or 'region'.
    points : tuple of (x, y)
        Pixels of the upright full-size photo, from its top left corner; one for a point, a
        polyline for a stroke, the corners of a region.
    colour : tuple of three int, or None
        sRGB, 0 to 255; only hue and chroma are used, the lightness stays the photo's. None keeps
        the place gray.
    radius : float
        Radius of a point, or half the width of a stroke, in pixels.
    reach : str or float
        How far the colour of a point or stroke spreads: 'near' (close to it, on the same object),
        'thing' (over the object), or 'whole' (over similar parts of the whole picture); or the
        distance on the object at which half of the colour is left, `ranges.REACH`, as a share of
        the picture's longer side. A region colours its inside.
    keep : bool
        Keep the colours that the place has without hints; `colour` is None then.

    Raises
    ------
    InvalidValueError
        If a number is out of its range or not finite.
    """

    shape: str
    points: tuple[tuple[float, float], ...]
    colour: tuple[int, int, int] | None = None
    radius: float = 8.0
    reach: str | float = "near"
    keep: bool = False

    def __post_init__(self) -> None:
        # 60 and 60.0 are equal, also in a sidecar and a marker.
        object.__setattr__(self, "points", _pairs(self.points))
        object.__setattr__(self, "radius", float(self.radius))
        if self.shape not in FEWEST_POINTS:
            raise InvalidValueError(
                f"A hint's shape must be point, stroke or region; got '{self.shape}'."
            )
        fewest, most = FEWEST_POINTS[self.shape], 1 if self.shape == "point" else MOST_POINTS
        if not fewest <= len(self.points) <= most:
            raise InvalidValueError(
                f"A {self.shape} needs {fewest} to {most} points; got {len(self.points)}."
            )
        if not all(math.isfinite(v) and abs(v) < 1e7 for pair in self.points for v in pair):
            raise InvalidValueError(f"A {self.shape}'s points must be finite; one is not.")
        RADIUS.check("A hint's radius", self.radius)
        object.__setattr__(self, "reach", _reach(self.reach))
        if self.keep and self.colour is not None:
            raise InvalidValueError("A hint with keep must not have a colour.")
        if self.colour is not None and not all(0 <= c <= 255 for c in self.colour):
            raise InvalidValueError(f"A colour needs numbers from 0 to 255; got {self.colour}.")

    @classmethod
    def point(
        cls,
        x: float,
        y: float,
        colour: "str | Sequence[int] | None" = None,
        radius: float = 8.0,
        *,
        reach: str | float = "near",
        keep: bool = False,
    ) -> Self:
        """Return a hint for the colour of a spot; see `parse_colour`. None keeps it gray."""
        return cls("point", ((x, y),), _colour(colour), radius, reach, keep)

    @classmethod
    def stroke(
        cls,
        points: Iterable[tuple[float, float]],
        colour: "str | Sequence[int] | None" = None,
        width: float = 16.0,
        *,
        reach: str | float = "near",
        keep: bool = False,
    ) -> Self:
        """Return a hint for the colour along a polyline with a width in pixels."""
        return cls("stroke", tuple(points), _colour(colour), width / 2, reach, keep)

    @classmethod
    def region(
        cls,
        points: Iterable[tuple[float, float]],
        colour: "str | Sequence[int] | None" = None,
        *,
        keep: bool = False,
    ) -> Self:
        """Return a hint for the colour of a polygon; by default it stays gray."""
        return cls("region", tuple(points), _colour(colour), keep=keep)

    @property
    def ab(self) -> np.ndarray:
        """The colour in ab units, (2,) float32; zeros where it stays gray."""
        if self.colour is None:
            return np.zeros(2, np.float32)
        return np.asarray(rgb_to_lab(np.array(self.colour) / 255.0)[1:], np.float32)

    def scaled(self, factor: float) -> Self:
        """Return the hint scaled to a copy of the photo that is `factor` times as large."""
        points = tuple((x * factor, y * factor) for x, y in self.points)
        return replace(self, points=points, radius=self.radius * factor)

    def to_table(self) -> dict[str, object]:
        """Return plain values, as `HINT_SCHEMA` describes them."""
        return {
            "shape": self.shape,
            "points": [list(pair) for pair in self.points],
            "colour": None if self.colour is None else "#{:02x}{:02x}{:02x}".format(*self.colour),
            "radius": self.radius,
            "reach": self.reach,
            "keep": self.keep,
        }

    @classmethod
    def from_table(cls, table: object) -> Self:
        """Build a hint from `to_table`'s values.

        Raises
        ------
        InvalidValueError
            If a field is missing, unknown or of the wrong type.
        """
        known = {each.name for each in fields(cls)}
        if not isinstance(table, dict) or not {"shape", "points"} <= table.keys() <= known:
            raise InvalidValueError(
                "A hint needs shape and points, and may have colour, radius, reach and keep; "
                f"got {table!r}."
            )
        try:
            points = _pairs(table["points"])
            radius = _number(table.get("radius", 8.0))
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidValueError(f"Cannot read a hint's numbers ({error}).") from error
        keep = table.get("keep", False)
        if not isinstance(keep, bool):
            raise InvalidValueError(f"A hint's keep must be true or false; got {keep!r}.")
        colour, reach = _colour(table.get("colour")), table.get("reach", "near")
        return cls(str(table["shape"]), points, colour, radius, reach, keep)


def _pairs(points: Iterable[tuple[Number, Number]]) -> tuple[tuple[float, float], ...]:
    return tuple((_number(x), _number(y)) for x, y in points)


def _reach(reach: object) -> str | float:
    if isinstance(reach, str) and reach in REACHES:
        return reach
    if isinstance(reach, int | float) and not isinstance(reach, bool) and reach in REACH:
        return float(reach)
    raise InvalidValueError(
        f"A hint's reach must be {', '.join(REACHES)}, or a number from {REACH} (shares of the "
        f"picture's longer side); got {reach!r}."
    )


def _number(value: Number) -> float:
    if isinstance(value, str):  # Python would accept the digits of any script
        raise TypeError(f"a number is needed, not the text {value[:40]!r}")
    return float(value)


def _colour(colour: "str | Sequence[int] | None") -> tuple[int, int, int] | None:
    return None if colour is None else parse_colour(colour)


def parse_colour(colour: "str | Sequence[int]") -> tuple[int, int, int]:
    """Parse a colour.

    Parameters
    ----------
    colour : str or three int
        '#c08040' or 'c08040', or red, green and blue from 0 to 255.

    Returns
    -------
    tuple of three int

    Raises
    ------
    InvalidValueError
        If it is neither.
    """
    try:
        if isinstance(colour, str):
            digits = colour.removeprefix("#")
            if len(digits) != 6:
                raise ValueError("six hexadecimal digits needed")
            values = list(bytes.fromhex(digits))
        else:
            values = [int(_number(value)) for value in colour]
        red, green, blue = values
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidValueError(
            f"A colour needs #rrggbb, or three numbers from 0 to 255; got {colour!r}."
        ) from error
    return red, green, blue
