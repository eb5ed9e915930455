"""JSON bodies of requests and responses."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from photochrom.colorization.catalogue import CATALOGUE
from photochrom.engine.guidance import Guidance
from photochrom.engine.reference import Reference
from photochrom.errors import InvalidValueError
from photochrom.options.hint import MOST_HINTS, MOST_POINTS, Hint
from photochrom.options.look import Look
from photochrom.options.palette import MOODS, MOST_COLOURS, Palette
from photochrom.options.ranges import (
    CANDIDATE,
    QUALITY,
    RADIUS,
    REACH,
    SATURATION,
    VIVIDNESS,
    WHITE_LIGHTNESS,
    WORKING_PX,
)
from photochrom.photo.formats import FORMATS
from photochrom.service.limits import Limits

FARTHEST = 1e7  # pixels
MOST_SHOWN = 40  # characters of an unknown name
LARGEST_SEED = 2**53 - 1  # largest exact integer in JavaScript


def _enum(names: Iterable[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(names)})


def names_of(names: Iterable[str]) -> tuple[AfterValidator, WithJsonSchema]:
    """Return the annotations of a field that takes one of some names, and no path to a network."""
    known = tuple(names)

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name[:MOST_SHOWN]!a} is none of {', '.join(known)}")
        return name

    return AfterValidator(check), _enum(known)


MethodName = Annotated[str, *names_of(CATALOGUE)]
MoodName = Annotated[str, *names_of(MOODS)]
FormatName = Annotated[str, *names_of(FORMATS)]
TintName = Annotated[str, _enum(("neutral", "toned", "colour"))]
Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#a03030"])]
Coordinate = Annotated[float, Field(gt=-FARTHEST, lt=FARTHEST)]
Place = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


def pairs(points: object) -> object:
    """Reject the first invalid point: a report on each of a million points would be slow."""
    if isinstance(points, list):
        for point in points:
            if not isinstance(point, list) or len(point) != 2 or not all(map(_is_near, point)):
                raise ValueError("each point must be a list of two numbers below 10 million")
    return points


def _is_near(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -FARTHEST < value < FARTHEST


Radius = Annotated[float, Field(**RADIUS.fields)]
ReachNumber = Annotated[float, Field(**REACH.fields)]


def whole(value: object) -> object:
    """Accept 24.0 as 24, since JSON has no integers; in form text, accept only ASCII digits."""
    if isinstance(value, str) and not WHOLE_TEXT.fullmatch(value):
        raise ValueError("must be a whole number, in the digits 0 to 9")
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE_TEXT = re.compile(r"-?[0-9]{1,16}(\.0{1,9})?")
Whole = Annotated[int, BeforeValidator(whole)]
Quality = Annotated[Whole, Field(**QUALITY.fields)]
LongSide = Annotated[
    Whole,
    Field(
        ge=16,
        le=100_000,
        description="Longest side of the result, in pixels; larger pictures are reduced.",
    ),
]
Pixel = Annotated[Whole, Field(ge=0, le=1_000_000)]
WhiteLightness = Annotated[float, Field(**WHITE_LIGHTNESS.fields)]
MOST_CROP_PX = 2560


class Body(BaseModel):
    """A body with strict types, which rejects unknown fields."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


class HintBody(Body):
    """A hint: the colour of a place, in pixels of the upright full-size photograph."""

    shape: Literal["point", "stroke", "region"]
    points: Annotated[
        list[Place], Field(min_length=1, max_length=MOST_POINTS), BeforeValidator(pairs)
    ]
    colour: Colour | None = Field(default=None, description="null keeps the place gray.")
    radius: Radius = Field(
        default=8.0, description="Radius of a point, or half the width of a stroke."
    )
    reach: Literal["near", "thing", "whole"] | ReachNumber = Field(
        default="near",
        description="How far the colour of a point or stroke spreads; a number is a distance, as "
        "a share of the picture's longer side.",
    )
    keep: bool = Field(
        default=False, description="Keep the colours that the place has without hints."
    )


def check_hints(hints: Sequence[HintBody], limits: Limits) -> None:
    """Raise InvalidValueError if there are more hints, or points, than the limits allow."""
    points = sum(len(hint.points) for hint in hints)
    if len(hints) > limits.hints or points > limits.points:
        raise InvalidValueError(
            f"At most {limits.hints} hints with {limits.points} points in total are accepted; "
            f"got {len(hints)} hints with {points} points."
        )


class GuidanceBody(Body):
    """Guidance and settings for one photograph."""

    method: MethodName = "photochrom"
    vividness: Annotated[float, Field(**VIVIDNESS.fields)] | None = None
    saturation: Annotated[float, Field(**SATURATION.fields)] = 1.0
    working_px: Annotated[Whole, Field(**WORKING_PX.fields)] | None = Field(
        default=None,
        description="Short side of the copy that the method sees; its own default if null.",
    )
    restore: bool = Field(default=False, description="Restore an old print before colouring.")
    white_lightness: WhiteLightness | None = Field(
        default=None, description="L* to which pure white is lowered, so that it can show colour."
    )
    hints: Annotated[list[HintBody], Field(max_length=MOST_HINTS)] = []
    palette: Annotated[list[Colour], Field(min_length=1, max_length=MOST_COLOURS)] | None = None
    mood: MoodName | None = None
    reference: bool = Field(
        default=False, description="Use the colour reference that was uploaded for the photograph."
    )
    candidate: Annotated[Whole, Field(**CANDIDATE.fields)] = 0
    seed: Annotated[Whole, Field(ge=0, le=LARGEST_SEED)] = 0

    @property
    def look(self) -> Look:
        """The settings that can apply to many photographs."""
        return Look(
            *(self.vividness, self.saturation, self.working_px),
            restore=self.restore,
            white_lightness=self.white_lightness,
        )

    def to_guidance(self, reference: Reference | None, limits: Limits) -> Guidance:
        """Return the engine's guidance.

        Parameters
        ----------
        reference : Reference, optional
            The reference that was uploaded for this photograph.
        limits : Limits

        Raises
        ------
        InvalidValueError
            If there are too many hints, or options that exclude each other.
        """
        check_hints(self.hints, limits)
        if self.reference and reference is None:
            raise InvalidValueError(
                "The guidance uses a reference, but none was uploaded. Upload it first."
            )
        if self.palette is not None and self.mood is not None:
            raise InvalidValueError("Give a palette or a mood, not both.")
        colours = self.palette or self.mood
        return Guidance(
            tuple(Hint.from_table(hint.model_dump()) for hint in self.hints),
            reference if self.reference else None,
            None if colours is None else Palette.of(colours),
            self.candidate,
            self.seed,
        )


# The JSON key dates from the first version of the service.
Guided = Annotated[GuidanceBody, Field(alias="wishes")]


class PlaceBody(Body):
    """A place in the upright full-size photograph."""

    x: Coordinate
    y: Coordinate
    restore: bool = Field(default=False, description="Use the restored photograph.")


class SpotBody(Body):
    """A spot in the upright full-size photograph."""

    x: Coordinate
    y: Coordinate
    radius: Radius = 8.0
    guidance: Guided = GuidanceBody()


class ResultBody(Body):
    """Options of the full-size result."""

    guidance: Guided = GuidanceBody()
    format: FormatName | None = Field(
        default=None, description="The photograph's format by default."
    )
    quality: Quality | None = None
    long_side_px: LongSide | None = None


class CropBody(Body):
    """A part of the upright full-size photograph."""

    left: Pixel
    top: Pixel
    width: Annotated[Pixel, Field(ge=1)]
    height: Annotated[Pixel, Field(ge=1)]
    long_side_px: Annotated[int, Field(ge=16, le=MOST_CROP_PX)] = MOST_CROP_PX
    guidance: GuidanceBody | None = Field(
        default=None, alias="wishes", description="null shows the original."
    )

    @property
    def window(self) -> tuple[int, int, int, int]:
        """Left, top, width and height."""
        return self.left, self.top, self.width, self.height


NUMBER = r"-?[0-9]{1,9}(\.[0-9]{1,9})?"


def read_float_range(text: str) -> tuple[float, float]:
    """Parse BLACK,WHITE, two numbers of the form `NUMBER`."""
    black, white = map(float, text.split(","))
    return black, white


class ZipEntryBody(Body):
    """One photograph in a zip."""

    id: str
    guidance: Guided = GuidanceBody()


class ZipBody(Body):
    """The photographs of a zip, in order."""

    photos: Annotated[list[ZipEntryBody], Field(min_length=1, max_length=1000)]
    format: FormatName | None = Field(
        default=None, description="Each photograph's format by default."
    )
    quality: Quality | None = None
    long_side_px: LongSide | None = None


class Size(BaseModel):
    """A size in pixels."""

    width: int
    height: int


class PhotoAnswer(BaseModel):
    """An uploaded photograph, which is kept for a limited time."""

    id: str
    name: str
    format: str
    width: int = Field(description="Width of the upright photograph.")
    height: int = Field(description="Height of the upright photograph.")
    pages: int
    bit_depth: int
    notes: list[str]
    preview: Size
    tint: TintName


class MethodAnswer(BaseModel):
    """A method that can colour photographs."""

    name: str
    paper: str
    licence: str
    accepts: list[str]
    requires: list[str]


class LimitsAnswer(BaseModel):
    """The limits of the service."""

    photos: int = Field(
        description="Photographs kept at once; the least recently used is removed first."
    )
    upload_bytes: int
    megapixels: float = Field(description="Maximum for all pages of a photograph together.")
    hints: int
    points: int = Field(description="Maximum for all hints together.")
    photo_suffixes: list[str] = Field(description="Of the photographs that are taken.")
    films: int = Field(description="Films kept at once.")
    film_bytes: int
    film_suffixes: list[str] = Field(
        description="Of the films that are taken; none if the extra 'video' is not installed."
    )


class CandidateAnswer(BaseModel):
    """One plausible colouring."""

    candidate: int
    image: str = Field(description="A data URL.")


class CandidatesAnswer(BaseModel):
    """Plausible colourings, most likely first."""

    candidates: list[CandidateAnswer]


class SuggestionAnswer(BaseModel):
    """A likely colour."""

    colour: str
    share: float


class SuggestionsAnswer(BaseModel):
    """Likely colours of a spot, most likely first."""

    lightness: float = Field(description="L* of the spot, 0 to 100.")
    suggestions: list[SuggestionAnswer]


class OutlineAnswer(BaseModel):
    """The outline of the object at a place."""

    points: list[Place] = Field(
        description="Corners of a closed polygon, in pixels of the upright full-size photograph."
    )


class HealthAnswer(BaseModel):
    """The state of the service."""

    status: Literal["ok"] = "ok"
    version: str
