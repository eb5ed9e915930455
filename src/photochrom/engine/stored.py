"""Colour one photograph whose source or result is at an address: the unit of work of large runs.

The source is copied to a private temporary folder under its own name, coloured there as any file,
and the result copied back: formats, metadata, companions, markers and messages are those of local
files, and messages name the addresses.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

from photochrom.engine import batch
from photochrom.engine.batch import Outcome, WriteOptions, reason_of
from photochrom.engine.colorize import Colorizer
from photochrom.engine.companion_files import MOST_SIDECAR_BYTES
from photochrom.engine.guidance import Guidance
from photochrom.engine.hashes import state_hash
from photochrom.engine.output_names import is_own, is_taken, marker_on
from photochrom.engine.page_colouring import PLAIN
from photochrom.engine.picture_types import FileOptions
from photochrom.engine.reference import Reference
from photochrom.engine.sidecar import Sidecar
from photochrom.engine.workers import Executor, InProcess
from photochrom.errors import InvalidValueError, UnreadablePhotoError
from photochrom.photo import storage
from photochrom.photo.atomic import is_lost, remove_orphans
from photochrom.photo.connections import is_denied, may_pass
from photochrom.photo.storage import Stored

MOST_REFERENCES = 16  # kept open
RESULTS = ".results"  # beside the copy of a source
DONE_BEFORE = "already coloured with the same method and settings"
OWN = "this file was created by photochrom"


@dataclass(frozen=True)
class StoredTask:
    """One photograph to colour.

    Attributes
    ----------
    source, target : str
        Addresses or paths.
    guidance : Guidance
    reference : str, optional
        Address or path of a colour photograph to take colours from, for this photograph only.
    known : Stored, optional
        The source, as it was listed.
    exists : bool, optional
        Whether there is a file at the target; None if it is not known.
    fit : Sidecar, optional
        A sidecar whose guidance, which is also `guidance`, is fitted to the photograph's size.
    before : int, optional
        `state_hash` of the source when an earlier run finished it; unchanged, it is skipped.
    named : bool
        Whether the user named this file. One that was found in a folder, and that photochrom
        created, is skipped.
    settled : (status, note), optional
        Outcome that is known beforehand; nothing is coloured.
    """

    source: str
    target: str
    guidance: Guidance = PLAIN
    reference: str | None = None
    known: Stored | None = None
    exists: bool | None = None
    fit: Sidecar | None = None
    before: int | None = None
    named: bool = True
    settled: tuple[str, str] | None = None


@dataclass(frozen=True)
class StoredOutcome(Outcome):
    """The outcome of a task, with what the table of a run needs.

    Attributes
    ----------
    size, version :
        Of the source that was coloured; see `Stored`.
    method, recipe : str
        Name of the method; hash of everything that shaped the result.
    known : bool
        Whether a run's table had it: nothing was read.
    node : str
        Name of the machine; '' is this one.
    may_pass : bool
        Whether it failed because the storage did not answer, or was not ready.
    """

    size: int | None = None
    version: str = ""
    method: str = ""
    recipe: str = ""
    known: bool = False
    node: str = ""
    may_pass: bool = False


Item = StoredTask | StoredOutcome


class Recipe(NamedTuple):
    """What shapes a result: the method's name, and a hash of it, its weights and all settings."""

    method: str
    key: str


def recipe_of(
    colorizer: Colorizer, guidance: Guidance, options: WriteOptions, sidecar: bool = False
) -> Recipe:
    """Return the recipe of a task's result, without its own reference; a job of an executor."""
    marker = colorizer.marker(guidance, **batch.recorded(options))
    text = "\n".join((marker.method, marker.version, marker.weights, marker.recipe))
    text += f"\n{options.get('format')}\n{sidecar}"
    return Recipe(marker.method, hashlib.sha256(text.encode()).hexdigest()[:16])


def with_reference(key: str, reference: str | None) -> str:
    """Return the hash of a recipe whose reference is the task's own, by its address."""
    if reference is None:
        return key
    text = f"{key}\n{storage.cleaned(reference)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def source_state(source: str) -> Stored:
    """Return the size and version of a source, at an address or a path.

    Raises
    ------
    PhotoError
        If there is none.
    """
    if storage.is_address(source):
        return storage.stat(source)
    try:
        found = Path(source).stat()
    except OSError as error:
        raise UnreadablePhotoError(f"{source}: cannot be read ({error.strerror}).") from error
    return Stored(source, found.st_size, str(found.st_mtime_ns), found.st_mtime_ns)


def colorize_stored(
    executor: Colorizer | Executor,
    task: StoredTask,
    *,
    resume: bool = False,
    sidecar: bool = False,
    options: WriteOptions | None = None,
    most_bytes: int | None = None,
) -> StoredOutcome:
    """Colour a photograph; never raise for what is wrong with it.

    Parameters
    ----------
    executor : Colorizer, or an executor whose jobs get one
        Only the colouring runs there; files are copied by this process.
    task : StoredTask
    resume : bool
        Skip the task if its result has this recipe's marker and was made from the same bytes.
    sidecar : bool
        Write `photo-color.json` beside the result.
    options : WriteOptions, optional
        See `Colorizer.colorize_file`.
    most_bytes : int, optional
        Larger sources are refused.

    Returns
    -------
    StoredOutcome
        Its messages name addresses, without credentials.
    """
    begun = time.monotonic()
    caller = InProcess(executor) if isinstance(executor, Colorizer) else executor
    source, target = storage.cleaned(task.source), storage.cleaned(task.target)
    said = StoredOutcome(source, target, "failed", (), 0.0)
    if task.settled:
        return replace(said, status=task.settled[0], notes=task.settled[1:])
    try:
        with _copies(task) as copies:
            said = _colour(caller, task, copies, said, resume, sidecar, options or {}, most_bytes)
    except Exception as error:  # one bad photograph does not stop the others
        if not storage.is_address(task.target):
            remove_orphans(Path(task.target).parent)  # of a process that died
        reason = storage.without_secrets(reason_of(error, source))
        said = replace(
            said,
            status="failed",
            notes=(reason,),
            ends_run=is_lost(error),
            may_pass=may_pass(error),
        )
    return replace(said, seconds=time.monotonic() - begun)


class _Copies(NamedTuple):
    """The local paths of a task: the files themselves, or temporary copies under their names."""

    source: Path
    target: Path
    folder: Path | None


@contextmanager
def _copies(task: StoredTask) -> Iterator[_Copies]:
    """Yield the paths to work with; temporary files are removed afterwards."""
    far_source, far_target = map(storage.is_address, (task.source, task.target))
    if not far_source and not far_target:
        yield _Copies(Path(task.source), Path(task.target), None)
        return
    with storage.private_copies() as name:
        folder = Path(name)
        results = folder / RESULTS
        if far_target:
            results.mkdir()
        yield _Copies(
            folder / storage.local_name(task.source) if far_source else Path(task.source),
            results / storage.local_name(task.target) if far_target else Path(task.target),
            folder,
        )


def _colour(
    caller: Executor,
    task: StoredTask,
    copies: _Copies,
    said: StoredOutcome,
    resume: bool,
    sidecar: bool,
    options: WriteOptions,
    most_bytes: int | None,
) -> StoredOutcome:
    """Copy the source, colour the copy, copy the result."""
    if storage.cleaned(task.source) == storage.cleaned(task.target):
        raise InvalidValueError("the result would replace the original. Name another folder.")
    if task.before is not None:
        task = replace(task, known=source_state(task.source))
        if _is_as_before(task):
            return replace(said, status="skipped", notes=(DONE_BEFORE,), known=True)
    if storage.is_address(task.source):
        state = storage.fetch(task.source, copies.source, most_bytes, task.known)
        _fetch_companions(task, state, copies)
    else:
        state = source_state(task.source)
    said = replace(said, size=state.size, version=state.version)
    earlier = _fetch_results(task, copies, sidecar)
    guidance = task.guidance
    if task.reference is not None:
        guidance = replace(guidance, reference=open_reference(task.reference), palette=None)
    local = batch.Task(copies.source, copies.target, guidance)
    done, recipe = caller.call(
        _colorize_copy, local, task.guidance, resume, sidecar, options, task.named, task.fit
    )
    said = replace(
        said,
        status=done.status,
        notes=tuple(_renamed(note, said, copies, done.ends_run) for note in done.notes),
        ends_run=done.ends_run,
        megapixels=done.megapixels,
        needs_megabytes=done.needs_megabytes,
        method=recipe.method,
        recipe=with_reference(recipe.key, task.reference),
    )
    if done.status == "coloured" and storage.is_address(task.target):
        _store_results(task, copies, earlier)
    return said


def _is_as_before(task: StoredTask) -> bool:
    """Return whether a source has not changed since an earlier run, whose result is there."""
    assert task.known is not None
    if state_hash(task.known.size, task.known.version) != task.before:  # never without a version
        return False
    if task.exists is not None:
        return task.exists
    if storage.is_address(task.target):
        return storage.look(task.target) is not None
    return Path(task.target).is_file()


def _renamed(note: str, said: StoredOutcome, copies: _Copies, ends_run: bool) -> str:
    """Return a note with the addresses instead of the temporary paths."""
    if copies.folder is None:
        return storage.without_secrets(note)
    if ends_run and copies.target.is_relative_to(copies.folder):
        note += (
            f" It is first written to the temporary folder {copies.folder.parent.parent}; the "
            "environment variable TMPDIR names another."
        )
    for path, address in ((copies.target, said.target), (copies.source, said.source)):
        if path.is_relative_to(copies.folder):
            folder = storage.parent_of(str(address)).rstrip("/")
            note = note.replace(str(path), str(address)).replace(str(path.parent), folder)
    return storage.without_secrets(note)


@lru_cache(maxsize=MOST_REFERENCES)
def open_reference(source: str) -> Reference:
    """Read a reference at an address or a path; the last few are kept.

    Raises
    ------
    PhotoError
        If it cannot be read.
    InvalidValueError
        If it is not in colour.
    """
    return Reference.of(source)


def _fetch_companions(task: StoredTask, state: Stored, copies: _Copies) -> None:
    """Copy the XMP sidecars that lie beside the source."""
    names = state.companions
    if names is None:
        names = _companions_beside(task.source)
    for name in names:
        place = storage.beside(task.source, name)
        storage.fetch(place, copies.source.with_name(name), MOST_SIDECAR_BYTES)


def _companions_beside(source: str) -> tuple[str, ...]:
    """Ask for the sidecars; a web server is not asked for what was not named."""
    if storage.scheme_of(source) in storage.WEB:
        return ()
    names = storage.companions_of(storage.name_of(source))
    return tuple(name for name in names if _is_there(storage.beside(source, name)))


def _is_there(address: str) -> bool:
    """Return whether there is a file to read; who may not list a folder is denied what is not."""
    try:
        return storage.look(address) is not None
    except UnreadablePhotoError as error:
        if is_denied(error.__cause__):
            return False
        raise


def _fetch_results(task: StoredTask, copies: _Copies, sidecar: bool) -> dict[Path, str]:
    """Copy what is at the target already, since it may be another's; return hashes by path."""
    if not storage.is_address(task.target):
        return {}
    wanted = [copies.target] if task.exists is not False else []
    if sidecar:  # another program's may be there where no picture is
        wanted.append(copies.target.with_suffix(".json"))
    if copies.source.with_suffix(".xmp").exists():
        wanted.append(copies.target.with_suffix(".xmp"))
    if copies.source.with_name(f"{copies.source.name}.xmp").exists():
        wanted.append(copies.target.with_name(f"{copies.target.name}.xmp"))
    for path in wanted:
        address = storage.beside(task.target, path.name)
        if (found := storage.look(address)) is not None:
            storage.fetch(address, path, known=found)
    return {path: _digest(path) for path in wanted if path.exists()}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store_results(task: StoredTask, copies: _Copies, earlier: dict[Path, str]) -> None:
    """Copy what is new to the target's folder: the picture last, since it counts as the result."""
    others = sorted(set(copies.target.parent.iterdir()) - {copies.target})
    for path in (*others, copies.target):
        if path not in earlier or earlier[path] != _digest(path):
            storage.store(path, storage.beside(task.target, path.name))


def _colorize_copy(
    colorizer: Colorizer,
    task: batch.Task,
    asked: Guidance,
    resume: bool,
    sidecar: bool,
    options: WriteOptions,
    named: bool,
    fit: Sidecar | None,
) -> tuple[Outcome, Recipe]:
    """Colour local files; a job of an executor. `asked` is without the task's own reference."""
    recipe = recipe_of(colorizer, asked, options, sidecar)
    if fit is not None:
        opening = {k: v for k, v in options.items() if k not in ("format", "quality")}
        try:
            task = replace(task, guidance=fit.fit(task.source, **cast(FileOptions, opening)))
        except Exception as error:  # one bad photograph does not stop the others
            task = replace(task, settled=("failed", reason_of(error, task.source)))
    if task.settled:
        pass
    elif not named and is_own(task.source):
        task = replace(task, settled=("skipped", OWN))
    elif is_taken(task.target) and marker_on(task.target) is None:
        said = f"{task.target}: exists and was not created by photochrom. Move it, or name another"
        task = replace(task, settled=("failed", f"{said} folder for the results with -o."))
    return batch.colorize_one(colorizer, task, resume, sidecar, options), recipe


def blames_machine(outcome: StoredOutcome) -> bool:
    """Return whether a failure may be the machine's or its network's: another try may succeed."""
    signs = ("SIGKILL", "not enough memory")
    is_blamed = outcome.may_pass or any(sign in note for note in outcome.notes for sign in signs)
    return outcome.status == "failed" and is_blamed
