"""Plan a batch: what is coloured, and where the results go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from photochrom.engine.batch import Task, is_folder
from photochrom.engine.guidance import Guidance
from photochrom.engine.output_names import beside, is_own, is_taken, numbered
from photochrom.engine.page_colouring import PLAIN
from photochrom.errors import PhotoError, UnreadablePhotoError
from photochrom.photo.find import nothing_in, search
from photochrom.photo.formats import FORMATS


def plan(
    sources: Iterable[Path],
    *,
    output: Path | None = None,
    recursive: bool = False,
    format: str | None = None,
    guidance: Guidance = PLAIN,
    is_own: Callable[[Path], bool] = is_own,
) -> list[Task]:
    """Return the tasks for files and folders.

    Parameters
    ----------
    sources : iterable of Path
        Files and folders.
    output : Path, optional
        A folder for the results, which keeps the structure of a recursive run; by default,
        results are written beside the originals.
    recursive : bool
        Include subfolders.
    format : str, optional
        The format of the results.
    guidance : Guidance
        Guidance for each.
    is_own : callable
        Tells which files photochrom created; another process may check.

    Returns
    -------
    list of Task
        Files in a folder that photochrom created are left out; named ones are skipped. A folder
        that cannot be read, or has no pictures, fails; pictures in unsupported formats are one
        task, 'passed over'.
    """
    suffix = FORMATS[format].suffixes[0] if format else None
    sources = list(sources)
    tasks: list[Task] = []
    for source in sources:
        if is_folder(source):
            tasks += _plan_folder(source, output, recursive, suffix, guidance, is_own)
            continue
        task = Task(source, beside(source, output, suffix), guidance)
        if len(sources) > 1 and is_own(source):
            task = replace(task, settled=("skipped", "this file was created by photochrom"))
        tasks.append(task)
    return tasks


def _plan_folder(
    source: Path,
    output: Path | None,
    recursive: bool,
    suffix: str | None,
    guidance: Guidance,
    is_own: Callable[[Path], bool],
) -> Iterator[Task]:
    try:
        found = search(source, recursive)
    except UnreadablePhotoError as error:
        yield Task(source, source, settled=("failed", str(error)))
        return
    for photo in found.photos:
        folder = output / photo.parent.relative_to(source) if output else None
        if not is_own(photo):
            yield Task(photo, beside(photo, folder, suffix), guidance)
    for closed, reason in sorted(found.closed.items()):
        yield Task(closed, closed, settled=("failed", f"{closed}: cannot be opened ({reason})."))
    if not found.photos:
        said = nothing_in(source, found, recursive)
        yield Task(source, source, settled=("failed", said))
    elif found.passed_over:
        yield Task(source, source, settled=("passed over", found.passed_over))


class Names:
    """Unique names of results.

    Parameters
    ----------
    sidecars : bool
        Whether names must also differ without their suffixes.
    is_own : callable
        Tells which files photochrom created.
    """

    def __init__(self, sidecars: bool = False, is_own: Callable[[Path], bool] = is_own) -> None:
        self._sidecars, self._is_own = sidecars, is_own
        self._takers: dict[Path, tuple[Path, int]] = {}

    def apart(self, tasks: Iterable[Task]) -> list[Task]:
        """Rename targets that another task has, or that are files not created by photochrom.

        `old-color.jpg` becomes `old-color-2.jpg`, and so on.
        """
        return [task if task.settled else self._named(task) for task in tasks]

    def _named(self, task: Task) -> Task:
        number, taker = 1, (task.source, task.guidance.candidate)
        try:
            while not self._take(numbered(task.target, number), taker):
                number += 1
        except PhotoError as error:
            return replace(task, settled=("failed", str(error)))
        return replace(task, target=numbered(task.target, number))

    def _take(self, target: Path, taker: tuple[Path, int]) -> bool:
        key = (target.with_suffix("") if self._sidecars else target).absolute()
        is_free = not is_taken(target) or self._is_own(target)
        return is_free and self._takers.setdefault(key, taker) == taker
