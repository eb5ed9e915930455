"""The table of a run: what became of each photograph, in Parquet, beside the results.

`run.parquet` is a folder. Each part is written once, whole, under a name of its own, so that any
number of processes may write at the same time; nothing is ever changed in place. The newest row of
a source and result counts. Rows are known by hashes of 64 bits: ten million need 160 MB.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from photochrom.engine.hashes import Hashes, empty, pair_hashes, recipe_hash, state_hashes
from photochrom.engine.stored import OWN, StoredOutcome
from photochrom.errors import PhotoError, UnreadablePhotoError, UnwritablePhotoError
from photochrom.extras import require
from photochrom.photo import storage
from photochrom.photo.atomic import atomic_target, make_folder
from photochrom.photo.part_locks import HOST

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "run.parquet"
ROWS_PER_PART = 2000
MOST_ROWS = 50_000  # that are kept while the table cannot be written
SECONDS_PER_PART = 30.0  # what a crash may lose; the results' markers still have it
THREADS = 8
FINISHED = frozenset(("coloured", "skipped"))
NO_RESULT = 1  # set in the state of a row that has no result by intention
_COUNTER = itertools.count()


def arrow() -> ModuleType:
    """Return pyarrow.

    Raises
    ------
    MissingExtraError
    """
    require("storage", "The table of a run", "pyarrow")
    return import_module("pyarrow")


def _schema() -> "pa.Schema":
    pa = arrow()
    text = pa.string()
    return pa.schema(
        [
            ("source", text),
            ("size", pa.int64()),
            ("version", text),
            ("result", text),
            ("status", text),
            ("notes", pa.list_(text)),
            ("method", text),
            ("recipe", text),
            ("seconds", pa.float64()),
            ("node", text),
            ("time", pa.timestamp("us", tz="UTC")),
        ]
    )


class RunTable:
    """The table of a run.

    Parameters
    ----------
    results : str
        The folder of the results: a path or an address.
    report : callable
        Is told which parts cannot be read.
    """

    def __init__(self, results: str, report: Callable[[str], object] = lambda line: None) -> None:
        self.is_far = storage.is_address(results)
        self.place = (
            storage.join(results, NAME) if self.is_far else str(Path(results).absolute() / NAME)
        )
        self._report = report
        self._rows: list[tuple[StoredOutcome, float]] = []
        self._written = time.monotonic()

    def begin(self) -> None:
        """Write an empty part, so that a folder that may not be written ends a run at once.

        Raises
        ------
        UnwritablePhotoError
        """
        self._write([])

    def add(self, outcome: StoredOutcome) -> None:
        """Add a row; it is written with the next part. What a table had already is left out."""
        if outcome.known or outcome.status == "passed over":
            return
        self._rows.append((outcome, time.time()))
        late = time.monotonic() - self._written > SECONDS_PER_PART
        if late or len(self._rows) % ROWS_PER_PART == 0:
            try:
                self.flush()
            except UnwritablePhotoError as error:  # the storage may come back
                if len(self._rows) >= MOST_ROWS:
                    raise
                self._written = time.monotonic()
                self._report(f"{error} The rows are kept and written later.")

    def flush(self) -> None:
        """Write the rows that were added, as one part.

        Raises
        ------
        UnwritablePhotoError
            The rows are kept, for another try.
        """
        if self._rows:
            self._write(self._rows)
        self._rows = []
        self._written = time.monotonic()

    def append(self, outcomes: Iterable[StoredOutcome]) -> None:
        """Write rows as one part, at once."""
        now = time.time()
        self._write([(outcome, now) for outcome in outcomes])

    def _write(self, rows: list[tuple[StoredOutcome, float]]) -> None:
        import pyarrow.parquet as pq

        table = arrow().Table.from_pylist([_row(*row) for row in rows], schema=_schema())
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{stamp}-{HOST}-{os.getpid()}-{next(_COUNTER):06}-{os.urandom(4).hex()}.parquet"
        if not self.is_far:
            folder = Path(self.place)
            make_folder(folder)
            with atomic_target(folder / name) as part:
                pq.write_table(table, part, compression="zstd")
            return
        with storage.private_copies() as folder_name:
            path = Path(folder_name, name)
            pq.write_table(table, path, compression="zstd")
            storage.store(path, storage.join(self.place, name))

    def parts(self) -> list[str]:
        """Return the paths or addresses of the parts, oldest first."""
        if self.is_far:
            listing = storage.list_folder(self.place, missing_ok=True)
            return [f.address for n, f in listing.files.items() if n.endswith(".parquet")]
        return sorted(map(str, Path(self.place).glob("[!.]*.parquet")))

    def tables(self, columns: list[str]) -> Iterator["pa.Table"]:
        """Yield the rows of each part, as a table; parts that cannot be read are reported."""
        parts = self.parts()
        with ThreadPoolExecutor(THREADS) as pool:
            # A few at a time: all of them may be more than memory.
            for begin in range(0, len(parts), THREADS):
                some = parts[begin : begin + THREADS]
                for table in pool.map(lambda part: self._read(part, columns), some):
                    if table is not None:
                        yield table

    def _read(self, part: str, columns: list[str]) -> "pa.Table | None":
        import pyarrow.parquet as pq

        try:
            with storage.local_copy(part) as path:
                return pq.read_table(path, columns=columns, partitioning=None)
        except (PhotoError, OSError, ValueError, KeyError) as error:  # ArrowInvalid is a ValueError
            lines = storage.without_secrets(str(error)).splitlines() or [type(error).__name__]
            self._report(
                f"{storage.cleaned(part)}: this part of the run's table cannot be read and is left "
                f"out ({lines[0][:120]}). Results are then recognized by their markers."
            )
            return None

    def done(self) -> Hashes:
        """Return what is finished.

        Returns
        -------
        Hashes
            `pair_hashes` of source and result, both as `written` -> the exclusive or of
            `state_hash` and `recipe_hash`, with the lowest bit set if there is no result by
            intention; 0 if it failed.
        """
        found = []
        columns = ["source", "result", "size", "version", "recipe", "status", "notes", "time"]
        for table in self.tables(columns):
            for batch in table.to_batches(max_chunksize=1 << 16):
                found.append(_hashes_of(batch))
        if not found:
            return empty()
        rows = np.concatenate(found)
        found.clear()
        times = rows["time"]
        if (times[1:] < times[:-1]).any():  # several processes wrote it
            rows = rows[np.argsort(times, kind="stable")]
        return Hashes(rows["key"], rows["state"])


def _row(outcome: StoredOutcome, now: float) -> dict[str, object]:
    return {
        "source": written(outcome.source),
        "size": outcome.size,
        "version": outcome.version,
        "result": written(outcome.target),
        "status": outcome.status,
        "notes": [written(note) for note in outcome.notes],
        "method": outcome.method,
        "recipe": outcome.recipe,
        "seconds": round(outcome.seconds, 4),
        "node": outcome.node or HOST,
        "time": int(now * 1_000_000),
    }


def written(name: object) -> str:
    """Return a name as the table has it: cleaned, with bytes that are no UTF-8 escaped."""
    text = storage.cleaned(str(name))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def all_written(names: list[str]) -> list[str]:
    """Return `written` of each name; of millions, nearly all are so already."""
    names = storage.all_cleaned(names)
    return names if "".join(names).isascii() else list(map(written, names))


HASHED = np.dtype([("key", np.uint64), ("state", np.uint64), ("time", np.int64)])


def _hashes_of(batch: "pa.RecordBatch") -> np.ndarray:
    """Return the key, the state and the time of each row."""
    source, result, version = (texts_of(batch.column(n)) for n in ("source", "result", "version"))
    state = state_hashes(batch.column("size").to_pylist(), version)
    state ^= _of_each(batch.column("recipe"), recipe_hash)
    state |= _has_no_result(batch)
    # Without a version, nobody knows whether a source has changed.
    is_finished = _of_each(batch.column("status"), FINISHED.__contains__).astype(bool)
    state[~is_finished | ~np.fromiter(map(bool, version), bool, len(version))] = 0
    found = np.empty(batch.num_rows, HASHED)
    found["key"] = pair_hashes(source, result)
    found["state"], found["time"] = state, np.asarray(batch.column("time").cast("int64"))
    return found


def texts_of(column: "pa.Array") -> list[str]:
    """Return a pyarrow column of texts as a list, in a fraction of the time of `to_pylist`."""
    texts: list[str] = column.to_numpy(zero_copy_only=False).tolist()
    return texts


def _of_each(column: "pa.Array", value: Callable[[str], int]) -> np.ndarray:
    """Return a number for each text of a column that has few different ones."""
    coded = column.dictionary_encode()
    values = np.array([value(text) for text in coded.dictionary.to_pylist()], np.uint64)
    found: np.ndarray = values[coded.indices.to_numpy(zero_copy_only=False)]
    return found


def _has_no_result(batch: "pa.RecordBatch") -> np.ndarray:
    """Return 1 where a photograph was skipped since photochrom created it, else 0."""
    found = _of_each(batch.column("status"), "skipped".__eq__)
    for n in np.flatnonzero(found):
        found[n] = batch.column("notes")[int(n)].as_py()[:1] == [OWN]
    return found


def read_rows(results: str) -> "pa.Table":
    """Return the whole table of a run, newest row of each source and result, as a pyarrow table.

    Raises
    ------
    UnreadablePhotoError
        If there is none.
    """
    table = RunTable(results)
    parts = list(table.tables(_schema().names))
    if not parts:
        raise UnreadablePhotoError(f"{storage.cleaned(table.place)}: there is no table of a run.")
    rows = arrow().concat_tables(parts).sort_by("time")
    newest: dict[tuple[str, str], int] = {}
    for number, pair in enumerate(
        zip(rows["source"].to_pylist(), rows["result"].to_pylist(), strict=True)
    ):
        newest[pair] = number
    return rows.take(sorted(newest.values()))
