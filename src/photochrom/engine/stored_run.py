"""A run over addresses, folders, archives and manifests: what is to colour, and what is done.

Everything that can be refused is refused before any work. Then sources are listed while the run
goes on, a folder at a time, so that millions of them need little memory. What the table of an
earlier run has, and has not changed since, is told from listings alone: one for each folder, no
request for each file.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from photochrom.engine.batch import WriteOptions, in_threads
from photochrom.engine.guidance import Guidance
from photochrom.engine.hashes import Hashes, name_hashes, pair_hashes, recipe_hash, state_hash
from photochrom.engine.manifest import Manifest, Rows, Survey, coloured_name, is_manifest
from photochrom.engine.page_colouring import PLAIN
from photochrom.engine.run_listing import Listed, child_of, search_below
from photochrom.engine.run_table import NO_RESULT, RunTable, all_written, written
from photochrom.engine.sidecar import Sidecar
from photochrom.engine.stored import (
    DONE_BEFORE,
    Item,
    Recipe,
    StoredOutcome,
    StoredTask,
    blames_machine,
    colorize_stored,
    with_reference,
)
from photochrom.engine.workers import Executor
from photochrom.errors import InvalidValueError, PhotoError
from photochrom.photo import storage
from photochrom.photo.find import kind_of, nothing_in
from photochrom.photo.storage import Stored


@dataclass(frozen=True)
class Wishes:
    """What is asked for, for every photograph of a run.

    Attributes
    ----------
    guidance : Guidance
    candidates : int
        Number of colourings of each.
    fit : Sidecar, optional
        A sidecar whose guidance is fitted to each photograph.
    suffix : str, optional
        Of the results, such as '.png'.
    sidecar, resume, recursive : bool
    """

    guidance: Guidance = PLAIN
    candidates: int = 1
    fit: Sidecar | None = None
    suffix: str | None = None
    sidecar: bool = False
    resume: bool = False
    recursive: bool = False


class StoredRun:
    """The tasks of a run; use it as a context manager.

    Parameters
    ----------
    sources : sequence of str
        Addresses and paths of photographs, folders, archives (`.zip`, `.tar`) and manifests.
    output : str, optional
        Folder of the results, or a file for one photograph; by default, results are written beside
        the photographs.
    wishes : Wishes
    report : callable
        Is told what the user should know, such as a damaged table.

    Attributes
    ----------
    count : int or None
        Number of outcomes, if it is known before the sources are listed.
    table : RunTable or None
        None if there is one photograph, or no common folder of results.

    Raises
    ------
    InvalidValueError, PhotoError, MissingExtraError
        On entering: if the run cannot be done as asked. Nothing was coloured then.
    """

    def __init__(
        self,
        sources: Sequence[str],
        output: str | None = None,
        wishes: Wishes | None = None,
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.sources = [each for source in sources for each in storage.expanded(source)]
        self.output, self.wishes, self.report = output, wishes or Wishes(), report
        self.count: int | None = None
        self.table: RunTable | None = None
        self._manifests: dict[str, Manifest] = {}
        self._surveys: dict[str, Survey] = {}
        self._stack = ExitStack()
        self._done: Hashes | None = None

    def __enter__(self) -> Self:
        try:
            self._check()
            self._open_manifests()
            self._find_table()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _check(self) -> None:
        """Refuse what cannot be done."""
        self._folders = {source for source in self.sources if self._is_folder(source)}
        self.many = len(self.sources) > 1 or bool(self._folders) or is_manifest(self.sources[0])
        output = self.output
        if output is None:
            for source in self.sources:
                if not _is_writable(source) and not is_manifest(source):
                    raise InvalidValueError(
                        f"{storage.cleaned(source)}: is only read; results cannot be written "
                        "beside it. Name a folder for them with -o."
                    )
            return
        if not _is_writable(output):
            raise InvalidValueError(
                f"-o {storage.cleaned(output)}: results cannot be written to web servers and into "
                "archives. Name a folder."
            )
        if self.many and kind_of(storage.name_of(output)) is not None:
            raise InvalidValueError(
                f"-o {storage.cleaned(output)}: is a single file, but several photographs cannot "
                "become one. Name a folder."
            )
        for folder in self._folders if self.wishes.recursive else ():
            inside, outside = _comparable(output), _comparable(folder)
            if storage.is_below(inside, outside) and not storage.is_below(outside, inside):
                raise InvalidValueError(
                    f"-o {storage.cleaned(output)}: lies inside the source "
                    f"{storage.cleaned(folder)}, whose subfolders are read too. Name a folder "
                    "outside of it, or leave out --recursive."
                )

    def _is_folder(self, source: str) -> bool:
        if is_manifest(source):
            return False
        if storage.is_address(source):
            return storage.is_archive(source) or storage.is_folder(source)
        return Path(source).is_dir() or storage.is_archive(source)

    def _open_manifests(self) -> None:
        """Open all manifests, and refuse those in which two rows have the same result."""
        manifests = [source for source in self.sources if is_manifest(source)]
        if manifests and len(manifests) < len(self.sources):
            raise InvalidValueError(
                f"{storage.cleaned(manifests[0])}: manifests are coloured in a run of their own. "
                "Leave out the other sources, or name them in the manifest."
            )
        results: dict[str, np.ndarray] = {}
        for source in dict.fromkeys(manifests):
            manifest = Manifest(source, self.output, self.wishes.suffix)
            self._manifests[source] = self._stack.enter_context(manifest)
            if self.output is None and not _is_writable(source):
                raise InvalidValueError(
                    f"{manifest.name}: is only read; results cannot be written beside it. Name a "
                    "folder for them with -o."
                )
            self._surveys[source] = survey = manifest.survey(self.wishes.sidecar)
            for other, names in results.items():
                if len(np.intersect1d(names, survey.results)):
                    raise InvalidValueError(
                        f"{manifest.name} and {storage.cleaned(other)} have rows with the same "
                        "result. Colour them in two runs, or name each in the column 'result'."
                    )
            results[source] = survey.results
        files = len(self.sources) - len(self._folders) - len(manifests)
        if not self._folders:
            rows = sum(map(len, results.values()))
            self.count = (rows + files) * self.wishes.candidates

    def _find_table(self) -> None:
        place = self.output
        if place is None and len(self.sources) == 1:
            (only,) = self.sources
            place = only if only in self._folders else storage.folder_of(only)
        if not self.many or place is None:
            return
        self.table = RunTable(place, self.report)
        self.table.begin()
        if self.wishes.resume:
            self._done = self.table.done()

    # --- items ------------------------------------------------------------------------------

    def items(self, recipe_of: Callable[[Guidance], Recipe]) -> Iterator[Item]:
        """Yield what is to colour as tasks, and what is known already as outcomes.

        Parameters
        ----------
        recipe_of : callable
            Returns the recipe of a task with this guidance; see
            `photochrom.engine.stored.recipe_of`.

        Yields
        ------
        StoredTask or StoredOutcome
            An outcome that an earlier run's table has is `known`.
        """
        wishes = self.wishes
        plain = wishes.guidance if wishes.fit is None else wishes.fit.guidance
        self._guidances = [
            replace(plain, candidate=n) if n else plain for n in range(wishes.candidates)
        ]
        if self._done is not None:
            self._keys = [recipe_of(guidance).key for guidance in self._guidances]
        names = _Names(wishes.sidecar)
        for source in self.sources:
            if source in self._manifests:
                yield from self._from_manifest(self._manifests[source])
            elif source in self._folders:
                yield from self._from_folder(source, names)
            else:
                yield from self._from_file(source, names)

    def _from_file(self, source: str, names: "_Names") -> Iterator[Item]:
        """Yield the tasks of a photograph that was named."""
        target = coloured_name(storage.name_of(source), self.wishes.suffix)
        if self.output is None:
            place = _beside(source, target)
        elif not self.many and kind_of(storage.name_of(self.output)) is not None:
            place = self.output
        else:
            place = storage.below(self.output, target)
        task = StoredTask(source, place, named=not self.many)
        yield from self._sifted(self._candidates(task, names), None)

    def _from_folder(self, source: str, names: "_Names") -> Iterator[Item]:
        """Yield the tasks of a folder or an archive, one of its folders after the other."""
        archive = _is_archive(source)
        place = storage.inside(source) if archive else source
        recursive = self.wishes.recursive or archive
        output = self.output
        if output is not None and archive:  # shards may have the same names in them
            output = storage.below(output, storage.archive_stem(source))
        listed = search_below(place, recursive)
        try:
            for below, photos in listed.folders():
                if len(self.sources) == 1:  # no other folder has the same results
                    names.forget()
                yield from self._from_one_folder(place, output, below, photos, names)
        except PhotoError as error:
            yield _failed(place, str(error))
            return
        for below, said in sorted(listed.closed.items()):
            yield _failed(child_of(place, below), said)
        if not listed.count:
            shown = storage.cleaned(place)
            yield _failed(place, nothing_in(shown, listed.found, recursive))
        elif listed.found.passed_over:
            yield _settled(place, "passed over", listed.found.passed_over)

    def _from_one_folder(
        self, place: str, output: str | None, below: str, photos: list[Stored], names: "_Names"
    ) -> Iterator[Item]:
        source = child_of(place, below) if below else place
        try:
            target = source if output is None else storage.below(output, below) if below else output
        except InvalidValueError as error:
            yield _failed(source, f"{storage.cleaned(source)}: {error}")
            return
        tasks = []
        for photo in photos:
            name = coloured_name(storage.name_of(photo.address), self.wishes.suffix)
            task = StoredTask(photo.address, child_of(target, name), known=photo, named=False)
            tasks += self._candidates(task, names)
        there = storage.names_in(target)
        yield from self._sifted(tasks, None if there is None else set(there))

    def _candidates(self, task: StoredTask, names: "_Names") -> list[StoredTask]:
        """Return a task for each candidate, with names of their own."""
        return [
            replace(
                task,
                target=names.taken(self._numbered(task.target, n)),
                guidance=guidance,
                fit=self.wishes.fit,
            )
            for n, guidance in enumerate(self._guidances)
        ]

    def _numbered(self, target: str, candidate: int) -> str:
        return _with_number(target, candidate + 1) if self.wishes.candidates > 1 else target

    def _sifted(self, tasks: list[StoredTask], there: set[str] | None) -> Iterator[Item]:
        """Yield the tasks; instead of those that the table has, the outcomes.

        `there` has the names in the folder of the results; None if it cannot be listed.
        """
        if there is not None:
            tasks = [replace(t, exists=storage.name_of(t.target) in there) for t in tasks]
        if self._done is None or not tasks:
            yield from tasks
            return
        sources = all_written([task.source for task in tasks])
        results = all_written([task.target for task in tasks])
        _, values = self._done.find(pair_hashes(sources, results))
        for task, value in zip(tasks, values.tolist(), strict=True):
            yield self._told(task, value) if value else task

    def _told(self, task: StoredTask, value: int) -> Item:
        """Return the outcome of a task that the table has, or the task if it has changed."""
        before = (value & ~NO_RESULT) ^ recipe_hash(self._key(task))
        if task.known is None:
            return replace(task, before=before)
        if state_hash(task.known.size, task.known.version) != before:
            return task
        if value & NO_RESULT or task.exists:
            return _known(written(task.source), written(task.target))
        return task if task.exists is False else replace(task, before=before)

    def _key(self, task: StoredTask) -> str:
        number = task.guidance.candidate if self.wishes.candidates > 1 else 0
        return with_reference(self._keys[number], task.reference)

    def _from_manifest(self, manifest: Manifest) -> Iterator[Item]:
        listed = None if self._done is None else Listed(self._surveys[manifest.source])
        for rows in manifest.rows():
            for n, guidance in enumerate(self._guidances):
                targets = rows.targets
                if self.wishes.candidates > 1:
                    targets = [self._numbered(target, n) for target in targets]
                if listed is None:
                    yield from (
                        StoredTask(row.source, target, guidance, row.reference, fit=self.wishes.fit)
                        for row, target in zip(rows, targets, strict=True)
                    )
                else:
                    yield from self._compared(rows, targets, n, listed)

    def _compared(
        self, rows: Rows, targets: list[str], number: int, listed: "Listed"
    ) -> Iterator[Item]:
        """Yield the tasks of a manifest's rows; instead of those that the table has, outcomes."""
        assert self._done is not None
        sources, results = all_written(rows.sources), all_written(targets)
        _, values = self._done.find(pair_hashes(sources, results))
        recipes = _recipe_hashes(self._keys[number], rows)
        before = (values & ~np.uint64(NO_RESULT)) ^ recipes
        is_listed, states = listed.states.find(name_hashes(sources))
        exists, _ = listed.results.find(name_hashes(results))
        has_result = exists | (values & np.uint64(NO_RESULT)).astype(bool)
        is_done = (values != 0) & is_listed & (states == before) & has_result
        guidance, fit = self._guidances[number], self.wishes.fit
        for n, is_known in enumerate(is_done.tolist()):
            if is_known:
                yield _known(sources[n], results[n])
                continue
            source, target, reference = rows.sources[n], targets[n], rows.references[n]
            is_told = storage.folder_of(target) not in listed.silent
            unknown = values[n] and storage.folder_of(source) in listed.silent
            yield StoredTask(
                source,
                target,
                guidance,
                reference,
                fit=fit,
                exists=bool(exists[n]) if is_told else None,
                before=int(before[n]) if unknown or (values[n] and not is_told) else None,
            )


def _recipe_hashes(key: str, rows: Rows) -> np.ndarray:
    """Return the hash of each row's recipe, whose reference may be its own."""
    known = {
        reference: recipe_hash(with_reference(key, reference)) for reference in set(rows.references)
    }
    return np.fromiter(map(known.__getitem__, rows.references), np.uint64, len(rows))


class _Names:
    """Names of results, each given once."""

    def __init__(self, sidecars: bool) -> None:
        self._sidecars = sidecars
        self._taken: set[str] = set()

    def taken(self, target: str) -> str:
        """Return a name that was not given yet: itself, or with a number."""
        number, name = 1, target
        while (key := self._key(name)) in self._taken:
            number += 1
            name = _with_number(target, number)
        self._taken.add(key)
        return name

    def _key(self, name: str) -> str:
        return name.rpartition(".")[0] if self._sidecars else name

    def forget(self) -> None:
        """Forget all names."""
        self._taken.clear()


def _with_number(target: str, number: int) -> str:
    """Return `old-color-2.jpg`; see `photochrom.engine.output_names.numbered`."""
    stem, dot, suffix = target.rpartition(".")
    return f"{stem}-{number}{dot}{suffix}" if "/" not in suffix and dot else f"{target}-{number}"


def _beside(source: str, name: str) -> str:
    if storage.is_address(source):
        return storage.beside(source, name)
    return str(Path(source).with_name(name))


KNOWN = StoredOutcome("", "", "skipped", (DONE_BEFORE,), 0.0, known=True)


def _known(source: str, target: str) -> StoredOutcome:
    """Return `KNOWN` of a source and target; of millions, `replace` would take a third."""
    outcome = object.__new__(StoredOutcome)
    vars(outcome).update(vars(KNOWN), source=source, target=target)
    return outcome


def _failed(source: str, said: str) -> StoredOutcome:
    return _settled(source, "failed", said)


def _settled(source: str, status: str, said: str) -> StoredOutcome:
    shown = storage.cleaned(source)
    return StoredOutcome(shown, shown, status, (said,), 0.0)


def _is_archive(source: str) -> bool:
    if not storage.is_archive(source):
        return False
    return storage.is_address(source) or not Path(source).is_dir()


def _is_writable(place: str) -> bool:
    if _is_archive(place):
        return False
    return not storage.is_address(place) or storage.is_writable(place)


def _comparable(place: str) -> str:
    return place if storage.is_address(place) else os.path.realpath(place)


def colorize_all(
    executor: Executor,
    items: Iterable[Item],
    *,
    jobs: int,
    resume: bool = False,
    sidecar: bool = False,
    options: WriteOptions | None = None,
    most_bytes: int | None = None,
) -> Generator[StoredOutcome]:
    """Colour the tasks of a run on this machine.

    Parameters
    ----------
    executor : Executor
    items : iterable of StoredTask and StoredOutcome
        See `StoredRun.items`.
    jobs : int
        Number of tasks at the same time; more than the executor's processes, so that files are
        copied while others are coloured.
    resume, sidecar, options, most_bytes :
        See `colorize_stored`.

    Yields
    ------
    StoredOutcome
        One for each item, in order of completion.
    """

    def run(task: StoredTask) -> StoredOutcome:
        colour = partial(
            colorize_stored,
            executor,
            task,
            resume=resume,
            sidecar=sidecar,
            options=options,
            most_bytes=most_bytes,
        )
        outcome = colour()
        return colour() if blames_machine(outcome) else outcome

    yield from in_threads(run, items, jobs, 2 * jobs, executor.stop)


def recorded(
    outcomes: Generator[StoredOutcome], table: RunTable | None
) -> Generator[StoredOutcome]:
    """Yield outcomes, and write each to the table of the run.

    Raises
    ------
    UnwritablePhotoError
        If the table cannot be written, at the end or for long.
    """
    try:
        for outcome in outcomes:
            if table is not None:
                table.add(outcome)
            yield outcome
    finally:
        outcomes.close()
        if table is not None:
            table.flush()
