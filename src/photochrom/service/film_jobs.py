"""The jobs of the film workers: what a film is, its shots, one frame, and colouring it.

They are functions of plain values and paths, so that they can be sent to another process. What
they report while they work is in files, which the service reads.
"""

import json
import time
from pathlib import Path
from typing import NamedTuple

from photochrom.engine.video import Progress, VideoOptions, colorize_video
from photochrom.engine.video_frames import frame_at, shots_of
from photochrom.errors import PhotoTooLargeError
from photochrom.options.look import Look
from photochrom.photo.gray_png import encode_gray
from photochrom.photo.photo import Photo
from photochrom.photo.resize import reduced_size
from photochrom.photo.video import describe
from photochrom.photo.video_planes import gray_levels, upright
from photochrom.service.jobs import PREVIEW_QUALITY, jpeg
from photochrom.service.loaded_colorizers import colorizer_of

SHOT_PX = 240  # long side of a shot's picture
SECONDS_BETWEEN_REPORTS = 0.3
SHOTS = "shots.jsonl"


class FilmFacts(NamedTuple):
    """Facts about a film.

    Attributes
    ----------
    width, height : int
        Upright.
    seconds : float
        0 if unknown.
    frames : int
        An estimate; 0 if unknown.
    rate : float
        Frames a second.
    has_colours : bool
        Whether its format can hold colours.
    notes : tuple of str
        What was assumed.
    """

    width: int
    height: int
    seconds: float
    frames: int
    rate: float
    has_colours: bool
    notes: tuple[str, ...]


class FilmOrder(NamedTuple):
    """A film to colour.

    Attributes
    ----------
    source, target : Path
        The film; the file to write.
    method : str
    look : Look
    options : VideoOptions
    report : Path
        Where the job writes how far it has come.
    """

    source: Path
    target: Path
    method: str
    look: Look
    options: VideoOptions
    report: Path


class FilmDone(NamedTuple):
    """A coloured film."""

    path: Path
    frames: int
    notes: tuple[str, ...]


class Shot(NamedTuple):
    """A shot that was found.

    Attributes
    ----------
    at, start : float
        Of its picture, and of its first frame: seconds from the film's beginning.
    picture : Path
        A small JPEG.
    """

    at: float
    start: float
    picture: Path


def load() -> None:
    """Load what these jobs need: importing this module has done that."""


def examine_film(path: Path, megapixels: float) -> FilmFacts:
    """Read the facts about a film.

    Parameters
    ----------
    path : Path
    megapixels : float
        Maximum for one frame.

    Raises
    ------
    PhotoError, MissingExtraError
        If it is not a film, damaged, or too large.
    """
    facts = describe(path)
    width, height = facts.upright_size
    if width * height / 1e6 > megapixels:
        raise PhotoTooLargeError(
            f"{path}: its frames have {width * height / 1e6:.1f} megapixels; at most "
            f"{megapixels:g} are accepted."
        )
    rate, colours = float(facts.rate), facts.has_colours
    return FilmFacts(width, height, facts.seconds, facts.frames, rate, colours, facts.notes)


def film_frame(path: Path, seconds: float) -> bytes:
    """Return the upright frame at a time as a gray PNG.

    Raises
    ------
    PhotoError, InvalidValueError
        If the film cannot be read, or has ended by then.
    """
    return encode_gray(frame_at(describe(path), seconds))


def find_shots(path: Path, folder: Path) -> None:
    """Write a small picture of each shot into a folder, and a list; see `found_shots`.

    Raises
    ------
    PhotoError
        If the film cannot be read.
    """
    facts = describe(path)
    with (folder / SHOTS).open("w", encoding="ascii") as listed:
        for number, (step, began) in enumerate(shots_of(facts)):
            photo = Photo.from_array(
                upright(gray_levels(step.frame.luma, facts), facts.rotation).copy()
            )
            small = photo.small_rgb(*reduced_size(*photo.upright_size, SHOT_PX))
            _picture(folder, number).write_bytes(jpeg(small, PREVIEW_QUALITY))
            times = [facts.seconds_at(pts) for pts in (step.frame.pts, began)]
            listed.write(json.dumps(times) + "\n")
            listed.flush()


def found_shots(folder: Path) -> list[Shot]:
    """Return the shots that `find_shots` has found so far."""
    try:
        lines = (folder / SHOTS).read_text("ascii").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    times = [json.loads(line) for line in lines if line.endswith("\n")]
    return [Shot(at, start, _picture(folder, n)) for n, (at, start) in enumerate(times)]


def _picture(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.jpg"


def colour_film(order: FilmOrder) -> FilmDone:
    """Colour a film; see `reported` for how far it has come.

    Raises
    ------
    PhotoError, InvalidValueError
        If the film cannot be read or written, or the guidance cannot be followed.
    """
    said_at = 0.0

    def report(progress: Progress) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= SECONDS_BETWEEN_REPORTS:
            said_at = time.monotonic()
            part = order.report.with_suffix(".part")
            part.write_text(json.dumps(progress), "ascii")
            part.replace(order.report)

    report(Progress(0, 0, 0, 0.0))
    done = colorize_video(
        order.source,
        order.target,
        colorizer=colorizer_of(order.method, order.look),
        options=order.options,
        progress=report,
    )
    return FilmDone(done.target, done.frames, done.notes)


def reported(path: Path) -> Progress | None:
    """Return how far `colour_film` has come; None before it begins."""
    try:
        return Progress(*json.loads(path.read_text("ascii")))
    except FileNotFoundError:
        return None
