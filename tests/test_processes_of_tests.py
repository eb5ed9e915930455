"""What conftest promises of the processes that tests begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORGETFUL = """
import signal, subprocess, sys

def test_forgets(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("child", child.pid)
    assert False

def test_a_child_hears_ctrl_c():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\\n"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_test_leaves_no_process_and_its_children_hear_ctrl_c_also_in_the_background(tmp_path):
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_forgetful.py").write_text(FORGETFUL)
    words = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)]
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *words]
    found = os.environ | {"PYTHONPATH": str(ROOT)}  # the copied conftest imports from tests
    done = subprocess.run(
        ignoring, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=found
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    pid = int(done.stdout.partition("child ")[2].split()[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
