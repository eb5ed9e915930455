"""Many photographs: find them, colour them on all cores, skip what is done, survive what fails."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from photochrom.engine.colorize import PLAIN, Colorizer
from photochrom.engine.names import beside, is_free, is_own, marker_on, numbered
from photochrom.engine.sidecar import Sidecar, check_place
from photochrom.engine.wishes import Wishes
from photochrom.errors import PhotochromError, UnreadablePhotoError
from photochrom.photo.atomic import atomic_target, remove_orphans
from photochrom.photo.find import find_photos
from photochrom.photo.formats import FORMATS
from photochrom.photo.xmp import Marker

SETTLED_SECONDS = 1.0  # a watched file that has not changed for so long is whole


@dataclass(frozen=True)
class Task:
    """One file to colour, where it goes, and what is wished of it.

    Attributes
    ----------
    source, target : Path
    wishes : Wishes
    settled : (status, note), optional
        What became of it before it was begun: nothing is coloured.
    """

    source: Path
    target: Path
    wishes: Wishes = PLAIN
    settled: tuple[str, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    source, target : Path
    status : str
        'coloured', 'skipped' or 'failed'.
    notes : tuple of str
        What a person should know; the error's message if it failed.
    seconds : float
    """

    source: Path
    target: Path
    status: str
    notes: tuple[str, ...]
    seconds: float


def plan(
    sources: Iterable[Path],
    *,
    output: Path | None = None,
    recursive: bool = False,
    format: str | None = None,
    wishes: Wishes = PLAIN,
) -> list[Task]:
    """Decide what is coloured, and where it goes.

    Parameters
    ----------
    sources : iterable of Path
        Files and folders.
    output : Path, optional
        A folder for the results, which keeps the tree of a recursive run; beside the originals if
        there is none.
    recursive : bool
        Look below folders too.
    format : str, optional
        The format of the results.
    wishes : Wishes
        What is wished of each.

    Returns
    -------
    list of Task
        Files of a folder that photochrom made itself are left out; of several that are named, they
        are skipped. A folder that cannot be read, or has no pictures, has failed.
    """
    suffix = FORMATS[format].suffixes[0] if format else None
    sources, tasks = list(sources), []
    for source in sources:
        if not source.is_dir():
            task = Task(source, beside(source, output, suffix), wishes)
            if len(sources) > 1 and is_own(source):
                task = replace(task, settled=("skipped", "photochrom made this file itself"))
            tasks.append(task)
            continue
        try:
            found = find_photos(source, recursive)
        except UnreadablePhotoError as error:
            tasks.append(Task(source, source, settled=("failed", str(error))))
            continue
        for photo in found:
            folder = output / photo.parent.relative_to(source) if output else None
            if not is_own(photo):
                tasks.append(Task(photo, beside(photo, folder, suffix), wishes))
    return tasks


class Names:
    """Names of results that take nobody's place.

    Parameters
    ----------
    sidecars : bool
        Results need names that differ without their suffixes, too.
    """

    def __init__(self, sidecars: bool = False) -> None:
        self._sidecars = sidecars
        self._takers: dict[Path, tuple[Path, int]] = {}

    def apart(self, tasks: Iterable[Task]) -> list[Task]:
        """Rename targets that are another task's, or a file that photochrom did not make.

        `old-color.jpg` becomes `old-color-2.jpg`, and so on.
        """
        return [task if task.settled else self._named(task) for task in tasks]

    def _named(self, task: Task) -> Task:
        number = 1
        while not self._take(numbered(task.target, number), (task.source, task.wishes.candidate)):
            number += 1
        return replace(task, target=numbered(task.target, number))

    def _take(self, target: Path, taker: tuple[Path, int]) -> bool:
        key = (target.with_suffix("") if self._sidecars else target).absolute()
        return is_free(target) and self._takers.setdefault(key, taker) == taker


def colorize_many(
    colorizer: Colorizer,
    tasks: Iterable[Task],
    *,
    jobs: int = 2,
    resume: bool = False,
    prompt: bool = False,
    format: str | None = None,
    quality: int | None = None,
    sidecar: bool = False,
    options: dict[str, Any] | None = None,
) -> Iterator[Outcome]:
    """Colour many files, a few at a time.

    Parameters
    ----------
    colorizer : Colorizer
        Shared by all.
    tasks : iterable of Task
    jobs : int
        Files in work at once.
    resume : bool
        Skip a task whose target bears this colorizer's marker and is not older than its source.
    prompt : bool
        Tell each outcome before the next task is asked for, which may be long in coming.
    sidecar : bool
        Write `photo-color.json` beside each result.
    format, quality, options :
        As `Colorizer.colorize_file` takes them.

    Yields
    ------
    Outcome
        One a task, as they are done. A file that fails does not stop the rest.
    """
    given = {"format": format, "quality": quality, **(options or {})}
    most = 1 if prompt else 2 * jobs

    def run(task: Task) -> Outcome:
        return _colorize_one(colorizer, task, resume, sidecar, given)

    waiting: set[Future[Outcome]] = set()
    cleaned: set[Path] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for task in tasks:
                if task.target.parent not in cleaned and task.target.parent.is_dir():
                    remove_orphans(task.target.parent)
                    cleaned.add(task.target.parent)
                waiting.add(pool.submit(run, task))
                while len(waiting) >= most:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in waiting:
                future.cancel()


def _colorize_one(
    colorizer: Colorizer,
    task: Task,
    resume: bool,
    sidecar: bool,
    options: dict[str, Any],
) -> Outcome:
    begun = time.monotonic()

    def outcome(status: str, notes: tuple[str, ...]) -> Outcome:
        return Outcome(task.source, task.target, status, notes, time.monotonic() - begun)

    if task.settled:
        return outcome(task.settled[0], task.settled[1:])
    asked = {name: options.get(name) for name in ("quality", "float_range")}
    asked["reading"] = options["reading"].to_table() if "reading" in options else None
    if resume and _is_done(task, colorizer.marker(task.wishes, **asked)):
        return outcome("skipped", ("already coloured by the same method and settings",))
    try:
        task.target.parent.mkdir(parents=True, exist_ok=True)
        place = task.target.with_suffix(".json")
        if sidecar:
            check_place(place)
        coloured = colorizer.colorize_file(task.source, task.target, wishes=task.wishes, **options)
        if sidecar:
            decided = Sidecar.of(
                colorizer, coloured.wishes, coloured.size, options.get("float_range")
            )
            with atomic_target(place) as part:
                part.write_text(decided.to_json(), "utf-8")
    except (PhotochromError, OSError) as error:
        return outcome("failed", (str(error),))
    return outcome("coloured", coloured.notes)


def _is_done(task: Task, marker: Marker) -> bool:
    try:
        is_newer = task.target.stat().st_mtime_ns >= task.source.stat().st_mtime_ns
    except OSError:  # one of them is not there
        return False
    return is_newer and marker_on(task.target) == marker


def watch(
    folder: Path,
    plan_one: Callable[[Path], list[Task]],
    *,
    recursive: bool = False,
    interval_seconds: float = 0.5,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Task]:
    """Wait for new photographs in a folder, for ever.

    Parameters
    ----------
    folder : Path
    plan_one : callable
        Turns a photograph into its tasks; none for what photochrom made itself.
    recursive : bool
        Watch below it too.
    interval_seconds : float
        Between two looks.
    stop : callable
        Ends the watch when true.

    Yields
    ------
    Task
        One a photograph, once its file is whole.
    """
    seen: dict[Path, tuple[int, int]] = {}
    while not stop():
        for path, state in _settled(folder, recursive):
            if seen.get(path) != state:
                seen[path] = state
                yield from plan_one(path)
        time.sleep(interval_seconds)


def _settled(folder: Path, recursive: bool) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Give the photographs that nobody is writing any more, with their size and time."""
    try:
        found = find_photos(folder, recursive)
    except UnreadablePhotoError:
        return
    for path in found:
        try:
            stat = path.stat()
        except OSError:  # gone between two looks
            continue
        if time.time() - stat.st_mtime > SETTLED_SECONDS and stat.st_size:
            yield path, (stat.st_size, stat.st_mtime_ns)
