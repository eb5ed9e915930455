"""Print the outcome of each photograph of a run, and count them."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from photochrom.cli.messages import say, shown
from photochrom.cli.standard_streams import to_standard_output

if TYPE_CHECKING:
    from photochrom.cli.cluster_progress import ClusterProgress
    from photochrom.engine.batch import Outcome


def report(
    outcomes: "Generator[Outcome]",
    json_lines: bool,
    many: bool,
    count: Callable[[], int | None],
    progress: "ClusterProgress | None" = None,
) -> int:
    """Print the outcome of each photograph and return the exit code."""
    from photochrom.engine.batch import FailureStreak

    told: Counter[str] = Counter()
    streak = FailureStreak()
    hopeless = None
    with progress or _progress(many and not json_lines, count()) as tell:
        for outcome in outcomes:
            told[outcome.status] += 1
            if json_lines:
                print_json(outcome)
            if not json_lines or progress:
                tell(outcome)
            hopeless = streak.add(outcome)
            if hopeless:
                outcomes.close()
                break
    if hopeless:
        say(f"photochrom: {hopeless}")
    total = count()
    if total is not None and told.total() < total:
        say(f"photochrom: stopped; {total - told.total()} not started.")
    if many and not json_lines:
        skipped, failed = told["skipped"], told["failed"]
        rest = f", {skipped} skipped" * bool(skipped) + f", {failed} failed" * bool(failed)
        say(f"{told['coloured']} coloured{rest}.")
    return 1 if told["failed"] else 0


def print_json(outcome: "Outcome") -> None:
    """Print an outcome as a line of JSON on standard output."""
    row = {
        "source": str(outcome.source),
        "target": str(outcome.target),
        "status": outcome.status,
        "notes": list(outcome.notes),
        "seconds": round(outcome.seconds, 3),
    }
    to_standard_output(json.dumps(row).encode() + b"\n")


class _progress:  # noqa: N801 - used as a context manager
    """Print the outcome of each photograph, above a progress bar on stderr if there are many."""

    def __init__(self, bar: bool, count: int | None) -> None:
        self.bar = bar and sys.stderr is not None and sys.stderr.isatty()
        self.count = count

    def __enter__(self) -> "_progress":
        if self.bar:
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(stderr=True))
            self.task = self.progress.add_task("Colouring", total=self.count)
            self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.progress.stop()

    def __call__(self, outcome: "Outcome") -> None:
        if self.bar:
            self.progress.advance(self.task)
        if getattr(outcome, "known", False):  # an earlier run has told it; there may be millions
            return
        for line in lines_of(outcome):
            if self.bar:
                self.progress.console.print(shown(line), markup=False, highlight=False)
            else:
                say(line)


def lines_of(outcome: "Outcome") -> list[str]:
    """Return an outcome as lines for a person."""
    if outcome.status == "failed":
        return [f"photochrom: {outcome.notes[0]}"]
    if outcome.status != "coloured":
        return [f"{outcome.source}: {outcome.notes[0]}"]
    notes = (f"  {note}" for note in outcome.notes)
    return [f"{outcome.source} -> {outcome.target}", *notes]
