"""Watch a folder for new photographs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from photochrom.engine.batch import Task
from photochrom.errors import UnreadablePhotoError
from photochrom.photo.find import search

SETTLED_SECONDS = 1.0  # a watched file unchanged for this long is complete


def watch(
    folder: Path,
    plan_one: Callable[[Path], list[Task]],
    *,
    recursive: bool = False,
    interval_seconds: float = 0.5,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Task]:
    """Yield tasks for new photographs in a folder, indefinitely.

    Parameters
    ----------
    folder : Path
    plan_one : callable
        Returns the tasks for a photograph; none for files that photochrom created.
    recursive : bool
        Include subfolders.
    interval_seconds : float
        Interval between two checks.
    stop : callable
        Stops watching when it returns true.

    Yields
    ------
    Task
        One per photograph, once its file is complete.
    """
    looks = _Looks()
    seen: dict[Path, tuple[int, int]] = {}
    while not stop():
        for path, state in looks.settled(folder, recursive):
            if seen.get(path) != state:
                seen[path] = state
                yield from plan_one(path)
        seen = {path: state for path, state in seen.items() if path in looks}
        time.sleep(interval_seconds)


class _Looks:
    """The contents of a watched folder at the last check, and since when each is unchanged."""

    def __init__(self) -> None:
        self._still: dict[Path, tuple[tuple[int, int], float]] = {}

    def __contains__(self, path: Path) -> bool:
        return path in self._still

    def settled(self, folder: Path, recursive: bool) -> Iterator[tuple[Path, tuple[int, int]]]:
        """Return the photographs that are completely written, with their size and time.

        A file is complete once its size and time have not changed for a second: by its own time, if
        that is in the past, else by observation; a time in the future is ignored.
        """
        try:
            found = search(folder, recursive).photos
        except UnreadablePhotoError:
            return
        now, before = time.monotonic(), self._still
        self._still = {}
        for path in found:
            try:
                stat = path.stat()
            except OSError:  # deleted between two checks
                continue
            state = stat.st_size, stat.st_mtime_ns
            last, since = before.get(path, (state, now))
            self._still[path] = state, since if last == state else now
        for path, (state, since) in self._still.items():
            past = time.time() - state[1] / 1e9 > SETTLED_SECONDS
            if state[0] and (past or now - since > SETTLED_SECONDS):
                yield path, state
