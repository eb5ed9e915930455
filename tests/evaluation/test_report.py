import csv
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from photochrom.evaluation.report import (
    from_json,
    tables,
    to_csv,
    to_json,
    to_markdown,
    to_terminal,
)
from photochrom.evaluation.results import METRICS


def test_markdown_has_every_row_with_its_interval(evaluation):
    text = to_markdown(evaluation)
    for name in ("gray", "mean-colour", "oracle-mean", "tint"):
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert line.count("[") == len(METRICS)
    assert "three.parquet: 3 photographs; 95 % intervals" in text
    widths = {line.count("|") for line in text.split("\n\n")[1].splitlines()}
    assert widths == {len(METRICS) + 2}


def test_the_terminal_shows_the_tables_without_cutting_numbers(evaluation):
    console = Console(file=io.StringIO(), width=120)
    console.print(to_terminal(evaluation, by_source=True))
    shown = console.file.getvalue()
    for table in tables(evaluation, by_source=True):
        assert table.title.split(":")[0] in shown
        for cell in (cell for row in table.rows for cell in row):
            value, _, interval = cell.partition(" [")
            assert value in shown
            assert interval in shown


def test_csv_has_one_line_a_record(evaluation):
    lines = list(csv.DictReader(io.StringIO(to_csv(evaluation))))
    assert len(lines) == len(evaluation.records)
    first = next(line for line in lines if line["name"] == "tint" and line["part"] == "rows")
    assert float(first["ciede2000"]) == evaluation.column("tint", "ciede2000")[0]


def test_json_holds_the_numbers_and_is_read_back(evaluation):
    content = json.loads(to_json(evaluation))
    assert content["rows"]["tint"]["ratio"]["value"] == evaluation.rows[3].estimates["ratio"].value
    assert content["curves"]["saturation"].keys() == {"mean-colour", "tint"}
    assert [p["patches"] for p in content["hints"]["rbf"]] == [0, 5, 40]
    again = from_json(to_json(evaluation))
    assert again.rows == evaluation.rows
    assert to_json(again) == to_json(evaluation)


def test_notes_are_shown_kept_and_read_back(evaluation):
    noted = replace(evaluation, notes=("'x' is not measured: [it] needs a reference.",))
    console = Console(file=io.StringIO(), width=120)
    console.print(to_terminal(noted))
    assert noted.notes[0] in console.file.getvalue()
    assert to_markdown(noted).endswith(f"\n\n{noted.notes[0]}\n")
    assert from_json(to_json(noted)).notes == noted.notes
    older = {k: v for k, v in json.loads(to_json(noted)).items() if k != "notes"}
    assert from_json(json.dumps(older)).notes == ()


@pytest.mark.parametrize("part", ["animals", "others"])
def test_sources_have_tables_of_their_own(evaluation, part):
    assert part not in to_markdown(evaluation)
    assert f"**{part}: " in to_markdown(evaluation, by_source=True)
