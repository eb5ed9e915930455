from pathlib import Path

import pytest

from photochrom.errors import DataError
from photochrom.workbench.datasets.annotations import annotated_label, read_annotations


def write(folder: Path, **lists: str) -> Path:
    for label, text in lists.items():
        (folder / f"{label}.txt").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "label"),
    [("im17.jpg", "bird"), ("im00017.jpg", "bird"), ("im117.jpg", None), ("a b.jpg", "bird")]
    + [("owl.png", "bird"), ("im5.jpg", "sky")],
)
def test_a_picture_is_found_by_its_number_or_its_name(tmp_path, name, label):
    lists = read_annotations(
        write(tmp_path, bird="17\n\na b.jpg\nowl\n", sky="5\n17\n"), ("bird", "sky")
    )
    assert annotated_label(Path(name), lists) == label


def test_a_missing_list_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(DataError, match=r"birds\.txt.*Lists: bird, sky"):
        read_annotations(write(tmp_path, bird="1", sky="2"), ("birds",))


def test_an_empty_list_is_refused(tmp_path):
    with pytest.raises(DataError, match="empty"):
        read_annotations(write(tmp_path, bird="\n"), ("bird",))
