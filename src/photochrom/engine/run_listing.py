"""What is there, for a run: photographs below a folder, and which of a manifest's have changed."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import numpy as np

from photochrom.engine.hashes import Hashes, name_hashes, state_hashes
from photochrom.engine.manifest import Survey
from photochrom.engine.run_table import all_written
from photochrom.engine.stored import source_state
from photochrom.errors import PhotoError
from photochrom.photo import storage
from photochrom.photo.find import Found, search
from photochrom.photo.storage import Search, Stored

THREADS = 16  # that list folders


class Listed:
    """The states of a manifest's sources, and its results, from one listing of each folder.

    Attributes
    ----------
    states : Hashes
        Name of a source -> `state_hash`.
    results : Hashes
        Names of the files in the folders of results.
    silent : set of str
        Folders that are not told, such as those of a web server.
    """

    def __init__(self, survey: Survey) -> None:
        self.silent: set[str] = set()
        self.states = self._gathered(_states_in, survey.source_folders)
        self.results = self._gathered(_results_in, survey.target_folders)

    def _gathered(
        self, look: Callable[[str], tuple[np.ndarray, np.ndarray] | None], folders: set[str]
    ) -> Hashes:
        keys, values = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        ordered = sorted(folders)
        with ThreadPoolExecutor(THREADS) as pool:
            for folder, found in zip(ordered, pool.map(look, ordered), strict=True):
                if found is None:
                    self.silent.add(folder)
                else:
                    keys.append(found[0])
                    values.append(found[1])
        return Hashes(np.concatenate(keys), np.concatenate(values))


def _states_in(folder: str) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        files = _files_in(folder)
    except PhotoError:
        return None
    names = _hashes_in(folder, list(files))
    sizes, versions = zip(*files.values(), strict=True) if files else ((), ())
    return names, state_hashes(sizes, versions)


def _results_in(folder: str) -> tuple[np.ndarray, np.ndarray] | None:
    there = storage.names_in(folder)
    if there is None:
        return None
    return _hashes_in(folder, there), np.zeros(len(there), np.uint64)


def _hashes_in(folder: str, names: list[str]) -> np.ndarray:
    """Return the hashes of files in a folder."""
    before, after = storage.around(folder)
    return name_hashes(all_written([f"{before}{name}{after}" for name in names]))


def _files_in(folder: str) -> dict[str, tuple[int | None, str]]:
    """Return the size and version of each file in a folder, local or not, by name."""
    if storage.is_address(folder):
        return storage.list_states(folder)
    found: dict[str, tuple[int | None, str]] = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            state = entry.stat()
            found[entry.name] = state.st_size, str(state.st_mtime_ns)
    return found


class _LocalSearch(Search):
    """The same of a local folder."""

    def folders(self) -> Iterator[tuple[str, list[Stored]]]:
        """Yield each folder's name below the search's, and its photographs; see `Search`."""
        top = Path(self.address)
        found = search(top, self.recursive)
        self._found = found
        self.closed = {
            str(path.relative_to(top)): f"{path}: cannot be opened ({reason})."
            for path, reason in found.closed.items()
        }
        self.count = len(found.photos)
        for folder, photos in groupby(sorted(found.photos), key=lambda path: path.parent):
            below = folder.relative_to(top).as_posix()
            yield "" if below == "." else below, [_state_or_none(photo) for photo in photos]

    @property
    def found(self) -> Found:
        """What was passed over."""
        return self._found


def _state_or_none(photo: Path) -> Stored:
    try:
        return source_state(str(photo))
    except PhotoError:  # colouring it gives the error
        return Stored(str(photo), None, "")


def search_below(place: str, recursive: bool) -> Search:
    """Return the search of a folder, local or not."""
    return (Search if storage.is_address(place) else _LocalSearch)(place, recursive)


def child_of(folder: str, name: str) -> str:
    """Return the name of what was listed in a folder."""
    if storage.is_address(folder):
        return storage.child(folder, name)
    return os.path.join(folder, name)  # noqa: PTH118 - one of millions
