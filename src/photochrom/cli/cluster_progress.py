"""How far a run on a cluster has come: pictures and megapixels a second, time left, each node."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from photochrom.cli.messages import say, shown

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from photochrom.engine.batch import Outcome

WINDOW_SECONDS = 60.0  # over which speeds are taken
PRINT_SECONDS = 60.0  # between lines where there is no terminal
REFRESH_SECONDS = 0.5
SHOWN_NODES = 16


class ClusterProgress:
    """Prints failures, and how far the run has come.

    On a terminal, the state stays below them, with a line for each node; elsewhere a line is
    printed each minute.

    Parameters
    ----------
    count : callable
        Returns the number of outcomes, if it is known.
    quiet : bool
        Only failures are printed, and nothing if another prints them, as with --json.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        count: Callable[[], int | None],
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count, self._quiet, self._clock = count, quiet, clock
        self._told: Counter[str] = Counter()
        self._pictures: Counter[str] = Counter()
        self._megapixels: Counter[str] = Counter()
        # Pictures and megapixels of each node, a second: a second has thousands of pictures.
        self._recent: dict[int, dict[str, tuple[int, float]]] = {}
        self._begun = self._printed = self._refreshed = clock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()
        if not self._quiet:
            for line in self.nodes():
                say(line)

    def __call__(self, outcome: "Outcome") -> None:
        """Count an outcome, and print it if it failed."""
        self._told[outcome.status] += 1
        node = getattr(outcome, "node", "")
        if outcome.status == "coloured":
            self._pictures[node] += 1
            self._megapixels[node] += outcome.megapixels  # type: ignore[assignment]
            second = self._recent.setdefault(int(self._clock()), {})
            pictures, megapixels = second.get(node, (0, 0.0))
            second[node] = pictures + 1, megapixels + outcome.megapixels
        if not self._quiet and outcome.status == "failed":
            self._print(f"photochrom: {outcome.notes[0]}")
        elif not self._quiet and outcome.status == "passed over":
            self._print(f"{outcome.source}: {outcome.notes[0]}")
        self.tick()

    def _print(self, line: str) -> None:
        if self._live is None:
            say(line)
        else:
            self._live.console.print(shown(line), markup=False, highlight=False)

    def tick(self) -> None:
        """Show the state, if it is time."""
        now = self._clock()
        if self._quiet:
            return
        if self._live is not None and now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now
            self._live.update(shown_text([self.state(), *self.nodes(recent=True)]), refresh=True)
        elif self._live is None and now - self._printed >= PRINT_SECONDS:
            self._printed = now
            say(self.state())

    def state(self) -> str:
        """Return one line: what is done, how fast, and the time left."""
        done, count = self._told.total(), self._count()
        pictures, megapixels = self._speed(None)
        of = f" of {count:,}" if count is not None else ""
        failed = f", {self._told['failed']:,} failed" if self._told["failed"] else ""
        line = f"{done:,}{of} done{failed}; {_per_second(pictures, megapixels)}"
        if count is not None and pictures > 0 and count > done:
            line += f"; {_spoken((count - done) / pictures)} left"
        if not self._told["coloured"] and self._clock() - self._begun > WINDOW_SECONDS:
            line += "; waiting for workers"
        return line

    def nodes(self, recent: bool = False) -> list[str]:
        """Return a line for each node: of the last minute, or of the whole run."""
        names = sorted(name for name in self._pictures if name)
        if len(names) < 2 and not recent:
            return []
        seconds = max(1e-9, self._clock() - self._begun)
        lines = []
        for name in names[:SHOWN_NODES]:
            speed = self._speed(name)
            if not recent:
                speed = self._pictures[name] / seconds, self._megapixels[name] / seconds
            lines.append(f"  {name}: {self._pictures[name]:,} coloured; {_per_second(*speed)}")
        if len(names) > SHOWN_NODES:
            lines.append(f"  and {len(names) - SHOWN_NODES} more nodes")
        return lines

    def _speed(self, node: str | None) -> tuple[float, float]:
        """Return pictures and megapixels a second, of one node or all, in the last minute."""
        now = self._clock()
        for second in [second for second in self._recent if second < now - WINDOW_SECONDS]:
            del self._recent[second]
        seconds = max(1e-9, min(WINDOW_SECONDS, now - self._begun))
        some = [
            counts
            for second in self._recent.values()
            for name, counts in second.items()
            if node in (None, name)
        ]
        return sum(n for n, _ in some) / seconds, sum(area for _, area in some) / seconds


def shown_text(lines: list[str]) -> "Text":
    """Return lines as rich shows them, with nothing in them obeyed."""
    from rich.text import Text

    return Text("\n".join(map(shown, lines)))


def _per_second(pictures: float, megapixels: float) -> str:
    return f"{pictures:.1f} pictures/s, {megapixels:.1f} megapixels/s"


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
