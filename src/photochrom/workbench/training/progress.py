"""Lines about the progress: some within seconds, on whatever machine, and never too many."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

EVERY = 5.0  # seconds


class Progress:
    """Passes lines on, and knows when one is due, `every` so many seconds.

    While something takes long, lines come from another thread.
    """

    def __init__(self, report: Callable[[str], None], every: float = EVERY) -> None:
        self.report, self.every = report, every
        self.doing = ""
        self._said = self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        """Pass a line on."""
        self._said = time.monotonic()
        self.report(line)

    @property
    def due(self) -> bool:
        """Whether nothing was said for a while."""
        return time.monotonic() - self._said >= self.every

    def begin(self, what: str) -> None:
        """Note what is being done from now on, such as 'step 3 of 36'; nothing is said yet."""
        self.doing, self._began = what, time.monotonic()

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Say what is being done, and for how long, whenever nothing else was said for a while."""
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
    """Say how long, in the unit that fits: '40 s', '3 min', '2.5 h'; never less than nothing."""
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
