"""The processes that load batches, and the memory that training keeps."""

import ctypes
import platform

import torch

from photochrom.workbench.datasets.reader_processes import cores, follow_parent

PREFETCH = 4  # batches that each of the loader's processes makes ahead


def workers() -> int:
    """Count the loader's processes: one where there are few cores, which the network needs."""
    return 1 if cores() < 8 else 6


def start_worker(_: int) -> None:
    """Keep a loader's worker small; the parent alone answers Ctrl-C, and takes it along."""
    torch.set_num_threads(1)
    follow_parent()
    keep_memory()


def keep_memory() -> None:
    """Ask glibc to keep freed memory: training allocates the same large blocks at every step.

    Measured on two cores: 73 pictures a second instead of 45, as fresh pages cost more than the
    arithmetic on them. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        trim, top_pad, mmap_threshold = -1, -2, -3
        libc.mallopt(trim, 2**31 - 1)
        libc.mallopt(top_pad, 64 * 2**20)
        libc.mallopt(mmap_threshold, 32 * 2**20)
