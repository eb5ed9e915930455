"""Locks that show whether another process still uses an unfinished file or folder.

Process ids are not sufficient: two containers on one volume may use the same ids, and ids are
reused. They are the fallback where the file system has no locks.
"""

import os
import platform
import re
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

FRESH_SECONDS = 60.0
HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:24] or "host"


def hold(path: Path) -> int | None:
    """Lock a file or folder; return the descriptor that holds the lock until it is closed.

    Returns
    -------
    int or None
        None if the file system has no locks.
    """
    if fcntl is None:
        return None
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # `is_held` takes it exclusively for a moment
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    return None


def is_held(path: Path) -> bool | None:
    """Return whether any process holds a file or folder; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # the file system has no locks
        return None
    finally:
        os.close(descriptor)
    return False


def is_used(path: Path, pid: int) -> bool:
    """Return whether a process, of this machine or a container, still uses a path."""
    held = is_held(path)
    if held is None or not held:
        return is_alive(pid) and (held is None or _is_fresh(path))
    return True


def _is_fresh(path: Path) -> bool:
    """Return whether it may have been created just now, and not be locked yet."""
    try:
        return abs(time.time() - path.lstat().st_mtime) < FRESH_SECONDS
    except OSError:  # gone
        return True


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs; True if unknown."""
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
