"""The state of a crawl: known addresses, their outcomes, and pictures not yet in a shard.

It is one SQLite file beside the shards, and each picture is one transaction: a killed crawl
continues where it stopped, and nothing is downloaded twice.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path
from typing import NamedTuple, Self

from photochrom.errors import DataError
from photochrom.photo.atomic import atomic_target, remove_orphans
from photochrom.workbench.datasets.openverse import LIST, Candidate, Cursor, Search
from photochrom.workbench.datasets.private_files import make_private
from photochrom.workbench.datasets.shards import import_parquet

FILE = "crawl.sqlite"
KEPT = "kept"
UNWANTED = "licence"
BATCH = 16  # pictures of a shard that are in memory at a time
NOT_ASKED = "not yet asked for"
COLUMNS = tuple(field.name for field in fields(Candidate))

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS candidate (
  {COLUMNS[0]} TEXT PRIMARY KEY, {", ".join(f"{name} TEXT" for name in COLUMNS[1:])},
  outcome TEXT, detail TEXT, settled INTEGER DEFAULT 0, run INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS waiting ON candidate (settled, run);
CREATE TABLE IF NOT EXISTS picture (
  key TEXT PRIMARY KEY, url TEXT, width INTEGER, height INTEGER, image BLOB, shard INTEGER);
CREATE TABLE IF NOT EXISTS search (name TEXT PRIMARY KEY, cursor TEXT);
CREATE TABLE IF NOT EXISTS run (number INTEGER PRIMARY KEY);
"""


class Picture(NamedTuple):
    """A downloaded picture: SHA-256 of its bytes, its upright size in pixels, its bytes."""

    key: str
    width: int
    height: int
    image: bytes


class Ledger:
    """The state of a crawl in a folder, which is created if missing; one process at a time.

    Raise DataError if another process crawls there, or the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_orphans(folder)
            make_private(folder / FILE)
            self._base = sqlite3.connect(folder / FILE, timeout=0)
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.executescript(SCHEMA)
            with self._base:
                self.run = self._base.execute("INSERT INTO run DEFAULT VALUES").lastrowid or 0
        except (sqlite3.Error, OSError) as error:
            busy = "locked" in str(error)
            raise DataError(
                f"{folder}: another crawl is writing to it. Wait for it, or choose another folder."
                if busy
                else f"{folder / FILE}: cannot be used ({error})."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._base.close()

    def cursor(self, name: str) -> Cursor | None:
        """Return the cursor from which a search continues: {} at its start, None at its end."""
        row = self._one("SELECT cursor FROM search WHERE name = ?", name)
        return {} if row is None else json.loads(row[0])

    def add(
        self,
        candidates: Iterable[tuple[Candidate, str]],
        search: str = "",
        following: Cursor | None = None,
    ) -> None:
        """Record candidates, and the cursor from which their search continues.

        Parameters
        ----------
        candidates : iterable of (Candidate, str)
            Each with its outcome if it is known already, or ''. Of a known one what was last said
            counts until it is fetched or refused; what the user's own list says stays.
        search : str
            Name of the search that found them, if any.
        """
        rows = [(*astuple(one), outcome or None, bool(outcome)) for one, outcome in candidates]
        names = ", ".join((*COLUMNS, "outcome", "settled"))
        marks = ", ".join("?" * (len(COLUMNS) + 2))
        with self._base:
            # What was left out for its licence alone, or not yet asked for, may be wanted by
            # another search; one that does not want it takes it from none.
            self._base.executemany(
                f"INSERT INTO candidate ({names}) VALUES ({marks}) ON CONFLICT (url) DO UPDATE "
                f"SET {', '.join(f'{n} = excluded.{n}' for n in (*COLUMNS[1:], 'settled'))}, "
                f"outcome = coalesce(excluded.outcome, nullif(candidate.outcome, '{UNWANTED}')) "
                f"WHERE (candidate.outcome = '{UNWANTED}' "
                "OR candidate.settled = 0 AND excluded.settled = 0) "
                f"AND (candidate.source <> '{LIST}' OR excluded.source = '{LIST}')",
                rows,
            )
            if search:
                value = (search, json.dumps(following))
                self._base.execute("INSERT OR REPLACE INTO search VALUES (?, ?)", value)

    def next(self, search: Search | None = None) -> Candidate | None:
        """Return a candidate without outcome that was not tried in this run.

        Of lists all, of searches only what this one wants: another run may have asked for other
        words or licences.
        """
        wanted = search or Search("", "", (), "")
        row = self._one(
            f"SELECT {', '.join(COLUMNS)} FROM candidate WHERE settled = 0 AND run < ? AND "
            f"(source = '{LIST}' OR source = ? AND label = ? AND "
            f"licence IN ({', '.join('?' * len(wanted.licences))})) ORDER BY rowid LIMIT 1",
            self.run,
            wanted.source,
            wanted.query,
            *wanted.licences,
        )
        return None if row is None else Candidate(*row)

    def settle(self, candidate: Candidate, outcome: str, detail: str, *, lasting: bool) -> None:
        """Record the outcome of a candidate; if it is not final, another run tries again."""
        with self._base:
            self._settle(candidate, outcome, detail, lasting)

    def _settle(self, candidate: Candidate, outcome: str, detail: str, lasting: bool) -> None:
        self._base.execute(
            "UPDATE candidate SET outcome = ?, detail = ?, settled = ?, run = ? WHERE url = ?",
            (outcome, detail, lasting, self.run, candidate.url),
        )

    def keep(self, candidate: Candidate, picture: Picture) -> str:
        """Store a picture, and return the outcome: 'kept', or 'duplicate' if its bytes are known.

        The picture and the outcome are one transaction.
        """
        with self._base:
            known = self._one("SELECT url FROM picture WHERE key = ?", picture.key)
            outcome = "duplicate" if known else KEPT
            if not known:
                row = (picture.key, candidate.url, picture.width, picture.height, picture.image)
                self._base.execute("INSERT INTO picture VALUES (?, ?, ?, ?, ?, NULL)", row)
            self._settle(candidate, outcome, f"as {known[0]}" if known else "", True)
        return outcome

    def kept(self) -> int:
        """Count the pictures of all runs."""
        return int(self._count("SELECT count(*) FROM picture"))

    def unwritten(self) -> tuple[int, int]:
        """Count the pictures that are not yet in a shard, and their bytes."""
        count, size = self._base.execute(
            "SELECT count(*), coalesce(sum(length(image)), 0) FROM picture WHERE shard IS NULL"
        ).fetchone()
        return count, size

    def counts(self) -> dict[str, int]:
        """Return how many candidates had each outcome, the most frequent first."""
        rows = self._base.execute(
            "SELECT coalesce(outcome, ?), count(*) FROM candidate GROUP BY 1 ORDER BY 2 DESC, 1",
            (NOT_ASKED,),
        )
        return dict(rows.fetchall())

    def write_shard(self) -> Path | None:
        """Write the pictures that are in no shard to a new one; None if there are none.

        If the process is killed before the file is recorded, the next run writes it again.
        """
        pa, pq = import_parquet()
        if not self.unwritten()[0]:
            return None
        names = ("image", "key", "width", "height", *COLUMNS)
        rows = self._base.execute(
            f"SELECT {', '.join(names)} FROM picture JOIN candidate USING (url) "
            "WHERE shard IS NULL ORDER BY picture.rowid"
        )
        number = self._count("SELECT coalesce(max(shard) + 1, 0) FROM picture")
        shard = self.folder / f"crawl-{number:05}.parquet"
        kinds = {"image": "binary", "width": "int32", "height": "int32"}
        schema = pa.schema([(name, kinds.get(name, "string")) for name in names])
        with (
            atomic_target(shard) as part,
            pq.ParquetWriter(part, schema, use_dictionary=False) as writer,
        ):
            while batch := rows.fetchmany(BATCH):
                writer.write_table(pa.table([*zip(*batch, strict=True)], schema=schema))
        with self._base:
            self._base.execute(
                "UPDATE picture SET shard = ?, image = NULL WHERE shard IS NULL", (number,)
            )
        return shard

    def _one(self, question: str, *values: object) -> tuple[str, ...] | None:
        row: tuple[str, ...] | None = self._base.execute(question, values).fetchone()
        return row

    def _count(self, question: str) -> int:
        return int(self._base.execute(question).fetchone()[0])
