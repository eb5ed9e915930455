"""A line about the progress on standard error."""

import sys
import time
from typing import Self

SECONDS_BETWEEN_LINES = 5.0  # where standard error is not a terminal


def say(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr, flush=True)


class ProgressLine:
    """A line that is rewritten on a terminal; elsewhere there are few lines, or none.

    Parameters
    ----------
    elsewhere : bool
        Whether there are lines where standard error is not a terminal.
    """

    def __init__(self, *, elsewhere: bool = False) -> None:
        self._terminal, self._elsewhere = sys.stderr.isatty(), elsewhere
        self._last, self._open = float("-inf"), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, text: str) -> None:
        """Show how far the work is."""
        if self._terminal:
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif self._elsewhere and time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self.stay(text)
            self._last = time.monotonic()

    def stay(self, text: str) -> None:
        """Show a message that stays."""
        self._close()
        say(text)

    def count(self, done: int) -> None:
        """Show a number of photographs."""
        self(f"{done} photographs")

    def _close(self) -> None:
        if self._open:
            print(file=sys.stderr)
        self._open = False
