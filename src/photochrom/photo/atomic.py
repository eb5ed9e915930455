"""Atomic writes: files are written to a temporary name, synced and renamed."""

import errno
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from photochrom.errors import PhotoError, UnwritablePhotoError
from photochrom.photo.part_locks import HOST, hold, is_used

_COUNTER = itertools.count()
# Files being written by this process; an earlier process may have had the same id.
_OPEN: set[Path] = set()
_PART = re.compile(r"\..+\.photochrom-(?P<host>[A-Za-z0-9]+)-(?P<pid>\d+)-\d+\.part")
# Of the result's name: the temporary name must fit wherever the result's name does.
PART_NAME_BYTES = 100
# Errors of the target folder, which every later result would have too.
LOST = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "ESTALE", "ENODEV", "ENOTCONN", "EHOSTDOWN", "EIO")
    if hasattr(errno, name)
}


def unwritable(target: Path | str, error: OSError | str) -> UnwritablePhotoError:
    """Return the error for a file that cannot be written, with the reason."""
    if isinstance(error, str):
        code = next((code for code in LOST if os.strerror(code) == error), None)
        error = OSError(code, error)
    said = UnwritablePhotoError(f"{target}: cannot be written ({error.strerror}).")
    said.errno = error.errno
    return said


def make_folder(folder: Path) -> None:
    """Create a folder for results, or raise UnwritablePhotoError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def is_lost(error: BaseException) -> bool:
    """Return whether a write error means that nothing more can be written, as with a full disk."""
    return isinstance(error, UnwritablePhotoError) and error.errno in LOST


@contextmanager
def atomic_target(target: Path) -> Iterator[Path]:
    """Yield a path to write to; the finished file replaces `target` atomically.

    Yields
    ------
    Path
        In the same folder. Removed on any error, KeyboardInterrupt included.

    Raises
    ------
    UnwritablePhotoError
        If the folder is missing, or `target` is a folder or may not be written.
    """
    part, held = None, None
    try:
        place = _place_of(target)
        part = _new_part(place)
        held = hold(part)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(place)
        _sync_folder(place.parent)
    except PhotoError:  # an OSError too, but it already has a message
        raise
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        if held is not None:
            os.close(held)
        if part is not None:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            _OPEN.discard(part.absolute())


def _place_of(target: Path) -> Path:
    """Return the path to replace: the target of a link, not the link."""
    place = target
    if target.is_symlink():
        try:
            place = target.resolve()
        except RuntimeError:  # as Python up to 3.12 words it
            raise UnwritablePhotoError(f"{target}: a link that points to itself.") from None
    if place.is_dir():
        raise UnwritablePhotoError(f"{target}: is a folder; a file is needed.")
    if place.is_symlink():
        raise UnwritablePhotoError(f"{target}: a link that points to itself.")
    if place.exists() and not place.is_file():
        raise UnwritablePhotoError(
            f"{target}: a device or a pipe, which cannot be replaced. Standard output is -o -."
        )
    with suppress(FileNotFoundError):  # a name that is too long is reported before any work
        place.lstat()
    return place


def _new_part(place: Path) -> Path:
    """Create the unfinished file, with a unique name that is short enough."""
    name = place.name
    while len(os.fsencode(name)) > PART_NAME_BYTES:
        name = name[:-1]
    name = name.encode("utf-8", "ignore").decode() or "picture"
    while True:
        part = place.parent / f".{name}.photochrom-{HOST}-{os.getpid()}-{next(_COUNTER)}.part"
        _OPEN.add(part.absolute())
        try:
            part.touch(exist_ok=False)
        except FileExistsError:  # from another container, with the same process ids
            _OPEN.discard(part.absolute())
        except BaseException:
            _OPEN.discard(part.absolute())
            raise
        else:
            return part


def discard_open() -> None:
    """Remove this process's unfinished files before it exits."""
    for part in tuple(_OPEN):
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Sync the folder, where possible, so that the new name survives a power failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_orphans(folder: Path) -> tuple[Path, ...]:
    """Remove the part files of runs that were killed on this machine.

    Parameters
    ----------
    folder : Path
        Only its own files, not those in subfolders.

    Returns
    -------
    tuple of Path
        What was removed.
    """
    removed = []
    for path in sorted(folder.glob(".*.part")):
        match = _PART.fullmatch(path.name)
        if match and match["host"] == HOST and not _is_written(path, int(match["pid"])):
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return tuple(removed)


def _is_written(part: Path, pid: int) -> bool:
    return part.absolute() in _OPEN if pid == os.getpid() else is_used(part, pid)
