"""JSON bodies of requests and answers about films."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from photochrom.engine.guidance import Guidance
from photochrom.engine.reference import Reference
from photochrom.engine.video import VideoOptions
from photochrom.engine.video_guidance import Cue, cues_of, parse_time
from photochrom.errors import InvalidValueError
from photochrom.options.hint import MOST_HINTS
from photochrom.options.look import Look
from photochrom.options.palette import MOST_COLOURS, Palette
from photochrom.options.ranges import CANDIDATE, SATURATION, VIVIDNESS
from photochrom.photo.video_codecs import CODECS, choose_codec
from photochrom.service.limits import Limits
from photochrom.service.schemas import (
    LARGEST_SEED,
    Body,
    Colour,
    HintBody,
    MethodName,
    MoodName,
    Whole,
    check_hints,
    names_of,
)

MOST_SHOTS = 10_000
LATEST = 1e7  # seconds
CodecName = Annotated[str, *names_of(CODECS)]
Seconds = Annotated[float, Field(ge=0, lt=LATEST)]
Time = (
    Annotated[
        str,
        Field(
            pattern=r"^(([0-9]{1,3}:)?[0-9]{1,5}:)?[0-9]{1,7}(\.[0-9]{1,9})?$",
            examples=["1:23.4"],
            description="From the film's beginning.",
        ),
    ]
    | Seconds
)
Candidate = Annotated[Whole, Field(**CANDIDATE.fields)]
Seed = Annotated[Whole, Field(ge=0, le=LARGEST_SEED)]
ReferenceId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Colours = Annotated[list[Colour], Field(min_length=1, max_length=MOST_COLOURS)]


class HintCueBody(HintBody):
    """A hint at a time, in pixels of the upright frames; it follows its thing within its shot."""

    at: Time


class ShotCueBody(Body):
    """What holds for the whole shot that a time falls into."""

    at: Time
    reference: ReferenceId | None = Field(
        default=None, description="The id of an uploaded colour reference."
    )
    palette: Colours | MoodName | None = None
    vividness: Annotated[float, Field(**VIVIDNESS.fields)] | None = None
    saturation: Annotated[float, Field(**SATURATION.fields)] | None = None
    candidate: Candidate | None = None
    seed: Seed | None = None


class CuesBody(Body):
    """What holds at a time of a film, in the form of the command's `--hints` file."""

    hints: list[HintCueBody] = Field(default_factory=list, max_length=MOST_HINTS)
    shots: list[ShotCueBody] = Field(default_factory=list, max_length=MOST_SHOTS)

    def to_cues(
        self, limits: Limits, references: Mapping[str, Reference] = MappingProxyType({})
    ) -> tuple[Cue, ...]:
        """Return the engine's cues.

        Raises
        ------
        InvalidValueError
            If there are too many hints, one is not valid, or a reference was not uploaded.
        """
        check_hints(self.hints, limits)
        table = {
            "hints": [hint.model_dump() for hint in self.hints],
            "shots": [_shot_table(shot, references) for shot in self.shots],
        }
        return tuple(cues_of(table, Path("cues")))


def _shot_table(shot: ShotCueBody, references: Mapping[str, Reference]) -> dict[str, object]:
    table: dict[str, object] = shot.model_dump(exclude_none=True)
    if shot.reference is not None:
        if shot.reference not in references:
            raise InvalidValueError(
                f"The reference {shot.reference} was not uploaded for this film. Upload it first."
            )
        table["reference"] = references[shot.reference]
    return table


class VideoBody(Body):
    """How a film is coloured."""

    method: MethodName = "photochrom"
    vividness: Annotated[float, Field(**VIVIDNESS.fields)] | None = None
    saturation: Annotated[float, Field(**SATURATION.fields)] = 1.0
    palette: Colours | MoodName | None = None
    codec: CodecName | None = Field(
        default=None, description="By default H.264, or what suits the container."
    )
    crf: Annotated[Whole, Field(ge=0, le=63)] | None = Field(
        default=None, description="The codec's rate factor: smaller is better and larger."
    )
    container: Literal["mp4", "mkv", "mov", "webm"] | None = Field(
        default=None, description="The film's own by default, if it can hold the codec."
    )
    start: Time | None = Field(default=None, alias="from", description="Begin at this time.")
    stop: Time | None = Field(default=None, alias="to", description="End at this time.")
    cues: CuesBody = CuesBody()

    @property
    def look(self) -> Look:
        """The settings of the whole film."""
        return Look(self.vividness, self.saturation)

    @property
    def suffix(self) -> str | None:
        """The suffix of the result, if it is decided."""
        return None if self.container is None else f".{self.container}"

    def to_options(
        self, limits: Limits, references: Mapping[str, Reference] = MappingProxyType({})
    ) -> VideoOptions:
        """Return the engine's options.

        Raises
        ------
        InvalidValueError
            If there are too many hints, the part to colour is empty, or the container cannot hold
            the codec.
        """
        start, stop = (None if at is None else parse_time(at) for at in (self.start, self.stop))
        if stop is not None and stop <= (start or 0):
            raise InvalidValueError("'to' must be later than 'from'.")
        choose_codec(self.codec, Path(f"film{self.suffix}") if self.suffix else None)
        palette = None if self.palette is None else Palette.of(self.palette)
        return VideoOptions(
            codec=self.codec,
            crf=self.crf,
            start=start,
            stop=stop,
            guidance=Guidance(palette=palette),
            cues=self.cues.to_cues(limits, references),
        )


State = Literal["uploaded", "waiting", "running", "finished", "failed"]


class VideoAnswer(BaseModel):
    """An uploaded film, which is kept for a limited time, and the state of its job."""

    id: str
    name: str
    width: int = Field(description="Width of the upright frames.")
    height: int = Field(description="Height of the upright frames.")
    seconds: float = Field(description="0 if unknown.")
    rate: float = Field(description="Frames a second of the film.")
    has_colours: bool = Field(description="Whether its format can hold colours.")
    state: State
    problem: str | None = Field(description="Why it failed: a sentence.")
    is_part: bool = Field(description="Whether the job is for a part of the film.")
    frames: int = Field(description="Frames coloured.")
    expected: int = Field(description="Frames of the part to colour, as far as known; else 0.")
    fps: float = Field(description="Frames coloured in a second.")
    seconds_left: float | None
    notes: list[str] = Field(description="What was assumed, repaired, lost or decided.")


class ReferenceAnswer(BaseModel):
    """An uploaded colour reference, which is kept with its film."""

    reference: str = Field(description="Its id, for a shot of `cues`.")


class ShotAnswer(BaseModel):
    """A shot."""

    at: float = Field(description="The time of its picture, for `/frame`.")
    start: float = Field(description="The time of its first frame.")
    picture: str = Field(description="A small JPEG as a data URL.")


class ShotsAnswer(BaseModel):
    """The shots found so far."""

    is_complete: bool = Field(description="Whether no more will follow.")
    shots: list[ShotAnswer]
