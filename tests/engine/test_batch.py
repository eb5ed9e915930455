import threading
import time

import numpy as np
import pytest
from PIL import Image

from photochrom.engine.batch import Task, colorize_many, find_photos, plan, watch
from photochrom.engine.colorize import Colorizer
from photochrom.errors import UnreadablePhotoError


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer("photochrom", threads=1)


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    (folder / "1901").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "1901/c.tif"):
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 50), np.uint8)).save(
            folder / name
        )
    (folder / "notes.txt").write_text("not a picture")
    return folder


def outcomes(colorizer, tasks, **options):
    return {o.source.name: o for o in colorize_many(colorizer, tasks, **options)}


def test_a_recursive_plan_keeps_the_tree(album, tmp_path):
    tasks = plan([album], output=tmp_path / "out", recursive=True)
    assert [str(t.target.relative_to(tmp_path)) for t in tasks] == [
        "out/1901/c-color.tif",
        "out/a-color.png",
        "out/b-color.jpg",
    ]
    assert len(plan([album])) == 2


def test_a_folder_is_coloured_and_its_own_results_never_again(colorizer, album):
    first = outcomes(colorizer, plan([album], recursive=True))
    assert {o.status for o in first.values()} == {"coloured"}
    assert all(o.target.exists() for o in first.values())
    assert len(plan([album], recursive=True)) == 3


def test_a_broken_file_does_not_stop_the_rest(colorizer, album):
    (album / "broken.jpg").write_text("no picture")
    result = outcomes(colorizer, plan([album]))
    assert result["broken.jpg"].status == "failed"
    assert "broken.jpg" in result["broken.jpg"].notes[0]
    assert result["a.png"].status == result["b.jpg"].status == "coloured"


def test_resume_trusts_the_marker_and_not_the_name(colorizer, album):
    (album / "a-color.png").write_bytes((album / "a.png").read_bytes())
    tasks = [Task(album / n, album / f"{n[0]}-color.{n[2:]}") for n in ("a.png", "b.jpg")]
    assert outcomes(colorizer, tasks[1:])["b.jpg"].status == "coloured"
    again = outcomes(colorizer, tasks, resume=True)
    assert again["a.png"].status == "coloured"
    assert again["b.jpg"].status == "skipped"
    other = Colorizer("photochrom", saturation=0.5, threads=1)
    assert outcomes(other, tasks[1:], resume=True)["b.jpg"].status == "coloured"


def test_what_a_killed_run_left_is_removed(colorizer, album):
    from photochrom.photo.atomic import atomic_target

    with atomic_target(album / "probe.png") as part:
        part.write_bytes(b"half")
        dead = part.name.replace(f"-{__import__('os').getpid()}-", "-999999999-")
    (album / "probe.png").unlink()
    (album / dead).write_bytes(b"half")
    outcomes(colorizer, plan([album]))
    assert not (album / dead).exists()


@pytest.mark.parametrize("recursive", [False, True])
def test_a_folder_without_pictures_is_an_error(tmp_path, recursive):
    with pytest.raises(UnreadablePhotoError, match="without pictures"):
        find_photos(tmp_path, recursive)


def test_a_watched_folder_yields_new_whole_files_once(album):
    stop = threading.Event()
    found = []

    def collect():
        for task in watch(
            album,
            lambda p: [Task(p, p.with_suffix(".out"))],
            interval_seconds=0.05,
            stop=stop.is_set,
        ):
            found.append(task.source.name)

    thread = threading.Thread(target=collect)
    thread.start()
    deadline = time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    (album / "d.png").write_bytes((album / "a.png").read_bytes())
    while len(found) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    stop.set()
    thread.join()
    assert sorted(found) == ["a.png", "b.jpg", "d.png"]
