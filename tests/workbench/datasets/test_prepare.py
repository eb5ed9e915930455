import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import DataError, InvalidValueError, MissingExtraError
from photochrom.workbench.datasets.batches import Batches, DataRecipe
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.datasets.picture_files import Credit
from photochrom.workbench.datasets.prepare import Choice, prepare
from photochrom.workbench.datasets.standardize import Standard
from photochrom.workbench.datasets.streaming import stream_pictures

ONE = {"jobs": 1}
COLUMNS = ["image", "source", "label", "width", "height", "key", "mean_hue", "chroma", "spread"]


def png(rgb: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG", compress_level=1)
    return out.getvalue()


def write_parquet(path: Path, images: list, group: int = 10, **columns: list) -> Path:
    pq.write_table(pa.table({"image": images, **columns}), path, row_group_size=group)
    return path


def prepared(folder: Path) -> list[dict]:
    return pq.read_table(sorted(folder.glob("*.parquet"))).to_pylist()


def files(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir()}


@pytest.fixture
def mixed_folder(tmp_path):
    """Give a folder with two good pictures and one of each kind that is refused."""
    folder = tmp_path / "album"
    for label, name, picture in (
        ("bird", "im1.png", drawn_picture(1)),
        ("sky", "im2.png", drawn_picture(2)),
        ("sky", "im3.png", drawn_picture(1)),
        ("sky", "im4.png", np.clip(drawn_picture(2).astype(int) + 2, 0, 255).astype(np.uint8)),
        ("sky", "im5.png", np.full((64, 64, 3), 128, np.uint8)),
        ("sky", "im6.png", drawn_picture(6, 30, 90)),
    ):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / name).write_bytes(png(picture))
    (folder / "sky" / "im7.jpg").write_bytes(b"no picture")
    return folder


def test_every_refusal_is_counted_by_its_reason(mixed_folder, tmp_path):
    counts = prepare(str(mixed_folder), tmp_path / "out", **ONE)
    assert counts.seen == 7
    assert counts.kept == 2
    assert counts.refused == {
        "other label": 0,
        "not listed": 0,
        "unreadable": 1,
        "too small": 1,
        "gray": 1,
        "duplicate": 1,
        "near-duplicate": 1,
    }
    written = json.loads((tmp_path / "out" / "counts.json").read_text())
    assert written["refused"] == counts.refused
    assert counts.seen == counts.kept + sum(counts.refused.values())
    assert counts.rows()[0] == ("looked at", 7)


def test_a_row_holds_the_picture_and_what_is_known_of_it(mixed_folder, tmp_path):
    prepare(str(mixed_folder), tmp_path / "out", Standard(48, "crop"), **ONE)
    first, second = prepared(tmp_path / "out")
    assert list(first)[:9] == COLUMNS
    assert (first["source"], first["label"], first["key"]) == ("album", "bird", "bird/im1.png")
    assert (second["label"], second["width"], second["height"]) == ("sky", 48, 48)
    assert Image.open(io.BytesIO(first["image"])).size == (48, 48)


def test_training_reads_what_was_prepared(mixed_folder, tmp_path):
    prepare(str(mixed_folder), tmp_path / "out", **ONE)
    cache = open_cache(tmp_path / "out", tmp_path / "cache")
    assert np.array_equal(cache[0], drawn_picture(1))
    batch = Batches(cache, DataRecipe(), 0, frozenset({"bird/im1.png"})).batch(0, 32, 2)
    assert batch.lightness.shape == (2, 32, 32)


@pytest.mark.parametrize("annotated", [False, True])
def test_a_label_picks_a_subset_by_class_folder_or_by_annotation_list(
    mixed_folder, tmp_path, annotated
):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "bird.txt").write_text("1\n")
    lists = str(tmp_path / "lists") if annotated else ""
    counts = prepare(str(mixed_folder), tmp_path / "out", choice=Choice(("bird",), lists), **ONE)
    assert (counts.kept, counts.refused["other label"]) == (1, 6)
    assert prepared(tmp_path / "out")[0]["label"] == "bird"


def test_a_test_set_keeps_its_duplicates_if_asked(mixed_folder, tmp_path):
    choice = Choice(keep_duplicates=True)
    counts = prepare(str(mixed_folder), tmp_path / "out", choice=choice, **ONE)
    assert (counts.kept, counts.refused["duplicate"], counts.refused["gray"]) == (4, 0, 1)


def test_changed_annotation_lists_are_not_continued_with(mixed_folder, tmp_path):
    (tmp_path / "lists").mkdir()
    for numbers in ("1", "1\n2"):
        (tmp_path / "lists" / "good.txt").write_text(numbers)
        choice = Choice(("good",), str(tmp_path / "lists"))
        if numbers == "1":
            prepare(str(mixed_folder), tmp_path / "out", choice=choice, **ONE)
    with pytest.raises(DataError, match=r"\(data\)"):
        prepare(str(mixed_folder), tmp_path / "out", choice=choice, **ONE)


def test_a_label_that_no_picture_has_is_refused(mixed_folder, tmp_path):
    with pytest.raises(DataError, match="none of the 7 pictures as cow"):
        prepare(str(mixed_folder), tmp_path / "out", choice=Choice(("cow",)), **ONE)


def test_a_label_picks_rows_of_parquet(tmp_path):
    images = [png(drawn_picture(n)) for n in range(4)]
    labels = ["bird", "sky", "bird", None]
    data = write_parquet(tmp_path / "a.parquet", images, label=labels)
    counts = prepare(str(data), tmp_path / "out", choice=Choice(("bird",)), **ONE)
    assert (counts.kept, counts.refused["other label"]) == (2, 2)


def test_keys_have_no_white_space_so_that_lists_can_hold_them(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a 100% b.png").write_bytes(png(drawn_picture(0)))
    prepare(str(tmp_path / "in"), tmp_path / "out", **ONE)
    assert prepared(tmp_path / "out")[0]["key"] == "a%20100%25%20b.png"


def test_who_made_a_picture_and_on_which_terms_is_carried_on(tmp_path):
    pictures, out = [png(drawn_picture(seed)) for seed in (1, 2)], tmp_path / "out"
    data = write_parquet(
        tmp_path / "crawl.parquet", pictures, author=["Ada", None], licence=["by", "cc0"]
    )
    prepare(str(data), out, Standard(), **ONE)
    found = [{name: row[name] for name in Credit._fields} for row in prepared(out)]
    nothing = dict.fromkeys(Credit._fields, "")
    assert found == [
        nothing | {"author": "Ada", "licence": "by"},
        nothing | {"licence": "cc0"},
    ]


def test_class_numbers_of_the_hub_become_names(tmp_path):
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table({"img": [{"bytes": png(drawn_picture(0)), "path": None}], "label": [1]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pq.write_table(table, tmp_path / "hub.parquet")
    prepare(str(tmp_path / "hub.parquet"), tmp_path / "out", **ONE)
    assert prepared(tmp_path / "out")[0]["label"] == "dog"


def test_prepared_pictures_can_be_prepared_again_without_a_change(mixed_folder, tmp_path):
    prepare(str(mixed_folder), tmp_path / "one", **ONE)
    prepare(str(tmp_path / "one"), tmp_path / "two", **ONE)
    assert prepared(tmp_path / "one") == prepared(tmp_path / "two")


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """Give 160 small pictures in a Parquet file, some of them twice."""
    images = [png(drawn_picture(n % 150, 40, 48)) for n in range(160)]
    folder = tmp_path_factory.mktemp("many")
    return write_parquet(folder / "many.parquet", images, 30, key=[f"k{n}" for n in range(160)])


CHOICE = Choice(near_bits=1, shard_rows=10)
KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from photochrom.workbench.datasets.prepare import Choice, prepare

def progress(counts):
    for child in multiprocessing.active_children():
        print(child.pid)
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    data, out, jobs = sys.argv[1:]
    choice = Choice(near_bits=1, shard_rows=10)
    prepare(data, Path(out), choice=choice, jobs=int(jobs), progress=progress)
"""


def kill_midway(script: Path, data: Path, out: Path, jobs: int) -> list[int]:
    """Run prepare in a process that is killed after the first chunk; give its workers' pids."""
    script.write_text(KILLED)
    command = [sys.executable, script, data, out, str(jobs)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=300)
    assert done.returncode == -signal.SIGKILL
    return [int(pid) for pid in done.stdout.split()]


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_a_killed_prepare_continues_to_the_same_files_as_one_that_was_not(parquet, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = prepare(str(parquet), whole, choice=CHOICE, **ONE)
    kill_midway(tmp_path / "killed.py", parquet, cut, 1)
    before = files(cut)
    assert 0 < len(before) < len(files(whole))
    assert "counts.json" not in before
    # As if killed after a shard was finished, and before that was recorded.
    (cut / f"pictures-{len(before) - 1:05d}.parquet").write_bytes(b"unrecorded")
    lines = []
    counts = prepare(str(parquet), cut, choice=CHOICE, jobs=1, report=lines.append)
    assert counts == expected
    assert counts.refused["duplicate"] >= 10
    assert files(cut) == files(whole)
    assert lines[0].startswith("Continuing after")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_many_processes_give_the_files_of_one_and_end_when_the_parent_is_killed(parquet, tmp_path):
    expected = prepare(str(parquet), tmp_path / "one", choice=CHOICE, **ONE)
    workers = kill_midway(tmp_path / "killed.py", parquet, tmp_path / "two", 2)
    assert len(workers) == 2
    patience = time.monotonic() + 120
    while any(map(is_running, workers)) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
    assert prepare(str(parquet), tmp_path / "two", choice=CHOICE, jobs=2) == expected
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_prepared_data_set_is_not_prepared_again(mixed_folder, tmp_path):
    counts = prepare(str(mixed_folder), tmp_path / "out", **ONE)
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "out").iterdir()}
    lines = []
    assert prepare(str(mixed_folder), tmp_path / "out", jobs=1, report=lines.append) == counts
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "out").iterdir()} == before
    assert lines[-1].endswith("already prepared.")


def test_a_finished_data_set_whose_shard_is_gone_or_whose_state_is_damaged_is_refused(
    mixed_folder, tmp_path
):
    out = tmp_path / "out"
    prepare(str(mixed_folder), out, choice=Choice(shard_rows=1), **ONE)
    (out / "pictures-00001.parquet").unlink()
    with pytest.raises(DataError, match=r"^\S+00001\.parquet: a finished shard is missing"):
        prepare(str(mixed_folder), out, choice=Choice(shard_rows=1), **ONE)
    for damaged in ("{", "{}", "[]"):
        (out / "prepare.json").write_text(damaged)
        with pytest.raises(DataError, match=r"prepare\.json: is damaged"):
            prepare(str(mixed_folder), out, choice=Choice(shard_rows=1), **ONE)


def test_a_run_that_wrote_no_shard_binds_nobody_to_its_options(mixed_folder, tmp_path):
    with pytest.raises(DataError, match="None of 7"):
        prepare(str(mixed_folder), tmp_path / "out", Standard(smallest_px=500), **ONE)
    assert prepare(str(mixed_folder), tmp_path / "out", **ONE).kept == 2


def test_a_list_of_keys_picks_its_pictures(mixed_folder, tmp_path):
    keys = frozenset({"bird/im1.png", "sky/im6.png"})
    counts = prepare(str(mixed_folder), tmp_path / "out", choice=Choice(keys=keys), **ONE)
    assert (counts.kept, counts.refused["not listed"], counts.refused["too small"]) == (1, 5, 1)
    assert [row["key"] for row in prepared(tmp_path / "out")] == ["bird/im1.png"]
    with pytest.raises(DataError, match=r"other options or pictures \(keys\)"):
        prepare(
            str(mixed_folder), tmp_path / "out", choice=Choice(keys=keys - {"x"} | {"y"}), **ONE
        )
    with pytest.raises(DataError, match="Are the keys those of this data set"):
        prepare(str(mixed_folder), tmp_path / "b", choice=Choice(keys=frozenset({"z"})), **ONE)


def test_pictures_in_which_nothing_gets_brighter_to_the_right_are_not_taken_for_alike(tmp_path):
    skies = [np.full((64, 64, 3), colour, np.uint8) for colour in ((200, 40, 30), (30, 60, 200))]
    data = write_parquet(tmp_path / "skies.parquet", [*map(png, skies), png(skies[0])])
    counts = prepare(str(data), tmp_path / "out", **ONE)
    assert (counts.kept, counts.refused["duplicate"], counts.refused["near-duplicate"]) == (2, 1, 0)


def test_other_options_on_the_same_folder_are_refused_by_name(mixed_folder, tmp_path):
    prepare(str(mixed_folder), tmp_path / "out", **ONE)
    with pytest.raises(
        DataError,
        match=r"^\S+/out: was started with other options or pictures \(gray_rule, size_px\)",
    ):
        prepare(str(mixed_folder), tmp_path / "out", Standard(64, gray_rule="hue"), **ONE)


@pytest.mark.slow
def test_a_shuffle_is_decided_by_its_seed_and_survives_a_kill_in_between(parquet, tmp_path):
    orders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        choice = Choice(near_bits=0, shuffle_seed=seed)
        prepare(str(parquet), tmp_path / name, choice=choice, **ONE)
        orders.append([row["key"] for row in prepared(tmp_path / name)])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0], key=lambda k: int(k[1:]))


def test_a_limit_ends_after_so_many_pictures(parquet, tmp_path):
    assert prepare(str(parquet), tmp_path / "out", choice=Choice(limit=7), **ONE).seen == 7


FULL = """
import resource, sys
from pathlib import Path
from photochrom.workbench.datasets.prepare import Choice, prepare
from photochrom.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    prepare(sys.argv[1], Path(sys.argv[2]), choice=Choice(near_bits=1, shard_rows=10), jobs=1)
except DataError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_one_error_and_nothing_is_half_written(parquet, tmp_path):
    out = tmp_path / "out"
    script = tmp_path / "full.py"
    script.write_text(FULL)
    command = [sys.executable, script, parquet, out, "5000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "cannot be written (File too large). The 0 shards before it are complete" in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert [file.name for file in out.iterdir()] == ["prepare.json"]
    assert prepare(str(parquet), out, choice=CHOICE, **ONE).shards > 5


def test_a_published_data_set_with_too_many_broken_pictures_is_refused(tmp_path):
    images = [png(drawn_picture(n)) for n in range(9)] + [b"broken"]
    data = write_parquet(tmp_path / "a.parquet", images)
    with pytest.raises(DataError, match="1 of 10 pictures cannot be decoded"):
        prepare(str(data), tmp_path / "out", choice=Choice(near_bits=0), **ONE)
    assert not (tmp_path / "out" / "counts.json").exists()


def test_a_null_picture_counts_as_unreadable(tmp_path):
    images = [png(drawn_picture(n, 40, 40)) for n in range(100)] + [None]
    data = write_parquet(tmp_path / "a.parquet", images)
    counts = prepare(str(data), tmp_path / "out", choice=Choice(near_bits=0), **ONE)
    assert (counts.kept, counts.refused["unreadable"]) == (100, 1)


def test_a_damaged_parquet_file_is_named(tmp_path):
    file = write_parquet(tmp_path / "a.parquet", [png(drawn_picture(0))])
    file.write_bytes(file.read_bytes()[:-9])
    lines = []
    with pytest.raises(DataError, match=r"1 of 1 Parquet files cannot be read.*a\.parquet"):
        prepare(str(file), tmp_path / "out", jobs=1, report=lines.append)
    assert "a.parquet: skipped" in lines[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: d / "nothing", "no such file or folder"),
        (lambda d: d, "neither Parquet files nor pictures"),
        (lambda d: d / "cifar-10-python.tar.gz", "Unpack it"),
        (lambda d: write_parquet(d / "a.parquet", []).rename(d / "b.parquet"), "nothing to read"),
    ],
)
def test_data_that_cannot_be_used_is_an_error_that_says_why(tmp_path, make, message):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match=message):
        prepare(str(make(tmp_path / "in")), tmp_path / "out", **ONE)


def test_one_damaged_parquet_file_in_a_hundred_is_skipped_and_counted(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(100):
        image = png(drawn_picture(number % 3, 40, 40))
        write_parquet(tmp_path / "in" / f"{number:02d}.parquet", [image])
    (tmp_path / "in" / "50.parquet").write_bytes(b"PAR1")
    counts = prepare(str(tmp_path / "in"), tmp_path / "out", **ONE)
    assert (counts.seen, counts.kept, counts.damaged_files) == (99, 3, 1)
    assert counts.rows()[-1] == ("damaged files", 1)


def test_if_nothing_is_left_the_reasons_are_said(tmp_path):
    data = write_parquet(tmp_path / "a.parquet", [png(np.full((50, 50, 3), 9, np.uint8))])
    with pytest.raises(DataError, match=r"None of 1 pictures is left \(1 gray\)"):
        prepare(str(data), tmp_path / "out", **ONE)


def test_the_output_may_not_lie_inside_the_input(mixed_folder):
    with pytest.raises(DataError, match="lies inside"):
        prepare(str(mixed_folder), mixed_folder / "out", **ONE)


def test_a_folder_of_foreign_parquet_is_not_overwritten(mixed_folder, tmp_path):
    (tmp_path / "out").mkdir()
    foreign = write_parquet(tmp_path / "out" / "pictures-00000.parquet", [b""])
    with pytest.raises(DataError, match="did not prepare them"):
        prepare(str(mixed_folder), tmp_path / "out", **ONE)
    assert foreign.exists()


@pytest.mark.parametrize("options", [{"shard_rows": 0}, {"limit": 0}])
def test_choices_without_meaning_are_refused(options):
    with pytest.raises(InvalidValueError, match="1 picture or more"):
        Choice(**options)


def test_a_data_set_laid_out_for_the_hub_is_streamed(tmp_path):
    datasets = pytest.importorskip("datasets")
    images = [{"bytes": png(drawn_picture(n)), "path": None} for n in range(3)]
    features = datasets.Features(
        {"picture": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    pets = datasets.Dataset.from_dict({"picture": images, "label": [0, 1, 1]}, features)
    (tmp_path / "pets" / "data").mkdir(parents=True)
    pets.to_parquet(tmp_path / "pets" / "data" / "train-00000-of-00001.parquet")
    counts = prepare(f"hub:{tmp_path / 'pets'}", tmp_path / "out", choice=Choice(("dog",)), **ONE)
    assert (counts.kept, counts.refused["other label"]) == (2, 1)
    rows = prepared(tmp_path / "out")
    assert [(r["source"], r["label"], r["key"]) for r in rows] == [
        ("pets", "dog", "pets:1"),
        ("pets", "dog", "pets:2"),
    ]
    streams = [stream_pictures(f"hub:{tmp_path / 'pets'}", rank=r, ranks=2) for r in range(2)]
    assert [sorted(p.key for p in s) for s in streams] == [["pets:0", "pets:2"], ["pets:1"]]


def test_a_hub_data_set_that_cannot_be_reached_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match=r"cannot be opened.*fetch its Parquet files"):
        prepare(f"hub:{tmp_path}/missing", tmp_path / "out", **ONE)


def test_without_datasets_the_hub_names_the_line_to_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[train\]'"):
        prepare("hub:owner/name", tmp_path / "out", **ONE)


def test_a_link_that_leads_nowhere_is_counted_as_unreadable(mixed_folder, tmp_path):
    (mixed_folder / "bird" / "lost.png").symlink_to("nowhere.png")
    assert prepare(str(mixed_folder), tmp_path / "out", **ONE).refused["unreadable"] == 2


def test_a_list_of_addresses_and_a_folder_with_braces_are_read(tmp_path, monkeypatch):
    data = tmp_path / "b{1..2}"
    data.mkdir()
    write_parquet(data / "a.parquet", [png(drawn_picture(1)), png(drawn_picture(2))])
    monkeypatch.chdir(tmp_path)
    assert prepare("b{1..2}", tmp_path / "one", **ONE).kept == 2
    (tmp_path / "list.txt").write_text("b{1..2}/a.parquet\n")
    assert prepare("list.txt", tmp_path / "two", **ONE).kept == 2
    (data / "a.parquet").rename(tmp_path / "x1.parquet")
    assert prepare("x{1..1}.parquet", tmp_path / "three", **ONE).kept == 2
    assert prepare("*.parquet", tmp_path / "four", **ONE).kept == 2
