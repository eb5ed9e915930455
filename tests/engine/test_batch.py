import errno
import functools
import os
import shutil
import signal
import threading
import time

import numpy as np
import pytest
from PIL import Image

from photochrom.engine.batch import Task, colorize_many
from photochrom.engine.batch_plan import Names, plan
from photochrom.engine.colorize import Colorizer
from photochrom.engine.watch import _Looks, watch
from photochrom.engine.workers import WorkerProcesses
from photochrom.errors import UnreadablePhotoError
from photochrom.photo.atomic import atomic_target, unwritable
from photochrom.photo.find import find_photos


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    with pytest.raises(UnreadablePhotoError, match="no pictures in"):
        find_photos(tmp_path, recursive)


@pytest.mark.slow
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
    deadline = time.monotonic() + 120
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


@pytest.mark.slow
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
    assert "no pictures in" in done["empty"].notes[0]
    assert plan([first.target])[0].settled is None


@pytest.mark.slow
@pytest.mark.parametrize("when", [5.0, -5e5, 5e5])
def test_resume_colours_anew_what_has_other_bytes_and_nothing_for_its_time(colorizer, album, when):
    os.utime(album / "b.jpg", (time.time() + 5e5,) * 2)
    tasks = plan([album])
    outcomes(colorizer, tasks)
    assert {o.status for o in outcomes(colorizer, tasks, resume=True).values()} == {"skipped"}
    Image.fromarray(np.random.default_rng(2).integers(0, 255, (40, 50), np.uint8)).save(
        album / "a.png", compress_level=0
    )
    for file in ("a.png", "b.jpg"):
        os.utime(album / file, (time.time() + when,) * 2)
    again = outcomes(colorizer, tasks, resume=True)
    assert (again["a.png"].status, again["b.jpg"].status) == ("coloured", "skipped")


def test_resume_writes_the_sidecar_that_is_missing(colorizer, album):
    tasks = plan([album / "a.png"])
    outcomes(colorizer, tasks)
    for broken in (None, "{", '{"photochrom"', "[" * 5000):
        if broken is not None:
            (album / "a-color.json").write_text(broken)
        done = outcomes(colorizer, tasks, resume=True, sidecar=True)["a.png"]
        assert done.status == ("coloured" if broken is None else "failed"), broken
        (album / "a-color.json").unlink(missing_ok=True)
    outcomes(colorizer, tasks, sidecar=True)
    assert outcomes(colorizer, tasks, resume=True, sidecar=True)["a.png"].status == "skipped"


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
    assert "not a sidecar of photochrom" in outcome.notes[0]
    assert place.read_text() == theirs
    assert not (album / "a-color.png").exists()


@pytest.mark.slow
def test_resume_sees_other_bytes_of_the_same_number(tmp_path, colorizer):
    source = tmp_path / "a.tif"
    for tone in (90, 91):  # uncompressed: as many bytes
        Image.fromarray(np.full((40, 50), tone, np.uint8)).save(source)
        os.utime(source, (1e9 + tone, 1e9 + tone))
        (done,) = colorize_many(colorizer, plan([source]), resume=True)
        assert done.status == "coloured"


@pytest.mark.slow
def test_a_watched_file_whose_time_lies_ahead_is_taken_once_it_stands_still(tmp_path):
    looks = _Looks()
    ahead = picture(tmp_path / "ahead.png")
    os.utime(ahead, (time.time() + 1e6,) * 2)
    assert list(looks.settled(tmp_path, False)) == []
    deadline = time.monotonic() + 120
    while not (found := list(looks.settled(tmp_path, False))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [path.name for path, _ in found] == ["ahead.png"]
    with ahead.open("ab") as file:
        file.write(b"more")
    os.utime(ahead, (time.time() + 1e6,) * 2)
    assert list(looks.settled(tmp_path, False)) == []


def test_what_is_passed_over_is_named(album):
    for name in ("x.psd", "y.svg", "1901/z.tga", "notes.txt"):
        (album / name).write_bytes(b"...")
    settled = [task.settled for task in plan([album], recursive=True) if task.settled]
    assert settled == [
        ("passed over", "passed over: pictures in unsupported formats (1 .psd, 1 .svg, 1 .tga)")
    ]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root enters every folder")
def test_a_folder_that_may_not_be_entered_has_failed(album):
    (album / "1901").chmod(0)
    failed = [task.settled for task in plan([album], recursive=True) if task.settled]
    (album / "1901").chmod(0o700)
    assert failed[0][0] == "failed"
    assert "1901: cannot be opened" in failed[0][1]


def test_a_name_that_leaves_no_room_for_the_results_fails_alone(colorizer, album):
    long = album / ("x" * 247 + ".png")
    long.write_bytes((album / "a.png").read_bytes())
    (album / ("y" * 236 + ".png")).write_bytes((album / "a.png").read_bytes())
    done = outcomes(colorizer, Names().apart(plan([album])))
    assert done.pop(long.name).status == "failed"
    assert {outcome.status for outcome in done.values()} == {"coloured"}
    (failed,) = (t.settled for t in Names().apart(plan([long])) if t.settled)
    assert "too long (257 bytes" in failed[1]


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), RecursionError(), OSError(5)])
def test_every_exception_of_a_photograph_is_its_own_line(colorizer, album, monkeypatch, error):
    real = Colorizer.colorize_file

    def colorize_file(self, source, *rest, **options):
        if source.name == "a.png":
            raise error
        return real(self, source, *rest, **options)

    monkeypatch.setattr(Colorizer, "colorize_file", colorize_file)
    done = outcomes(colorizer, plan([album]))
    assert (done["a.png"].status, done["b.jpg"].status) == ("failed", "coloured")
    (line,) = done["a.png"].notes
    assert str(album / "a.png") in line
    assert "\n" not in line


@pytest.mark.parametrize("error", [ValueError("odd"), UnicodeDecodeError("utf-8", b"", 0, 1, "")])
def test_what_cannot_be_planned_fails_when_it_is_coloured(colorizer, album, monkeypatch, error):
    from photochrom.photo.photo import Photo

    real = Photo.open

    def opened(source, **options):
        if str(source).endswith("a.png"):
            raise error
        return real(source, **options)

    monkeypatch.setattr(Photo, "open", opened)
    done = outcomes(colorizer, Names().apart(plan([album])))
    assert (done["a.png"].status, done["b.jpg"].status) == ("failed", "coloured")


def test_a_full_disk_ends_the_run_and_a_file_too_large_does_not(colorizer, album, monkeypatch):
    tasks = plan([album] * 20)
    for code, ends in ((errno.ENOSPC, True), (errno.EFBIG, False)):

        def full(*arguments, _code=code, **options):
            raise unwritable(album / "a-color.png", OSError(_code, os.strerror(_code)))

        monkeypatch.setattr(Colorizer, "colorize_file", full)
        done = list(colorize_many(colorizer, tasks, jobs=1))
        assert (len(done) < 5) == ends
        assert {outcome.ends_run for outcome in done} == {ends}


def test_a_folder_of_results_that_is_gone_ends_the_run(colorizer, album, tmp_path):
    (tmp_path / "out").mkdir()
    done = []
    for outcome in colorize_many(
        colorizer, plan([album] * 9, output=tmp_path / "out"), jobs=1, prompt=True
    ):
        done.append(outcome)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
    assert [outcome.status for outcome in done] == ["coloured", "failed"]
    assert "no longer exists" in done[1].notes[0]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_what_kills_a_process_costs_one_photograph_and_the_process_comes_back(album, monkeypatch):
    for name in ("d.png", "e.png"):
        (album / name).write_bytes((album / "a.png").read_bytes())
    tasks = plan([album])
    killer = functools.partial(Deadly, "b.jpg", signal.SIGBUS)
    workers = WorkerProcesses(killer, 2)
    done = {o.source.name: o for o in colorize_many(workers, tasks, jobs=2)}
    workers.stop()
    assert {name: o.status for name, o in done.items()} == {
        "a.png": "coloured",
        "b.jpg": "failed",
        "d.png": "coloured",
        "e.png": "coloured",
    }
    assert (
        f"{album / 'b.jpg'}: the process that worked on it died (SIGBUS" in done["b.jpg"].notes[0]
    )
    assert not list(album.glob(".*.part"))


@pytest.mark.slow
def test_what_hangs_is_given_up_and_costs_one_photograph(album):
    (album / "d.png").write_bytes((album / "a.png").read_bytes())
    workers = WorkerProcesses(functools.partial(Deadly, "b.jpg", None), 2, seconds=10)
    done = {o.source.name: o for o in colorize_many(workers, plan([album]), jobs=2)}
    workers.stop()
    assert {name: o.status for name, o in done.items()} == {
        "a.png": "coloured",
        "b.jpg": "failed",
        "d.png": "coloured",
    }
    said = f"{album / 'b.jpg'}: it took longer than 10 seconds and was abandoned"
    assert done["b.jpg"].notes[0].startswith(said)
    assert not list(album.glob(".*.part"))


class Deadly(Colorizer):
    """Kills its process, or hangs, at a file of a name, with the result half written."""

    def __init__(self, name, number):
        super().__init__("gray")
        self.deadly, self.number = name, number

    def colorize_file(self, source, target=None, **options):
        if source.name != self.deadly:
            return super().colorize_file(source, target, **options)
        with atomic_target(target) as part:
            part.write_text("half")
            if self.number is not None:
                os.kill(os.getpid(), self.number)
            time.sleep(60)
