"""Mutated files are read or refused in one line; PHOTOCHROM_FUZZ_SECONDS lets it take longer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"
SECONDS = float(os.environ.get("PHOTOCHROM_FUZZ_SECONDS", "3"))
KINDS = ("jpeg", "png", "tiff", "webp", "avif", "gif", "xmp", "exif", "iptc")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused_in_one_line(kind):
    words = ["--kind", kind, "--seconds", str(SECONDS / len(KINDS)), "--seed", "1"]
    done = subprocess.run([sys.executable, FUZZ, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""  # nothing of ours prints, nor of the libraries below
    found = json.loads(done.stdout)
    assert found["files"] > 0
    assert found["faults"] == []
