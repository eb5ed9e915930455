import os
import re
import subprocess
import sys

import pytest

from photochrom.errors import UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo.atomic import atomic_target, remove_orphans


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    target = tmp_path / "a.jpg"
    target.write_text("old")
    with atomic_target(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
        assert part.parent == tmp_path
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
    assert target.read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, UnreadablePhotoError, ZeroDivisionError])
def test_an_error_passes_and_leaves_nothing(tmp_path, error):
    with pytest.raises(error), atomic_target(tmp_path / "a.jpg") as part:
        part.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_an_error(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    refused = pytest.raises(UnwritablePhotoError, match="is a folder; a file")
    with refused, atomic_target(tmp_path / "a.jpg"):
        pass


KILLED = """
import os, sys
from pathlib import Path
from photochrom.photo.atomic import atomic_target
with atomic_target(Path(sys.argv[1])) as part:
    part.write_text("half")
    os._exit(9)
"""


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.jpg")], check=False)
    (orphan,) = tmp_path.iterdir()
    others = [
        tmp_path / ".mine.part",
        tmp_path / orphan.name.replace("photochrom-", "photochrom-elsewhere"),
        tmp_path / orphan.name.replace(".part", ".jpg"),
    ]
    for other in others:
        other.write_text("keep")
    with atomic_target(tmp_path / "b.jpg") as alive:
        assert remove_orphans(tmp_path) == (orphan,)
        assert alive.exists()
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "b.jpg"])


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UnwritablePhotoError, match="a device or a pipe"), atomic_target(pipe):
        pass
    assert pipe.is_fifo()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_what_a_link_points_to_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a.jpg", tmp_path / "a.jpg"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_target(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_what_an_earlier_process_of_the_same_number_left_is_removed(tmp_path):
    with atomic_target(tmp_path / "b.jpg") as alive:
        orphan = alive.with_name(re.sub(r"-\d+\.part$", "-999999.part", alive.name))
        orphan.touch()
        assert remove_orphans(tmp_path) == (orphan,)
