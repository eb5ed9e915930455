"""Stream training pictures from local or remote files; each worker reads its own share.

Nothing is unpacked to the disk: a worker reads the row groups of its share, one by one, and mixes
their pictures in a buffer. Shares are disjoint and together complete. A share is a pure function of
seed, epoch and the worker's number, so that many nodes agree without talking.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.picture_files import Encoded, decode
from photochrom.workbench.datasets.shards import (
    MOST_CORRUPT,
    UNREADABLE,
    Unit,
    expand_addresses,
    group_rows,
    group_units,
    is_remote,
    read_errors,
    read_group,
    retried,
)
from photochrom.workbench.datasets.sources import HUB, open_source

ENOUGH = 4  # parts a worker needs so that shares are about as large as each other
JUDGED_FROM = 100  # rows seen before too many corrupt ones are an error

Item = TypeVar("Item")


class Share(NamedTuple):
    """The number of a share, and of how many."""

    number: int
    of: int


def stream_pictures(
    data: str | Path | Sequence[str | Path],
    *,
    rank: int = 0,
    ranks: int = 1,
    seed: int = 0,
    epoch: int = 0,
    shuffle_buffer: int = 1000,
    worker: int = 0,
    workers: int = 1,
    report: Report = lambda line: None,
) -> Iterator[Encoded]:
    """Read one worker's share of a data set, once, in an order that seed and epoch decide.

    Parameters
    ----------
    data : str, Path or sequence of them
        A folder of pictures or of Parquet files, addresses of Parquet files as
        `photochrom.workbench.datasets.shards.expand_addresses` takes them, or `hub:OWNER/NAME`.
    rank, ranks : int
        This machine or process of all that train.
    seed, epoch : int
        Decide the order. All workers must use the same.
    shuffle_buffer : int
        Pictures among which the next is drawn; 1 keeps the order of the files.
    worker, workers : int
        This loading worker of all in this rank.
    report : callable
        Is told what is damaged, by name, and at the end how much.

    Yields
    ------
    Encoded
        Every picture of the data set comes to exactly one worker in each epoch. Shares may differ
        by a part (a file, a row group or a row, whichever there are enough of).

    Raises
    ------
    InvalidValueError
        If a number is outside its range.
    DataError
        If there is nothing to read, or more than one in a hundred files or pictures is damaged.
    """
    share = _share(rank, ranks, worker, workers)
    if shuffle_buffer < 1:
        raise InvalidValueError(f"The shuffle buffer must be 1 or more; got {shuffle_buffer}.")
    mixed = shuffle_buffer > 1
    rows = _share_of_rows(data, share, (seed, epoch) if mixed else None, report)
    pictures = _sound(rows, report)
    if mixed:
        pictures = shuffled(pictures, shuffle_buffer, (seed, epoch, share.number))
    return pictures


def _share(rank: int, ranks: int, worker: int, workers: int) -> Share:
    for what, number, of in (("rank", rank, ranks), ("worker", worker, workers)):
        if not 0 <= number < of:
            raise InvalidValueError(f"The {what} must be 0 to {of - 1}; got {number}.")
    return Share(rank * workers + worker, ranks * workers)


def _share_of_rows(
    data: str | Path | Sequence[str | Path],
    share: Share,
    seed: tuple[int, int] | None,
    report: Report,
) -> Iterator[Encoded | str]:
    """Distribute files if there are many, else row groups, else rows."""
    units = _units(data)
    if not units:
        addresses = expand_addresses(data)
        if len(addresses) >= ENOUGH * share.of:
            units = [Unit(a, None, partial(_read_shard, a)) for a in addresses]
            yield from _read_all(_mine(_in_order(units, seed), share), len(units), share, report)
            return
        units, _ = group_units(addresses, report)
    units = _in_order(units, seed)
    if len(units) >= ENOUGH * share.of:
        units, share = _mine(units, share), Share(0, 1)
    for number, row in enumerate(row for unit in units for row in unit.read()):
        if number % share.of == share.number:
            yield row


def _units(data: str | Path | Sequence[str | Path]) -> list[Unit]:
    """Return the pictures of a folder or of the hub; [] for Parquet files."""
    if not isinstance(data, str | Path) or is_remote(str(data)):
        return []
    if str(data).startswith(HUB):
        return open_source(str(data)).units
    folder = Path(data)
    if not folder.is_dir() or any(folder.rglob("*.parquet")):
        return []
    return open_source(str(folder)).units


def _in_order(units: list[Unit], seed: tuple[int, int] | None) -> list[Unit]:
    if seed is None:
        return units
    return [units[i] for i in np.random.default_rng(seed).permutation(len(units))]


def _mine(units: list[Unit], share: Share) -> list[Unit]:
    return units[share.number :: share.of]


def _read_shard(address: str) -> Iterator[Encoded | str]:
    first = 0
    for group, rows in enumerate(retried(address, partial(group_rows, address))):
        yield from read_group(address, group, rows, first, _quiet)
        first += rows


def _quiet(line: str) -> None:
    """Rows that fail are counted by `_sound`."""


def _read_all(
    units: list[Unit], total: int, share: Share, report: Report
) -> Iterator[Encoded | str]:
    """Read whole files; skip a damaged one, by name, unless they are too many.

    A worker sees only its own files: it may skip its part of what all may skip, at least one if the
    data set has so many files that one is not too many.
    """
    allowed = ceil(MOST_CORRUPT * total / share.of) if MOST_CORRUPT * total >= 1 else 0
    corrupt = 0
    for unit in units:
        try:
            yield from unit.read()
        except DataError:
            raise
        except read_errors() as error:
            corrupt += 1
            report(f"{unit.name}: skipped, a damaged or unreachable Parquet file ({error}).")
            if corrupt > allowed:
                raise DataError(
                    f"{corrupt} of this worker's {len(units)} Parquet files cannot be read, and at "
                    f"most 1 in 100 of all {total} may. The last one: {unit.name}. Fetch it again, "
                    "or leave it out."
                ) from error


def _sound(rows: Iterable[Item | str], report: Report) -> Iterator[Item]:
    """Skip and count rows that cannot be read; fail if there are too many."""
    seen, corrupt = 0, 0
    for row in rows:
        seen += 1
        if not isinstance(row, str):
            yield row
            continue
        corrupt += 1
        if seen >= JUDGED_FROM:
            _refuse_rows(corrupt, seen)
    _refuse_rows(corrupt, seen)
    if corrupt:
        report(f"{corrupt} of {seen} pictures skipped: they cannot be read.")


def _refuse_rows(corrupt: int, seen: int) -> None:
    if corrupt > MOST_CORRUPT * seen:
        raise DataError(
            f"{corrupt} of {seen} pictures of this share cannot be read; at most 1 in 100 may. "
            "Fetch the data set again."
        )


def decode_pictures(
    pictures: Iterable[Encoded], short_side_px: int | None = None, report: Report = _quiet
) -> Iterator[tuple[Encoded, np.ndarray]]:
    """Decode streamed pictures; skip those that cannot be decoded, unless they are too many.

    Raise DataError if more than one in a hundred cannot be decoded.

    Parameters
    ----------
    short_side_px : int, optional
        Larger pictures are reduced to this short side.
    report : callable
        Is told the key of each picture that is skipped.

    Yields
    ------
    picture : Encoded
    rgb : uint8 array, (H, W, 3)
    """

    def decoded() -> Iterator[tuple[Encoded, np.ndarray] | str]:
        for picture in pictures:
            rgb = decode(picture.image, short_side_px)
            if rgb is None:
                report(f"{picture.key}: skipped, it cannot be decoded.")
            yield UNREADABLE if rgb is None else (picture, rgb)

    return _sound(decoded(), _quiet)


def shuffled(items: Iterable[Item], buffer: int, seed: Sequence[int]) -> Iterator[Item]:
    """Mix items in constant memory: each is drawn from a buffer that the next one fills up.

    Parameters
    ----------
    buffer : int
        Items held at a time, 1 or more.

    Yields
    ------
    item
        Every item once.
    """
    random = np.random.default_rng(tuple(seed))
    stream = iter(items)
    held = list(islice(stream, buffer))
    for item in stream:
        place = int(random.integers(len(held)))
        held[place], drawn = item, held[place]
        yield drawn
    for place in random.permutation(len(held)):
        yield held[place]
