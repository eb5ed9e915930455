"""Detect whether this process was forked from one that had started libvips.

A fork does not copy threads, but libvips still expects its own: the first call in the child would
wait for them forever. Such a child must use a new process to read pictures.
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
