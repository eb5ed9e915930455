"""Write an evaluation: terminal, Markdown, CSV, JSON."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from photochrom.workbench.evaluation.bootstrap import Estimate
from photochrom.workbench.evaluation.results import (
    BY_KEY,
    FURTHER,
    KNOBS,
    STANDARD,
    Evaluation,
    Metric,
    Point,
)

SHARES = (0.4, 0.5, 0.6, 0.7, 0.8)  # of the truth's colourfulness, at which curves are compared


@dataclass(frozen=True)
class Table:
    """A titled table of text, before it is drawn."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def upright(self) -> "Table":
        """Turn a table that is wider than high, so that it fits a terminal."""
        if len(self.header) <= len(self.rows) + 1:
            return self
        header, *rows = zip(self.header, *self.rows, strict=True)
        return Table(self.title, header, rows)


def _number(estimate: Estimate, decimals: int, percent: bool = False) -> str:
    factor, unit = (100, " %") if percent else (1, "")
    if math.isnan(estimate.value):
        return "-"
    value, low, high = (f"{factor * x:.{decimals}f}" for x in estimate)
    return f"{value}{unit}" if math.isnan(estimate.low) else f"{value}{unit} [{low}, {high}]"


def cell(metric: Metric, estimate: Estimate) -> str:
    """Return an estimate as the tables show it, such as '0.876 [0.859, 0.894]'; '-' for NaN."""
    return _number(estimate, _DECIMALS.get(metric.key, 2), metric.percent)


_DECIMALS = {"left_gray": 3, "concentration": 3, "concentration_truth": 3, "neon": 3}
_DECIMALS |= {"colourfulness_p10": 0, "colourfulness_p50": 0, "colourfulness_p90": 0}
_DECIMALS |= {"ratio": 3, "ratio_unbounded": 3, "ratio_each": 3, "ssim": 4, "lpips": 3}
_DECIMALS |= {"colourfulness": 0, "colourfulness_ddcolor": 0, "ab_mse": 1, "fid": 1}
_DECIMALS |= {"within_2": 1, "within_5": 1, "ks": 3, "ks_red": 3, "ks_green": 3, "ks_blue": 3}


def _score_table(evaluation: Evaluation, title: str, metrics: Sequence[Metric] = STANDARD) -> Table:
    shown = [metric for metric in metrics if metric in evaluation.metrics]
    rows = [[row.name, *(cell(m, row.estimates[m.key]) for m in shown)] for row in evaluation.rows]
    return Table(title, ["method", *(metric.label for metric in shown)], rows)


def _curve_tables(evaluation: Evaluation) -> Iterator[Table]:
    curves = [(knob, name) for knob in KNOBS for name in evaluation.names(knob)]
    beside = evaluation.beside_error
    for knob, name in curves:
        yield Table(
            f"{name}: error against colourfulness over {knob}",
            [
                knob,
                "share of the truth's colourfulness",
                "CIEDE2000 of gray's",
                *(metric.label for metric in beside),
            ],
            [
                [f"{p.setting:g}", _number(p.share, 0, percent=True), _number(p.ratio, 3)]
                + [cell(metric, p.beside[metric.key]) for metric in beside]
                for p in evaluation.curve(knob, name)
            ],
        )
    compared = ("ratio", *(metric.key for metric in beside if metric.row is None))
    for key in compared if curves else ():
        label = "CIEDE2000 of gray's" if key == "ratio" else BY_KEY[key].label.capitalize()
        yield Table(
            f"{label} at equal colourfulness",
            ["curve", *(f"{share:.0%}" for share in SHARES)],
            [
                [f"{name} x {knob}"]
                + [_number(evaluation.ratio_at(share, knob, name, key), 3) for share in SHARES]
                for knob, name in curves
            ],
        )
    if len(curves) > 1:
        first, *others = curves
        yield Table(
            "CIEDE2000 of gray's: the first of these curves less another, by photograph",
            [f"{first[1]} x {first[0]} less", *(f"{share:.0%}" for share in SHARES)],
            [
                [f"{name} x {knob}"]
                + [
                    _number(evaluation.difference_at(share, first, (knob, name)), 3)
                    for share in SHARES
                ]
                for knob, name in others
            ],
        )


def _hint_table(evaluation: Evaluation) -> Iterator[Table]:
    curves = {name: evaluation.hint_curve(name) for name in evaluation.names("hints")}
    if curves:
        counts = [str(point.patches) for point in next(iter(curves.values()))]
        rows = [[name, *(_number(p.psnr, 2) for p in points)] for name, points in curves.items()]
        yield Table("PSNR dB by revealed 6 x 6 patches", ["method", *counts], rows)


def tables(
    evaluation: Evaluation, by_source: bool = False, all_metrics: bool = False
) -> list[Table]:
    """Return every table: scores; further scores; curves; the hint curve; scores by source.

    `all_metrics` adds the further scores, which are rarely needed; `by_source` the last.
    """
    shown = "" if evaluation.gray == "lightness" else f", shown as {evaluation.gray}"
    title = f"{evaluation.data}: {evaluation.pictures} photographs{shown}; 95 % intervals"
    found = [_score_table(evaluation, title)]
    if all_metrics:
        found.append(_score_table(evaluation, f"{evaluation.data}: further metrics", FURTHER))
    found += [*_curve_tables(evaluation), *_hint_table(evaluation)]
    if by_source:
        for source, part in evaluation.by_source().items():
            name = source or "(no source)"
            found.append(_score_table(part, f"{name}: {part.pictures} photographs"))
            if all_metrics:
                found.append(_score_table(part, f"{name}: further metrics", FURTHER))
    return found


def to_terminal(
    evaluation: Evaluation, by_source: bool = False, all_metrics: bool = False
) -> Group:
    """Return the tables and notes for `rich.console.Console.print`."""
    drawn = []
    for table in (each.upright() for each in tables(evaluation, by_source, all_metrics)):
        rich = RichTable(title=table.title, title_justify="left")
        for number, label in enumerate(table.header):
            rich.add_column(label, justify="left" if number == 0 else "right")
        for row in table.rows:
            rich.add_row(
                *(cell.replace(" [", "\n[") for cell in row)
            )  # the interval below its value
        drawn.append(rich)
    return Group(*drawn, *(Text(note) for note in evaluation.notes))


def to_markdown(evaluation: Evaluation, by_source: bool = False, all_metrics: bool = False) -> str:
    """Return the tables and notes in Markdown."""
    parts = []
    for table in tables(evaluation, by_source, all_metrics):
        lines = [table.header, ["---", *["--:"] * (len(table.header) - 1)], *table.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"**{table.title}**\n\n{body}\n")
    parts += [f"{note}\n" for note in evaluation.notes]
    return "\n".join(parts)


def to_csv(evaluation: Evaluation) -> str:
    """Return the records: one line a colouring of a photograph, empty where not measured."""
    columns = list(dict.fromkeys(column for record in evaluation.records for column in record))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(evaluation.records)
    return file.getvalue()


def to_json(evaluation: Evaluation) -> str:
    """Return everything: rows and curves with their intervals, and the records below them."""
    content = {
        "data": evaluation.data,
        "gray": evaluation.gray,
        "pictures": evaluation.pictures,
        "resamples": evaluation.resamples,
        "seed": evaluation.seed,
        "notes": list(evaluation.notes),
        "whole": {name: dict(numbers) for name, numbers in evaluation.whole.items()},
        "rows": {
            row.name: {key: _plain(e) for key, e in row.estimates.items()}
            for row in evaluation.rows
        },
        "curves": {
            knob: {
                name: [_plain_point(p) for p in evaluation.curve(knob, name)]
                for name in evaluation.names(knob)
            }
            for knob in KNOBS
        },
        "hints": {
            name: [
                {"patches": p.patches, "psnr": _plain(p.psnr)} for p in evaluation.hint_curve(name)
            ]
            for name in evaluation.names("hints")
        },
    }
    head = json.dumps(content, indent=1, allow_nan=False).removesuffix("\n}")
    # One line a record: readable, and several times faster where there are many.
    records = ",\n  ".join(json.dumps(record, allow_nan=False) for record in evaluation.records)
    return f'{head},\n "records": [\n  {records}\n ]\n}}\n'


def from_json(text: str) -> Evaluation:
    """Read an evaluation back; its tables are computed from the records again."""
    content = json.loads(text)
    kept = ("data", "gray", "resamples", "seed")
    found = {key: content[key] for key in kept}
    later = {"notes": tuple(content.get("notes", ())), "whole": content.get("whole", {})}
    return Evaluation(content["records"], **found, **later)


def _plain_point(point: Point) -> dict[str, object]:
    numbers = {"share": point.share, "ratio": point.ratio, **point.beside}
    return {"setting": point.setting} | {key: _plain(e) for key, e in numbers.items()}


def _plain(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate for JSON, which has neither NaN nor infinity."""
    return {k: v if math.isfinite(v) else None for k, v in estimate._asdict().items()}
