"""Several processes that share their gradients: one machine with many GPUs is the same code."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from photochrom.cli import INTERRUPTED
from photochrom.workbench.training.checkpoint import read_checkpoint

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


@pytest.mark.slow
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
