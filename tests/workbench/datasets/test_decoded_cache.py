import shutil

import numpy as np
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import DataError
from photochrom.workbench.datasets.batches import Batches, DataRecipe
from photochrom.workbench.datasets.cifar10 import NAMES
from photochrom.workbench.datasets.decoded_cache import open_cache


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
