"""Rate limits for the log: a few of repeated records are written, the rest is counted."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

WRITTEN_EACH = 5
WINDOW_SECONDS = 60.0
MOST_SHOWN = 100  # characters

_Place = tuple[str, str, int, str]  # place in the code, and kind of error


class Aggregated(logging.Filter):
    """Pass a few records per minute from one place in the code, and count the others.

    Parameters
    ----------
    clock : callable
        Monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since: dict[_Place, float] = {}
        self._texts: dict[_Place, str] = {}
        self._counts: dict[_Place, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written; the first in a new minute counts the dropped."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        place = (record.name, record.pathname, record.lineno, kind)
        now = self._clock()
        if now - self._since.get(place, now - WINDOW_SECONDS) >= WINDOW_SECONDS:
            left_out = self._counts.get(place, 0) - WRITTEN_EACH
            if left_out > 0:
                record.msg = f"({left_out} more like the next) {record.getMessage()}"
                record.args = None
            self._since[place], self._counts[place] = now, 0
            self._texts[place] = record.getMessage()[:MOST_SHOWN]
        self._counts[place] += 1
        return self._counts[place] <= WRITTEN_EACH

    def rest(self) -> list[str]:
        """Return the dropped records that were not yet reported, one line for each place."""
        return [
            f"({count - WRITTEN_EACH} more like '{self._texts[place]}')"
            for place, count in self._counts.items()
            if count > WRITTEN_EACH
        ]


@contextmanager
def aggregated_log(stream: TextIO | None = None) -> Iterator[None]:
    """Write warnings and errors to a stream, standard error by default, with rate limits."""
    stream = stream or sys.stderr
    handler, aggregated = logging.StreamHandler(stream), Aggregated()
    handler.addFilter(aggregated)
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        for line in aggregated.rest():
            print(line, file=stream)
