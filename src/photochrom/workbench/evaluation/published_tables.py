"""The document with the published tables: built from the records, and compared with them.

The tables are between two comments; the text around them is written by hand.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from photochrom.errors import DataError
from photochrom.workbench.evaluation.bootstrap import Estimate
from photochrom.workbench.evaluation.compared_rows import REFERENCES
from photochrom.workbench.evaluation.records import Entry, EvaluationSet
from photochrom.workbench.evaluation.report import cell
from photochrom.workbench.evaluation.results import BY_KEY

# Evaluation set -> metrics of its table. CIFAR-10's are those that papers print.
# What a person minds stands beside every error; a record from before it was measured has a dash.
_BESIDE = (
    "left_gray",
    "concentration",
    "concentration_truth",
    "neon",
    "colourfulness_p10",
    "colourfulness_p50",
    "colourfulness_p90",
)
COLUMNS: dict[EvaluationSet, tuple[str, ...]] = {
    "photographs": (
        "ratio",
        "ciede2000",
        *_BESIDE,
        "psnr",
        "ssim",
        "ab_mae",
        "auc",
        "auc_rebalanced",
        "colourfulness",
    ),
    "cifar-10": (
        "ratio",
        *_BESIDE,
        "rgb_mae",
        "within_2",
        "within_5",
        "psnr",
        "ssim",
        "ab_mae",
        "colourfulness",
    ),
}
FACTS = ("method", "system", "parameters", "minutes", "pictures seen")
END = "<!-- end of table -->"
REMEDY = "Run: photochrom report build"


def table_of(entries: Iterable[Entry], name: EvaluationSet) -> list[list[str]]:
    """Return the table of an evaluation set, its header first; entries without the set have no row.

    `gray`, `mean-colour`, `oracle-mean`, then by the ratio to gray's CIEDE2000, best first.
    """
    metrics = [BY_KEY[key] for key in COLUMNS[name]]
    header = [*FACTS, *(metric.label for metric in metrics), "trained on", "note"]
    rows = []
    for entry in sorted((e for e in entries if name in e.evaluations), key=_place(name)):
        scores = entry.evaluations[name].metrics
        cells = [cell(m, _estimate(scores.get(m.key, [None] * 3))) for m in metrics]
        rows.append([*_facts(entry), *cells, _clean(entry.data), _clean(entry.note)])
    return [header, *rows]


def _place(name: EvaluationSet) -> Callable[[Entry], tuple[int, float, str]]:
    def place(entry: Entry) -> tuple[int, float, str]:
        if entry.name in REFERENCES:
            return REFERENCES.index(entry.name), 0.0, ""
        ratio = entry.evaluations[name].metrics["ratio"][0]
        return len(REFERENCES), math.inf if ratio is None else ratio, entry.name

    return place


def _facts(entry: Entry) -> list[str]:
    parameters = "" if entry.parameters is None else f"{entry.parameters / 1e6:.2f} M"
    minutes = "" if entry.minutes is None else f"{entry.minutes:.0f}"
    pictures = "" if entry.pictures is None else f"{entry.pictures:,}"
    return [_clean(entry.name), _clean(entry.system), parameters, minutes, pictures]


def _clean(text: str) -> str:
    """Escape a text for a table cell."""
    return " ".join(text.replace("|", "/").split())


def _estimate(numbers: Sequence[float | None]) -> Estimate:
    return Estimate(*(float("nan") if x is None else x for x in numbers))


def begin(name: str) -> str:
    """Return the comment above a table in the document; `END` is the one below."""
    return f"<!-- table: {name} -->"


def _block(entries: Sequence[Entry], name: EvaluationSet) -> list[str]:
    header, *rows = table_of(entries, name)
    measured = {e.name: e.evaluations[name] for e in entries if name in e.evaluations}
    (first, scores), *others = measured.items()
    for other, its in others:
        if (its.pictures, its.gray, its.data) != (scores.pictures, scores.gray, scores.data):
            raise DataError(
                f"all rows of the table '{name}' need the same pictures; '{first}' was measured on "
                f"{scores.pictures} of {scores.data} ({scores.gray}), '{other}' on {its.pictures} "
                f"of {its.data} ({its.gray}). Evaluate one of them again."
            )
    shown = "" if scores.gray == "lightness" else f", shown as {scores.gray}"
    left = {*FACTS[:2], "trained on", "note"}
    rule = ["---" if label in left else "--:" for label in header]
    caption = f"{scores.pictures:,} pictures of {scores.data}{shown}; 95 % intervals in brackets."
    return [caption, "", *(f"| {' | '.join(line)} |" for line in (header, rule, *rows))]


def build(text: str, entries: Sequence[Entry]) -> str:
    """Insert the tables into a document; the text around them is kept.

    Raise DataError if the comments of a table are missing.

    Parameters
    ----------
    text : str
        Markdown with a pair of comments for each table; '' gives a new document.
    """
    names = _sets(entries)
    if not text.strip():
        text = "# Results\n\n" + "\n".join(f"{begin(n)}\n{END}\n" for n in names)
    for name in names:
        before, after = _around(text, name)
        text = "\n".join([before + begin(name), "", *_block(entries, name), "", END + after])
    return text


def _sets(entries: Sequence[Entry]) -> list[EvaluationSet]:
    return [name for name in COLUMNS if any(name in e.evaluations for e in entries)]


def _around(text: str, name: str) -> tuple[str, str]:
    before, opened, rest = text.partition(begin(name))
    _, closed, after = rest.partition(END)
    if not (opened and closed):
        raise DataError(
            f"the document needs the lines {begin(name)} and {END} around the table; one "
            "is missing. Add them where the table should be."
        )
    return before, after


def check(text: str, entries: Sequence[Entry]) -> None:
    """Compare the tables of a document with the records.

    Raise DataError if a table differs: names the row and the cell.
    """
    known = _sets(entries)
    for name in COLUMNS:
        if name not in known and begin(name) in text:
            raise DataError(f"the document has a table '{name}', but there is no record of it.")
    for name in known:
        before, after = _around(text, name)
        found = text[len(before) + len(begin(name)) : len(text) - len(after) - len(END)]
        lines = found.strip().splitlines()
        expected = _block(entries, name)
        if lines == expected:
            continue
        where, theirs, ours = _first_difference(lines, expected)
        raise DataError(
            f"the table '{name}' differs from the records at {where}: it says {theirs!r}, the "
            f"records say {ours!r}. {REMEDY}"
        )


def _first_difference(lines: Sequence[str], expected: Sequence[str]) -> tuple[str, str, str]:
    """Return the first difference of two tables: its place, and both values."""
    header, *theirs = _cells(lines) or [[]]
    wanted, *ours = _cells(expected)
    if header != wanted:
        return "the header", " | ".join(header), " | ".join(wanted)
    named = {row[0]: row for row in theirs}
    for row in ours:
        if row[0] not in named:
            return f"row '{row[0]}'", "nothing", " | ".join(row)
        for label, one, other in zip(header, named[row[0]], row, strict=False):
            if one != other:
                return f"row '{row[0]}', column '{label}'", one, other
    order, right = [row[0] for row in theirs], [row[0] for row in ours]
    if order != right:
        extra = [name for name in order if name not in right]
        where = f"row '{extra[0]}'" if extra else "the order of the rows"
        return where, ", ".join(order), ", ".join(right)
    return "the lines around the rows", "\n".join(lines[:1]), expected[0]


def _cells(lines: Sequence[str]) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    stripped = [[text.strip() for text in row] for row in rows]
    return [row for row in stripped if not set("".join(row)) <= set("-:")]
