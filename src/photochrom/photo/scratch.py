"""Temporary files in one private folder for each process, which no killed run leaves for ever."""

import atexit
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from photochrom.photo.held import HOST, hold, is_used

PREFIX = "photochrom-run-"
_OWN: dict[int, tuple[Path, int | None]] = {}  # by process: a forked one has its parent's too


def scratch() -> Path:
    """Give this process's private folder, made when it is first asked for.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    own = _OWN.get(os.getpid())
    if own is None or not own[0].is_dir():
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{HOST}-{os.getpid()}-"))
        own = _OWN[os.getpid()] = folder, hold(folder)
    return own[0]


def remove_own() -> None:
    """Remove this process's folder."""
    folder, descriptor = _OWN.pop(os.getpid(), (None, None))
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    if descriptor is not None:
        with suppress(OSError):
            os.close(descriptor)


atexit.register(remove_own)


def remove_left_behind(parent: Path | None = None) -> tuple[Path, ...]:
    """Remove the folders of processes of this machine that were killed.

    Parameters
    ----------
    parent : Path, optional
        The system's temporary folder by default.

    Returns
    -------
    tuple of Path
        What was removed.
    """
    removed = []
    for folder in sorted((parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}{HOST}-*-*")):
        process = folder.name.removeprefix(f"{PREFIX}{HOST}-").split("-")[0]
        if process.isdecimal() and _is_ours(folder) and not _is_used(folder, int(process)):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return tuple(removed)


def _is_used(folder: Path, process: int) -> bool:
    if process == os.getpid() and process in _OWN:
        return folder == _OWN[process][0]
    return is_used(folder, process)


def _is_ours(folder: Path) -> bool:
    """Tell whether it is a folder, no link, of this user: anybody may write to /tmp."""
    try:
        found = folder.lstat()
    except OSError:  # another process removed it
        return False
    return stat.S_ISDIR(found.st_mode) and (os.name == "nt" or found.st_uid == os.getuid())
