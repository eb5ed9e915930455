import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from photochrom.workbench.evaluation.report import (
    from_json,
    tables,
    to_csv,
    to_json,
    to_markdown,
    to_terminal,
)
from photochrom.workbench.evaluation.results import FURTHER, STANDARD


def test_markdown_has_every_row_with_its_interval(evaluation):
    text = to_markdown(evaluation)
    for name in ("gray", "mean-colour", "oracle-mean", "tint"):
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        without_colour = name == "gray"  # whose concentration has a dash
        assert line.count("[") == len(STANDARD) - without_colour
        assert line.count("| - |") == without_colour
    assert "three.parquet: 3 photographs; 95 % intervals" in text
    widths = {line.count("|") for line in text.split("\n\n")[1].splitlines()}
    assert widths == {len(STANDARD) + 2}


def test_curves_are_told_apart_photograph_by_photograph(evaluation):
    (table,) = (t for t in tables(evaluation) if "the first of these curves" in t.title)
    assert table.header[0] == "tint x vividness less"
    assert [row[0] for row in table.rows] == ["mean-colour x saturation", "tint x saturation"]
    first, tint = ("vividness", "tint"), ("saturation", "tint")
    told = {}
    for share, cell in zip(table.header[1:], table.rows[1][1:], strict=True):
        value = evaluation.difference_at(int(share.rstrip("%")) / 100, first, tint).value
        told[cell.partition(" [")[0]] = "-" if np.isnan(value) else f"{value:.3f}"
    assert any(value != "-" for value in told)
    assert all(shown == value for shown, value in told.items())


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
    one, two = ({row.name: row.estimates for row in e.rows} for e in (again, evaluation))
    np.testing.assert_equal(one, two)
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


def test_further_metrics_have_a_table_of_their_own_when_asked_for(evaluation):
    assert len(tables(evaluation)) + 1 == len(tables(evaluation, all_metrics=True))
    assert "AuC rebalanced" not in to_markdown(evaluation)
    text = to_markdown(evaluation, all_metrics=True)
    further = text.split("further metrics**")[1].split("**")[0]
    shown = [metric for metric in FURTHER if metric in evaluation.metrics]
    assert {metric.key for metric in FURTHER} - {m.key for m in shown} == {"lpips", "fid"}
    assert all(f" {metric.label} |" in further for metric in shown)


def test_csv_and_json_always_hold_all_metrics(evaluation):
    header = to_csv(evaluation).splitlines()[0].split(",")
    assert {"rgb_mae", "within_2", "within_5", "auc", "auc_weighted", "ks_blue"} <= set(header)
    rows = json.loads(to_json(evaluation))["rows"]
    assert rows["tint"].keys() == {metric.key for metric in evaluation.metrics}


def test_an_evaluation_from_before_the_further_metrics_is_read(evaluation):
    later = {metric.column for metric in FURTHER} - {"ab_mse"} | {"auc_weight"}
    content = json.loads(to_json(evaluation))
    content["records"] = [
        {key: value for key, value in record.items() if key not in later}
        for record in content["records"]
    ]
    del content["whole"]
    older = from_json(json.dumps(content))
    assert [m.key for m in older.metrics] == [m.key for m in STANDARD] + ["ab_mse"]
    assert to_markdown(older) == to_markdown(evaluation)


def test_an_evaluation_from_before_left_gray_is_read_and_has_no_such_columns(evaluation):
    content = json.loads(to_json(evaluation))
    later = ("left_gray", "left_gray_counts", "concentration", "concentration_counts", "neon")
    content["records"] = [
        {key: value for key, value in record.items() if key not in later}
        for record in content["records"]
    ]
    older = from_json(json.dumps(content))
    assert older.beside_error == ()
    text = to_markdown(older)
    assert "left gray" not in text.lower()
    assert "| colourful p50 |" in text
    assert len(tables(older)) == len(tables(evaluation)) - 3
    assert json.loads(to_json(older))["rows"]["tint"]["ratio"] == content["rows"]["tint"]["ratio"]


def test_no_table_shows_error_without_what_stands_beside_it(evaluation):
    shown = tables(evaluation, by_source=True)
    titles = [table.title for table in shown]
    beside = {"left gray", "concentration", "truth's concentration", "neon"}
    for table in shown:
        if {"CIEDE2000", "CIEDE2000 of gray's"} & set(table.header):
            assert beside <= set(table.header), table.title
    assert sum("CIEDE2000 of gray's at equal" in title for title in titles) == 1
    for name in ("Left gray", "Concentration", "Neon"):
        assert f"{name} at equal colourfulness" in titles
    points = json.loads(to_json(evaluation))["curves"]["vividness"]["tint"]
    assert all({"left_gray", "concentration", "neon"} <= point.keys() for point in points)


def test_a_number_of_all_photographs_at_once_has_no_interval_and_is_read_back(evaluation):
    measured = replace(evaluation, whole={"gray": {"fid": 81.25}, "tint": {"fid": 40.0}})
    text = to_markdown(measured, all_metrics=True)
    assert re.search(r"\| tint \|.* 40\.0 \|\n", text)
    assert re.search(r"\| mean-colour \|.* - \|\n", text)
    assert from_json(to_json(measured)).whole == measured.whole
