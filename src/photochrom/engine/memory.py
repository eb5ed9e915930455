"""Memory of worker processes: constant over time, and limited."""

import ctypes
import platform
import sys
from contextlib import suppress
from pathlib import Path

ARENA_MAX, MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX and M_MMAP_THRESHOLD of glibc's malloc.h
ARENAS = 2
FRAME_BYTES = 2**18
SHARE = 0.9  # of the machine's memory: maximum for one process, so that others continue
MACHINE = Path("/proc/meminfo")
CONTAINERS = (  # versions 2 and 1 of control groups
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def share_arenas() -> None:
    """Limit the number of glibc malloc arenas; other C libraries are not changed.

    Otherwise each thread keeps its own heap, which grows to the largest picture it has processed.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)


def return_frames() -> None:
    """Make glibc return blocks of the size of a film's frame to the system as they are freed.

    Otherwise it raises the size from which it does so to that of the largest block that was freed,
    and keeps smaller ones in heaps with holes: 90 MB of a film with 1,080 lines.
    """
    share_arenas()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, FRAME_BYTES)


def limit_memory(most_bytes: int) -> None:
    """Limit the private memory of this process, on Linux.

    Larger allocations fail: some libraries report that, others end the process; either way only
    one photograph fails. It is RLIMIT_DATA, not RLIMIT_AS, which also counts files that are mapped
    but never touched, gigabytes in a neural network runtime.
    """
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    with suppress(ValueError, OSError):  # a container may forbid it
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def most_memory() -> int | None:
    """Return the memory limit for one process: most of the machine's or container's memory.

    A process with more would only displace the others, or be killed with them. Swap counts, since a
    large photograph may need it. None if the system does not report it, as on other systems than
    Linux.
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
