"""A run on a cluster, while everything around it breaks; see benchmarks/chaos.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).parent.parent / "benchmarks" / "chaos.py"
pytest.importorskip("ray")
pytest.importorskip("moto")


@pytest.mark.long
def test_every_source_has_one_whole_result_or_one_named_failure_whatever_breaks():
    words = ("--photographs", "200", "--nodes", "2", "--pace", "0.1")
    source = str(CHAOS.parent.parent / "src")
    done = subprocess.run(
        [sys.executable, str(CHAOS), *words],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": source,
            "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert found["wrong"] == []
    assert found["whole results"] + found["named failures"] == found["sources"] == 200
    assert found["named failures"] == 4
    harm = found["phases"][0]["harm"]
    assert harm["sources changed"] > 0
    assert harm["nodes killed"] == 1
    assert found["phases"][1]["harm"]["storage gone"] == 1
