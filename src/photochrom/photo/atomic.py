"""Files that are whole or not there: written beside their place, synced, then moved into it."""

import itertools
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from photochrom.errors import PhotoError, UnwritablePhotoError

_COUNTER = itertools.count()
_OPEN: set[Path] = set()  # what this process writes now: an earlier one may have had its number
HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:24] or "host"
_PART = re.compile(r"\..+\.photochrom-(?P<host>[A-Za-z0-9]+)-(?P<pid>\d+)-\d+\.part")


@contextmanager
def atomic_target(target: Path) -> Iterator[Path]:
    """Give a path to write to; what is there at the end replaces `target` in one step.

    Parameters
    ----------
    target : Path

    Yields
    ------
    Path
        In the same folder. Removed on any error, KeyboardInterrupt included.

    Raises
    ------
    UnwritablePhotoError
        If the folder is missing, or `target` is a folder or may not be written.
    """
    if target.is_symlink():
        target = target.resolve()  # what it points to is replaced, not the link
    part = target.parent / f".{target.name}.photochrom-{HOST}-{os.getpid()}-{next(_COUNTER)}.part"
    _OPEN.add(part.absolute())
    try:
        if target.is_dir():
            raise UnwritablePhotoError(f"{target}: a folder, where a file is to be written.")
        if target.exists() and not target.is_file():
            raise UnwritablePhotoError(
                f"{target}: a device or a pipe, which cannot be replaced. Standard output is -o -."
            )
        part.touch()
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except PhotoError:  # an OSError too, but it has been worded already
        raise
    except OSError as error:
        raise UnwritablePhotoError(f"{target}: cannot be written ({error.strerror}).") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        _OPEN.discard(part.absolute())


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system lets a folder be synced."""
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
        Its own files only, not those of folders inside it.

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
    return part.absolute() in _OPEN if pid == os.getpid() else is_alive(pid)


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; True where that cannot be told."""
    if pid == os.getpid():
        return True
    if os.name == "nt":  # there signal 0 ends the process; but an open file cannot be removed
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
