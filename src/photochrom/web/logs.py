"""A log that nobody can flood: of what repeats, a few are written and the rest is counted."""

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

WRITTEN_EACH = 5
WINDOW_SECONDS = 60.0

_Place = tuple[str, str, int, str]  # where in the code, and what kind of error


class Aggregated(logging.Filter):
    """Lets a few records of one place in the code through in a minute, and counts the others.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since: dict[_Place, float] = {}
        self._counts: dict[_Place, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written; the first of a new minute tells how many were not."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        place = (record.name, record.pathname, record.lineno, kind)
        now = self._clock()
        if now - self._since.get(place, now - WINDOW_SECONDS) >= WINDOW_SECONDS:
            left_out = self._counts.get(place, 0) - WRITTEN_EACH
            if left_out > 0:
                record.msg = f"({left_out} more like the next) {record.getMessage()}"
                record.args = None
            self._since[place], self._counts[place] = now, 0
        self._counts[place] += 1
        return self._counts[place] <= WRITTEN_EACH


def log_to(stream: TextIO | None = None) -> None:
    """Write warnings and errors to a stream, standard error by default, a few of each kind."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Aggregated())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
