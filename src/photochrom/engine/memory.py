"""Memory of processes that work: flat for days, and bounded."""

import ctypes
import platform
import sys
from contextlib import suppress
from pathlib import Path

ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
ARENAS = 2
SHARE = 0.9  # of the machine's memory: what one process may have, so that the rest goes on
MACHINE = Path("/proc/meminfo")
CONTAINERS = (  # versions 2 and 1 of control groups
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


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


def most_memory() -> int | None:
    """Return the bytes that one process may have: most of the machine's, or of its container's.

    What asks for more could only push out the other processes, or be killed with them. Swap counts,
    for a large photograph may need it. None where the system does not say, as on other than Linux.
    """
    try:
        lines = (line.split() for line in MACHINE.read_text().splitlines())
        table = {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3}
        known = [table["MemTotal:"]]
    except (OSError, ValueError, KeyError):
        return None
    for file in CONTAINERS:
        with suppress(OSError, ValueError):  # no container, or 'max'
            known.append(int(file.read_text()))
    return int(SHARE * (min(known) + table.get("SwapTotal:", 0)))
