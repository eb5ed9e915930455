"""Processes that read pictures for their parent."""

import os
import signal
import threading
from multiprocessing import connection, parent_process


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it is killed; for a pool's `initializer`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
