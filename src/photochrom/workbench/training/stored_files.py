"""What a run's folder holds beside its checkpoints, read with care: people edit and copy it."""

import csv
import json
from pathlib import Path
from typing import Any

from photochrom.errors import RecipeError

ENVIRONMENT = "environment.json"
# What is read of it again; older runs have less.
ENTRIES: dict[str, tuple[type, ...]] = {
    "data": (str,),
    "init": (str, type(None)),
    "stream": (bool,),
    "precision_asked": (str,),
}


def read_table(path: Path) -> dict[str, Any]:
    """Read a table of a run's folder.

    Raise RecipeError if it is missing or damaged.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: is not a run's readable table ({error}).") from error
    if not isinstance(table, dict):
        raise RecipeError(f"{path}: needs a table; it holds {type(table).__name__}.")
    return table


def read_environment(folder: Path) -> dict[str, Any]:
    """Read what a run was begun with.

    Raise RecipeError if it is missing or damaged.
    """
    path = folder / ENVIRONMENT
    table = read_table(path)
    for name, kinds in ENTRIES.items():
        if name in table and not isinstance(table[name], kinds):
            wanted = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
            found = type(table[name]).__name__
            raise RecipeError(f"{path}: '{name}' needs to be {wanted}; it is {found}.")
    return table


def read_keys(path: Path) -> list[str]:
    """Read a list of picture keys, one a line.

    Raise RecipeError if the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: the list of validation keys cannot be read.") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a log, a row for each line; none if there is no file.

    Raise RecipeError if it cannot be read, or a row has no number of its step.
    """
    if not path.exists():
        return []
    rows = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                int(row["step"])
                rows.append(row)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RecipeError(
            f"{path}: row {len(rows) + 1} is damaged: each needs a whole number in the column "
            "'step'. Mend it, or move the file away."
        ) from error
    return rows
