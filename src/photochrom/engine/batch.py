"""Colour many photographs on all cores; skip finished ones and continue after failures."""

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.output_names import is_same, marker_on
from photochrom.engine.page_colouring import PLAIN
from photochrom.engine.picture_types import FileOptions
from photochrom.engine.result import Coloured
from photochrom.engine.sidecar import Sidecar, check_place, is_sidecar
from photochrom.engine.workers import Executor, InProcess
from photochrom.errors import (
    MissingExtraError,
    PhotochromError,
    PhotoError,
    PhotoTooLargeError,
    WorkerDiedError,
)
from photochrom.photo.atomic import atomic_target, is_lost, make_folder, remove_orphans
from photochrom.photo.metadata.xmp import Marker

MOST_FAILURES = 1000  # in a row
is_folder = os.path.isdir  # unlike Path.is_dir, false for a name that is too long


class WriteOptions(FileOptions, total=False):
    """Options for all files of a batch."""

    format: str | None
    quality: int | None


@dataclass(frozen=True)
class Task:
    """One file to colour, with its target and guidance.

    Attributes
    ----------
    source, target : Path
    guidance : Guidance
    settled : (status, note), optional
        Outcome that is known beforehand; nothing is coloured.
    """

    source: Path
    target: Path
    guidance: Guidance = PLAIN
    settled: tuple[str, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a task.

    Attributes
    ----------
    source, target : Path, or str for an address
    status : str
        'coloured', 'skipped', 'failed' or, of a folder, 'passed over'.
    notes : tuple of str
        Notes for the user; the error's message if it failed.
    seconds : float
    ends_run : bool
        Whether all later tasks would fail too, as with a full disk.
    megapixels : float
        Of what was coloured.
    needs_megabytes : float, optional
        What its decoder needs, if it failed because that is more than allowed.
    """

    source: Path | str
    target: Path | str
    status: str
    notes: tuple[str, ...]
    seconds: float
    ends_run: bool = False
    megapixels: float = field(default=0.0, kw_only=True)
    needs_megabytes: float | None = field(default=None, kw_only=True)


T = TypeVar("T")
S = TypeVar("S", bound=Outcome)


def colorize_many(
    executor: Colorizer | Executor,
    tasks: Iterable[Task],
    *,
    jobs: int = 2,
    resume: bool = False,
    prompt: bool = False,
    format: str | None = None,
    quality: int | None = None,
    sidecar: bool = False,
    options: FileOptions | None = None,
) -> Generator[Outcome]:
    """Colour many files, several at a time.

    Parameters
    ----------
    executor : Colorizer or Executor
        A shared colorizer; or worker processes with one each, so that a file that kills a worker
        does not affect others.
    tasks : iterable of Task
    jobs : int
        Number of files coloured at the same time.
    resume : bool
        Skip a task whose target has this colorizer's marker and was made from its unchanged source,
        and whose sidecar, if requested, exists.
    prompt : bool
        Yield each outcome before the next task is awaited, which may take long.
    sidecar : bool
        Write `photo-color.json` beside each result.
    format, quality, options :
        See `Colorizer.colorize_file`.

    Yields
    ------
    Outcome
        One per task, in order of completion. A file that fails does not stop the rest; a full
        disk or a missing folder for results does.
    """
    given: WriteOptions = {"format": format, "quality": quality, **(options or {})}
    executor = InProcess(executor) if isinstance(executor, Colorizer) else executor
    most = 1 if prompt else 2 * jobs
    folders = _Folders()

    def run(task: Task) -> Outcome:
        begun = time.monotonic()
        try:
            return executor.call(colorize_one, task, resume, sidecar, given)
        except Exception as error:  # the process died, or could not start
            remove_orphans(task.target.parent)
            return _failed(task, error, begun)

    def stop() -> None:
        executor.stop()
        folders.clean()

    yield from in_threads(run, folders.prepared(tasks), jobs, most, stop)


def in_threads(
    run: Callable[[T], S],
    tasks: Iterable[T | S],
    jobs: int,
    most: int,
    stop: Callable[[], object],
) -> Generator[S]:
    """Run tasks in threads, and yield their outcomes in order of completion.

    Parameters
    ----------
    run : callable
        Never raises.
    tasks : iterable of tasks and of outcomes, which are passed on
    jobs : int
        Number of threads.
    most : int
        Number of tasks that are taken before one has ended.
    stop : callable
        Ends the tasks that run, when the caller is interrupted.

    Yields
    ------
    Outcome
        Until one ends the run.
    """
    waiting: set[Future[S]] = set()
    is_over = False
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for task in tasks:
                if isinstance(task, Outcome):
                    yield cast(S, task)
                    if task.ends_run:
                        break
                    continue
                waiting.add(pool.submit(run, task))
                while len(waiting) >= most:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    outcomes = [future.result() for future in done]
                    yield from outcomes
                    is_over = is_over or any(outcome.ends_run for outcome in outcomes)
                if is_over:
                    break
            for future in waiting:
                is_over and future.cancel()
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done if not future.cancelled())
        except BaseException:
            for future in waiting:
                future.cancel()
            stop()
            raise


class FailureStreak:
    """Counts failures in a row: a run in which everything fails is not worth its time."""

    def __init__(self, most: int = MOST_FAILURES) -> None:
        self.most, self.count = most, 0

    def add(self, outcome: Outcome) -> str | None:
        """Count an outcome; return the sentence that ends the run once there are too many."""
        if outcome.status == "failed":
            self.count += 1
        elif outcome.status == "coloured":
            self.count = 0
        if self.count < self.most:
            return None
        return (
            f"stopped early: the last {self.count:,} photographs all failed. What is wrong may "
            "concern all of them; the last message says what it is."
        )


class _Folders:
    """The folders for results: cleared of the remains of killed runs, and checked to exist."""

    def __init__(self) -> None:
        self._seen: set[Path] = set()

    def prepare(self, task: Task) -> Outcome | None:
        """Prepare the folder for a task; raise if it has disappeared, as with a removed disk."""
        folder = task.target.parent
        if task.settled:
            return None
        if folder in self._seen:
            if folder.is_dir():
                return None
            said = f"{folder}: the folder for the results no longer exists."
            return Outcome(task.source, task.target, "failed", (said,), 0.0, ends_run=True)
        if is_folder(folder):
            remove_orphans(folder)
            self._seen.add(folder)
        return None

    def prepared(self, tasks: Iterable[Task]) -> Iterator[Task | Outcome]:
        """Yield the tasks; instead of one whose folder has disappeared, the outcome."""
        for task in tasks:
            yield self.prepare(task) or task

    def clean(self) -> None:
        """Remove the unfinished files of stopped processes."""
        for folder in self._seen:
            remove_orphans(folder)


def _failed(task: Task, error: Exception, begun: float) -> Outcome:
    seconds = time.monotonic() - begun
    said = reason_of(error, task.source)
    needed = error.megabytes if isinstance(error, PhotoTooLargeError) else None
    return Outcome(
        *(task.source, task.target, "failed", (said,), seconds),
        ends_run=is_lost(error),
        needs_megabytes=needed,
    )


def reason_of(error: Exception, source: Path | str) -> str:
    """Return one line that says why a photograph failed."""
    if isinstance(error, WorkerDiedError):
        return f"{source}: {error}. The others are not affected."
    if isinstance(error, PhotoError | MissingExtraError):  # it names what it concerns
        return str(error)
    if isinstance(error, PhotochromError):
        return str(error) if str(source) in str(error) else f"{source}: {error}"
    if isinstance(error, MemoryError):
        return f"{source}: not enough memory. Try --jobs 1."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or source}: {error.strerror}."
    lines = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return f"{source}: could not be coloured ({what}). Please report this, with the file."


def recorded(options: WriteOptions) -> dict[str, object]:
    """Return the options that a marker records, as `Colorizer.marker` takes them."""
    asked: dict[str, object] = {name: options.get(name) for name in ("quality", "float_range")}
    asked["reading"] = options["reading"].to_table() if "reading" in options else None
    return asked


def colorize_one(
    colorizer: Colorizer,
    task: Task,
    resume: bool,
    sidecar: bool,
    options: WriteOptions,
) -> Outcome:
    """Colour one file; a job of an executor, which never raises. See `colorize_many`."""
    begun = time.monotonic()

    def outcome(status: str, notes: tuple[str, ...]) -> Outcome:
        return Outcome(task.source, task.target, status, notes, time.monotonic() - begun)

    if task.settled:
        return outcome(task.settled[0], task.settled[1:])
    try:
        marker = colorizer.marker(task.guidance, **recorded(options))
        if resume and _is_done(task, marker, sidecar):
            return outcome("skipped", ("already coloured with the same method and settings",))
        coloured = _write_one(colorizer, task, sidecar, options)
    except Exception as error:  # one bad photograph does not stop the others
        return _failed(task, error, begun)
    return replace(outcome("coloured", coloured.notes), megapixels=coloured.megapixels)


def _write_one(colorizer: Colorizer, task: Task, sidecar: bool, options: WriteOptions) -> Coloured:
    """Write a result, and its sidecar if requested."""
    place = task.target.with_suffix(".json")
    make_folder(task.target.parent)
    if sidecar:
        check_place(place)
    coloured = colorizer.colorize_file(task.source, task.target, guidance=task.guidance, **options)
    if sidecar:
        decided = Sidecar.of(
            colorizer, coloured.guidance, coloured.size, options.get("float_range")
        )
        with atomic_target(place) as part:
            part.write_text(decided.to_json(), "utf-8")
    return coloured


def _is_done(task: Task, marker: Marker, sidecar: bool) -> bool:
    found = marker_on(task.target)
    if found != marker or (sidecar and not is_sidecar(task.target.with_suffix(".json"))):
        return False
    try:
        if found.source:
            return is_same(task.source, found.source)
        # From an earlier version: only the file times can be compared.
        return task.target.stat().st_mtime_ns >= task.source.stat().st_mtime_ns
    except OSError:  # one of them does not exist
        return False
