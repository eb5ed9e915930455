"""Memory that stays flat for days."""

import ctypes
import platform
import sys
from contextlib import suppress

ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
ARENAS = 2


def share_arenas() -> None:
    """Let threads share their heaps where malloc is glibc's; other C libraries are left alone.

    Each thread otherwise keeps a heap of its own, which grows to the largest picture it has seen.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)


def limit_memory(most_bytes: int) -> None:
    """Let this process have so many bytes of memory of its own, where Linux bounds them.

    What asks for more gets none: a library that minds says so, another one ends the process, and
    either costs one photograph. It is RLIMIT_DATA, not RLIMIT_AS: the latter counts what is mapped
    from files and never touched, of which a runtime of networks has gigabytes.
    """
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    with suppress(ValueError, OSError):  # a container may forbid it
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
