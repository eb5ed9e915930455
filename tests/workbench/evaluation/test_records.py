import json
from dataclasses import replace

import pytest

from photochrom.errors import DataError
from photochrom.workbench.evaluation import records
from photochrom.workbench.evaluation.report import to_json
from photochrom.workbench.evaluation.results import Evaluation


@pytest.fixture
def run(tmp_path, evaluation):
    """A run's folder, as training and `photochrom evaluate` leave it."""
    folder = tmp_path / "runs" / "tint"
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(
        json.dumps({"name": "tinted", "network": "tint", "data": {}})
    )
    (folder / "log.csv").write_text("step,pictures,minutes,loss\n5,160,0.5,3\n10,320,1.25,2\n")
    (folder / "results.json").write_text(to_json(evaluation))
    return folder


def test_a_run_says_who_it_is_and_how_long_it_was_trained(run):
    assert records.read_run(run) == records.Entry("tinted", "tint", None, 1.25, 320)


def test_the_pictures_are_those_of_the_last_judgement(run):
    (run / "validation.csv").write_text("step,pictures,loss\n5,160,3\n11,330,2\n")
    assert records.read_run(run).pictures == 330


def test_what_was_never_trained_has_no_minutes(run):
    (run / "log.csv").unlink()
    assert records.read_run(run).minutes is None


def test_the_rows_of_an_evaluation_become_records(run, evaluation):
    (found,) = records.read_evaluations(run)
    names = [entry.name for entry in records.with_scores(records.read_run(run), found)]
    assert names == ["gray", "mean-colour", "oracle-mean", "tinted"]
    scores = records.with_scores(records.read_run(run), found)[-1].evaluations["photographs"]
    assert (scores.data, scores.gray, scores.pictures) == ("three.parquet", "lightness", 3)
    ratio = evaluation.rows[3].estimates["ratio"]
    assert scores.metrics["ratio"] == pytest.approx(list(ratio), rel=1e-5)


def test_several_readings_of_one_network_are_told_apart(evaluation):
    twice = [
        {**record, "name": name}
        for record in evaluation.records
        for name in ([record["name"], "argmax"] if record["name"] == "tint" else [record["name"]])
    ]
    found = records.with_scores(records.Entry("tint"), Evaluation(twice, resamples=5))
    assert [entry.name for entry in found[3:]] == ["tint", "tint (argmax)"]


def test_a_record_is_written_and_read_back_and_keeps_what_is_not_said_again(tmp_path, entries):
    for entry in entries:
        records.save_entry(entry, tmp_path)
    path = records.save_entry(records.Entry("tinted", minutes=50.0), tmp_path)
    assert path.name == "tinted.json"
    found = {entry.name: entry for entry in records.read_entries(tmp_path)}
    assert found["tinted"] == replace(entries[-1], minutes=50.0)
    assert found["gray"] == entries[0]
    assert len(path.read_text().splitlines()) < 90  # one line a metric


def test_a_name_becomes_a_file_name(tmp_path):
    path = records.save_entry(records.Entry("ResNet 50 / palette (K=50)"), tmp_path)
    assert path.name == "resnet-50-palette-k-50.json"


def test_references_of_other_pictures_are_refused(tmp_path, entries):
    gray = entries[0]
    records.save_entry(gray, tmp_path)
    records.save_entry(gray, tmp_path)
    scores = gray.evaluations["photographs"]
    other = replace(gray, evaluations={"photographs": replace(scores, pictures=100)})
    with pytest.raises(DataError, match="need the same pictures; 'gray' .* now .* on 100 of three"):
        records.save_entry(other, tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("recipe.json", "{}", "needs the key 'name'"),
        ("recipe.json", "[]", "needs one JSON object; got a list"),
        ("recipe.json", "{", "is not JSON"),
        ("log.csv", "step,loss\n1,2\n", "needs the columns 'minutes' and 'pictures'"),
        ("log.csv", "pictures,minutes\n", "and a line"),
        ("log.csv", "pictures,minutes\n\xff", "is not a readable log"),
        ("environment.json", "[1", "is not JSON"),
        ("environment.json", "[" * 100_000, "is not JSON"),
        ("validation.csv", "step\n1\n", "needs the column 'pictures'"),
        ("validation.csv", "pictures\nmany\n", "needs the column 'pictures'"),
    ],
)
def test_a_damaged_run_is_named(run, file, text, said):
    (run / file).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=f"{file}.*{said}"):
        records.read_run(run)


def test_a_run_that_was_not_evaluated_is_told_how(run):
    kept = '"data": "x", "gray": "lightness", "resamples": 1, "seed": 0'
    record = '{"part": "rows", "name": "x", "setting": null, "picture": 0}'
    for text in ("{}", "[]", "7", "[" * 100_000, f'{{"records": [{record}], {kept}}}'):
        (run / "results.json").write_text(text)
        with pytest.raises(DataError, match=r"results\.json: is not an evaluation"):
            records.read_evaluations(run)
    (run / "results.json").unlink()
    with pytest.raises(DataError, match="Run: photochrom evaluate"):
        records.read_evaluations(run)


def test_damaged_or_missing_records_are_named(tmp_path):
    with pytest.raises(DataError, match="Run: photochrom report collect"):
        records.read_entries(tmp_path)
    (tmp_path / "x.json").write_text('{"name": "x", "evaluations": {}, "beauty": 1}')
    with pytest.raises(DataError, match=r"x\.json: unknown key 'beauty'"):
        records.read_entries(tmp_path)
