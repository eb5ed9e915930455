"""Read the files of a run's folder other than checkpoints; people edit and copy them."""

import csv
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from photochrom.errors import RecipeError
from photochrom.photo.given_files import read_given, read_given_text
from photochrom.workbench.checked_tables import checked

ENVIRONMENT = "environment.json"


@dataclass(frozen=True)
class Environment:
    """The recorded settings of a run; older runs have fewer."""

    data: str = ""
    init: str | None = None
    stream: bool = False
    precision_asked: str = "auto"


def read_table(path: Path) -> dict[str, Any]:
    """Read a table of a run's folder.

    Raise RecipeError if it is missing or damaged.
    """
    try:
        table = json.loads(read_given(path))
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: is not a run's readable table ({error}).") from error
    if not isinstance(table, dict):
        raise RecipeError(f"{path}: needs a table; it holds {type(table).__name__}.")
    return table


def read_environment(folder: Path) -> Environment:
    """Read the recorded settings of a run.

    Raise RecipeError if it is missing or damaged.
    """
    path = folder / ENVIRONMENT
    table = read_table(path)
    known = {f.name: table[f.name] for f in fields(Environment) if f.name in table}
    return checked(Environment, known, str(path))


def read_keys(path: Path) -> list[str]:
    """Read a list of picture keys, one a line.

    Raise RecipeError if the file cannot be read.
    """
    try:
        return read_given_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: the list of validation keys cannot be read.") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a log, a row for each line; none if there is no file.

    Raise RecipeError if it cannot be read, or a row has no step number.
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
            "'step'. Repair it, or move the file away."
        ) from error
    return rows
