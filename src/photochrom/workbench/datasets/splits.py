"""Split a data set into training, validation and test, or into folds.

No near-duplicate crosses a split: near-duplicates are assigned together. Sorted by hue, every n-th
picture goes to validation, as the fifth seed project did with CIFAR-10, so that all parts have the
same colours; without it the order is random, from the seed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np

from photochrom.color.difference import hue
from photochrom.color.lab import linear_to_lab
from photochrom.errors import DataError, InvalidValueError, UnwritablePhotoError
from photochrom.photo.atomic import atomic_target
from photochrom.workbench.datasets.decoded_cache import PixelCache
from photochrom.workbench.datasets.gray_rules import channel_spread
from photochrom.workbench.datasets.near_duplicates import Union, dhash, near_groups
from photochrom.workbench.datasets.picture_files import LINEAR
from photochrom.workbench.datasets.shards import expand_addresses, one_word

NEEDED = ("key", "dhash")
HUE = ("mean_hue", "chroma", "spread")
GRAY_SPREAD = 2  # of 255: the seed project's gray pictures, whose hue means nothing
GRAY_CHROMA = 1.0  # ab units; the rule where the column `spread` is missing
PARTS = ("train", "validation", "test")
LEFT_OUT = "left-out"
_LIST = re.compile(rf"{'|'.join(PARTS)}|{LEFT_OUT}|fold-\d+")


@dataclass(frozen=True)
class Described:
    """What a split needs to know about the pictures.

    keys : str array, (N,)
    dhash : uint64 array, (N,)
    mean_hue : float array, (N,), or None; degrees
    gray : bool array, (N,), or None; pictures whose hue means nothing
    """

    keys: np.ndarray
    dhash: np.ndarray
    mean_hue: np.ndarray | None = None
    gray: np.ndarray | None = None


@dataclass(frozen=True)
class Split:
    """A data set in parts.

    parts : keys by part, in the order of the data set
    left_out : near-gray pictures, where the parts were dealt by hue
    groups : pictures that differ; near-duplicates count as one
    largest_group : pictures in the largest group of near-duplicates
    """

    parts: dict[str, list[str]]
    left_out: list[str]
    groups: int
    largest_group: int


def read_described(data: str | Path, by_hue: bool = False) -> Described:
    """Read keys, hashes and hues from prepared Parquet files, not the pictures.

    Raise DataError if a column is missing, or a file is not readable Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for file in expand_addresses(data):
        try:
            names = pq.read_schema(file).names
            _check_columns(file, names, by_hue)
            wanted = [n for n in (*NEEDED, *(HUE if by_hue else ())) if n in names]
            tables.append(pq.read_table(file, columns=wanted))
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file}: not readable Parquet ({error}).") from error
    table = pa.concat_tables(tables)
    column = {n: table[n].to_numpy() for n in table.column_names}
    gray = None
    if by_hue:
        spread = column.get("spread")
        gray = column["chroma"] < GRAY_CHROMA if spread is None else spread <= GRAY_SPREAD
    keys = np.array([one_word(k) for k in column["key"]], dtype=object)
    return Described(keys, column["dhash"], column.get("mean_hue"), gray)


def describe(cache: PixelCache, indices: np.ndarray, by_hue: bool = False) -> Described:
    """Hash cached pictures, and compute their hues if needed.

    Parameters
    ----------
    indices : int array, (N,)
        Which.
    by_hue : bool
        Whether hues and grayness are wanted, as `photochrom data prepare` takes them.
    """
    numbers = indices.tolist()
    hashes = np.array([dhash(cache[i]) for i in numbers], np.uint64)
    if not by_hue:
        return Described(cache.keys[indices], hashes)
    hues = np.array([_mean_hue(cache[i]) for i in numbers])
    return Described(cache.keys[indices], hashes, hues, colourless(cache, indices))


def _mean_hue(rgb: np.ndarray) -> float:
    ab = linear_to_lab(LINEAR[rgb])[..., 1:]
    return float(hue(ab.mean(axis=(0, 1), dtype=np.float64)))


def colourless(cache: PixelCache, indices: np.ndarray) -> np.ndarray:
    """Return which cached pictures are gray, so that their hue is meaningless: bool array, (N,)."""
    spreads = (int(channel_spread(cache[i]).max()) for i in indices.tolist())
    return np.fromiter(spreads, np.uint8, len(indices)) <= GRAY_SPREAD


def _check_columns(file: str, names: list[str], by_hue: bool) -> None:
    needed = (*NEEDED, "mean_hue") if by_hue else NEEDED
    missing = [n for n in needed if n not in names]
    if by_hue and "chroma" not in names and "spread" not in names:
        missing.append("chroma")
    if missing:
        raise DataError(
            f"{file}: has no column {', '.join(missing)}. "
            "Prepare it first: photochrom data prepare DATA OUT"
        )


def read_ratios(text: str) -> list[Fraction]:
    """Read `80/10/10` or `9/1`: shares of train, validation and, if wanted, test.

    Raise InvalidValueError if it is not two or three numbers above 0.
    """
    try:
        numbers = [Fraction(part) for part in text.split("/")]
    except (ValueError, ZeroDivisionError):
        numbers = []
    if len(numbers) not in (2, 3) or min(numbers) <= 0:
        raise InvalidValueError(
            f"Ratios are two or three numbers above 0, such as 80/10/10 (train, validation, test); "
            f"they are '{text}'."
        )
    return [n / sum(numbers) for n in numbers]


def read_hold_out(share: float) -> list[Fraction]:
    """Return the ratios of train and validation where a share is held out.

    Raise InvalidValueError if the share is outside (0, 1).
    """
    if not 0 < share < 1:
        raise InvalidValueError(f"The share held out must be in (0, 1), such as 0.1; got {share}.")
    held = Fraction(str(share))  # 0.1 as it is written, not as a float holds it
    return [1 - held, held]


def split_by_ratios(
    described: Described,
    ratios: Sequence[Fraction],
    seed: int = 0,
    by_hue: bool = False,
    near_bits: int = 4,
) -> Split:
    """Split into training, validation and optionally test.

    Raise DataError if a part would be empty.

    Parameters
    ----------
    ratios : sequence of two or three Fraction
        Shares of train, validation and test; their sum is 1.
    seed : int
        Decides the random order; not used by hue.
    by_hue : bool
        Sort by mean hue and take every n-th, after leaving out near-gray pictures.
    near_bits : int
        Bits in which the dHash of near-duplicates differs at most.
    """
    others = dict(zip(PARTS[1:], ratios[1:], strict=False))
    split = _split(described, others, "train", seed, by_hue, near_bits)
    ordered = {name: split.parts[name] for name in ("train", *others)}
    return Split(ordered, split.left_out, split.groups, split.largest_group)


def split_in_folds(
    described: Described, folds: int, seed: int = 0, by_hue: bool = False, near_bits: int = 4
) -> Split:
    """Split into folds of equal size; each is the validation set of one training.

    Parameters
    ----------
    folds : int
        2 or more.
    seed, by_hue, near_bits :
        As in `split_by_ratios`.

    Returns
    -------
    Split
        Parts `fold-0`, `fold-1` ...

    Raises
    ------
    InvalidValueError
        If there are fewer than two folds.
    DataError
        If a fold would be empty.
    """
    if folds < 2:
        raise InvalidValueError(f"There must be 2 folds or more; got {folds}.")
    names = [f"fold-{n}" for n in range(folds)]
    shares = dict.fromkeys(names[:-1], Fraction(1, folds))
    return _split(described, shares, names[-1], seed, by_hue, near_bits)


def _split(
    described: Described,
    shares: dict[str, Fraction],
    rest: str,
    seed: int,
    by_hue: bool,
    near_bits: int,
) -> Split:
    kept = np.arange(len(described.keys))
    if by_hue and described.gray is not None:
        kept = np.flatnonzero(~described.gray)
    if len(kept) < len(shares) + 1:
        raise DataError(
            f"{len(kept)} of {len(described.keys)} pictures cannot fill {len(shares) + 1} parts. "
            "Give more pictures, or fewer parts."
        )
    group = _groups(described, near_bits)[kept]
    order = _by_hue(described, kept) if by_hue else np.random.default_rng(seed).permutation(kept)
    group_of = dict(zip(kept.tolist(), group.tolist(), strict=True))
    dealt = deal([group_of[i] for i in order.tolist()], shares, rest)
    parts: dict[str, list[str]] = {name: [] for name in (*shares, rest)}
    for index in kept.tolist():
        parts[dealt[group_of[index]]].append(described.keys[index])
    sizes = np.unique(group, return_counts=True)[1]
    if empty := [name for name, keys in parts.items() if not keys]:
        raise DataError(
            f"The part {empty[0]} would be empty: {len(kept)} pictures are {len(sizes)} when "
            "near-duplicates stay together. Give more pictures, fewer parts, or fewer bits "
            "(--near-bits)."
        )
    left_out = np.setdiff1d(np.arange(len(described.keys)), kept)
    return Split(parts, list(described.keys[left_out]), len(sizes), int(sizes.max()))


def _groups(described: Described, near_bits: int) -> np.ndarray:
    """Join near-duplicates, and rows of the same key, which no list of keys can tell apart."""
    group = near_groups(described.dhash, near_bits)
    union = Union(int(group.max()) + 1)
    first: dict[str, int] = {}
    for key, number in zip(described.keys.tolist(), group.tolist(), strict=True):
        union.join(first.setdefault(key, number), number)
    return np.array([union.find(number) for number in group.tolist()], np.int64)


def _by_hue(described: Described, kept: np.ndarray) -> np.ndarray:
    assert described.mean_hue is not None
    return kept[np.argsort(described.mean_hue[kept], kind="stable")]


def deal(groups: Sequence[int], shares: dict[str, Fraction], rest: str) -> dict[int, str]:
    """Assign groups to parts so that each part gets its share throughout the order.

    Parameters
    ----------
    groups : sequence of int
        The group of each picture, in order. A group is dealt where its first picture stands, to
        the part that lacks most, and to none that would grow beyond its share by it: then to the
        rest.
    shares : dict of str to Fraction
        Parts and their shares. Of single pictures a share of 1/10 takes numbers 0, 10, 20 ...
    rest : str
        The part that takes what the others leave.

    Returns
    -------
    dict of int to str
        Group to part.
    """
    sizes: dict[int, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    taken = dict.fromkeys(shares, 0)
    smallest = min(sizes.values())
    quota = {name: max(ceil(share * len(groups)), smallest) for name, share in shares.items()}
    position, dealt = 0, {}
    for group, size in sizes.items():  # in the order of their first pictures
        due = [
            name
            for name, share in shares.items()
            if taken[name] < int(position * share) + 1 and taken[name] + size <= quota[name]
        ]
        part = min(due, key=lambda name: taken[name] / shares[name], default=rest)
        dealt[group] = part
        if part != rest:
            taken[part] += size
        position += size
    return dealt


def write_split(split: Split, out: Path) -> list[Path]:
    """Write the keys of each part to NAME.txt, one per line, and the others to `left-out.txt`.

    Lists of another split there are removed. Raise DataError if the folder cannot be written to.
    """
    lists = dict(split.parts)
    if split.left_out:
        lists[LEFT_OUT] = split.left_out
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, keys in lists.items():
            with atomic_target(out / f"{name}.txt") as part:
                part.write_text("".join(f"{key}\n" for key in keys))
        for old in out.glob("*.txt"):
            if old.stem not in lists and _LIST.fullmatch(old.stem):
                old.unlink()
    except UnwritablePhotoError as error:
        raise DataError(str(error)) from error
    except OSError as error:
        raise DataError(f"{out}: cannot be created ({error.strerror}).") from error
    return [out / f"{name}.txt" for name in lists]
