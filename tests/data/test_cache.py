import numpy as np
import pytest
from tests.conftest import drawn_picture

from photochrom.data.cache import open_cache
from photochrom.errors import DataError


def test_cached_pictures_are_the_files_pixels(picture_folder, tmp_path):
    cache = open_cache(picture_folder, tmp_path)
    assert len(cache) == 10
    assert np.array_equal(cache[3], drawn_picture(3))
    assert cache.sources[9] == "dots"


def test_the_cache_is_built_once(picture_folder, tmp_path):
    lines = []
    open_cache(picture_folder, tmp_path, report=lines.append)
    built = len(lines)
    open_cache(picture_folder, tmp_path, report=lines.append)
    assert built > 0
    assert len(lines) == built


def test_an_interrupted_build_is_begun_anew(picture_folder, tmp_path):
    open_cache(picture_folder, tmp_path)
    (index,) = tmp_path.rglob("index.npz")
    index.unlink()
    assert len(open_cache(picture_folder, tmp_path)) == 10


def test_a_data_set_of_broken_pictures_is_refused_with_the_count(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="3 of 3"):
        open_cache(tmp_path, tmp_path / "cache")
