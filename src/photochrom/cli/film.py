"""`photochrom FILM` colours a film; `photochrom frames FILM` writes a picture of each shot."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.interrupts import endings
from photochrom.cli.messages import say
from photochrom.cli.outcome_report import lines_of, print_json
from photochrom.cli.run_options import RunOptions
from photochrom.cli.standard_streams import PIPE
from photochrom.errors import InvalidValueError

if TYPE_CHECKING:
    from photochrom.cli.guidance_options import GuidanceOptions
    from photochrom.cli.reading_options import ReadOptions
    from photochrom.engine.page_colouring import PageColorizer
    from photochrom.engine.video import Progress, VideoOptions
    from photochrom.engine.video_guidance import Cue

SECONDS_BETWEEN_LINES = 10.0  # where standard error is not a terminal
OF_PHOTOGRAPHS = ("restore", "white_lightness", "format", "quality", "watch", "float_range")
OF_SCANS = ("negative", "source_profile", "gamma", "descreen", "salvage", "keep_time")


@Parameter(name="*")
@dataclass(frozen=True)
class FilmOptions:
    """How films are coloured.

    Attributes
    ----------
    codec : str
        h264, h265, av1, vp9, ffv1 or prores; by default what suits the container.
    crf : int
        The codec's rate factor: smaller is better and larger.
    start : str
        Begin at this time of the film, such as 1:20 or 80.5.
    stop : str
        End at this time of the film.
    """

    codec: str | None = None
    crf: Annotated[int | None, Parameter(validator=Number(gte=0, lte=63))] = None
    start: Annotated[str | None, Parameter(name="--from")] = None
    stop: Annotated[str | None, Parameter(name="--to")] = None


def run_films(
    films: list[Path],
    options: RunOptions,
    film: FilmOptions | None = None,
    guidance: "GuidanceOptions | None" = None,
    reading: "ReadOptions | None" = None,
) -> int:
    """Colour films, one after another, and report the outcome of each.

    Parameters
    ----------
    films : list of Path
    options : RunOptions
    film : FilmOptions, optional
    guidance : GuidanceOptions, optional
    reading : ReadOptions, optional
        Refused: how scans are read.

    Returns
    -------
    int
        The exit code.
    """
    from photochrom.engine.page_colouring import PageColorizer

    _check_no_photo_words(options, reading)
    given = _video_options(options, film or FilmOptions(), guidance)
    failed = 0
    with endings():
        films = list(_once(films))
        targets = _targets(films, options.local_output, given.codec)
        colorizer = PageColorizer(options.method, **options.look, device=options.device)
        for path, target in zip(films, targets, strict=True):
            failed += not _reported(path, target, colorizer, given, options.json_lines)
    return 1 if failed else 0


def _reported(
    path: Path, target: Path, colorizer: "PageColorizer", given: "VideoOptions", json_lines: bool
) -> bool:
    """Colour a film and say how that went; return whether it went well."""
    from photochrom.engine.batch import Outcome
    from photochrom.engine.video import colorize_video

    began, error = time.monotonic(), None
    try:
        with _FilmProgress(path.name) as tell:
            done = colorize_video(path, target, colorizer=colorizer, options=given, progress=tell)
        target, notes = done.target, done.notes
    except Exception as failure:  # one bad film does not stop the others
        error, notes = failure, (_reason(failure, path),)
    except KeyboardInterrupt:
        say(f"photochrom: {path}: {_how_to_go_on(target) or 'nothing was written.'}")
        raise
    status = "failed" if error else "coloured"
    outcome = Outcome(path, target, status, notes, time.monotonic() - began)
    if json_lines:
        print_json(outcome)
    elif error:
        say(f"photochrom: {notes[0]} {_how_to_go_on(target)}".rstrip())
    else:
        for line in lines_of(outcome):
            say(line)
    return error is None


def _reason(error: Exception, film: Path) -> str:
    """Return one line that says why a film failed."""
    from photochrom.engine.batch import reason_of

    if isinstance(error, MemoryError):
        return f"{film}: not enough memory. Close other programs and run it again."
    return reason_of(error, film)


def _how_to_go_on(target: Path) -> str:
    """Return what to do with the finished part of a film; '' if there is none."""
    from photochrom.engine.video import segment_folder
    from photochrom.photo.part_locks import is_held

    folder = segment_folder(target)
    if is_held(folder) or not any(folder.glob("*.mkv")):
        return ""
    return "Finished parts are kept. Run again with --resume to continue."


def _once(films: list[Path]) -> Iterator[Path]:
    """Yield each film once, whatever names it is given by."""
    seen: dict[tuple[int, int] | Path, Path] = {}
    for film in films:
        try:
            state = film.stat()
            file: tuple[int, int] | Path = (state.st_dev, state.st_ino)
        except OSError:  # colouring it says what is wrong
            file = film
        if file in seen:
            same = "" if film == seen[file] else f", as {seen[file]}"
            say(f"photochrom: {film}: given twice{same}; it is coloured once.")
            continue
        seen[file] = film
        yield film


def _targets(films: list[Path], output: Path | None, codec: str | None) -> list[Path]:
    """Return where each film is written; no two are the same."""
    from photochrom.engine.output_names import numbered
    from photochrom.engine.video import default_target
    from photochrom.photo.atomic import make_folder

    if output == PIPE:
        raise InvalidValueError("A film cannot be written to standard output. Name a file with -o.")
    if output is not None and not output.is_dir() and output.suffix:
        if len(films) > 1:
            raise InvalidValueError(
                f"-o {output}: is a single file, but {len(films)} films cannot become one. "
                f"Name a folder, for example -o {output.with_suffix('')}."
            )
        return [output]
    if output is not None:
        make_folder(output)
    targets: list[Path] = []
    taken: set[Path] = set()
    for film in films:
        target = default_target(film, codec, output)
        folder, number = target.parent.resolve(), 1  # two names of a folder are one
        while folder / numbered(target, number).name in taken:
            number += 1
        targets.append(numbered(target, number))
        taken.add(folder / targets[-1].name)
    return targets


def _check_no_photo_words(options: RunOptions, reading: "ReadOptions | None") -> None:
    """Reject the options of photographs and scans, which would do nothing."""
    for name in (*OF_PHOTOGRAPHS, *OF_SCANS):
        if getattr(reading if name in OF_SCANS else options, name, None):
            raise InvalidValueError(f"--{name.replace('_', '-')} is for photographs, not films.")


def _video_options(
    options: RunOptions, film: FilmOptions, guidance: "GuidanceOptions | None"
) -> "VideoOptions":
    from dataclasses import replace

    from photochrom.engine.guidance import Guidance
    from photochrom.engine.video import VideoOptions
    from photochrom.engine.video_guidance import parse_time, read_cues

    cues: tuple[Cue, ...] = ()
    whole = Guidance()
    if guidance is not None:
        if guidance.hint or guidance.recipe or guidance.sidecar or guidance.candidates != 1:
            raise InvalidValueError(
                "A film takes its hints from --hints FILE, each with a time; --hint, --recipe, "
                "--sidecar and --candidates are for photographs."
            )
        cues = tuple(read_cues(guidance.hints)) if guidance.hints else ()
        whole = replace(guidance, hints=None).guidance()
    return VideoOptions(
        codec=film.codec,
        crf=film.crf,
        start=None if film.start is None else parse_time(film.start),
        stop=None if film.stop is None else parse_time(film.stop),
        resume=options.resume,
        guidance=whole,
        cues=cues,
    )


class _FilmProgress:
    """Frames, speed and time left: a bar on a terminal, else a line now and then."""

    def __init__(self, name: str) -> None:
        self.name, self.bar = name, sys.stderr is not None and sys.stderr.isatty()
        self.said = time.monotonic()

    def __enter__(self) -> "_FilmProgress":
        if self.bar:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[said]}"),
                console=Console(stderr=True),
            )
            self.task = self.progress.add_task(self.name, total=None, said="")
            self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.progress.stop()

    def __call__(self, done: "Progress") -> None:
        text = progress_text(done)
        if self.bar:
            total = done.expected or None
            self.progress.update(self.task, completed=done.frames, total=total, said=text)
        elif time.monotonic() - self.said >= SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            say(f"{self.name}: {text}")


def progress_text(done: "Progress") -> str:
    """Return frames, speed and time left as one line."""
    speed = done.fresh / done.seconds if done.seconds else 0.0
    of = f" of {done.expected:,}" if done.expected >= done.frames else ""
    text = f"{done.frames:,}{of} frames, {speed:.1f} a second"
    if speed and done.expected > done.frames:
        left = round((done.expected - done.frames) / speed)
        text += f", {left // 60}:{left % 60:02d} left"
    return text


def frames(
    film: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
) -> None:
    """Write a picture of each shot of a film, with its time in the name.

    Colour one with the page or the command, and use it as the reference of its shot: in the file of
    --hints, {"shots": [{"at": "1:23.4", "reference": "film-0001-color.png"}]}.

    Parameters
    ----------
    film : Path
        The film.
    output : Path
        A folder for the pictures; FILM-frames by default.
    """
    from photochrom.engine.video_frames import write_frames

    folder = output or film.with_name(f"{film.stem}-frames")
    with endings():
        for at, path in write_frames(film, folder):
            print(f"{at}  {path}")
