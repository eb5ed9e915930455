"""Read pictures in the source's order, and standardise them on all cores."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

import numpy as np

from photochrom.errors import DataError, InvalidValueError
from photochrom.photo.cores import cores
from photochrom.workbench.datasets.picture_files import Encoded
from photochrom.workbench.datasets.reader_processes import follow_parent, map_ahead
from photochrom.workbench.datasets.shards import Unit
from photochrom.workbench.datasets.standardize import Row, Standard, standardise
from photochrom.workbench.datasets.streaming import shuffled

CHUNK, CHUNK_BYTES = 64, 8_000_000  # pictures, bytes, handed to a process at a time
SHUFFLE_BUFFER = 2000  # pictures of one part that are mixed with each other


def read_units(units: list[Unit], start: int, seed: int | None) -> Iterator[Encoded | str]:
    """Read the units in order, or mixed, from picture number `start` on."""
    order = np.arange(len(units))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    for index in order:
        unit = units[index]
        if unit.rows is not None and start >= unit.rows:
            start -= unit.rows
            continue
        pictures = unit.read()
        if seed is not None:
            pictures = shuffled(pictures, SHUFFLE_BUFFER, (seed, int(index)))
        for picture in pictures:
            if start:
                start -= 1
            else:
                yield picture


def _chunks(pictures: Iterable[Encoded | str]) -> Iterator[list[Encoded | str]]:
    chunk: list[Encoded | str] = []
    size = 0
    for picture in pictures:
        chunk.append(picture)
        size += len(picture.image) if isinstance(picture, Encoded) else 0
        if len(chunk) == CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _standardise_chunk(chunk: list[Encoded | str], standard: Standard) -> list[Row | str]:
    return [p if isinstance(p, str) else standardise(p, standard) for p in chunk]


@contextmanager
def open_pool(jobs: int | None) -> Iterator[Executor | None]:
    """Open a pool of this many processes, or one per core; None is this process alone."""
    if jobs is not None and jobs < 1:
        raise InvalidValueError(f"The number of processes must be 1 or more; got {jobs}.")
    count = jobs or cores()
    pool = ProcessPoolExecutor(count, get_context("spawn"), follow_parent) if count > 1 else None
    try:
        yield pool
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def standardised(
    pictures: Iterable[Encoded | str], standard: Standard, pool: Executor | None
) -> Iterator[list[Row | str]]:
    """Standardise in order, with a bounded number of chunks under way."""
    chunks = _chunks(pictures)
    work = partial(_standardise_chunk, standard=standard)
    if pool is None:
        yield from map(work, chunks)
        return
    try:
        yield from map_ahead(pool, work, chunks, 2 * cores())
    except BrokenProcessPool as error:
        raise DataError(
            "A process that decoded pictures was killed, perhaps because memory ran out. Run the "
            "same command again to continue, with fewer processes (--jobs 1)."
        ) from error
