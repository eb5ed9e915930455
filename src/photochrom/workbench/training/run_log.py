"""The records of a run: logs, TensorBoard events, environment, progress."""

import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from photochrom.photo.atomic import atomic_target
from photochrom.workbench.datasets.batches import Batches
from photochrom.workbench.training.precision import AUTOMATIC
from photochrom.workbench.training.progress import duration
from photochrom.workbench.training.recipe import Recipe
from photochrom.workbench.training.schedule import phase_at, pictures_before, total_steps
from photochrom.workbench.training.stored_files import (
    ENVIRONMENT,
    Environment,
    read_environment,
    read_rows,
)

LOG, VALIDATION_LOG = "log.csv", "validation.csv"
LOG_EVERY = 50  # steps
LEAST_ROWS = 10  # of the log of a short run


class RunLog:
    """The rows of a run's logs, which TensorBoard shows as well.

    Only the first of several processes writes; the others are `quiet`.
    """

    def __init__(self, folder: Path, quiet: bool) -> None:
        self.folder, self.quiet = folder, quiet
        self._board = None if quiet else _tensorboard(folder)

    def begin(self, step: int) -> None:
        """Remove the rows after a step, since the steps after the checkpoint are repeated."""
        for name in (LOG, VALIDATION_LOG):
            rows = read_rows(self.folder / name)
            kept = [row for row in rows if int(row["step"]) <= step]
            if len(kept) < len(rows):
                _write_rows(self.folder / name, list(rows[0]), kept)

    def add_training(
        self, at: dict[str, float], minutes: float, means: dict[str, float], rates: dict[str, float]
    ) -> None:
        """Add the means of the losses since the last row, and the speed."""
        if self.quiet:
            return
        _append(self.folder / LOG, {**at, "minutes": minutes, **means, **rates})
        self._show("training", {**means, **rates}, at["pictures"])

    def add_validation(self, at: dict[str, float], scores: dict[str, float]) -> None:
        """Add the scores of a validation."""
        _append(self.folder / VALIDATION_LOG, {**at, **scores})
        self._show("validation", scores, at["pictures"])

    def _show(self, part: str, values: dict[str, float], seen: float) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{name}/{part}", value, seen)
            self._board.flush()


def _tensorboard(folder: Path) -> Any:
    """Return a writer for TensorBoard, or None where that is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))


def log_every(recipe: Recipe) -> int:
    """Return the steps between rows of the log; fewer in a short run, so that it has a curve."""
    return min(LOG_EVERY, max(1, total_steps(recipe) // LEAST_ROWS))


def intention(recipe: Recipe, step: int, epoch: int, judged: int) -> str:
    """Describe the run before its first step, which may take long."""
    phase, left = phase_at(recipe, step), total_steps(recipe) - step
    every = f", judged on {judged:,} others every {recipe.validate_every:,}" if judged else ""
    return (
        f"{left:,} steps of {phase.batch} pictures at {phase.size_px} px; "
        f"{epoch:,} pictures to learn from{every}."
    )


def progress_line(recipe: Recipe, seen: int, means: dict[str, float], speed: float) -> str:
    """Describe the progress of a run; its last batch counts as complete."""
    of = pictures_before(recipe, total_steps(recipe))
    terms = ", ".join(f"{k} {v:.3f}" for k, v in means.items())
    pace = f"{speed:.0f}/s" if speed >= 10 else f"{speed:.2g}/s"
    return f"{seen:,} of {of:,} pictures, {terms}, {pace}, {duration((of - seen) / speed)} left"


def _append(path: Path, row: Mapping[str, object]) -> None:
    """Append a row to a CSV file, and add missing columns."""
    rows = read_rows(path)
    columns = list(dict.fromkeys(name for each in (*rows[:1], row) for name in each))
    if not rows or columns != list(rows[0]):
        _write_rows(path, columns, [*rows, row])
        return
    with path.open("a", newline="") as file:
        csv.DictWriter(file, columns, restval="").writerow(row)


def _write_rows(path: Path, columns: list[str], rows: Sequence[Mapping[str, object]]) -> None:
    with atomic_target(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_text(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    with atomic_target(path) as part:
        part.write_text(text)


def asked_precision(folder: Path) -> str:
    """Return the precision that the user chose for a run; older runs do not record it."""
    is_known = (folder / ENVIRONMENT).exists()
    return read_environment(folder).precision_asked if is_known else AUTOMATIC


def write_environment(
    folder: Path,
    data: Path | str,
    stream: bool,
    init: Path | None,
    batches: Batches,
    fabric: Fabric,
    asked_for: dict[str, str],
) -> None:
    """Write what is needed to repeat the run, beside its checkpoints."""
    file = folder / ENVIRONMENT
    begun = read_environment(folder) if file.exists() else Environment()  # a resumed run
    environment = {
        "photochrom": version("photochrom"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "device": fabric.device.type,
        **asked_for,
        "processes": fabric.world_size,
        "data": str(Path(data).resolve() if Path(data).exists() else data),
        "stream": stream,
        "init": begun.init if init is None else str(init.resolve()),
        "pictures": len(batches.indices),
    }
    write_text(file, json.dumps(environment, indent=2))
