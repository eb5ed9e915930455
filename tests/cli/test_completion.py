import os
import subprocess
import sys

import pytest

from photochrom.cli import COMMANDS


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="bash")
def test_completion_is_installed_for_a_shell_and_knows_the_commands(tmp_path):
    words = [sys.executable, "-m", "photochrom", "--install-completion", "--shell", "bash"]
    home = {**os.environ, "HOME": str(tmp_path), "SHELL": "/bin/bash"}
    home.pop("XDG_DATA_HOME", None)
    done = subprocess.run(words, env=home, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (script,) = (f for f in tmp_path.rglob("*") if f.is_file() and f.name == "photochrom")
    text = script.read_text()
    assert all(command in text for command in COMMANDS)
    assert "--set" in text and "--precision" in text
    assert subprocess.run(["bash", "-n", script]).returncode == 0
