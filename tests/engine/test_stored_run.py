import io
import tarfile
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from photochrom.engine import batch, run_listing, stored_run
from photochrom.engine.batch import FailureStreak
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.hashes import state_hash
from photochrom.engine.stored import StoredOutcome, StoredTask, recipe_of
from photochrom.engine.stored_run import StoredRun, Wishes, colorize_all, recorded
from photochrom.engine.workers import InProcess
from photochrom.errors import InvalidValueError, WorkerDiedError
from photochrom.options.hint import Hint
from photochrom.photo import storage


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return the bytes of a small gray PNG, which takes milliseconds."""
    path = tmp_path_factory.mktemp("small") / "a.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def gray():
    return InProcess(Colorizer("gray"))


def fill(files, content, *names):
    for name in names:
        files.pipe_file(name, content)


def run(executor, sources, output=None, report=None, **wishes):
    """Run as the command does, and return the outcomes by source."""
    asked = Wishes(**wishes)
    with StoredRun(list(map(str, sources)), output, asked, report or (lambda line: None)) as plan:
        outcomes = colorize_all(
            executor,
            plan.items(lambda guidance: executor.call(recipe_of, guidance, {}, asked.sidecar)),
            jobs=2,
            resume=asked.resume,
            sidecar=asked.sidecar,
        )
        return list(recorded(outcomes, plan.table))


def told(outcomes):
    return Counter((outcome.status, outcome.known) for outcome in outcomes)


def names_below(files, folder):
    return [name for name in files.find(folder) if "run.parquet" not in name]


def test_a_folder_keeps_its_structure_and_is_coloured_once(gray, memory, small):
    fill(memory, small, "/in/a.png", "/in/b/a.png", "/in/b/c/d.png", "/in/film.mp4")
    first = run(gray, ["memory://in"], "memory://out", recursive=True)
    assert told(first) == {("coloured", False): 3, ("passed over", False): 1}
    kept = ["/out/a-color.png", "/out/b/a-color.png", "/out/b/c/d-color.png"]
    assert names_below(memory, "/out") == kept
    again = run(gray, ["memory://in"], "memory://out", recursive=True, resume=True)
    assert told(again) == {("skipped", True): 3, ("passed over", False): 1}


def test_nothing_is_read_of_what_the_table_has(gray, memory, small, monkeypatch):
    fill(memory, small, "/in/a.png", "/in/b.png")
    run(gray, ["memory://in"], "memory://out", resume=True)

    def never(*given, **options):
        raise AssertionError(given)

    monkeypatch.setattr(stored_run, "colorize_stored", never)
    assert told(run(gray, ["memory://in"], "memory://out", resume=True)) == {("skipped", True): 2}


def test_what_changed_failed_or_is_gone_is_done_again(gray, memory, small):
    fill(memory, small, *(f"/in/{name}.png" for name in ("same", "changed", "gone", "failed")))
    memory.pipe_file("/in/failed.png", b"no picture")
    assert told(run(gray, ["memory://in"], "memory://out"))["failed", False] == 1
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(memory.open("/in/changed.png", "wb"), "png")
    memory.rm("/out/gone-color.png")
    memory.pipe_file("/in/failed.png", small)
    again = run(gray, ["memory://in"], "memory://out", resume=True)
    assert {storage.name_of(each.source): (each.status, each.known) for each in again} == {
        "same.png": ("skipped", True),
        "changed.png": ("coloured", False),
        "gone.png": ("coloured", False),
        "failed.png": ("coloured", False),
    }
    other = InProcess(Colorizer("gray", saturation=0.5))
    assert told(run(other, ["memory://in"], "memory://out", resume=True)) == {
        ("coloured", False): 4
    }


def test_results_without_a_table_are_known_by_their_markers(gray, memory, small):
    fill(memory, small, "/in/a.png")
    run(gray, ["memory://in"], "memory://out")
    memory.rm("/out/run.parquet", recursive=True)
    assert told(run(gray, ["memory://in"], "memory://out", resume=True)) == {("skipped", False): 1}
    assert told(run(gray, ["memory://in"], "memory://out", resume=True)) == {("skipped", True): 1}


def test_results_beside_their_sources_are_not_coloured_again(gray, memory, small):
    fill(memory, small, "/in/a.png")
    run(gray, ["memory://in"])
    again = run(gray, ["memory://in"], resume=True)
    assert told(again) == {("skipped", True): 1, ("skipped", False): 1}
    again = run(gray, ["memory://in"], resume=True)
    assert told(again) == {("skipped", True): 2}
    assert names_below(memory, "/in") == ["/in/a-color.png", "/in/a.png"]


def test_two_sources_never_share_a_result(gray, memory, small, tmp_path):
    fill(memory, small, "/in/a.png", "/in/a.bmp", "/more/a.png", "/in/a-color.tif")
    done = run(gray, ["memory://in", "memory://more/a.png"], "memory://out", suffix=".png")
    assert len({each.target for each in done}) == 4
    assert {each.status for each in done} == {"coloured"}


def test_archives_and_shards_are_read_as_folders(gray, memory, small, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        packed.writestr("b/ü #?.png", small)
    for number in range(2):
        (tmp_path / "a.png").write_bytes(small)
        with tarfile.open(tmp_path / f"s-{number:02}.tar", "w") as packed:
            packed.add(tmp_path / "a.png", "key.png")
        (tmp_path / f"s-{number:02}.tar").rename(tmp_path / f"t-{number:02}.tar")
    memory.put_file(str(tmp_path / "z.zip"), "/z.zip")
    sources = ["memory://z.zip", tmp_path / "t-{00..01}.tar"]
    for resume, known in ((False, False), (True, True)):
        done = run(gray, sources, str(tmp_path / "out"), resume=resume)
        assert told(done) == {("skipped" if known else "coloured", known): 3}
    made = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png"))
    assert made == ["t-00/key-color.png", "t-01/key-color.png", "z/b/ü #?-color.png"]
    with pytest.raises(InvalidValueError, match="only read"):
        run(gray, [tmp_path / "z.zip"])


def archive(path, members, mode="w"):
    """Write a tar of (name, content or link)."""
    with tarfile.open(path, mode) as packed:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                packed.addfile(member)
            else:
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))
    return path


def test_a_compressed_tar_is_an_archive_whatever_its_name(gray, small, tmp_path):
    members = [("0001.png", small), ("0001.left.png", small), ("0001.cls", b"3")]
    for name, mode in (("a.tar.gz", "w:gz"), ("b.tgz", "w:gz"), ("c.tar", "w:gz"), ("d.tgz", "w")):
        done = run(gray, [archive(tmp_path / name, members, mode)], str(tmp_path / "out"))
        assert told(done) == {("coloured", False): 2}
        made = sorted(path.name for path in (tmp_path / "out" / name[0]).iterdir())
        assert made == ["0001-color.png", "0001.left-color.png"]


def test_no_member_of_an_archive_is_lost_silently(gray, small, tmp_path):
    members = [("a.png", small), ("link.png", "a.png"), ("/root.png", small), ("../up.png", small)]
    members += [("nothing.png", "/etc/passwd"), ("loop.png", "loop.png")]
    path = archive(tmp_path / "a.tar", members)
    done = {storage.name_of(o.source): o for o in run(gray, [path], str(tmp_path / "out"))}
    coloured = {name for name, o in done.items() if o.status == "coloured"}
    assert coloured == {"a.png", "link.png"}
    assert set(done) - coloured == {"root.png", "..", "nothing.png", "loop.png"}
    assert "no such name" in done["root.png"].notes[0]
    assert "is no file that can be read from its archive" in done["loop.png"].notes[0]
    (tmp_path / "cut.tar").write_bytes(path.read_bytes()[:1300])
    (cut,) = run(gray, [tmp_path / "cut.tar"], str(tmp_path / "out"))
    assert "its end is missing, or it is damaged" in cut.notes[0]
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        for name in ("a.png", "/etc/x.png", "b/../../c.png"):
            packed.writestr(name, small)
    done = run(gray, [tmp_path / "z.zip"], str(tmp_path / "out"))
    assert told(done) == {("coloured", False): 1, ("failed", False): 2}


def test_what_lies_in_a_folder_without_a_name_is_named(gray, memory, small):
    fill(memory, small, "/in/a//b.png", "/in/a/c.png")
    done = run(gray, ["memory://in"], "memory://out", recursive=True)
    assert told(done) == {("coloured", False): 1, ("failed", False): 1}
    (lost,) = (o for o in done if o.status == "failed")
    assert lost.notes == ("memory://in/a//: is no folder below this one; left out.",)


def test_a_member_with_a_password_is_a_failure(gray, small, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        packed.writestr("a.png", small)
    content = bytearray((tmp_path / "z.zip").read_bytes())
    for mark, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + flags] |= 1
    (tmp_path / "z.zip").write_bytes(content)
    (done,) = run(gray, [tmp_path / "z.zip"], str(tmp_path / "out"))
    assert done.status == "failed" and "password" in done.notes[0]


def test_a_local_folder_goes_to_a_storage(gray, memory, small, tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("a.png", "below/b.png", "notes.psd"):
        (tmp_path / name).write_bytes(small)
    done = run(gray, [tmp_path], "memory://out", recursive=True)
    assert told(done) == {("coloured", False): 2, ("passed over", False): 1}
    assert names_below(memory, "/out") == ["/out/a-color.png", "/out/below/b-color.png"]
    again = run(gray, [tmp_path], "memory://out", recursive=True, resume=True)
    assert told(again)["skipped", True] == 2


def manifest(path, *lines):
    path.write_text("\n".join(("path,result,reference", *lines)) + "\n")
    return path


def test_a_manifest_is_coloured_once(gray, memory, small, tmp_path):
    fill(memory, small, "/in/a.png", "/in/b/c.png")
    (tmp_path / "d.png").write_bytes(small)
    rows = ("memory://in/a.png,x/y.png,", "memory://in/b/c.png,,", "d.png,,", "no.png,,")
    path = manifest(tmp_path / "m.csv", *rows)
    first = run(gray, [path], "memory://out", resume=True)
    assert told(first) == {("coloured", False): 3, ("failed", False): 1}
    made = ["/out/b/c-color.png", "/out/d-color.png", "/out/x/y.png"]
    assert names_below(memory, "/out") == made
    again = run(gray, [path], "memory://out", resume=True)
    assert told(again) == {("skipped", True): 3, ("failed", False): 1}
    memory.rm("/out/x/y.png")
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(tmp_path / "d.png")
    again = run(gray, [path], "memory://out", resume=True)
    assert told(again) == {("skipped", True): 1, ("coloured", False): 2, ("failed", False): 1}


def test_a_manifest_in_the_current_folder_is_coloured_once(gray, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(small)
    manifest(tmp_path / "m.csv", "a.png,,")
    for output in (None, "out", "."):
        run(gray, ["m.csv"], output)
        assert told(run(gray, ["m.csv"], output, resume=True)) == {("skipped", True): 1}


def test_a_folder_that_cannot_be_listed_is_asked_file_by_file(
    gray, memory, small, tmp_path, monkeypatch
):
    fill(memory, small, "/in/a.png", "/in/b.png")
    path = manifest(tmp_path / "m.csv", "memory://in/a.png,,", "memory://in/b.png,,")
    run(gray, [path], "memory://out")
    monkeypatch.setattr(run_listing, "_states_in", lambda folder: None)
    monkeypatch.setattr(run_listing, "_results_in", lambda folder: None)
    memory.pipe_file("/in/b.png", b"no picture")
    again = run(gray, [path], "memory://out", resume=True)
    assert told(again) == {("skipped", True): 1, ("failed", False): 1}


def test_two_manifests_with_one_result_are_refused(gray, memory, tmp_path):
    first = manifest(tmp_path / "a.csv", "x.png,,")
    second = manifest(tmp_path / "b.csv", "y.png,x-color.png,")
    with pytest.raises(InvalidValueError, match="rows with the same result"):
        run(gray, [first, second], "memory://out")
    with pytest.raises(InvalidValueError, match="in a run of their own"):
        run(gray, [first, "memory://in"], "memory://out")
    assert memory.find("/out") == []


def test_a_reference_of_a_row_is_part_of_its_recipe(memory, small, tmp_path):
    transfer = InProcess(Colorizer("transfer"))
    fill(memory, small, "/in/a.png")
    for name, colour in (("red", (200, 60, 40)), ("blue", (40, 60, 200))):
        Image.fromarray(np.full((20, 20, 3), colour, np.uint8)).save(tmp_path / f"{name}.png")
    for reference, status in (("red", "coloured"), ("red", "skipped"), ("blue", "coloured")):
        path = manifest(tmp_path / "m.csv", f"memory://in/a.png,,{reference}.png")
        (done,) = run(transfer, [path], "memory://out", resume=True)
        assert done.status == status, done.notes
        assert done.known == (status == "skipped")  # nothing was asked for


def test_candidates_each_have_a_row(gray, memory, small):
    fill(memory, small, "/in/a.png")
    done = run(gray, ["memory://in"], "memory://out", candidates=2)
    assert sorted(each.target for each in done) == [
        "memory://out/a-color-1.png",
        "memory://out/a-color-2.png",
    ]
    again = run(gray, ["memory://in"], "memory://out", candidates=2, resume=True)
    assert told(again) == {("skipped", True): 2}


def test_a_guidance_with_hints_is_kept(gray, memory, small):
    fill(memory, small, "/in/a.png")
    hinted = Guidance((Hint.point(1, 1, "#c08040", 2),))
    run(gray, ["memory://in"], "memory://out", guidance=hinted)
    assert told(run(gray, ["memory://in"], "memory://out", resume=True))["coloured", False] == 1


@pytest.mark.parametrize(
    ("sources", "output", "said"),
    [
        (["memory://in"], "memory://in/out", "lies inside the source memory://in"),
        (["memory://in/"], "memory://in//out/", "lies inside the source"),
        (["memory://in"], "https://host/out", "cannot be written to web servers"),
        (["memory://in"], "memory://out/a.png", "is a single file"),
        (["https://host/a.jpg"], None, "only read; results cannot be written beside it"),
        (["zip://a.jpg::memory://x.zip"], None, "only read"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(gray, memory, small, sources, output, said):
    fill(memory, small, "/in/a.png")
    with pytest.raises(InvalidValueError, match=said):
        run(gray, sources, output, recursive=True)
    assert list(memory.store) == ["/in/a.png"]


def test_a_source_that_cannot_be_listed_is_a_failure(gray, memory, small, monkeypatch):
    fill(memory, small, "/in/a.png", "/in/closed/b.png")
    ls = type(memory).ls

    def closed(self, path, *given, **options):
        if "closed" in path:
            raise PermissionError("Forbidden")
        return ls(self, path, *given, **options)

    monkeypatch.setattr(type(memory), "ls", closed)
    done = run(gray, ["memory://in"], "memory://out", recursive=True)
    assert told(done) == {("coloured", False): 1, ("failed", False): 1}
    assert "access denied" in next(o for o in done if o.status == "failed").notes[0]
    (done,) = run(gray, ["memory://none/"], "memory://out")
    assert (done.status, done.notes) == ("failed", ("memory://none/: does not exist.",))
    memory.pipe_file("/empty/notes.txt", b"")
    (done,) = run(gray, ["memory://empty/"], "memory://out")
    assert "no pictures in this folder" in done.notes[0]


def test_a_photograph_whose_process_was_killed_gets_another_try(gray, memory, small):
    fill(memory, small, "/in/a.png")
    calls = []

    class Killed:
        def call(self, job, *args):
            calls.append(job)
            if len(calls) == 1:
                raise WorkerDiedError("the process that worked on it died (SIGKILL)")
            return gray.call(job, *args)

        def stop(self):
            pass

    task = StoredTask("memory://in/a.png", "memory://out/a.png")
    (done,) = colorize_all(Killed(), [task], jobs=1)
    assert done.status == "coloured" and len(calls) == 2


def test_an_interrupted_run_keeps_its_table(gray, memory, small):
    fill(memory, small, "/in/a.png", "/in/b.png")
    with StoredRun(["memory://in"], "memory://out") as plan:
        items = plan.items(lambda guidance: gray.call(recipe_of, guidance, {}))
        outcomes = recorded(colorize_all(gray, items, jobs=1), plan.table)
        next(outcomes)
        outcomes.close()
    assert told(run(gray, ["memory://in"], "memory://out", resume=True))["skipped", True] >= 1


def test_a_streak_of_failures_is_ended_by_one_result():
    failed = StoredOutcome("a", "b", "failed", ("no",), 0.0)
    streak = FailureStreak(3)
    assert [streak.add(failed) for _ in range(2)] == [None, None]
    streak.add(StoredOutcome("a", "b", "coloured", (), 0.0))
    assert [streak.add(failed) for _ in range(2)] == [None, None]
    streak.add(StoredOutcome("a", "b", "skipped", (), 0.0, known=True))
    assert "3 photographs all failed" in streak.add(failed)
    assert batch.MOST_FAILURES == 1000


def test_a_state_has_a_free_bit():
    assert not any(state_hash(number, "etag") & 1 for number in range(100))
