import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import DataError
from photochrom.workbench.datasets import cache_folders, decoded_cache
from photochrom.workbench.datasets.batches import Batches, DataRecipe
from photochrom.workbench.datasets.cifar10 import NAMES
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.datasets.file_states import digest_of
from photochrom.workbench.datasets.picture_files import data_files, fingerprint
from photochrom.workbench.datasets.sources import open_source


@pytest.mark.slow
def test_cached_pictures_are_the_files_pixels(picture_folder, tmp_path):
    cache = open_cache(picture_folder, tmp_path)
    assert len(cache) == 10
    assert np.array_equal(cache[3], drawn_picture(3))
    assert (cache.labels[9], cache.keys[9]) == ("dots", "dots/9.png")
    assert set(cache.sources) == {picture_folder.name}


@pytest.mark.slow
def test_cifar_10_is_read_as_it_is_published_and_its_test_pictures_left_out(tmp_path):
    folder = tmp_path / "cifar"
    for part in ("train", "test"):
        for number, name in enumerate(NAMES):
            (folder / part / name).mkdir(parents=True)
            picture = Image.fromarray(drawn_picture(number, 32, 32))
            picture.save(folder / part / name / f"{number}.png")
    cache = open_cache(folder, tmp_path / "cache")
    assert set(cache.sources) == {"cifar10-train", "cifar10-test"}
    batches = Batches(cache, DataRecipe(leave_out=("cifar10-test",)), 1, frozenset())
    assert {str(cache.sources[i]) for i in batches.indices} == {"cifar10-train"}

    binary = tmp_path / "binary"
    binary.mkdir()
    record = np.zeros((20, 3073), np.uint8)
    for part in ("data_batch_1", "test_batch"):
        (binary / f"{part}.bin").write_bytes(record.tobytes())
    lines = []
    cache = open_cache(binary, tmp_path / "cache", report=lines.append)
    assert cache.sources.tolist() == ["cifar10-train"] * 20 + ["cifar10-test"] * 20
    assert "without data_batch_2, data_batch_3, data_batch_4, data_batch_5." in lines[0]


@pytest.mark.slow
def test_a_folder_that_was_renamed_is_read_anew(picture_folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(picture_folder, data)
    open_cache(data, tmp_path / "cache")
    (data / "dots").rename(data / "rings")
    assert set(open_cache(data, tmp_path / "cache").labels) == {"discs", "rings"}


@pytest.mark.slow
def test_what_cannot_be_decoded_is_named(picture_folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(picture_folder, data)
    (data / "dots" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="1 of 11"):
        open_cache(data, tmp_path / "cache", report=(lines := []).append)
    assert "dots/bad.png: left out, it cannot be decoded." in lines


@pytest.mark.slow
def test_the_cache_is_built_once(picture_folder, tmp_path):
    lines = []
    open_cache(picture_folder, tmp_path, report=lines.append)
    built = len(lines)
    open_cache(picture_folder, tmp_path, report=lines.append)
    assert built > 0
    assert len(lines) == built


@pytest.mark.slow
def test_an_interrupted_build_is_begun_anew(picture_folder, tmp_path):
    open_cache(picture_folder, tmp_path)
    (index,) = tmp_path.rglob("index.npz")
    index.unlink()
    assert len(open_cache(picture_folder, tmp_path)) == 10


@pytest.mark.slow
def test_a_data_set_of_broken_pictures_is_refused_with_the_count(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="3 of 3"):
        open_cache(tmp_path, tmp_path / "cache")


def touched(data):
    """Give every file another time, as a restored backup has."""
    for file in data.rglob("*.png"):
        os.utime(file, ns=(1, 1))


def caches(root):
    return sorted(path.name for path in root.iterdir())


@pytest.fixture
def data(picture_folder, tmp_path):
    copied = tmp_path / "data"
    shutil.copytree(picture_folder, copied)
    return copied


@pytest.mark.slow
def test_files_with_other_times_are_the_same_pictures(data, tmp_path):
    open_cache(data, tmp_path / "cache")
    before = caches(tmp_path / "cache")
    touched(data)
    lines = []
    assert len(open_cache(data, tmp_path / "cache", report=lines.append)) == 10
    assert lines == [
        "10 of 10 files have other times: comparing contents ...",
        "The pictures are the same; nothing is decoded again.",
    ]
    restored = data.rename(tmp_path / "restored")
    shutil.copytree(restored, data)
    open_cache(data, tmp_path / "cache", report=lines.append)
    assert "Decoding" not in " ".join(lines)
    assert caches(tmp_path / "cache") == before
    quiet = []
    open_cache(data, tmp_path / "cache", report=quiet.append)
    assert quiet == []


@pytest.mark.slow
def test_one_picture_that_changes_without_changing_its_size_is_decoded_again(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(40):  # BMP: all of one size; more than are sampled for the name
        Image.fromarray(drawn_picture(number, 40, 48)).save(data / f"{number:02}.bmp")
    open_cache(data, tmp_path / "cache")
    before = caches(tmp_path / "cache")
    for number in range(40):
        content = bytearray((data / f"{number:02}.bmp").read_bytes())
        middle = len(content) // 2
        content[middle] ^= 0x80
        (data / f"{number:02}.bmp").write_bytes(content)
        lines = []
        cache = open_cache(data, tmp_path / "cache", report=lines.append)
        assert "Decoding" in " ".join(lines), number
        assert (cache[number] != drawn_picture(number, 40, 48)).sum() == 1
        if number == 1:
            break
    assert len(caches(tmp_path / "cache")) == len(before) == 1


@pytest.mark.slow
def test_the_cache_of_an_earlier_state_of_the_data_is_removed_and_said(data, tmp_path):
    root = tmp_path / "cache"
    open_cache(data, root)
    open_cache(data, root, short_side_px=64)  # another size is no earlier state
    other = tmp_path / "other"
    shutil.copytree(data, other)
    Image.fromarray(drawn_picture(77)).save(other / "new.png")
    open_cache(other, root)  # nor are other data
    assert len(caches(root)) == 3
    first = next(n for n in caches(root) if n.endswith("-192") and of_data(root / n) == str(data))
    Image.fromarray(drawn_picture(78)).save(data / "new.png")
    lines = []
    assert len(open_cache(data, root, report=lines.append)) == 11
    assert f"Removed {root / first} (0 MB), an earlier state of this data." in lines
    assert first not in caches(root)
    assert len(caches(root)) == 3


def of_data(cache):
    return json.loads((cache / "about.json").read_text())["data"]


@pytest.mark.slow
def test_a_cache_of_an_earlier_photochrom_is_taken_over_or_named(data, tmp_path):
    root = tmp_path / "cache"
    open_cache(data, root)
    (made,) = root.iterdir()
    for name in ("about.json", "files.npz"):  # as it was made until 0.2
        (made / name).unlink()
    earlier = open_source(str(data)).earlier()
    made.rename(root / f"{earlier}-192")
    lines = []
    assert len(open_cache(data, root, report=lines.append)) == 10
    assert lines[0].startswith(f"Using {root / earlier}-192")
    assert caches(root) == [made.name]

    (root / made.name / "about.json").unlink(missing_ok=True)
    (root / made.name).rename(root / "0123456789abcdef-192")  # of files nobody knows
    lines = []
    open_cache(data, root, report=lines.append)
    named = "1 older cache of unknown data: 0 MB. If you no longer need it: rm -r "
    assert any(line.startswith(f"{named}{root}/0123456789a") for line in lines)
    assert "0123456789abcdef-192" in caches(root)


@pytest.mark.slow
def test_a_build_that_fails_or_is_interrupted_leaves_nothing(data, tmp_path):
    root = tmp_path / "cache"

    def interrupted(line):
        if line.endswith(" GB"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_cache(data, root, report=interrupted)
    assert caches(root) == []
    (data / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="1 of 11"):
        open_cache(data, root)
    assert caches(root) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pixels.bin", "index.npz", "files.npz"])
def test_a_cache_that_was_copied_in_part_is_made_again(picture_folder, tmp_path, name):
    open_cache(picture_folder, tmp_path)
    (file,) = tmp_path.rglob(name)
    file.write_bytes(file.read_bytes()[:-100])
    lines = []
    assert len(open_cache(picture_folder, tmp_path, report=lines.append)) == 10
    assert lines[0].startswith(str(file.parent))
    assert "Decoding" in lines[1]
    assert np.array_equal(open_cache(picture_folder, tmp_path)[3], drawn_picture(3))


@pytest.mark.slow
def test_a_disk_that_is_too_small_is_said_before_it_is_full(data, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=50_000)
    monkeypatch.setattr(cache_folders.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(decoded_cache, "CHUNK", 4)
    with pytest.raises(DataError, match=r"needs about 0 MB for 10 decoded.*--cache.*--stream"):
        open_cache(data, tmp_path / "cache")
    assert caches(tmp_path / "cache") == []


FULL = """
import sys
from pathlib import Path
from photochrom.errors import DataError
from photochrom.workbench.datasets import cache_folders
from photochrom.workbench.datasets.decoded_cache import open_cache

cache_folders.MOST_DOUBT = float("inf")
if __name__ == "__main__":
    try:
        open_cache(sys.argv[1], Path(sys.argv[2]))
    except DataError as error:
        print(error)
    print(*(path.name for path in Path(sys.argv[2]).iterdir()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_full_disk_is_a_sentence_and_leaves_nothing(data, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "full.py").write_text(FULL)
    mounted = 'mount -t tmpfs -o size=80k none small || exit 77; exec "$0" full.py data small'
    command = ["unshare", "--map-root-user", "--user", "--mount", "sh", "-c", mounted]
    try:
        done = subprocess.run(
            [*command, sys.executable], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine lets nobody mount a small disk")
    assert "cannot be kept there (No space left on device)" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == ""


def test_a_large_file_is_compared_by_blocks_from_its_first_byte_to_its_last(tmp_path):
    file = tmp_path / "large.parquet"
    content = bytearray(np.random.default_rng(0).bytes(9_000_000))
    digests = set()
    for place in (None, 0, len(content) - 1):
        if place is not None:
            content[place] ^= 1
        file.write_bytes(content)
        digests.add(digest_of(file))
    assert len(digests) == 3


def test_naming_many_files_reads_little_of_them(tmp_path):
    for number in range(300):
        (tmp_path / f"{number}.png").write_bytes(bytes([number % 251]) * 40_000)
    files = data_files(tmp_path)
    before = fingerprint(tmp_path, files)
    files[0].write_bytes(b"\1" + b"\0" * 39_999)  # of the same size
    assert fingerprint(tmp_path, files) != before
