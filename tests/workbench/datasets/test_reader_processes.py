"""A cache whose maker is killed leaves no process behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.workbench.datasets.test_prepare import is_running

KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from photochrom.workbench.datasets.decoded_cache import open_cache

def killed(line):
    if line.endswith(" GB"):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    open_cache(sys.argv[1], Path(sys.argv[2]), report=killed)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_processes_that_decode_end_when_their_parent_is_killed(picture_folder, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [sys.executable, script, picture_folder, tmp_path / "cache"]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=300)
    assert done.returncode == -signal.SIGKILL
    workers = [int(pid) for pid in done.stdout.split()]
    assert workers
    patience = time.monotonic() + 120
    while any(map(is_running, workers)) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
