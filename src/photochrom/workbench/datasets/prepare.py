"""Prepare a training set: read, filter, standardise, write Parquet.

What is refused is counted by reason. The work is done in the order of the data set, whatever the
number of processes, and what is done is recorded with each finished shard; so a run that was killed
continues from there and ends with the same files as one that was not.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path

from photochrom.errors import DataError, InvalidValueError, UnwritablePhotoError
from photochrom.photo.atomic import atomic_target, remove_orphans
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.near_duplicates import NearIndex
from photochrom.workbench.datasets.picture_files import Credit
from photochrom.workbench.datasets.shards import MOST_CORRUPT, UNREADABLE
from photochrom.workbench.datasets.sources import NOT_LISTED, OTHER_LABEL, Source, open_source
from photochrom.workbench.datasets.standardised_pictures import open_pool, read_units, standardised
from photochrom.workbench.datasets.standardize import Row, Standard

DUPLICATE, NEAR_DUPLICATE = "duplicate", "near-duplicate"
REASONS = (OTHER_LABEL, NOT_LISTED, UNREADABLE, "too small", "gray", DUPLICATE, NEAR_DUPLICATE)
SHARD_BYTES = 256_000_000  # a shard of large pictures is closed early, for the memory's sake
ROW_GROUP = 128  # pictures that a stream reads at a time
JUDGED_FROM = 1000  # pictures seen before too many unreadable ones end the run early
STATE, COUNTS = "prepare.json", "counts.json"
ARROW_TYPES = {
    "image": "binary",
    "width": "int32",
    "height": "int32",
    "mean_hue": "float",
    "chroma": "float",
    "spread": "uint8",
    "dhash": "uint64",
    "components": "uint16",
}  # of the columns that are no texts


@dataclass(frozen=True)
class Choice:
    """Which pictures are kept, and how they are stored.

    labels : only pictures with one of these; all if empty
    annotations : folder of lists that say which pictures carry a label; '' for none
    keys : only these pictures, such as a group of `photochrom data study`
    near_bits : pictures whose dHash differs in so many bits or fewer from one kept before are left
        out
    shard_rows : pictures in a file
    shuffle_seed : mixes the order of the parts (pictures of a folder, row groups, batches) and
        inside each
    limit : stop after so many pictures were looked at
    keep_duplicates : leave none out for being like another: a test set stays as it was published
    """

    labels: tuple[str, ...] = ()
    annotations: str = ""
    keys: frozenset[str] | None = None
    near_bits: int = 4
    shard_rows: int = 1000
    shuffle_seed: int | None = None
    limit: int | None = None
    keep_duplicates: bool = False

    def __post_init__(self) -> None:
        if self.shard_rows < 1:
            raise InvalidValueError(f"A shard needs 1 picture or more; got {self.shard_rows}.")
        if self.limit is not None and self.limit < 1:
            raise InvalidValueError(f"The limit must be 1 picture or more; got {self.limit}.")


@dataclass
class Counts:
    """The numbers of pictures by outcome.

    seen, kept, shards, bytes : pictures looked at, pictures written, files, bytes of the encoded
        pictures
    damaged_files : Parquet files that were skipped; how many pictures they held is not known
    refused : pictures left out, by reason
    """

    seen: int = 0
    kept: int = 0
    shards: int = 0
    bytes: int = 0
    damaged_files: int = 0
    refused: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))

    def rows(self) -> list[tuple[str, int]]:
        """Return the counts as lines of a table."""
        refused = [(f"left out: {reason}", n) for reason, n in self.refused.items()]
        done = [("kept", self.kept), ("shards", self.shards)]
        damaged = [("damaged files", self.damaged_files)] if self.damaged_files else []
        return [("looked at", self.seen), *refused, *done, *damaged]


def prepare(
    data: str,
    out: Path,
    standard: Standard | None = None,
    choice: Choice | None = None,
    jobs: int | None = None,
    report: Report = lambda line: None,
    progress: Callable[[Counts], None] = lambda counts: None,
) -> Counts:
    """Prepare a training set, or continue an interrupted run.

    Raise DataError if there is nothing to read, nothing is left, too much of a published data set
    is damaged, the folder holds other work, or it cannot be written to.

    Parameters
    ----------
    data : str
        As `photochrom.workbench.datasets.sources.open_source` takes it.
    out : Path
        A folder for the shards, `prepare.json` (what is done) and `counts.json` (at the end).
    jobs : int, optional
        Processes; all cores by default. 1 works in this process.
    report : callable
        Takes lines: what is damaged, what is continued.
    progress : callable
        Takes the counts now and then.
    """
    standard, choice = standard or Standard(), choice or Choice()
    _refuse_inside(data, out)
    annotations = Path(choice.annotations) if choice.annotations else None
    source = open_source(data, choice.labels, annotations, choice.keys, report)
    work = _Work(out, source, standard, choice, report)
    if work.done:
        report(f"{out}: already prepared.")
        return work.counts
    with open_pool(jobs) as pool:
        work.run(pool, progress)
    return work.counts


def _refuse_inside(data: str, out: Path) -> None:
    folder = Path(data)
    if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{out}: lies inside the pictures to read. Choose a folder outside {data}.")


class _Work:
    """The state of a run: options, counts, known hashes, and the current shard."""

    def __init__(
        self, out: Path, source: Source, standard: Standard, choice: Choice, report: Report
    ) -> None:
        self.out, self.source, self.standard, self.choice = out, source, standard, choice
        self.report = report
        options = {**asdict(standard), **asdict(choice), "data": source.fingerprint}
        if choice.keys is not None:
            options["keys"] = sha256("\n".join(sorted(choice.keys)).encode()).hexdigest()
        self.options: dict[str, object] = json.loads(json.dumps(options))
        self.near, self.digests = NearIndex(choice.near_bits), set[bytes]()
        self.shard: list[Row] = []
        self.shard_bytes = 0
        self.counts, self.done = Counts(damaged_files=source.damaged_files), False
        self._begin()

    def _begin(self) -> None:
        """Continue from an earlier run, and remove its unfinished files."""
        _writable(self.out)
        state = self.out / STATE
        if state.exists():
            self._take_up(*_read_state(state))
        elif any(self.out.glob("*.parquet")):
            raise DataError(
                f"{self.out}: holds Parquet files but no {STATE}, so photochrom did not "
                "prepare them. Choose another folder."
            )
        for file in self.out.glob("pictures-*.parquet"):
            if int(file.stem.removeprefix("pictures-")) >= self.counts.shards:
                file.unlink()  # finished, but a kill came before it was recorded
        if not self.counts.shards:
            self._record()  # or shards would be taken for somebody else's

    def _take_up(self, before: Mapping[str, object], counts: Counts, done: bool) -> None:
        if not counts.shards:
            return
        now = self.options
        if before.get("data") == self.source.earlier():  # begun by photochrom 0.2
            before = {**before, "data": now["data"]}
        if changed := sorted(k for k in now if before.get(k) != now[k]):
            raise DataError(
                f"{self.out}: was started with other options or pictures ({', '.join(changed)}). "
                "Choose another folder, or remove this one."
            )
        self.counts, self.done = counts, done
        rows = sum(self._remember_shard(self._path(n)) for n in range(self.counts.shards))
        if rows != self.counts.kept:
            raise DataError(
                f"{self.out}: its shards hold {rows} pictures, and {self.counts.kept} were "
                "written. Remove it and start again."
            )
        if not self.done:
            self.report(f"Continuing after {self.counts.seen} pictures.")

    def _remember_shard(self, path: Path) -> int:
        """Read the hashes of a shard; return its number of pictures."""
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path, columns=["dhash", "sha256"])
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: a finished shard is missing or damaged ({error}). Remove {self.out} and "
                "start again."
            ) from error
        for hash, digest in zip(*(table[c].to_pylist() for c in table.column_names), strict=True):
            self._remember(hash, digest)
        return int(table.num_rows)

    def _remember(self, hash: int, digest: str) -> None:
        self.near.add(hash)
        self.digests.add(bytes.fromhex(digest))

    def run(self, pool: Executor | None, progress: Callable[[Counts], None]) -> None:
        """Process the rest of the source."""
        pictures = read_units(self.source.units, self.counts.seen, self.choice.shuffle_seed)
        if self.choice.limit is not None:
            pictures = islice(pictures, self.choice.limit - self.counts.seen)
        for results in standardised(pictures, self.standard, pool):
            for result in results:
                self._take(result)
            progress(self.counts)
        self._finish()

    def _take(self, result: Row | str) -> None:
        self.counts.seen += 1
        reason = result if isinstance(result, str) else self._seen_before(result)
        if reason is not None:
            self.counts.refused[reason] += 1
            return
        assert isinstance(result, Row)
        self._remember(result.dhash, result.sha256)
        self.shard.append(result)
        self.counts.kept += 1
        self.counts.bytes += len(result.image)
        self.shard_bytes += len(result.image)
        if len(self.shard) == self.choice.shard_rows or self.shard_bytes >= SHARD_BYTES:
            self._write_shard()
            if self.counts.seen >= JUDGED_FROM:
                self._refuse_damage()

    def _seen_before(self, row: Row) -> str | None:
        if self.choice.keep_duplicates:
            return None
        if bytes.fromhex(row.sha256) in self.digests:
            return DUPLICATE
        # A hash of 0 says only that nothing gets brighter to the right: of skies and walls many.
        is_near = row.dhash != 0 and self.near.holds_near(row.dhash)
        return NEAR_DUPLICATE if is_near else None

    def _path(self, number: int) -> Path:
        return self.out / f"pictures-{number:05d}.parquet"

    def _write_shard(self, done: bool = False) -> None:
        """Write the shard, then record it: a kill in between only costs time."""
        if self.shard:
            path = self._path(self.counts.shards)
            self._write(path, partial(_write_parquet, self.shard))
            self.counts.shards += 1
            self.shard, self.shard_bytes = [], 0
        self._record(done)

    def _record(self, done: bool = False) -> None:
        state = {"options": self.options, "counts": asdict(self.counts), "done": done}
        self._write(self.out / STATE, partial(_write_json, state))

    def _write(self, path: Path, write: Callable[[Path], None]) -> None:
        try:
            with atomic_target(path) as part:
                write(part)
        except UnwritablePhotoError as error:
            raise DataError(
                f"{error} The {self.counts.shards} shards before it are complete; free some "
                "space and run the same command again to continue."
            ) from error

    def _refuse_damage(self) -> None:
        unreadable, seen = self.counts.refused[UNREADABLE], self.counts.seen
        if self.source.published and unreadable > MOST_CORRUPT * seen:
            raise DataError(
                f"{unreadable} of {seen} pictures cannot be decoded; of a published data set at "
                "most 1 in 100 may. Fetch it again."
            )

    def _finish(self) -> None:
        self._refuse_damage()
        if not self.counts.kept:
            why = ", ".join(f"{n} {reason}" for reason, n in self.counts.refused.items() if n)
            advice = "A milder gray rule or a smaller smallest side keeps more."
            if 0 < self.counts.seen == self.counts.refused[OTHER_LABEL]:
                advice = f"No picture has the label {' or '.join(self.choice.labels)}."
            elif self.choice.keys is not None:
                advice = "Are the keys those of this data set?"
            raise DataError(
                f"None of {self.counts.seen} pictures is left ({why or 'nothing to read'}). "
                + advice
            )
        self._write_shard()
        counts = {**asdict(self.counts), "options": self.options}
        self._write(self.out / COUNTS, partial(_write_json, counts))
        self._write_shard(done=True)


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be created ({error.strerror}).") from error
    remove_orphans(folder)


def _read_state(path: Path) -> tuple[dict[str, object], Counts, bool]:
    """Read an earlier run's options and counts, and whether it was finished."""
    try:
        state = json.loads(path.read_text())
        return dict(state["options"]), Counts(**state["counts"]), bool(state["done"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: is damaged ({error!r}). Remove {path.parent} and start again."
        ) from error


def _write_json(values: Mapping[str, object], path: Path) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n")


def _write_parquet(rows: list[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*Row._fields[:-1], *Credit._fields]
    schema = pa.schema([(name, ARROW_TYPES.get(name, "string")) for name in names])
    columns = zip(*((*row[:-1], *row.credit) for row in rows), strict=True)
    table = pa.table([*columns], schema=schema)
    with path.open("wb") as file:  # Python's own file tells a full disk by its error number
        pq.write_table(
            table, file, row_group_size=ROW_GROUP, use_dictionary=False, write_page_checksum=True
        )
