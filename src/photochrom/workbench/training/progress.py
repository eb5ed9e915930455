"""Lines about the progress: the first within seconds on any machine, and never too many."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

EVERY = 5.0  # seconds


class Progress:
    """Forwards lines, and knows when the next one is due, every `every` seconds.

    While something takes long, lines come from another thread.
    """

    def __init__(self, report: Callable[[str], None], every: float = EVERY) -> None:
        self.report, self.every = report, every
        self.doing = ""
        self._said = self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        """Forward a line."""
        self._said = time.monotonic()
        self.report(line)

    @property
    def due(self) -> bool:
        """Whether no line was forwarded for a while."""
        return time.monotonic() - self._said >= self.every

    def begin(self, what: str) -> None:
        """Record the current activity, such as 'step 3 of 36', without a line."""
        self.doing, self._began = what, time.monotonic()

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Report the current activity and its duration whenever no other line came for a while."""
        ended = Event()

        def watch() -> None:
            while not ended.wait(self.every / 4):
                if self.due:
                    self(f"... {self.doing}: {time.monotonic() - self._began:.0f} s so far")

        watching = Thread(target=watch, name="photochrom-progress", daemon=True)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()


def duration(seconds: float) -> str:
    """Format a duration in a suitable unit: '40 s', '3 min', '2.5 h'; at least '0 s'."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
