import json
import os
import pty
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from cyclopts import App
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.commands.datasets_command import prepare, split
from photochrom.workbench.datasets.picture_files import decode
from photochrom.workbench.training.stored_files import read_keys

APP = App(result_action="return_value")
APP.command(prepare)
APP.command(split)


def data(*words):
    APP([str(word) for word in words], exit_on_error=False, print_error=False)


@pytest.fixture
def album(tmp_path):
    """Give a folder of forty birds and one gray picture."""
    folder = tmp_path / "album" / "bird"
    folder.mkdir(parents=True)
    for seed in range(40):
        Image.fromarray(drawn_picture(seed, 48, 64)).save(folder / f"{seed}.png")
    Image.fromarray(np.full((48, 64, 3), 99, np.uint8)).save(folder / "gray.png")
    return folder.parent


def test_prepare_prints_every_count_and_progress_stays_apart(album, tmp_path, capsys):
    data("prepare", album, tmp_path / "out", "--near-bits", 0, "-j", 1)
    printed = capsys.readouterr()
    counts = dict(line.rsplit(maxsplit=1) for line in printed.out.splitlines())
    assert {name.strip(): int(n) for name, n in counts.items()} == {
        "looked at": 41,
        "left out: other label": 0,
        "left out: not listed": 0,
        "left out: unreadable": 0,
        "left out: too small": 0,
        "left out: gray": 1,
        "left out: duplicate": 0,
        "left out: near-duplicate": 0,
        "kept": 40,
        "shards": 1,
    }
    assert "41 looked at, 40 kept" in printed.err


def test_options_reach_the_work(album, tmp_path):
    out = tmp_path / "out"
    data(
        *("prepare", album, out, "--size", 32, "--fit", "crop", "--gray-rule", "none"),
        *("--label", "bird", "--shard", 10, "--near-bits", 0, "--shuffle", "--seed", 4),
        *("--pca", 0.9, "--format", "png", "--limit", 30, "-j", 1),
    )
    assert len(list(out.glob("*.parquet"))) == 3
    options = json.loads((out / "counts.json").read_text())["options"]
    assert options["shuffle_seed"] == 4
    first = pq.read_table(sorted(out.glob("*.parquet"))).to_pylist()[0]
    assert (first["width"], first["height"], first["label"]) == (32, 32, "bird")
    assert first["components"] > 0
    assert decode(first["image"]).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("words", "sizes"),
    [
        ((), {"train": 32, "validation": 4, "test": 4}),
        (("--ratios", "3/1"), {"train": 30, "validation": 10}),
        (("--hold-out", 0.1), {"train": 36, "validation": 4}),
        (("--folds", 4, "--by-hue"), {f"fold-{n}": 10 for n in range(4)}),
    ],
)
def test_a_split_is_written_as_lists_that_a_recipe_can_name(album, tmp_path, capsys, words, sizes):
    data("prepare", album, tmp_path / "out", "--near-bits", 0, "-j", 1)
    capsys.readouterr()
    data("split", tmp_path / "out", tmp_path / "lists", "--near-bits", 0, *words)
    lists = {name: read_keys(tmp_path / "lists" / f"{name}.txt") for name in sizes}
    assert {name: len(keys) for name, keys in lists.items()} == sizes
    (prepared,) = (tmp_path / "out").glob("*.parquet")
    keys = pq.read_table(prepared, columns=["key"])["key"].to_pylist()
    assert sorted(key for found in lists.values() for key in found) == sorted(keys)
    assert "different pictures" in capsys.readouterr().out


def test_two_kinds_of_split_at_once_are_refused(tmp_path):
    (tmp_path / "a.parquet").touch()
    with pytest.raises(InvalidValueError, match="one of --ratios, --hold-out and --folds"):
        data("split", tmp_path, tmp_path / "lists", "--folds", 3, "--ratios", "9/1")


def test_a_data_set_of_one_picture_cannot_be_split(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(drawn_picture(1)).save(tmp_path / "in" / "1.png")
    data("prepare", tmp_path / "in", tmp_path / "out", "-j", 1)
    with pytest.raises(DataError, match="1 of 1 pictures cannot fill 3 parts"):
        data("split", tmp_path / "out", tmp_path / "lists")
    assert not (tmp_path / "lists").exists()


def test_on_a_terminal_progress_is_one_line(album, tmp_path):
    ours, theirs = pty.openpty()
    code = (
        "import sys; from pathlib import Path\n"
        "from photochrom.workbench.commands.datasets_command import prepare\n"
        "prepare(sys.argv[1], Path(sys.argv[2]), jobs=1, near_bits=0)"
    )
    command = [sys.executable, "-c", code, album, tmp_path / "out"]
    done = subprocess.run(command, stderr=theirs, stdout=subprocess.PIPE, timeout=300)
    os.close(theirs)
    shown = os.read(ours, 10_000)
    os.close(ours)
    assert done.returncode == 0
    assert shown == b"\r41 looked at, 40 kept\r\n"


def test_help_explains_every_option(capsys):
    APP(["prepare", "--help"], exit_on_error=False)
    text = capsys.readouterr().out
    for option in ("--size", "--gray-rule", "--annotations", "--near-bits", "--pca", "--jobs"):
        assert option in text
