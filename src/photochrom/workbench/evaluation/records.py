"""The records of the published table: one small file per row, which is committed.

A run's folder is large and is not committed; what the table needs of it is: who, how large, how
long, on what, and the metrics with their intervals for each evaluation set.
"""

import csv
import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Len

from photochrom.errors import DataError, UnwritableFileError
from photochrom.photo.given_files import read_given, read_given_text
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.evaluation.compared_rows import REFERENCES
from photochrom.workbench.evaluation.report import from_json
from photochrom.workbench.evaluation.results import Evaluation

EvaluationSet = Literal["photographs", "cifar-10"]  # each has a table of its own
Interval = Annotated[list[float | None], Len(3, 3)]  # value, low, high; None for NaN
# What reading any JSON as an evaluation may raise.
STRANGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
MOST_RECORD_BYTES = 1 << 28
DIGITS = 6  # of a stored number


@dataclass(frozen=True)
class Scores:
    """A row's numbers on one evaluation set, by the key of the metric."""

    data: str
    gray: str
    pictures: int
    metrics: dict[str, Interval]


@dataclass(frozen=True)
class Entry:
    """A row of the published table.

    name, system : of the row; what it is
    parameters : numbers that were learned, or None
    minutes, pictures : of training; pictures count as often as they were seen
    data, note : what it was trained on; what a reader must know
    evaluations : its scores on each set
    """

    name: str
    system: str = ""
    parameters: int | None = None
    minutes: float | None = None
    pictures: int | None = None
    data: str = ""
    note: str = ""
    evaluations: dict[EvaluationSet, Scores] = field(default_factory=dict)


def read_run(run: Path) -> Entry:
    """Read the description of a run from its folder; see `with_scores` for its scores.

    It has `recipe.json` (name, network) and, of a trained network, `log.csv`. The entry has no
    parameters and no evaluations. Raise DataError if the recipe or the log is missing or damaged.
    """
    recipe = _read_json(run / "recipe.json")
    if not isinstance(recipe.get("name"), str):
        raise DataError(f"{run / 'recipe.json'}: needs the key 'name' with the name of the row.")
    environment = run / "environment.json"
    said = recipe | (_read_json(environment) if environment.is_file() else {})
    minutes, pictures = _last_of_log(run / "log.csv")
    if pictures is not None and (run / "validation.csv").is_file():
        # The log's last line may be some steps before the end, where a run is always judged.
        judged = _lines_of(run / "validation.csv")
        try:
            pictures = max([pictures, *(int(row["pictures"]) for row in judged)])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{run / 'validation.csv'}: needs the column 'pictures', a number in each line."
            ) from error
    data = said.get("data", "")
    return Entry(
        recipe["name"],
        str(said.get("system") or said.get("network") or ""),
        minutes=minutes,
        pictures=pictures,
        data=Path(data).name if isinstance(data, str) else "",
        note=str(said.get("note", "")),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_given(path, MOST_RECORD_BYTES))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: needs one JSON object; got a {type(content).__name__}.")
    return content


def _last_of_log(path: Path) -> tuple[float | None, int | None]:
    """Return minutes and pictures of the last line; None of what was never trained."""
    if not path.is_file():
        return None, None
    lines = _lines_of(path)
    try:
        return round(float(lines[-1]["minutes"]), 2), int(lines[-1]["pictures"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: needs the columns 'minutes' and 'pictures', and a line.") from (
            error
        )


def _lines_of(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a readable log ({error}).") from error


def read_evaluations(run: Path) -> list[Evaluation]:
    """Read the evaluations of a run: `results.json`, and `results-ANYTHING.json` of other sets.

    Raise DataError if there is none, or one is damaged.
    """
    files = sorted(run.glob("results*.json"))
    if not files:
        raise DataError(
            f"{run}: needs results.json. Run: "
            f"photochrom evaluate --data PICTURES --method NETWORK.onnx -o {run / 'results.json'}"
        )
    found = []
    for file in files:
        try:
            evaluation = from_json(read_given_text(file, MOST_RECORD_BYTES))
            if evaluation.pictures:  # a KeyError where no photograph has its true colours
                found.append(evaluation)
        except STRANGE as error:
            raise DataError(f"{file}: is not an evaluation of photochrom ({error!r}).") from error
    return found


def with_scores(entry: Entry, evaluation: Evaluation) -> list[Entry]:
    """Return the entries of an evaluation: the references, and the run's own rows.

    Parameters
    ----------
    entry : Entry
        The run. Where its evaluation has several rows beside the references, such as one network
        read in several ways, each becomes an entry `NAME (ROW)`.
    """
    table: EvaluationSet = "cifar-10" if "cifar" in evaluation.data.lower() else "photographs"
    rows = {row.name: row.estimates for row in evaluation.rows}
    own = [name for name in rows if name not in REFERENCES]
    found = []
    for name, estimates in rows.items():
        metrics = {key: [_stored(x) for x in e] for key, e in estimates.items()}
        scores = Scores(evaluation.data, evaluation.gray, evaluation.pictures, metrics)
        owner = Entry(name) if name in REFERENCES else entry
        if name in own and len(own) > 1 and name != entry.name:
            owner = replace(entry, name=f"{entry.name} ({name})")
        found.append(replace(owner, evaluations={table: scores}))
    return found


def _stored(number: float) -> float | None:
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None


def merge(old: Entry, new: Entry) -> Entry:
    """Merge a record with a newer one: fields that the new one leaves empty are kept.

    Raise DataError if both are a reference, measured on different pictures.
    """
    if new.name in REFERENCES:
        for key in old.evaluations.keys() & new.evaluations.keys():
            _check_same_pictures(new.name, old.evaluations[key], new.evaluations[key])
    known = {k: v for k, v in vars(new).items() if v not in (None, "") and k != "evaluations"}
    return replace(old, **known, evaluations=old.evaluations | new.evaluations)


def _check_same_pictures(name: str, old: Scores, new: Scores) -> None:
    facts = [(s.pictures, s.gray, s.metrics["ciede2000"][0]) for s in (old, new)]
    (count, gray, error), (new_count, new_gray, new_error) = facts
    same = error is not None and new_error is not None
    same = same and math.isclose(error or 0, new_error or 0, rel_tol=1e-4)
    if (count, gray) != (new_count, new_gray) or not same:
        raise DataError(
            f"all rows of a table need the same pictures; '{name}' has a CIEDE2000 of {error} on "
            f"{count} of {old.data} ({gray}), and now {new_error} on {new_count} of {new.data} "
            f"({new_gray}). Evaluate again, or remove the old records."
        )


def read_entries(folder: Path) -> list[Entry]:
    """Read the committed records of a folder.

    Raise DataError if there is none, or one is damaged.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(
            f"{folder}: holds no record. Run: photochrom report collect RUN --to {folder}"
        )
    return [checked(Entry, _read_json(file), str(file), DataError) for file in files]


def save_entry(entry: Entry, folder: Path) -> Path:
    """Write a record, FOLDER/NAME.json, merged with an existing one of that name.

    Raise DataError as `merge` and `read_entries`, and UnwritableFileError if the file cannot be
    written.
    """
    path = folder / f"{re.sub(r'[^a-z0-9.]+', '-', entry.name.lower()).strip('-')}.json"
    if path.is_file():
        entry = merge(checked(Entry, _read_json(path), str(path), DataError), entry)
    text = json.dumps(asdict(entry), indent=1, ensure_ascii=False, allow_nan=False)
    # One line a metric: a change of one is a change of one line.
    text = re.sub(r"\[\n([^\[\]]*?)\n\s*\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    except OSError as error:
        raise UnwritableFileError(f"{path}: cannot be written ({error.strerror}).") from error
    return path
