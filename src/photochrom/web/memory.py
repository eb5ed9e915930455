"""Memory that stays flat for days."""

import ctypes
import platform

ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
ARENAS = 2


def share_arenas() -> None:
    """Let threads share their heaps where malloc is glibc's; other C libraries are left alone.

    Each thread otherwise keeps a heap of its own, which grows to the largest picture it has seen.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)
