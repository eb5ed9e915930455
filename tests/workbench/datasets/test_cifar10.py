import pickle

import numpy as np
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import DataError
from photochrom.workbench.datasets.picture_files import decode
from photochrom.workbench.datasets.sources import open_source

LABELS = [3, 9, 0]


def pictures() -> list[np.ndarray]:
    return [drawn_picture(seed, 32, 32) for seed in range(3)]


def records() -> np.ndarray:
    return np.stack([p.transpose(2, 0, 1).reshape(-1) for p in pictures()])


def write_binary(folder):
    rows = np.column_stack([np.array(LABELS, np.uint8), records()])
    (folder / "data_batch_1.bin").write_bytes(rows.tobytes())
    (folder / "test_batch.bin").write_bytes(rows[:1].tobytes())


def write_pickle(folder):
    for name, count in (("data_batch_1", 3), ("test_batch", 1)):
        batch = {b"data": records()[:count], b"labels": LABELS[:count], b"batch_label": b"one"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def write_folder(folder):
    for part, count in (("train", 3), ("test", 1)):
        for number, label in enumerate(("cat", "truck", "airplane")[:count]):
            (folder / part / label).mkdir(parents=True)
            file = folder / part / label / f"{number}.png"
            Image.fromarray(pictures()[number]).save(file)


@pytest.mark.parametrize("write", [write_binary, write_pickle, write_folder])
@pytest.mark.parametrize("deeper", ["", "cifar-10-batches"])
def test_every_form_of_cifar_10_gives_the_same_pixels_labels_and_sources(tmp_path, write, deeper):
    folder = tmp_path / "cifar10"
    inner = folder / deeper if write is not write_folder else folder
    inner.mkdir(parents=True)
    write(inner)
    found = [row for unit in open_source(str(folder)).units for row in unit.read()]
    assert sorted((row.source, row.label) for row in found) == [
        ("cifar10-test", "cat"),
        ("cifar10-train", "airplane"),
        ("cifar10-train", "cat"),
        ("cifar10-train", "truck"),
    ]
    by_label = {row.label: decode(row.image) for row in found}
    for label, picture in zip(("cat", "truck", "airplane"), pictures(), strict=True):
        assert np.array_equal(by_label[label], picture)
    assert len({row.key for row in found}) == 4


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (self.target, "w"))


def test_a_pickle_that_would_run_code_is_refused_and_does_not(tmp_path):
    target = tmp_path / "ran"
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": Evil(str(target))}))
    (unit,) = open_source(str(tmp_path)).units
    with pytest.raises(DataError, match="not trusted"):
        list(unit.read())
    assert not target.exists()


@pytest.mark.parametrize(
    "content", [b"", b"garbage", pickle.dumps([1]), pickle.dumps({b"data": b"", b"labels": [1]})]
)
def test_a_damaged_pickle_is_refused_by_name(tmp_path, content):
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(DataError, match="data_batch_1: "):
        [row for unit in open_source(str(tmp_path)).units for row in unit.read()]


def test_a_binary_batch_that_was_cut_off_is_refused(tmp_path):
    write_binary(tmp_path)
    batch = tmp_path / "data_batch_1.bin"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(DataError, match="multiple of 3073 bytes; this one has 9218"):
        open_source(str(tmp_path))
