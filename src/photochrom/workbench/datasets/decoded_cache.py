"""Training pictures decoded once, in a memory-mapped file.

A network on two cores must not wait for a decoder: every picture is decoded once to uint8 sRGB at a
modest size and then read from a memory map, which the operating system keeps in memory if it can. A
cache is used as long as the pictures are the same, whatever the times of their files; see
`file_states`.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from photochrom.errors import DataError
from photochrom.photo.cores import cores
from photochrom.workbench.datasets.cache_folders import (
    INDEX,
    About,
    built,
    check_room,
    default_root,
    remove_superseded,
    write_about,
)
from photochrom.workbench.datasets.file_states import FileStates, Report
from photochrom.workbench.datasets.picture_files import SMALLEST_SIDE_PX, Encoded, decode
from photochrom.workbench.datasets.reader_processes import follow_parent, map_ahead
from photochrom.workbench.datasets.sources import Source, open_source, rows_of

CHUNK = 256  # pictures handed to a worker at a time
MOST_UNREADABLE = 0.01  # share of pictures beyond which a data set is refused
PIXELS, FILES = "pixels.bin", "files.npz"  # of a cache


class Decoded(NamedTuple):
    """A decoded picture, or None in its place, and what is known of it."""

    pixels: np.ndarray | None
    source: str
    label: str
    key: str


@dataclass(frozen=True)
class PixelCache:
    """Decoded pictures of any size in one memory-mapped file.

    pixels : uint8 memory map, (bytes,)
    offsets : int64 array, (N,); where each picture starts
    sizes : int32 array, (N, 2); height and width
    sources, labels, keys : str array, (N,)
    """

    pixels: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    sources: np.ndarray
    labels: np.ndarray
    keys: np.ndarray

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.offsets)

    def __getitem__(self, index: int) -> np.ndarray:
        """Return a picture, (H, W, 3) uint8 sRGB, without copying it."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)


def open_cache(
    data: str | Path,
    folder: Path | None = None,
    short_side_px: int = 192,
    report: Report = lambda line: None,
) -> PixelCache:
    """Open the cache of a data set, and create it if necessary.

    Raise DataError if the data set is empty, more than one in a hundred of its pictures is
    unreadable, or there is no room for it. Nothing is left then.

    Parameters
    ----------
    data : str or Path
        As `photochrom.workbench.datasets.sources.open_source` takes it.
    folder : Path, optional
        Where caches lie; `$XDG_CACHE_HOME/photochrom` or `~/.cache/photochrom` by default.
    short_side_px : int
        Larger pictures are reduced to this short side.
    report : callable
        Takes lines about the progress.
    """
    source = open_source(str(data), report=report)
    cache = (folder or default_root()) / f"{source.fingerprint}-{short_side_px}"
    if not (cache / INDEX).exists():
        _adopt_earlier(source, cache, report)
    found = _read(cache, report) if (cache / INDEX).exists() else None
    if found is None or not _is_current(source, cache, report):
        found = None  # Windows replaces no file that is open
        report(f"Decoding {data} once into {cache} ...")
        name = str(Path(data).resolve()) if Path(data).exists() else str(data)
        with built(cache, report) as made:
            FileStates.of(source.files).save(made / FILES)
            pictures = _build(source, made, short_side_px, report)
            about = About(name, short_side_px, pictures)
            write_about(made, about)
        remove_superseded(cache, about, report)
        found = _read(cache, report)
    if found is None:
        raise DataError(f"{cache}: was written but cannot be read again. Check the disk.")
    return found


def _read(cache: Path, report: Report) -> PixelCache | None:
    """Read a cache; report and return None if it is damaged, for example copied in part."""
    try:
        with (cache / INDEX).open("rb") as file, np.load(file) as index:
            arrays = {name: index[name] for name in index.files}
        found = PixelCache(np.memmap(cache / PIXELS, np.uint8, "r"), **arrays)
        is_whole = len(found.pixels) == found.offsets[-1] + found.sizes[-1].prod() * 3
    except (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile):
        is_whole = False
    if not is_whole:
        report(f"{cache}: is damaged.")
        return None
    return found


def _adopt_earlier(source: Source, cache: Path, report: Report) -> None:
    """Reuse the cache of photochrom 0.2 for the same files, if their times are unchanged."""
    earlier = cache.with_name(f"{source.earlier()}-{cache.name.rpartition('-')[2]}")
    if earlier == cache or not (earlier / INDEX).exists():
        return
    report(f"Using {earlier}, made by an earlier version of photochrom.")
    try:
        FileStates.of(source.files).save(earlier / FILES)
        earlier.rename(cache)
    except OSError as error:
        report(f"{earlier}: cannot be reused ({error.strerror}).")


def _is_current(source: Source, cache: Path, report: Report) -> bool:
    """Return whether a cache matches the files; record their times if those are new."""
    noted = FileStates.load(cache / FILES)
    if noted is None:
        report(f"{cache}: does not say which files it was made from.")
        return False
    change, now = noted.compare(source.files, report)
    if change.contents:
        report(f"{change.contents:,} files have changed since they were decoded.")
        return False
    if change.times:
        report("The pictures are the same; nothing is decoded again.")
        with suppress(OSError):  # somebody else's, who lets us read: compared each time
            now.save(cache / FILES)
    return True


def _decode_chunk(short_side_px: int, chunk: list[Encoded]) -> list[Decoded]:
    return [Decoded(decode(p.image, short_side_px), p.source, p.label, p.key) for p in chunk]


def _decoded(source: Source, short_side_px: int) -> Iterator[list[Decoded]]:
    """Decode on all cores, in order, with a bounded number of chunks under way."""
    workers = cores()
    pictures = rows_of(source)
    chunks = iter(lambda: list(islice(pictures, CHUNK)), [])
    with ProcessPoolExecutor(workers, get_context("spawn"), follow_parent) as pool:
        yield from map_ahead(pool, partial(_decode_chunk, short_side_px), chunks, 2 * workers)


def _build(source: Source, made: Path, short_side_px: int, report: Report) -> int:
    """Decode into a folder; return the number of pictures kept."""
    offset, unreadable, small, seen = 0, 0, 0, 0
    rows: list[tuple[int, tuple[int, ...], str, str, str]] = []
    counts = [unit.rows for unit in source.units]
    total = None if None in counts else sum(filter(None, counts))
    with (made / PIXELS).open("wb") as out:
        for chunk in _decoded(source, short_side_px):
            seen += len(chunk)
            for picture in chunk:
                if picture.pixels is None:
                    unreadable += 1
                    report(f"{picture.key}: left out, it cannot be decoded.")
                elif min(picture.pixels.shape[:2]) < SMALLEST_SIDE_PX:
                    small += 1
                else:
                    out.write(picture.pixels.tobytes())
                    rows.append((offset, picture.pixels.shape[:2], *picture[1:]))
                    offset += picture.pixels.size
            check_room(made, offset, seen, total)
            report(f"{seen} pictures, {offset / 1e9:.2f} GB")
    if unreadable > MOST_UNREADABLE * seen:
        raise DataError(f"{unreadable} of {seen} pictures cannot be decoded; at most 1 in 100 may.")
    if not rows:
        raise DataError(f"None of {seen} pictures has sides of {SMALLEST_SIDE_PX} pixels or more.")
    kept = {"pictures": len(rows), "unreadable": unreadable, "small": small}
    (made / "counts.json").write_text(json.dumps(kept))
    _write_index(made, rows)
    report(f"{len(rows)} pictures kept, {unreadable} unreadable, {small} too small.")
    return len(rows)


def _write_index(cache: Path, rows: list[tuple[int, tuple[int, ...], str, str, str]]) -> None:
    offsets, sizes, sources, labels, keys = zip(*rows, strict=True)
    np.savez(
        cache / INDEX,
        offsets=np.array(offsets, np.int64),
        sizes=np.array(sizes, np.int32),
        sources=np.array(sources),
        labels=np.array(labels),
        keys=np.array(keys),
    )
