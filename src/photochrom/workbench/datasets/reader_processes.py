"""Threads and processes that read pictures, a bounded number of them ahead."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from itertools import islice
from multiprocessing import connection, parent_process
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Map in order, with a bounded number of items under way (Executor.map takes all at once)."""
    coming = iter(items)
    waiting = deque(pool.submit(work, item) for item in islice(coming, ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(work, item) for item in islice(coming, 1))


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it is killed; for a pool's `initializer`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
