import json
import shutil

import pytest
import torch
from cyclopts import App
from tests.conftest import SMALL_FLAGSHIP, drawn_picture

from photochrom.errors import DataError
from photochrom.workbench.commands.results_table_command import build, collect
from photochrom.workbench.evaluation.compared_rows import method, references
from photochrom.workbench.evaluation.evaluation_pictures import make_sample
from photochrom.workbench.evaluation.report import to_json
from photochrom.workbench.evaluation.results import Evaluation
from photochrom.workbench.evaluation.scoring import score_samples


def photochrom_report(*words):
    app = App()
    app.command(collect)
    app.command(build)
    command, bound, _ = app.parse_args([*map(str, words)])
    command(*bound.args, **bound.kwargs)


@pytest.fixture(scope="module")
def results():
    samples = [make_sample(drawn_picture(n, 24, 30), key=str(n)) for n in range(3)]
    half = method("half", lambda sample: 0.5 * sample.lab[..., 1:])
    records = score_samples(samples, [references((2.0, 7.0)), half])
    return to_json(Evaluation(records, "drawn.parquet", resamples=20))


@pytest.fixture
def run(tmp_path, results):
    folder = tmp_path / "runs" / "half"
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps({"name": "half", "network": "photochrom2"}))
    (folder / "log.csv").write_text("step,pictures,minutes\n9,288,3.5\n")
    (folder / "results.json").write_text(results)
    return folder


@pytest.fixture
def document(run, tmp_path):
    records, path = tmp_path / "docs" / "results", tmp_path / "docs" / "results.md"
    photochrom_report("collect", run, "--to", records, "--data", "drawn discs")
    photochrom_report("build", "--records", records, "--document", path)
    return records, path


def test_runs_become_records_and_records_a_table(document):
    records, path = document
    names = {"gray.json", "mean-colour.json", "oracle-mean.json", "half.json"}
    assert {file.name for file in records.iterdir()} == names
    row = next(line for line in path.read_text().splitlines() if line.startswith("| half |"))
    assert row.startswith("| half | photochrom2 |  | 4 | 288 | 0.")
    assert row.endswith("| drawn discs |  |")
    photochrom_report("build", "--check", "--records", records, "--document", path)


def test_a_changed_cell_fails_the_check_and_building_mends_it(document):
    records, path = document
    right = path.read_text()
    path.write_text(right.replace("| 288 |", "| 999 |").replace("# Results", "# Results\n\nProse."))
    with pytest.raises(
        DataError, match=r"results\.md: .*row 'half', column 'pictures seen'.*'999'"
    ):
        photochrom_report("build", "--check", "--records", records, "--document", path)
    assert "| 999 |" in path.read_text()
    photochrom_report("build", "--records", records, "--document", path)
    assert path.read_text() == right.replace("# Results", "# Results\n\nProse.")


def test_what_was_recorded_stays_when_a_run_is_collected_again(document, run):
    records, _ = document
    photochrom_report("collect", run, "--to", records, "--note", "half the colour")
    record = json.loads((records / "half.json").read_text())
    assert (record["data"], record["note"]) == ("drawn discs", "half the colour")


def test_parameters_are_counted_from_the_best_checkpoint_or_the_exported_network(
    run, exported_network, tmp_path
):
    from photochrom.workbench.training.checkpoint import save_atomically, table_of
    from photochrom.workbench.training.recipe import Phase, Recipe

    network = exported_network.network
    expected = sum(parameter.numel() for parameter in network.parameters())
    shutil.copy(exported_network.path, run / "small.onnx")
    photochrom_report("collect", run, "--to", tmp_path / "one")
    counted = json.loads((tmp_path / "one" / "half.json").read_text())["parameters"]
    assert counted == pytest.approx(expected, rel=0.05)  # statistics are folded, tables are there
    recipe = Recipe("half", "photochrom2", (Phase(1),), config=SMALL_FLAGSHIP)
    weights = {name: torch.clone(tensor) for name, tensor in network.state_dict().items()}
    state = {"recipe": table_of(recipe), "network": weights, "average": weights}
    save_atomically(state, run / "best.pt")
    photochrom_report("collect", run, "--to", tmp_path / "two")
    assert json.loads((tmp_path / "two" / "half.json").read_text())["parameters"] == expected


def test_a_check_needs_its_document(document, tmp_path):
    records, _ = document
    with pytest.raises(DataError, match=r"none\.md: cannot be read"):
        photochrom_report(
            "build", "--check", "--records", records, "--document", tmp_path / "none.md"
        )


def test_no_run_is_refused():
    with pytest.raises(DataError, match="at least one run"):
        photochrom_report("collect")
