import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cyclopts import App
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import InvalidValueError, UnwritableFileError
from photochrom.workbench.commands.evaluate_command import evaluate


def run(*words):
    """Run the command's function with the words of a command line."""
    command, bound, _ = App(default_command=evaluate).parse_args([*map(str, words)])
    command(*bound.args, **bound.kwargs)


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """A Parquet file as CIFAR-10's would be: pictures of 32 x 32 pixels."""
    rows = []
    for number in range(12):
        file = io.BytesIO()
        Image.fromarray(drawn_picture(number, 32, 32)).save(file, "PNG")
        rows.append({"image": file.getvalue(), "key": f"test/{number:05}", "source": "cifar10"})
    path = tmp_path_factory.mktemp("cifar") / "cifar-test.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.slow
def test_pictures_of_32_pixels_are_judged_end_to_end(cifar, exported_network, tmp_path, capsys):
    targets = [tmp_path / f"report.{suffix}" for suffix in ("json", "csv", "md", "html")]
    written = [word for target in targets for word in ("-o", target)]
    figure = ["--figure", tmp_path / "figure.png", "--pictures", 3]
    run("--data", cifar, "-m", exported_network.path, "--working-px", 32, *written, *figure)
    shown = capsys.readouterr().out
    assert "cifar-test.parquet: 12 photographs" in shown
    assert "AuC" not in shown
    content = json.loads(targets[0].read_text())
    assert content["pictures"] == 12
    assert {"within_2", "within_5", "rgb_mae", "auc_rebalanced", "ks"} <= content["rows"][
        "small"
    ].keys()
    assert len(content["records"]) == 12 * 5
    assert targets[3].read_text().count("<article") == 3
    assert 'class="small"' in targets[3].read_text()
    with Image.open(tmp_path / "figure.png") as drawn:
        assert drawn.size == (3 * 262 + 6, 26 + 3 * 262 + 6)


def test_the_method_sees_32_pixels_where_its_stride_allows_no_fewer(cifar, exported_network):
    from photochrom.workbench.evaluation.benchmark import open_method
    from photochrom.workbench.evaluation.evaluation_pictures import read_samples

    sample = next(read_samples(cifar))
    ab = open_method(exported_network.path, 32).predict_ab(sample.lightness)
    assert ab.shape == (32, 32, 2)
    assert np.isfinite(ab).all()


def test_anothers_outputs_are_a_row(cifar, tmp_path, capsys):
    for number in range(12):
        Image.fromarray(drawn_picture(number, 32, 32)).save(tmp_path / f"{number:05}.png")
    run("--data", cifar, "-m", "none", "--outputs", f"rival={tmp_path}", "--all-metrics")
    shown = capsys.readouterr().out
    assert "rival (own lightness)" in shown
    assert "100.00 %" in shown
    assert "photochrom" not in shown
    run("--data", cifar, "-m", "none", "--outputs", f"rival={tmp_path}", "--true-lightness")
    assert "rival (own" not in capsys.readouterr().out


def test_what_cannot_be_seen_through_a_network_is_one_line(cifar, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    run("--data", cifar, "-m", "none", "--limit", 2, "--perceptual")
    shown = capsys.readouterr().out
    assert "LPIPS is not measured" in shown
    assert "FID is not measured" in shown
    assert "CIEDE2000" in shown


def test_the_mean_colour_is_that_of_the_training_pictures(cifar, tmp_path):
    words = ["--data", cifar, "-m", "none", "--limit", 2, "-o", tmp_path / "r.json"]
    run(*words, "--mean-ab", "-3.5", "0")
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    run(*words, "--mean-ab", "0", "0")
    gray = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert rows["mean-colour"]["ab_mae"] != rows["gray"]["ab_mae"]
    assert gray["mean-colour"] == gray["gray"]


def test_photographs_are_scored_at_the_size_that_is_asked_for(tmp_path, capsys):
    Image.fromarray(drawn_picture(1, 90, 120)).save(tmp_path / "large.png")
    words = ["--data", tmp_path, "-m", "none", "-o", tmp_path / "r.json"]
    run(*words)
    whole = json.loads((tmp_path / "r.json").read_text())
    run(*words, "--scored-px", 40)
    small = json.loads((tmp_path / "r.json").read_text())
    assert whole["notes"] == []
    assert "scored reduced to it" in small["notes"][0]
    assert "left gray" in capsys.readouterr().out
    assert small["rows"]["gray"]["ciede2000"] != whole["rows"]["gray"]["ciede2000"]
    with pytest.raises(InvalidValueError, match="at least 11; got 3"):
        run(*words, "--scored-px", 3)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["-o", "report.pdf"], InvalidValueError, r"\.md, \.csv, \.json or \.html"),
        (["--figure", "figure.jpg"], InvalidValueError, r"a \.png file"),
        (["-o", "nowhere/report.md"], UnwritableFileError, "nowhere does not exist"),
        (["--pictures", "0"], InvalidValueError, "at least 1; got 0"),
        (["--outputs", "rival"], InvalidValueError, "NAME=FOLDER; got 'rival'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(cifar, capsys, words, error, said):
    with pytest.raises(error, match=said):
        run("--data", cifar, *words)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "r.md", "--figure", "f.png"], r"Leave out --report \(-o\), --figure, or --sheet"),
        (["-m", "gray", "-m", "photochrom"], "all but one --method"),
        (["-m", "none"], "--method none"),
        (["--keys", "k.txt", "--by-source"], "--by-source, --keys"),
    ],
)
def test_a_sheet_leaves_nothing_out_without_a_word(picture_folder, tmp_path, words, said):
    with pytest.raises(InvalidValueError, match=said):
        run("--data", picture_folder, "--sheet", tmp_path / "sheet.png", *words)
    assert not list(tmp_path.iterdir())
