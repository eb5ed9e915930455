"""Temporary files of processes that were killed."""

import os
import subprocess
import sys
import tempfile

import pytest

from photochrom.photo import part_locks
from photochrom.photo.temporary_folders import PREFIX, remove_left_behind, scratch

KILLED = """
import os
from photochrom.photo.source import FileSource
try:
    source = FileSource(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(100))
finally:
    os._exit(9)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_is_removed_and_nothing_else(temporary):
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    (left,) = temporary.iterdir()
    assert list(left.iterdir())
    elsewhere = temporary / f"{PREFIX}otherhost-1-x"
    elsewhere.mkdir()
    link = temporary / f"{PREFIX}{part_locks.HOST}-999999999-x"
    if os.name != "nt":
        link.symlink_to(elsewhere)
    mine = scratch()
    assert remove_left_behind() == (left,)
    assert elsewhere.is_dir()
    assert mine.is_dir()


def test_nothing_stays_of_a_process_that_ends_by_itself(temporary):
    code = KILLED.replace("os._exit(9)", "pass").replace("finally", "except OSError")
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(part_locks.fcntl is None, reason="no locks here")
def test_a_lock_tells_more_than_a_number(tmp_path):
    """Of two containers on one volume, each has processes that the other cannot see."""
    file = tmp_path / "a.part"
    file.touch()
    os.utime(file, (1, 1))
    assert not part_locks.is_used(file, os.getpid())  # the number was given again
    descriptor = part_locks.hold(file)
    assert part_locks.is_used(file, 999_999_999)  # nobody here has that number
    os.close(descriptor)
    assert not part_locks.is_used(file, 999_999_999)
