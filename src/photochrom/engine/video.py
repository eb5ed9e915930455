"""Colour a film: from a file to a file, in segments that a later run can go on from.

film -> luma -> L (small) -> shots and flow -> key frames -> method -> steady colours
-> chroma planes -> segments -> film with the source's sound
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from photochrom.engine.guidance import Guidance
from photochrom.engine.memory import return_frames
from photochrom.engine.output_names import beside, is_same, is_taken, numbered, state_of
from photochrom.engine.page_colouring import PLAIN, PageColorizer
from photochrom.engine.reference import Reference
from photochrom.engine.shots import SmallFrame, linked
from photochrom.engine.steady_colours import Memory, keys
from photochrom.engine.video_colouring import RENDERERS, FilmColouring, Group
from photochrom.engine.video_guidance import Cue, ShotPlans
from photochrom.errors import InvalidValueError, UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo.atomic import remove_orphans, unwritable
from photochrom.photo.part_locks import hold, is_held
from photochrom.photo.video import VideoFacts, describe
from photochrom.photo.video_codecs import Encoding, choose_codec, choose_encoding, target_suffix
from photochrom.photo.video_decoding import Decoder
from photochrom.photo.video_planes import small_lightness
from photochrom.photo.video_segments import (
    Segment,
    SegmentWriter,
    Window,
    check_container,
    join_segments,
    read_segment,
)
from photochrom.photo.video_streams import marker_of

SEGMENT_FRAMES = 240  # a segment ends at the first key after so many
END = -(2**62)  # no timestamp
CUT_SHORT = 1.0  # seconds by which a film may end before the time that its file states


@dataclass(frozen=True)
class VideoOptions:
    """How a film is coloured, beside the look.

    Attributes
    ----------
    codec : str, optional
        A key of `photo.video_codecs.CODECS`; by default what suits the container.
    crf : int, optional
        The codec's rate factor: smaller is better and larger.
    start, stop : float, optional
        Seconds from the film's beginning: the part that is coloured.
    resume : bool
        Go on with an earlier run that was ended.
    guidance : Guidance
        A reference or palette for the whole film.
    cues : tuple of Cue
        What holds at a time, for its shot.
    steady : bool
        Carry colours along the flow. Without it each frame is coloured alone, for comparison.
    """

    codec: str | None = None
    crf: int | None = None
    start: float | None = None
    stop: float | None = None
    resume: bool = False
    guidance: Guidance = PLAIN
    cues: tuple[Cue, ...] = ()
    steady: bool = True


class Progress(NamedTuple):
    """How far a film has come.

    Attributes
    ----------
    frames, expected : int
        Frames done, and an estimate of all; 0 if unknown.
    fresh : int
        Frames done by this run.
    seconds : float
        Since this run began.
    """

    frames: int
    expected: int
    fresh: int
    seconds: float


class ColouredVideo(NamedTuple):
    """A finished film.

    Attributes
    ----------
    target : Path
    frames, shots, keys : int
        Shots and keys of this run.
    notes : tuple of str
    """

    target: Path
    frames: int
    shots: int
    keys: int
    notes: tuple[str, ...]


def colorize_video(
    source: str | Path,
    target: str | Path | None = None,
    *,
    colorizer: PageColorizer | None = None,
    options: VideoOptions | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ColouredVideo:
    """Colour a film.

    Parameters
    ----------
    source : str or Path
    target : str or Path, optional
        The file to write; by default beside the source, `film-color.mp4`.
    colorizer : PageColorizer, optional
        The method and the look; the default method if not given.
    options : VideoOptions, optional
    progress : callable
        Called after each group of frames.

    Returns
    -------
    ColouredVideo

    Raises
    ------
    MissingExtraError
        If the extra 'video' is not installed.
    PhotoError
        If the film cannot be read or written. What is finished is kept beside the target, for
        `resume`.
    InvalidValueError
        If an option is wrong.
    """
    options = options or VideoOptions()
    source = Path(source)
    return_frames()
    if target is not None:
        check_container(Path(target))
    name = choose_codec(options.codec, None if target is None else Path(target))
    facts = describe(source)
    target = Path(target) if target is not None else default_target(source, options.codec)
    if target.exists() and target.samefile(source):
        raise UnwritablePhotoError(f"{target}: would replace the original. Name another file.")
    encoding, notes = choose_encoding(name, facts, options.crf)
    film = _Film(facts, encoding, colorizer or PageColorizer(), options)
    return film.run(target, (*facts.notes, *notes), progress)


def default_target(source: Path, codec: str | None = None, folder: Path | None = None) -> Path:
    """Return where a film is written if no file is named: `film.mp4` -> `film-color.mp4`.

    A file of that name that is not an earlier result of this film is left alone:
    `film-color-2.mp4`.
    """
    target = beside(source, folder, target_suffix(choose_codec(codec, None), source))
    number = 1
    while is_taken(numbered(target, number)) and not _is_result(numbered(target, number), source):
        number += 1
    return numbered(target, number)


def _is_result(target: Path, source: Path) -> bool:
    """Return whether a file is an earlier result of a film."""
    marker = marker_of(target)
    with suppress(OSError):  # colouring the film says what is wrong with it
        return marker is not None and is_same(source, str(marker.get("source", "")))
    return False


class _State(NamedTuple):
    """Where a run stands between two segments: `start` is the next key, `END` at the end."""

    segments: list[Segment]
    start: int | None = None
    memory: Memory | None = None


class _Counts:
    """What a run has done, of a film with some frames done before."""

    def __init__(self, before: int) -> None:
        self.before = self.frames = before
        self.shots = self.keys = 0

    def add(self, group: Group) -> None:
        self.frames += 1 + len(group.known.key.steps)
        self.shots += group.known.key.is_first
        self.keys += 1


def _timeless(marker: dict[str, str]) -> dict[str, str]:
    """Return a marker that does not change with the time of the source's file, as in a copy."""
    size, _, digest = marker.get("source", "").partition("-")
    return marker | {"source": f"{size}-{digest.rpartition('-')[2]}"}


class _Film:
    """One film, one method, one run."""

    def __init__(
        self, facts: VideoFacts, encoding: Encoding, colorizer: PageColorizer, options: VideoOptions
    ) -> None:
        self.facts, self.encoding, self.options = facts, encoding, options
        self.colouring = FilmColouring(facts, encoding, colorizer, options.guidance, options.steady)
        self.marker = asdict(colorizer.marker(options.guidance)) | {"source": state_of(facts.path)}
        self.window = _window(options, facts)
        self.recipe = self._recipe()
        self.marker["film"] = self.recipe[:16]
        self.decoder = Decoder(facts)
        self.unused: list[float] = []  # times of cues that fall into no frame

    def run(
        self, target: Path, notes: tuple[str, ...], progress: Callable[[Progress], None]
    ) -> ColouredVideo:
        """Colour what is missing, then join."""
        folder = segment_folder(target)
        done = marker_of(target) if self.options.resume and not folder.exists() else None
        if done is not None and _timeless(done) == _timeless(self.marker):
            return ColouredVideo(target, 0, 0, 0, ("already coloured with these settings",))
        remove_orphans(target.parent)
        if is_held(folder):
            raise UnwritablePhotoError(
                f"{target}: another run is colouring it. Wait until it has finished, or name "
                "another file with -o."
            )
        started_over = self._prepare(folder)
        try:
            with _held(folder):
                state = self._finished(folder)
                return self._run(folder, state, target, (*started_over, *notes), progress)
        finally:
            with suppress(OSError):
                if not any(folder.glob("*.mkv")):  # nothing to go on from
                    shutil.rmtree(folder)

    def _run(
        self,
        folder: Path,
        state: _State,
        target: Path,
        notes: tuple[str, ...],
        progress: Callable[[Progress], None],
    ) -> ColouredVideo:
        self._plan()
        counts = _Counts(sum(len(segment.pts) for segment in state.segments))
        began, expected = time.monotonic(), self._expected()

        def tell() -> None:
            fresh, seconds = counts.frames - counts.before, time.monotonic() - began
            progress(Progress(counts.frames, expected, fresh, seconds))

        self._colour(folder, state, counts, tell)
        if not counts.frames:
            raise UnreadablePhotoError(f"{self.facts.path}: no frame lies in the wanted part.")
        left_out = join_segments(
            state.segments, self.facts, self.encoding, target, self.marker, self.window
        )
        shutil.rmtree(folder, ignore_errors=True)
        last = int(state.segments[-1].pts[-1])
        notes = (*notes, *self._findings(), *self._cut_short(last), *left_out)
        return ColouredVideo(target, counts.frames, counts.shots, counts.keys, notes)

    def _cut_short(self, last: int) -> Iterator[str]:
        """Yield a note if the pictures end before the file's stated end; the last timestamp."""
        ends, stated = self.facts.seconds_at(last), self.facts.seconds
        of_clock = float(last * self.facts.time_base)  # some containers count from 0
        if self.window.stop is None and max(ends, of_clock) < stated - CUT_SHORT:
            yield f"the pictures end at {ends:.1f} s of the {stated:.1f} s that the file states"

    def _expected(self) -> int:
        """Return the number of frames in the wanted part, as far as that is known."""
        facts, options = self.facts, self.options
        if options.start is None and options.stop is None:
            return facts.frames
        stop = min(facts.seconds, options.stop if options.stop is not None else facts.seconds)
        return max(0, round((stop - (options.start or 0)) * float(facts.rate)))

    def _findings(self) -> Iterator[str]:
        if self.decoder.has_shown_colours:
            yield "the source's own colours were replaced; its luma is unchanged"
        if self.decoder.resized:
            yield f"frames of another size: {self.decoder.resized}; scaled to the size of the first"
        if self.unused:
            times = ", ".join(f"{at:g} s" for at in sorted(set(self.unused)))
            yield (
                "hints and shot settings not used, because there is no frame or nothing to follow "
                f"at: {times}"
            )
        if self.decoder.damaged:
            yield f"damaged places: {self.decoder.damaged}; what could be decoded was coloured"
        if self.decoder.misplaced:
            count = self.decoder.misplaced
            yield f"frames left out, as their time repeats or runs backwards: {count}"
        if self.decoder.moved:
            count = self.decoder.moved
            yield f"frames whose time was wrong: {count}; placed between their neighbours"
        if self.decoder.untimed:
            yield f"frames without a timestamp: {self.decoder.untimed}; spaced evenly"

    def _recipe(self) -> str:
        """Return a hash of everything that shapes the segments."""
        encoding, options = self.encoding, self.options
        cues = [
            (cue.at, cue.hint and cue.hint.to_table(), _decided(cue.shot)) for cue in options.cues
        ]
        table = (_timeless(self.marker), encoding.name, encoding.plane, encoding.crf)
        decided = json.dumps([*table, self.window, options.steady, cues], sort_keys=True)
        return hashlib.sha256(decided.encode()).hexdigest()

    def _prepare(self, folder: Path) -> tuple[str, ...]:
        """Make the folder of segments; return a note if an earlier run cannot be continued."""
        recipe, mark = self.recipe, folder / "recipe"
        notes: tuple[str, ...] = ()
        try:
            if not (self.options.resume and mark.is_file() and mark.read_text() == recipe):
                if self.options.resume and mark.is_file():
                    notes = (
                        "started over: the earlier run was for another film or other settings",
                    )
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                mark.write_text(recipe)
        except OSError as error:
            raise unwritable(folder, error) from error
        return notes

    def _finished(self, folder: Path) -> _State:
        """Return where an earlier run has come to."""
        state = _State([])
        while (found := read_segment(_segment_path(folder, len(state.segments)))) is not None:
            segment, values = found
            memory = Memory(values["total"], values["weight"]) if "total" in values else None
            state = _State([*state.segments, segment], int(values["next"]), memory)
        return state

    def _looks(self, start: int | None) -> Iterator[SmallFrame]:
        """Yield the frames of the wanted part from a timestamp on."""
        size = self.colouring.size
        self.decoder = Decoder(self.facts, start, self.window.stop)
        for frame in self.decoder:
            yield SmallFrame(
                frame, small_lightness(frame.luma, self.facts, size.height, size.width)
            )

    def _plan(self) -> None:
        """Follow the cues through their shots, before anything is coloured."""
        if not self.options.cues:
            return
        start, stop = self.options.start or 0.0, self.options.stop
        cues = [cue for cue in self.options.cues if start <= cue.at and (not stop or cue.at < stop)]
        unused = [cue for cue in self.options.cues if cue not in cues]
        plans = ShotPlans(
            cues,
            self.facts.seconds_at,
            self.facts.upright_size,
            self.options.guidance,
            self.colouring.colorizer.look,
        )
        found = keys(linked(self._looks(self.window.start)), self.colouring.every)
        self.colouring.plans = list(plans.of(found))
        self.unused = [cue.at for cue in (*unused, *plans.unused)]

    def _colour(
        self, folder: Path, state: _State, counts: _Counts, tell: Callable[[], None]
    ) -> None:
        """Colour the film from a state on; add its segments to the state's."""
        if state.start == END:
            return
        looks = self._looks(self.window.start if state.start is None else state.start)
        writer: SegmentWriter | None = None
        try:
            with ThreadPoolExecutor(RENDERERS) as pool:
                for group in self.colouring.groups(looks, state.memory):
                    counts.add(group)
                    if writer is None:
                        path = _segment_path(folder, len(state.segments))
                        writer = SegmentWriter(path, self.encoding, self.facts)
                    for frame, chroma in self.colouring.rendered(pool, group):
                        writer.add(frame, chroma)
                    tell()
                    if len(writer.pts) >= SEGMENT_FRAMES and group.may_end:
                        state.segments.append(writer.finish(group.state()))
                        writer = None
            if writer is not None:
                state.segments.append(writer.finish({"next": np.array(END)}))
                writer = None
        finally:
            if writer is not None:
                writer.discard()


def segment_folder(target: Path) -> Path:
    """Return the hidden folder beside a target in which its segments are kept until it is done."""
    return target.with_name(f".{target.name}.photochrom-film")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock a folder of segments, so that no other run removes them."""
    held = hold(folder)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _decided(shot: dict[str, object]) -> dict[str, str]:
    """Return a shot's settings for a hash; a reference counts by its content."""

    def said(value: object) -> str:
        if isinstance(value, Reference):
            return value.sha256
        if isinstance(value, Path) and value.is_file():
            return state_of(value)
        return str(value)

    return {name: said(value) for name, value in shot.items()}


def _window(options: VideoOptions, facts: VideoFacts) -> Window:
    """Return the timestamps of the wanted part."""
    start, stop = options.start or 0.0, options.stop
    if stop is not None and stop <= start:
        raise InvalidValueError("--to must be later than --from.")
    if facts.seconds and start >= facts.seconds:
        raise InvalidValueError(f"--from must lie in the film, which lasts {facts.seconds:.1f} s.")
    return Window(
        None if options.start is None else facts.timestamp_at(options.start),
        None if stop is None else facts.timestamp_at(stop),
    )


def _segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.mkv"
