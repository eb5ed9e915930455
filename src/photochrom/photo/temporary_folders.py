"""Private temporary folders, which are removed even after a killed run.

A folder's name has the machine and the process that created it, and a lock shows whether the
process still uses it; the next start removes unlocked folders.
"""

import atexit
import os
import shutil
import stat
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from photochrom.photo.part_locks import HOST, hold, is_held, is_used

PREFIX = "photochrom-run-"


class _Made(NamedTuple):
    process: int  # a forked one has its parent's too
    lock: int | None


_MADE: dict[Path, _Made] = {}
_OWN: dict[int, Path] = {}  # each process's folder of `scratch`


def scratch() -> Path:
    """Return this process's private folder, created on first use.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    own = _OWN.get(os.getpid())
    if own is None or not own.is_dir():
        own = _OWN[os.getpid()] = private_folder(PREFIX)
    return own


def private_folder(prefix: str, parent: Path | None = None) -> Path:
    """Create a folder that only its user may read, and lock it; see `remove`.

    Parameters
    ----------
    prefix : str
        Of its name, by which `remove_left_behind` finds it.
    parent : Path, optional
        The system's temporary folder by default.
    """
    name = f"{prefix}{HOST}-{os.getpid()}-"
    folder = Path(tempfile.mkdtemp(prefix=name, dir=parent)).absolute()
    _MADE[folder] = _Made(os.getpid(), hold(folder))
    return folder


def remove(folder: Path) -> None:
    """Remove a folder with its contents, and release its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    made = _MADE.pop(folder.absolute(), None)
    if made is not None and made.lock is not None:
        with suppress(OSError):
            os.close(made.lock)


def remove_with(holder: object, path: Path) -> None:
    """Remove a temporary file or folder with an object, except in a fork, which has it too."""
    weakref.finalize(holder, _remove_in, os.getpid(), path)


def _remove_in(process: int, path: Path) -> None:
    if os.getpid() == process and path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif os.getpid() == process:
        path.unlink(missing_ok=True)


def remove_own() -> None:
    """Remove this process's folder."""
    own = _OWN.pop(os.getpid(), None)
    if own is not None:
        remove(own)


atexit.register(remove_own)


def remove_left_behind(parent: Path | None = None, prefix: str = PREFIX) -> tuple[Path, ...]:
    """Remove the folders of processes of this machine that were killed.

    Parameters
    ----------
    parent : Path, optional
        The system's temporary folder by default.
    prefix : str
        Of the folders' names.

    Returns
    -------
    tuple of Path
        What was removed.
    """
    removed = []
    for folder in sorted((parent or Path(tempfile.gettempdir())).glob(f"{prefix}{HOST}-*-*")):
        process = folder.name.removeprefix(f"{prefix}{HOST}-").split("-")[0]
        if process.isdecimal() and _is_ours(folder) and not _is_used(folder, int(process)):
            remove(folder)
            removed.append(folder)
    return tuple(removed)


def _is_used(folder: Path, process: int) -> bool:
    if process == os.getpid():  # an earlier process may have had our number
        made = _MADE.get(folder.absolute())
        return bool(made and made.process == process) or is_held(folder) is True
    return is_used(folder, process)


def _is_ours(folder: Path) -> bool:
    """Return whether it is a folder, no link, of this user: anybody may write to /tmp."""
    try:
        found = folder.lstat()
    except OSError:  # another process removed it
        return False
    return stat.S_ISDIR(found.st_mode) and (os.name == "nt" or found.st_uid == os.getuid())
