import numpy as np
import pytest
from PIL import Image

from photochrom.errors import DataError
from photochrom.workbench.datasets.builtin_sets import builtin


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return builtin("builtin:tiny", tmp_path_factory.mktemp("data"))


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*.png")}


def test_tiny_is_256_coloured_pictures_of_four_photographs(tiny):
    files = sorted(tiny.rglob("*.png"))
    assert len(files) == len(set(contents(tiny).values())) == 256
    assert sorted({file.parent.name for file in files}) == ["astronaut", "cat", "coffee", "rocket"]
    for file in files[::37]:
        with Image.open(file) as picture:
            assert (picture.mode, picture.size) == ("RGB", (64, 64))
            assert np.ptp(np.asarray(picture).astype(int), axis=-1).max() > 20


@pytest.mark.slow
def test_the_same_pictures_are_made_everywhere_and_made_once(tiny, tmp_path):
    assert contents(builtin("builtin:tiny", tmp_path)) == contents(tiny)
    kept = tmp_path / tiny.name / "cat" / "007.png"
    before = kept.stat().st_mtime_ns
    (tmp_path / tiny.name / "cat" / "008.png").unlink()
    assert contents(builtin("builtin:tiny", tmp_path)) == contents(tiny)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["builtin:huge", "builtin:", "tiny"])
def test_an_unknown_data_set_is_answered_with_the_one_there_is(name, tmp_path):
    with pytest.raises(DataError, match=rf"'{name}'\. Available: builtin:tiny\."):
        builtin(name, tmp_path)
    assert not list(tmp_path.iterdir())
