"""End a run cleanly on Ctrl-C, `kill`, or when its terminal is closed."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [
    number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
]


class Ended(KeyboardInterrupt):
    """A signal that ends a run as Ctrl-C does: unfinished files are removed.

    Parameters
    ----------
    number : int
        The signal's number.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


@contextmanager
def endings() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise `Ended`; an ignored signal, as under nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
