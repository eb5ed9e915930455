"""Several processes that share their gradients: on one machine, or on several."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from photochrom.cli import INTERRUPTED
from photochrom.workbench.training.checkpoint import read_checkpoint
from photochrom.workbench.training.loop import train
from photochrom.workbench.training.recipe_files import read_recipe

RECIPE = """
name = "many"
network = "dcgan"
pretrained = false
precision = "32-true"
validate_every = 24
checkpoint_minutes = 0.0
phases = [
  { pictures = 24, size_px = 32, batch = 4 },
  { pictures = 24, size_px = 32, batch = 4, learns = "critic" },
  { pictures = 4_000_000, size_px = 32, batch = 4, learns = "both", frozen_encoder = true },
]
[config]
channels = [8, 8, 8]
[critic]
network = "dcgan-critic"
[critic.config]
channels = [8, 8, 8]
dense = 8
[loss]
kind = "regression"
distance = "l1"
[data]
hold_out = 0.2
"""
BEYOND = 15  # steps: twelve are of the first two phases


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_two_processes_go_through_all_phases_and_stop_together(picture_folder, tmp_path):
    recipe, run = tmp_path / "many.toml", tmp_path / "run"
    recipe.write_text(RECIPE)
    told = ["--data", str(picture_folder), "--accelerator", "cpu", "--devices", "2"]
    command = [sys.executable, "-m", "photochrom", "train", str(recipe), *told]
    command += ["--run", str(run), "--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 600
        while steps(run) < BEYOND and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)  # the first process alone is told
        assert process.wait(300) == INTERRUPTED
    finally:
        process.kill()
        process.wait()
    assert steps(run) >= BEYOND
    with (run / "validation.csv").open() as file:
        assert float(next(csv.DictReader(file))["rmse"]) > 0


def steps(run):
    last = run / "last.pt"
    return read_checkpoint(last)["step"] if last.exists() else 0


# Without BatchNorm, whose statistics are of one process's pictures.
SHARED = """
name = "shared"
network = "photochrom2"
pretrained = false
precision = "32-true"
validate_every = 64
checkpoint_minutes = 0.0
phases = [{ pictures = 64, size_px = 32, batch = 4 }]
[config]
encoder = "tf_efficientnet_lite0"
bins = 20
channels = [16, 16, 16]
mixers = [1, 1, 1]
[optimizer]
warmup = 4
[data]
hold_out = 0.2
hint_share = 0.5
"""
SAME = 1e-4  # of the losses, relatively: sums of float32 in another order
NOTED = """
import sys
from pathlib import Path
from photochrom.cli import main
from photochrom.workbench.datasets.batches import Batches

plain, notes = Batches.numbered, Path(sys.argv.pop(1))

def noted(self, first, pictures):
    found = plain(self, first, pictures)
    with notes.open("a") as file:
        for number, index in enumerate(found, first):
            file.write(f"{number} {self.cache.keys[index]}\\n")
    return found

Batches.numbered = noted
main()
"""


@contextmanager
def two_machines(recipe, data, folder, *more):
    """Train in two processes that meet as two machines do, each with its own folders."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    processes = []
    for rank in "01":
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": rank}
        own = folder / rank
        own.mkdir(exist_ok=True)
        command = [sys.executable, "-c", NOTED, str(own / "keys.txt"), "train", str(recipe)]
        command += ["--data", str(data), "--nodes", "2", "--accelerator", "cpu"]
        command += ["--run", str(own / "run"), "--cache", str(own / "cache"), *more]
        processes.append(
            subprocess.Popen(
                command,
                env={**os.environ, "OMP_NUM_THREADS": "1", **place},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def rows_of(file):
    with file.open() as opened:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(opened)]


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_two_machines_learn_as_one_does_though_one_is_lost_on_the_way(picture_folder, tmp_path):
    file, lost = tmp_path / "shared.toml", ["--lost-after", "60"]
    file.write_text(SHARED)
    with two_machines(file, picture_folder, tmp_path, *lost) as (first, second):
        last, deadline = tmp_path / "0" / "run" / "last.pt", time.monotonic() + 300
        while not last.exists() and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.05)
        second.kill()
        killed = time.monotonic()
        _, said = first.communicate(timeout=300)
        assert time.monotonic() - killed < 120  # twice --lost-after, which it does not need
    assert first.returncode == 1, said
    assert "Another process of this training has ended" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert 0 < read_checkpoint(last)["step"] < 16

    with two_machines(file, picture_folder, tmp_path, *lost, "--resume") as processes:
        said = [process.communicate(timeout=600)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert not (tmp_path / "1" / "run").exists()  # the first machine alone writes

    alone = {"accelerator": "cpu", "devices": 1, "cache": tmp_path / "0" / "cache"}
    train(read_recipe(file), picture_folder, tmp_path / "alone", **alone)
    for name in ("log.csv", "validation.csv"):
        of_one, of_two = rows_of(tmp_path / "alone" / name), rows_of(last.parent / name)
        assert len(of_one) == len(of_two) == (16 if name == "log.csv" else 1)
        for one, two in zip(of_one, of_two, strict=True):
            assert two["loss"] == pytest.approx(one["loss"], rel=SAME)
            assert two["rmse"] == pytest.approx(one["rmse"], rel=SAME)
            assert two["step"] == one["step"]

    shares = [
        dict(map(str.split, (tmp_path / r / "keys.txt").read_text().splitlines())) for r in "01"
    ]
    assert not shares[0].keys() & shares[1].keys()
    drawn = shares[0] | shares[1]
    assert drawn.keys() == set(map(str, range(64)))
    epochs = Counter((int(number) // 8, key) for number, key in drawn.items())
    assert set(epochs.values()) == {1}  # no picture twice in an epoch
    assert len({key for _, key in epochs}) == 8  # of ten, two of them held out
