import numpy as np
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.engine import stored
from photochrom.engine.colorize import Colorizer
from photochrom.engine.output_names import is_own, marker_on
from photochrom.engine.reference import References
from photochrom.engine.sidecar import Sidecar, read_sidecar
from photochrom.engine.stored import StoredTask, blames_machine, colorize_stored
from photochrom.engine.workers import Worker
from photochrom.errors import (
    InvalidValueError,
    UnreadablePhotoError,
    UnwritablePhotoError,
    WorkerDiedError,
)
from photochrom.options.hint import Hint
from photochrom.photo import storage
from photochrom.photo.storage import fetch, look, store
from photochrom.photo.temporary_folders import scratch


@pytest.fixture(scope="module")
def gray():
    return Colorizer("gray")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "drawn.jpg"
    Image.fromarray(drawn_picture(3)).convert("L").save(path, quality=95)
    return path


def marked(address, tmp_path):
    fetch(address, tmp_path / "marked.jpg")
    return marker_on(tmp_path / "marked.jpg")


def test_a_photograph_is_coloured_from_one_address_to_another(gray, memory, photo, tmp_path):
    store(photo, "memory://in/old #1?.jpg")
    task = StoredTask("memory://in/old #1?.jpg", "memory://out/a/old-color.jpg")
    before = set(scratch().iterdir())
    done = colorize_stored(gray, task)
    assert (done.status, done.notes) == ("coloured", ())
    assert (done.source, done.target) == (task.source, task.target)
    assert done.size == photo.stat().st_size and done.version and done.method == "gray"
    assert marked(task.target, tmp_path).method == "gray"
    assert sorted(memory.find("/")) == ["/in/old #1?.jpg", "/out/a/old-color.jpg"]
    assert set(scratch().iterdir()) <= before


def test_only_one_end_may_be_far(gray, memory, photo, tmp_path):
    store(photo, "memory://in/old.jpg")
    done = colorize_stored(gray, StoredTask("memory://in/old.jpg", str(tmp_path / "new" / "a.png")))
    assert done.status == "coloured" and is_own(tmp_path / "new" / "a.png")
    done = colorize_stored(gray, StoredTask(str(photo), "memory://out/a.jpg"))
    assert done.status == "coloured" and done.version == str(photo.stat().st_mtime_ns)
    assert look("memory://out/a.jpg").size > 100


def test_a_worker_colours_while_this_process_copies(memory, photo):
    store(photo, "memory://in/old.jpg")  # which the worker process cannot see
    worker = Worker(_gray)
    try:
        done = colorize_stored(worker, StoredTask("memory://in/old.jpg", "memory://out/a.jpg"))
    finally:
        worker.close()
    assert done.status == "coloured"


def _gray():
    return Colorizer("gray")


def test_messages_name_the_address_and_no_secret(gray, memory, tmp_path, photo):
    memory.pipe_file("/in/empty.jpg", b"")
    memory.pipe_file("/in/text.jpg", b"no picture")
    for name in ("empty", "text", "missing"):
        address = f"memory://in/{name}.jpg"
        done = colorize_stored(gray, StoredTask(address, f"memory://out/{name}.jpg"))
        assert done.status == "failed" and done.notes[0].startswith(f"{address}: ")
        assert str(scratch()) not in done.notes[0]
    done = colorize_stored(
        gray, StoredTask("https://anna:hunter2@127.0.0.1:1/a.jpg?sig=hunter2", "memory://out/a.jpg")
    )
    assert done.source == "https://127.0.0.1:1/a.jpg"
    assert "hunter2" not in repr(done)
    assert memory.find("/out") == []


def test_what_photochrom_did_not_create_is_never_replaced(gray, memory, photo, tmp_path):
    store(photo, "memory://in/old.jpg")
    for target in ("memory://out/a.jpg", str(tmp_path / "a.jpg"), "memory://in/old.jpg"):
        if target != "memory://in/old.jpg":
            (store(photo, target) if "://" in target else (tmp_path / "a.jpg").write_bytes(b"x"))
        done = colorize_stored(gray, StoredTask("memory://in/old.jpg", target))
        assert done.status == "failed", target
        assert "was not created by photochrom" in done.notes[0] or "original" in done.notes[0]
    assert (tmp_path / "a.jpg").read_bytes() == b"x"
    assert memory.cat_file("/out/a.jpg") == photo.read_bytes()


def test_another_programs_json_is_never_replaced_by_a_sidecar(gray, memory, photo):
    store(photo, "memory://in/old.jpg")
    memory.pipe_file("/out/a.json", b'{"mine": 1}')
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg", exists=False)
    done = colorize_stored(gray, task, sidecar=True)
    assert done.status == "failed" and "not a sidecar" in done.notes[0]
    assert memory.cat_file("/out/a.json") == b'{"mine": 1}'


def test_results_of_photochrom_in_a_source_folder_are_left_alone(gray, memory, photo):
    store(photo, "memory://in/old.jpg")
    colorize_stored(gray, StoredTask("memory://in/old.jpg", "memory://in/old-color.jpg"))
    again = StoredTask("memory://in/old-color.jpg", "memory://in/old-color-color.jpg", named=False)
    assert colorize_stored(gray, again).notes == (stored.OWN,)
    assert look("memory://in/old-color-color.jpg") is None


def test_a_marker_tells_what_is_done_even_without_a_table(gray, memory, photo):
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg")
    store(photo, task.source)
    assert colorize_stored(gray, task, resume=True).status == "coloured"
    store(photo, task.source)  # another time, the same bytes
    assert colorize_stored(gray, task, resume=True).status == "skipped"
    assert colorize_stored(gray, task).status == "coloured"
    other = {"quality": 91}
    assert colorize_stored(gray, task, resume=True, options=other).status == "coloured"
    Image.fromarray(drawn_picture(4)).convert("L").save(photo)
    store(photo, task.source)
    assert colorize_stored(gray, task, resume=True, options=other).status == "coloured"


def test_xmp_sidecars_follow_and_another_ones_stay(gray, memory, photo):
    store(photo, "memory://in/old.jpg")
    memory.pipe_file("/in/old.xmp", b"<x/>")
    memory.pipe_file("/in/old.jpg.xmp", b"<y/>")
    memory.pipe_file("/out/new.xmp", b"<mine/>")
    done = colorize_stored(gray, StoredTask("memory://in/old.jpg", "memory://out/new.jpg"))
    assert "left unchanged" in done.notes[0] and "was copied to new.jpg.xmp" in done.notes[1]
    assert memory.cat_file("/out/new.xmp") == b"<mine/>"
    assert memory.cat_file("/out/new.jpg.xmp") == b"<y/>"


def test_a_sidecar_is_stored_beside_the_result_and_repeats_it(memory, photo, tmp_path):
    """The reference is at an address too, and the sidecar is read from one."""
    Image.fromarray(drawn_picture(7)).save(tmp_path / "lender.png")
    store(tmp_path / "lender.png", "memory://lenders/one.png")
    store(photo, "memory://in/old.jpg")
    moments = Colorizer("transfer")
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg")
    done = colorize_stored(
        moments,
        StoredTask(task.source, task.target, reference="memory://lenders/one.png"),
        sidecar=True,
    )
    assert done.status == "coloured", done.notes
    recipe = read_sidecar("memory://out/a.json")
    assert recipe.guidance.reference.name == "memory://lenders/one.png"
    again = StoredTask(task.source, "memory://again/a.jpg", recipe.guidance, fit=recipe)
    assert colorize_stored(recipe.colorizer(), again).status == "coloured"
    first, second = (Image.open(memory.open(f"/{name}/a.jpg")) for name in ("out", "again"))
    assert first.tobytes() == second.tobytes()
    store(photo, "memory://lenders/one.png")
    with pytest.raises(InvalidValueError, match="colour|changed"):
        read_sidecar("memory://out/a.json")


def test_the_hints_of_a_sidecar_are_fitted_to_each_photograph(gray, memory, photo, tmp_path):
    store(photo, "memory://in/old.jpg")
    with Image.open(photo) as opened:
        width, height = opened.size
    hint = Hint.point(10, 10, "#c08040", 3)
    recipe = Sidecar.of(gray, stored.Guidance((hint,)), (width * 2, height * 2))
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg", recipe.guidance, fit=recipe)
    assert colorize_stored(gray, task).status == "coloured"
    wrong = Sidecar.of(gray, stored.Guidance((hint,)), (width * 2, height))
    task = StoredTask("memory://in/old.jpg", "memory://out/b.jpg", wrong.guidance, fit=wrong)
    done = colorize_stored(gray, task)
    assert done.status == "failed" and "another aspect ratio" in done.notes[0]


def test_a_reference_that_cannot_be_used_fails_its_photograph_alone(gray, memory, photo):
    store(photo, "memory://in/old.jpg")
    for reference in ("memory://none.png", "memory://in/old.jpg"):
        task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg", reference=reference)
        done = colorize_stored(gray, task)
        assert done.status == "failed" and reference in done.notes[0]


def test_a_folder_of_references_is_copied_for_as_long_as_it_is_used(memory, photo):
    store(photo, "memory://lenders/one.jpg")
    before = set(scratch().iterdir())
    references = References.far("memory://lenders")
    (folder,) = set(scratch().iterdir()) - before
    assert [path.parent for path in references.photos] == [folder]
    assert references.to_table() == {"folder": "memory://lenders"}
    del references
    assert not folder.exists()
    with pytest.raises(UnreadablePhotoError, match="does not exist"):
        References.far("memory://in")
    assert set(scratch().iterdir()) == before


def test_the_picture_is_stored_after_what_belongs_to_it(gray, memory, photo, monkeypatch):
    store(photo, "memory://in/old.jpg")
    put = []

    def noted(path, address):
        put.append(storage.name_of(address))
        if address.endswith(".jpg"):
            raise UnwritablePhotoError(f"{address}: cannot be written (gone).")

    monkeypatch.setattr(storage, "store", noted)
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg")
    done = colorize_stored(gray, task, sidecar=True)
    assert put == ["a.json", "a.jpg"]
    assert (done.status, done.notes) == (
        "failed",
        ("memory://out/a.jpg: cannot be written (gone).",),
    )


def test_a_source_that_is_too_large_is_refused_before_it_is_copied(gray, memory):
    memory.pipe_file("/in/old.jpg", bytes(1000))
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg")
    done = colorize_stored(gray, task, most_bytes=999)
    assert done.status == "failed" and "more than 999 bytes" in done.notes[0]


def test_the_machine_is_blamed_for_a_kill_and_not_for_a_bad_picture(gray, memory):
    class Killed:
        def call(self, job, *args):
            raise WorkerDiedError("the process that worked on it died (SIGKILL, perhaps memory)")

    memory.pipe_file("/in/old.jpg", b"no picture")
    task = StoredTask("memory://in/old.jpg", "memory://out/a.jpg")
    done = colorize_stored(Killed(), task)
    assert done.notes[0].startswith("memory://in/old.jpg: the process that worked on it died")
    assert blames_machine(done) and not blames_machine(colorize_stored(gray, task))


def test_float_range_and_quality_are_part_of_the_recipe(gray):
    recipes = {
        stored.recipe_of(gray, stored.PLAIN, options, sidecar).key
        for options in ({}, {"quality": 91}, {"format": "png"}, {"float_range": (0, 2)})
        for sidecar in (False, True)
    }
    assert len(recipes) == 8
    own = {stored.with_reference("key", name) for name in (None, "a.png", "b.png")}
    assert len(own) == 3


def test_a_key_that_is_no_name_is_refused(gray, memory, photo):
    memory.store["/in/.."] = memory.open("/x", "wb")
    done = colorize_stored(gray, StoredTask("memory://in/..", "memory://out/a.jpg"))
    assert done.status == "failed" and "memory://in/.." in done.notes[0]


@pytest.mark.slow
def test_a_photograph_of_many_blocks_is_copied_whole(gray, s3, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BLOCK", 1 << 16)
    noise = np.random.default_rng(0).integers(0, 256, (600, 700), np.uint8)
    Image.fromarray(noise).save(tmp_path / "big.png")
    store(tmp_path / "big.png", "s3://archive/big.png")
    done = colorize_stored(gray, StoredTask("s3://archive/big.png", "s3://archive/out/big.png"))
    assert done.status == "coloured", done.notes
    fetch("s3://archive/out/big.png", tmp_path / "done.png")
    with Image.open(tmp_path / "done.png") as opened:
        shown = np.asarray(opened.convert("RGB"))
    assert np.array_equal(shown[..., 0], noise)
