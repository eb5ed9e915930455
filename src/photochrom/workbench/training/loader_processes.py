"""Loader processes, and the memory settings of training."""

import ctypes
import platform

import torch

from photochrom.photo.cores import cores
from photochrom.workbench.datasets.reader_processes import follow_parent

PREFETCH = 4  # batches that each of the loader's processes makes ahead


def workers() -> int:
    """Return the number of loader processes: one on few cores, which the network needs."""
    return 1 if cores() < 8 else 6


def start_worker(_: int) -> None:
    """Limit the threads of a loader process; only the parent handles Ctrl-C, and ends it."""
    torch.set_num_threads(1)
    follow_parent()
    keep_memory()


def keep_memory() -> None:
    """Ask glibc to keep freed memory: training allocates the same large blocks at every step.

    Measured on two cores: 73 pictures a second instead of 45, as fresh pages cost more than the
    arithmetic on them. Other C libraries are not changed.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        trim, top_pad, mmap_threshold = -1, -2, -3
        libc.mallopt(trim, 2**31 - 1)
        libc.mallopt(top_pad, 64 * 2**20)
        libc.mallopt(mmap_threshold, 32 * 2**20)
