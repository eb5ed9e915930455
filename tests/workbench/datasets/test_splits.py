from collections import Counter
from fractions import Fraction
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.splits import (
    Described,
    deal,
    read_described,
    read_hold_out,
    read_ratios,
    split_by_ratios,
    split_in_folds,
    write_split,
)

TENTHS = read_ratios("80/10/10")


def described(count: int, near_pairs: int = 0, gray: int = 0) -> Described:
    """Describe pictures of random hues; the last `near_pairs` are near the first ones."""
    random = np.random.default_rng(2)
    hashes = random.integers(0, 2**64, count, np.uint64)
    for index in range(near_pairs):
        hashes[count - 1 - index] = hashes[index] ^ np.uint64(0b1011)
    keys = np.array([f"k{n}" for n in range(count)], dtype=object)
    flags = np.arange(count) < gray
    return Described(keys, hashes, random.uniform(0, 360, count), flags)


def test_80_10_10_gives_these_shares_and_every_picture_once():
    split = split_by_ratios(described(1000), TENTHS)
    assert {name: len(keys) for name, keys in split.parts.items()} == {
        "train": 800,
        "validation": 100,
        "test": 100,
    }
    assert sorted(chain(*split.parts.values())) == sorted(f"k{n}" for n in range(1000))
    assert list(split.parts) == ["train", "validation", "test"]


@pytest.mark.parametrize("by_hue", [False, True])
def test_no_near_duplicate_crosses_a_split(by_hue):
    pictures = described(400, near_pairs=150)
    for split in (
        split_by_ratios(pictures, TENTHS, by_hue=by_hue, near_bits=3),
        split_in_folds(pictures, 5, by_hue=by_hue, near_bits=3),
    ):
        part_of = {key: name for name, keys in split.parts.items() for key in keys}
        assert all(part_of[f"k{n}"] == part_of[f"k{399 - n}"] for n in range(150))
        assert (split.groups, split.largest_group) == (250, 2)


def test_near_duplicates_hardly_change_the_shares():
    split = split_by_ratios(described(400, near_pairs=150), TENTHS, near_bits=3)
    assert abs(len(split.parts["validation"]) - 40) <= 2
    assert abs(len(split.parts["test"]) - 40) <= 2


def test_rows_of_the_same_key_stay_together():
    pictures = described(60)
    pictures.keys[30:] = pictures.keys[:30]
    split = split_by_ratios(pictures, TENTHS, near_bits=0)
    assert not set(split.parts["train"]) & set(split.parts["validation"] + split.parts["test"])


def test_a_large_group_goes_where_there_is_room_for_it():
    groups = [0] * 60 + list(range(1, 141))
    order = np.random.default_rng(1).permutation(groups).tolist()
    tenth = Fraction(1, 10)
    dealt = deal(order, {"validation": tenth, "test": tenth}, "train")
    assert dealt[0] == "train"
    assert Counter(dealt[group] for group in order) == {"train": 160, "validation": 20, "test": 20}
    folds = deal(order, dict.fromkeys("abcd", Fraction(1, 5)), "e")
    assert folds[0] == "e"
    assert max(Counter(folds[group] for group in order).values()) == 60


def test_the_seed_decides_the_split():
    one, same, other = (split_by_ratios(described(200), TENTHS, seed) for seed in (1, 1, 2))
    assert one == same
    assert one.parts != other.parts


def test_by_hue_every_tenth_of_the_sorted_list_is_validation_as_published():
    pictures = described(494)
    split = split_by_ratios(pictures, read_hold_out(0.1), by_hue=True)
    order = np.argsort(pictures.mean_hue)
    assert sorted(split.parts["validation"]) == sorted(pictures.keys[order[::10]])
    assert len(split.parts["validation"]) == 50  # as 4,942 of 49,418


def test_by_hue_near_gray_pictures_are_left_out_first():
    split = split_by_ratios(described(110, gray=10), TENTHS, by_hue=True)
    assert split.left_out == [f"k{n}" for n in range(10)]
    assert sum(map(len, split.parts.values())) == 100


def test_by_hue_each_part_has_every_colour():
    pictures = described(2000)
    split = split_by_ratios(pictures, TENTHS, by_hue=True)
    hue_of = dict(zip(pictures.keys, pictures.mean_hue, strict=True))
    for part in ("validation", "test"):
        hues = np.sort([hue_of[key] for key in split.parts[part]])
        assert np.abs(hues - np.linspace(0, 360, len(hues))).max() < 15


def test_folds_are_of_the_same_size_and_hold_every_picture_once():
    split = split_in_folds(described(103), 5)
    assert [len(split.parts[f"fold-{n}"]) for n in range(5)] == [21, 21, 21, 20, 20]
    assert len(set(chain(*split.parts.values()))) == 103


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=200),
    st.lists(st.integers(1, 9), min_size=2, max_size=3),
)
def test_each_part_is_within_one_group_of_its_share(groups, weights):
    shares = {f"part{n}": Fraction(w, sum(weights)) for n, w in enumerate(weights[1:])}
    dealt = deal(groups, shares, "rest")
    largest = max(groups.count(group) for group in groups)
    for name, share in shares.items():
        size = sum(dealt[group] == name for group in groups)
        assert size < share * len(groups) + 1 + largest


@pytest.mark.parametrize("ratios", ["80/10/10", "8/1/1", "0.8/0.1/0.1", "160/20/20"])
def test_ratios_are_read_in_any_scale(ratios):
    assert read_ratios(ratios) == [Fraction(8, 10), Fraction(1, 10), Fraction(1, 10)]


@pytest.mark.parametrize("ratios", ["", "80", "80/0/20", "a/b", "1/2/3/4", "90/-10", "1/0"])
def test_ratios_without_meaning_are_refused(ratios):
    with pytest.raises(InvalidValueError, match="such as 80/10/10"):
        read_ratios(ratios)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: split_by_ratios(described(1), TENTHS), DataError, "1 of 1 pictures cannot fill 3"),
        (lambda: split_by_ratios(described(2), TENTHS), DataError, "2 of 2 pictures cannot fill 3"),
        (lambda: split_in_folds(described(4), 5), DataError, "cannot fill 5 parts"),
        (lambda: split_by_ratios(described(9, 0, 9), TENTHS, by_hue=True), DataError, "0 of 9"),
        (
            lambda: split_by_ratios(described(4, 2), TENTHS),
            DataError,
            "train would be empty: 4 pictures are 2",
        ),
        (lambda: split_in_folds(described(9), 1), InvalidValueError, "2 folds or more"),
        (lambda: read_hold_out(1.0), InvalidValueError, r"in \(0, 1\)"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def write_columns(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_gray_is_judged_by_chroma_where_the_spread_is_not_known(tmp_path):
    columns = {
        "key": ["a", "b"],
        "dhash": pa.array([2**63 + 5, 1], pa.uint64()),
        "mean_hue": [1.0, 2.0],
        "chroma": [0.5, 20.0],
    }
    file = write_columns(tmp_path / "a.parquet", **columns)
    assert read_described(file, by_hue=True).gray.tolist() == [True, False]
    file = write_columns(tmp_path / "a.parquet", **columns, spread=[9, 1])
    read = read_described(file, by_hue=True)
    assert read.gray.tolist() == [False, True]
    assert read.dhash.tolist() == [2**63 + 5, 1]


def test_parquet_that_was_not_prepared_is_refused_with_what_to_run(tmp_path):
    file = write_columns(tmp_path / "a.parquet", key=["a"], image=[b""])
    with pytest.raises(DataError, match=r"no column dhash.*photochrom data prepare"):
        read_described(file)
    with pytest.raises(DataError, match="no column dhash, mean_hue, chroma"):
        read_described(file, by_hue=True)


def test_lists_are_written_one_key_a_line(tmp_path):
    split = split_by_ratios(described(110, gray=10), TENTHS, by_hue=True)
    written = write_split(split, tmp_path / "lists")
    assert [f.name for f in written] == ["train.txt", "validation.txt", "test.txt", "left-out.txt"]
    for file, keys in zip(written, [*split.parts.values(), split.left_out], strict=True):
        assert file.read_text().split() == keys


def test_lists_of_an_earlier_split_do_not_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    write_split(split_in_folds(described(50), 5), tmp_path)
    write_split(split_by_ratios(described(50), TENTHS), tmp_path)
    write_split(split_by_ratios(described(50), read_ratios("9/1"), seed=3), tmp_path)
    assert {f.name for f in tmp_path.iterdir()} == {"notes.txt", "train.txt", "validation.txt"}


def test_lists_that_cannot_be_written_are_an_error(tmp_path):
    (tmp_path / "lists").write_text("a file")
    with pytest.raises(DataError, match="cannot be created"):
        write_split(split_by_ratios(described(50), TENTHS), tmp_path / "lists")
