"""Whether this process was forked from one in which libvips had begun to work.

A fork takes no threads along, but libvips still counts on those that it had: the first call in the
child would wait for them for ever. Such a child has to have its pictures read by a new process.
"""

import os
from contextlib import suppress
from pathlib import Path

_STATE = {"had_threads": False, "is_stranded": False}


def is_stranded() -> bool:
    """Return whether libvips can do nothing in this process."""
    return _STATE["is_stranded"]


def _has_threads() -> bool:
    """Return whether libvips keeps threads; where the system does not list them, it may."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return True
    for task in tasks.iterdir():
        with suppress(OSError):  # it ended just now
            if (task / "comm").read_text().startswith("libvips"):
                return True
    return False


def _before() -> None:
    _STATE["had_threads"] = _has_threads()


def _in_child() -> None:
    _STATE["is_stranded"] |= _STATE["had_threads"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_child=_in_child)
