import os
import threading
import time

import numpy as np
import pytest
from PIL import Image

from photochrom.engine.batch import Names, Task, colorize_many, plan, watch
from photochrom.engine.colorize import Colorizer
from photochrom.errors import UnreadablePhotoError
from photochrom.photo.find import find_photos


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


def picture(path):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((40, 50), 90, np.uint8)).save(path)
    return path


def targets(tasks, **options):
    return [task.target.name for task in Names(**options).apart(tasks)]


def test_results_take_nobodys_place(tmp_path):
    for name in ("old.jpg", "old-color.jpg"):
        picture(tmp_path / name)
    assert targets(plan([tmp_path])) == ["old-color-color.jpg", "old-color-2.jpg"]
    one, other = (picture(tmp_path / folder / "a.jpg") for folder in "xy")
    named = plan([one, other], output=tmp_path / "out")
    assert targets(named) == ["a-color.jpg", "a-color-2.jpg"]
    both = [picture(tmp_path / f"b.{kind}") for kind in ("jpg", "png")]
    assert targets(plan(both)) == ["b-color.jpg", "b-color.png"]
    assert targets(plan(both), sidecars=True) == ["b-color.jpg", "b-color-2.png"]
    assert targets(plan(both, format="webp")) == ["b-color.webp", "b-color-2.webp"]


def test_names_stay_the_same_when_a_run_is_done_again(colorizer, tmp_path):
    for name in ("old.jpg", "old-color.jpg"):
        picture(tmp_path / name)
    kept = (tmp_path / "old-color.jpg").read_bytes()
    for _ in range(2):
        done = outcomes(colorizer, Names().apart(plan([tmp_path])), resume=True)
        assert sorted(done) == ["old-color.jpg", "old.jpg"]
        assert done["old.jpg"].target.name == "old-color-2.jpg"
    assert {o.status for o in done.values()} == {"skipped"}
    assert (tmp_path / "old-color.jpg").read_bytes() == kept


def test_a_watch_gives_a_file_that_came_anew_its_own_name_again(tmp_path):
    names = Names()
    one, other = (picture(tmp_path / f"a.{kind}") for kind in ("jpg", "png"))
    for _ in range(2):
        for source, name in ((one, "a-color.webp"), (other, "a-color-2.webp")):
            (task,) = names.apart(plan([source], format="webp"))
            assert task.target.name == name


def test_an_empty_folder_and_an_own_result_do_not_stop_the_others(colorizer, album, tmp_path):
    (tmp_path / "empty").mkdir()
    first = outcomes(colorizer, plan([album / "a.png"]))["a.png"]
    sources = [tmp_path / "empty", tmp_path / "nowhere.jpg", first.target, album / "b.jpg"]
    done = outcomes(colorizer, plan(sources))
    assert {name: outcome.status for name, outcome in done.items()} == {
        "empty": "failed",
        "nowhere.jpg": "failed",
        "a-color.png": "skipped",
        "b.jpg": "coloured",
    }
    assert "without pictures" in done["empty"].notes[0]
    assert plan([first.target])[0].settled is None


def test_a_source_that_is_newer_than_its_result_is_coloured_again(colorizer, album):
    tasks = plan([album])
    outcomes(colorizer, tasks)
    assert {o.status for o in outcomes(colorizer, tasks, resume=True).values()} == {"skipped"}
    later = (album / "a-color.png").stat().st_mtime + 5
    os.utime(album / "a.png", (later, later))
    again = outcomes(colorizer, tasks, resume=True)
    assert (again["a.png"].status, again["b.jpg"].status) == ("coloured", "skipped")


def test_who_wants_it_promptly_hears_of_each_before_the_next_is_asked_for(colorizer, album):
    heard = []

    def tasks():
        for task in plan([album]):
            assert len(heard) == len(asked)
            asked.append(task)
            yield task

    asked = []
    for outcome in colorize_many(colorizer, tasks(), jobs=1, prompt=True):
        heard.append(outcome)
    assert len(heard) == 2


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    with pytest.raises(UnreadablePhotoError, match="gone: cannot be read"):
        find_photos(tmp_path / "gone")


def test_resume_colours_anew_what_was_asked_for_at_another_quality(colorizer, album):
    tasks = plan([album / "b.jpg"])
    outcomes(colorizer, tasks, quality=30)
    assert outcomes(colorizer, tasks, quality=30, resume=True)["b.jpg"].status == "skipped"
    assert outcomes(colorizer, tasks, quality=90, resume=True)["b.jpg"].status == "coloured"


@pytest.mark.parametrize("theirs", ["[1, 2]", "{}", "not JSON"])
def test_a_sidecar_never_takes_the_place_of_another_programs_file(colorizer, album, theirs):
    place = album / "a-color.json"
    place.write_text(theirs)
    (outcome,) = colorize_many(colorizer, plan([album / "a.png"]), sidecar=True)
    assert outcome.status == "failed"
    assert "no sidecar of photochrom" in outcome.notes[0]
    assert place.read_text() == theirs
    assert not (album / "a-color.png").exists()
