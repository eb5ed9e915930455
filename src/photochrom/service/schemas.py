"""What goes over the wire: JSON bodies and answers, the same everywhere."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

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
MOST_SHOWN = 40  # characters of a name that is none
LARGEST_SEED = 2**53 - 1  # what a number of JavaScript holds


def _known(names: Iterable[str]) -> AfterValidator:
    """Take no other names; a path to a network is none of them."""
    known = tuple(names)

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name[:MOST_SHOWN]!a} is none of {', '.join(known)}")
        return name

    return AfterValidator(check)


def _enum(names: Iterable[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(names)})


MethodName = Annotated[str, _known(CATALOGUE), _enum(CATALOGUE)]
MoodName = Annotated[str, _known(MOODS), _enum(MOODS)]
FormatName = Annotated[str, _known(FORMATS), _enum(FORMATS)]
TintName = Annotated[str, _enum(("neutral", "toned", "colour"))]
Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#a03030"])]
Coordinate = Annotated[float, Field(gt=-FARTHEST, lt=FARTHEST)]
Place = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


def pairs(points: Any) -> Any:
    """Refuse at the first point that is none: to tell of each would take a million of them long."""
    if isinstance(points, list):
        for point in points:
            if not isinstance(point, list) or len(point) != 2 or not all(map(_is_near, point)):
                raise ValueError("each point needs to be a list of two numbers below 10 million")
    return points


def _is_near(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -FARTHEST < value < FARTHEST


Radius = Annotated[float, Field(**RADIUS.fields)]
ReachNumber = Annotated[float, Field(**REACH.fields)]


def whole(value: Any) -> Any:
    """Take 24.0 for 24, for JSON has no integers; of a form's text, only ASCII's digits."""
    if isinstance(value, str) and not WHOLE_TEXT.fullmatch(value):
        raise ValueError("needs a whole number, in the digits 0 to 9")
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE_TEXT = re.compile(r"-?[0-9]{1,16}(\.0{1,9})?")
Whole = Annotated[int, BeforeValidator(whole)]
Quality = Annotated[Whole, Field(**QUALITY.fields)]
LongSide = Annotated[
    Whole, Field(ge=16, le=100_000, description="Reduced to this where it is longer, pixels.")
]
Pixel = Annotated[Whole, Field(ge=0, le=1_000_000)]
WhiteLightness = Annotated[float, Field(**WHITE_LIGHTNESS.fields)]
MOST_CROP_PX = 2560


class _Body(BaseModel):
    """A body takes its own fields, of their own types, and no others."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


class HintBody(_Body):
    """A place with a decided colour, in pixels of the upright full-size photograph."""

    shape: Literal["point", "stroke", "region"]
    points: Annotated[
        list[Place], Field(min_length=1, max_length=MOST_POINTS), BeforeValidator(pairs)
    ]
    colour: Colour | None = Field(default=None, description="null keeps the place gray.")
    radius: Radius = Field(default=8.0, description="Of a point, or half a stroke's width.")
    reach: Literal["near", "thing", "whole"] | ReachNumber = Field(
        default="near",
        description="How far a point's or stroke's colour spreads; a number is a distance in "
        "shares of the picture's longer side.",
    )
    keep: bool = Field(default=False, description="Keep the colours that the place has.")


class GuidanceBody(_Body):
    """Everything that is decided for one photograph."""

    method: MethodName = "photochrom"
    vividness: Annotated[float, Field(**VIVIDNESS.fields)] | None = None
    saturation: Annotated[float, Field(**SATURATION.fields)] = 1.0
    working_px: Annotated[Whole, Field(**WORKING_PX.fields)] | None = Field(
        default=None, description="Short side that the method sees; its own by default."
    )
    restore: bool = Field(default=False, description="Mend an old print first.")
    white_lightness: WhiteLightness | None = Field(
        default=None, description="L* that pure white is lowered to, so that it can show colour."
    )
    hints: Annotated[list[HintBody], Field(max_length=MOST_HINTS)] = []
    palette: Annotated[list[Colour], Field(min_length=1, max_length=MOST_COLOURS)] | None = None
    mood: MoodName | None = None
    reference: bool = Field(default=False, description="Use the photograph's reference.")
    candidate: Annotated[Whole, Field(**CANDIDATE.fields)] = 0
    seed: Annotated[Whole, Field(ge=0, le=LARGEST_SEED)] = 0

    @property
    def look(self) -> Look:
        """The settings that hold for many photographs."""
        return Look(
            *(self.vividness, self.saturation, self.working_px),
            restore=self.restore,
            white_lightness=self.white_lightness,
        )

    def to_guidance(self, reference: Reference | None, limits: Limits) -> Guidance:
        """Return it as the engine takes it.

        Parameters
        ----------
        reference : Reference, optional
            The one that was sent for this photograph.
        limits : Limits

        Raises
        ------
        InvalidValueError
            If there are too many hints, or wishes that exclude each other.
        """
        points = sum(len(hint.points) for hint in self.hints)
        if len(self.hints) > limits.hints or points > limits.points:
            raise InvalidValueError(
                f"At most {limits.hints} hints of {limits.points} points together are taken; "
                f"there are {len(self.hints)} of {points}."
            )
        if self.reference and reference is None:
            raise InvalidValueError("A reference is wished, but none was sent. Send it first.")
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


# Its name on the wire is that of the first version of the service.
Guided = Annotated[GuidanceBody, Field(alias="wishes")]


class PlaceBody(_Body):
    """A place in the upright full-size photograph."""

    x: Coordinate
    y: Coordinate
    restore: bool = Field(default=False, description="Look at the photograph as mended.")


class SpotBody(_Body):
    """A spot of the upright full-size photograph."""

    x: Coordinate
    y: Coordinate
    radius: Radius = 8.0
    guidance: Guided = GuidanceBody()


class ResultBody(_Body):
    """How the full-size file is wanted."""

    guidance: Guided = GuidanceBody()
    format: FormatName | None = Field(default=None, description="The photograph's own by default.")
    quality: Quality | None = None
    long_side_px: LongSide | None = None


class CropBody(_Body):
    """A part of the upright full-size photograph."""

    left: Pixel
    top: Pixel
    width: Annotated[Pixel, Field(ge=1)]
    height: Annotated[Pixel, Field(ge=1)]
    long_side_px: Annotated[int, Field(ge=16, le=MOST_CROP_PX)] = MOST_CROP_PX
    guidance: GuidanceBody | None = Field(
        default=None, alias="wishes", description="null shows it as it came."
    )

    @property
    def window(self) -> tuple[int, int, int, int]:
        """Left, top, width and height."""
        return self.left, self.top, self.width, self.height


NUMBER = r"-?[0-9]{1,9}(\.[0-9]{1,9})?"


def read_float_range(text: str) -> tuple[float, float]:
    """Read BLACK,WHITE as `NUMBER` has them."""
    black, white = map(float, text.split(","))
    return black, white


class ZipEntryBody(_Body):
    """One photograph of a zip."""

    id: str
    guidance: Guided = GuidanceBody()


class ZipBody(_Body):
    """The photographs of a zip, in its order."""

    photos: Annotated[list[ZipEntryBody], Field(min_length=1, max_length=1000)]
    format: FormatName | None = Field(default=None, description="Each one's own by default.")
    quality: Quality | None = None
    long_side_px: LongSide | None = None


class Size(BaseModel):
    """Pixels."""

    width: int
    height: int


class PhotoAnswer(BaseModel):
    """A photograph that is kept for a while."""

    id: str
    name: str
    format: str
    width: int = Field(description="Upright.")
    height: int = Field(description="Upright.")
    pages: int
    bit_depth: int
    notes: list[str]
    preview: Size
    tint: TintName


class MethodAnswer(BaseModel):
    """A method that colours photographs."""

    name: str
    paper: str
    licence: str
    accepts: list[str]
    requires: list[str]


class LimitsAnswer(BaseModel):
    """What the service takes."""

    photos: int = Field(description="Kept at once; the least recently used goes first.")
    upload_bytes: int
    megapixels: float = Field(description="Of all pages of a photograph together.")
    hints: int
    points: int = Field(description="Of all hints together.")


class CandidateAnswer(BaseModel):
    """One plausible colouring."""

    candidate: int
    image: str = Field(description="A data URL.")


class CandidatesAnswer(BaseModel):
    """Plausible colourings, the likeliest first."""

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
    """The thing at a place."""

    points: list[Place] = Field(
        description="Corners of a closed polygon, in pixels of the upright full-size photograph."
    )


class HealthAnswer(BaseModel):
    """The service is up."""

    status: Literal["ok"] = "ok"
    version: str
