"""Read pictures from local or remote Parquet files, one row group at a time.

An address is a path or anything that fsspec opens (https://, s3://, ...); of a file far away only
the footer and the row groups that are read are fetched. A file may be photochrom's own, or of the
Hugging Face hub, whose class numbers become names.
"""

import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from photochrom.errors import DataError
from photochrom.extras import require
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.picture_files import Credit, Encoded, data_files

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem
    from pyarrow.parquet import ParquetFile

UNREADABLE = "unreadable"  # in place of a picture
MOST_CORRUPT = 0.01  # share of shards, and of rows, beyond which a data set is refused
ATTEMPTS, WAIT_S = 3, 0.5  # for a file far away; the wait doubles
IMAGE_COLUMNS = ("image", "img", "jpg", "png", "webp")
ROWS_AT_ONCE = 64
_RANGE = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")

T = TypeVar("T")


@dataclass(frozen=True)
class Unit:
    """A part of a data set that is read in one go.

    name : as messages name it
    rows : its pictures, where known before it is read
    read : callable; gives its pictures in order, and in place of one that cannot be used the reason
        why
    """

    name: str
    rows: int | None
    read: Callable[[], Iterator[Encoded | str]]


def expand_addresses(data: str | Path | Sequence[str | Path]) -> list[str]:
    """List the files of a data set.

    Raise DataError if there is nothing to read.

    Parameters
    ----------
    data : str, Path or sequence of them
        A path or an address of a Parquet file; a folder; an address with a range such as
        `train-{00000..00099}.parquet`, or with `*` where the place can be listed; a file `.txt` of
        addresses, one a line, relative to itself.
    """
    if not isinstance(data, str | Path):
        return [address for one in data for address in expand_addresses(one)]
    text = str(data)
    if (found := _RANGE.search(text)) and not Path(text).exists():
        first, last = found.groups()
        numbers = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
        parts = [text[: found.start()] + number + text[found.end() :] for number in numbers]
        return expand_addresses(parts)
    if text.endswith(".txt"):
        base = text[: text.rfind("/") + 1]
        lines = [line.strip() for line in _read_text(text).splitlines() if line.strip()]
        return [a if "://" in a or a.startswith("/") else f"{base}{a}" for a in lines]
    path = Path(text.removeprefix("file://"))
    if not is_remote(text) and ("*" not in text or path.exists()):
        return [str(file) for file in data_files(path)]
    return _listed(text) if "*" in text else [text]


def is_remote(address: str) -> bool:
    """Whether an address is not a path of this machine."""
    return "://" in address and not address.startswith("file://")


def _listed(pattern: str) -> list[str]:
    files, path = _place(pattern)
    try:
        found = sorted(files.glob(path))
    except read_errors() as error:
        raise DataError(f"{pattern}: cannot be listed ({error}).") from error
    if is_remote(pattern):
        found = [str(files.unstrip_protocol(match)) for match in found]
    if not found:
        raise DataError(f"{pattern}: no such files, or they cannot be listed.")
    return found


def _read_text(address: str) -> str:
    try:
        files, path = _place(address)
        with files.open(path, "rt") as file:
            return str(file.read())
    except read_errors() as error:
        raise DataError(f"{address}: the list of files cannot be read ({error}).") from error


def read_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of reading a damaged or unreachable Parquet file."""
    errors: tuple[type[Exception], ...] = (OSError, ValueError, import_parquet()[0].ArrowException)
    for library, name in (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError")):
        if library.partition(".")[0] in sys.modules:  # else it has raised nothing
            errors += (getattr(importlib.import_module(library), name),)
    return errors


def _place(address: str) -> tuple["AbstractFileSystem", str]:
    """Return the file system of an address, and the path in it.

    Raise DataError if no such file system is known, or its library is not installed.
    """
    require("train", "Reading addresses", "fsspec")
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"{address}: cannot be opened ({reason}). An address needs its library: s3fs for "
            "s3://, gcsfs for gs://, adlfs for abfs://."
        ) from error
    return files, str(path)


def import_parquet() -> tuple[ModuleType, ModuleType]:
    """Return pyarrow and pyarrow.parquet, or raise MissingExtraError."""
    require("evaluate", "Parquet", "pyarrow")
    return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")


@contextmanager
def open_parquet(address: str) -> Iterator["ParquetFile"]:
    """Open a Parquet file; a damaged page is noticed by its checksum, where it has one."""
    _, pq = import_parquet()
    if is_remote(address):
        files, path = _place(address)
        with files.open(path, "rb") as file:
            yield pq.ParquetFile(file, page_checksum_verification=True)
    else:
        with Path(address.removeprefix("file://")).open("rb") as file:
            yield pq.ParquetFile(file, page_checksum_verification=True)


def retried(address: str, read: Callable[[], T]) -> T:
    """Call `read`; for a remote file, retry after a pause if the network fails."""
    for attempt in range(ATTEMPTS - 1 if is_remote(address) else 0):
        try:
            return read()
        except DataError:
            raise
        except read_errors():  # fsspec calls a server that is busy a file that is not found
            time.sleep(WAIT_S * 2**attempt)
    return read()


def group_rows(address: str) -> list[int]:
    """Return the number of rows of each row group.

    Raise DataError if the file has no column of pictures.
    """
    with open_parquet(address) as parquet:
        image_column(parquet.schema_arrow, address)
        metadata = parquet.metadata
        return [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]


def image_column(schema: "pa.Schema", address: str) -> str:
    """Return the name of the column with the encoded pictures."""
    for name in IMAGE_COLUMNS:
        if name in schema.names:
            return name
    raise DataError(f"{address}: needs a column 'image'; it has {', '.join(schema.names)}.")


def group_units(addresses: Sequence[str], report: Report) -> tuple[list[Unit], int]:
    """Open Parquet files and return their row groups.

    Raise DataError if more than one file in a hundred is damaged.

    Parameters
    ----------
    report : callable
        Is told the name of each damaged file.

    Returns
    -------
    units : list of Unit
        In order, without those of damaged files.
    corrupt : int
        How many files are damaged.
    """
    units: list[Unit] = []
    corrupt = 0
    for address in addresses:
        try:
            counts = retried(address, partial(group_rows, address))
        except DataError:
            raise
        except read_errors() as error:
            corrupt += 1
            report(f"{address}: skipped, a damaged or unreachable Parquet file ({error}).")
            if corrupt > MOST_CORRUPT * len(addresses):
                raise DataError(
                    f"{corrupt} of {len(addresses)} Parquet files cannot be read; at most 1 in 100 "
                    f"may. The last one: {address}. Fetch it again, or leave it out."
                ) from error
            continue
        for group, rows in enumerate(counts):
            read = partial(read_group, address, group, rows, sum(counts[:group]), report)
            units.append(Unit(f"{address}, row group {group}", rows, read))
    return units, corrupt


def read_group(
    address: str, group: int, rows: int, first: int, report: Report
) -> Iterator[Encoded | str]:
    """Read the pictures of one row group.

    Parameters
    ----------
    rows : int
        Its length: rows that cannot be read are given as 'unreadable'.
    first : int
        Number of its first row in the file, for keys.
    report : callable
        Is told where reading failed.
    """
    given = 0
    for attempt in range(ATTEMPTS):
        try:
            for row in islice(_rows(address, group, first), given, None):
                given += 1
                yield row
            return
        except read_errors() as error:
            if is_remote(address) and attempt < ATTEMPTS - 1:
                time.sleep(WAIT_S * 2**attempt)
                continue
            report(f"{address}: {rows - given} rows of row group {group} skipped ({error}).")
            break
    for _ in range(rows - given):
        yield UNREADABLE


def _rows(address: str, group: int, first: int) -> Iterator[Encoded | str]:
    with open_parquet(address) as parquet:
        schema = parquet.schema_arrow
        image = image_column(schema, address)
        known = ("source", "label", "key", *Credit._fields)
        wanted = [image, *(name for name in known if name in schema.names)]
        names = _label_names(schema)
        name = address.rpartition("/")[2]
        default = Path(address).parent.name
        batches = parquet.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=wanted)
        number = first
        for batch in batches:
            for row in batch.to_pylist():
                yield _encoded(row, row[image], names, default, f"{name}:{number}")
                number += 1


def _encoded(
    row: dict[str, Any],
    image: bytes | dict[str, bytes] | None,  # a dict is the hub's Image feature
    names: list[str],
    source: str,
    key: str,
) -> Encoded | str:
    image = image["bytes"] if isinstance(image, dict) else image
    if not image:
        return UNREADABLE
    label = row.get("label")
    if isinstance(label, int) and 0 <= label < len(names):
        label = names[label]
    text = "" if label is None else str(label)
    key = one_word(row.get("key") or key)
    return Encoded(image, row.get("source") or source, text, key, Credit.of(row))


def _label_names(schema: "pa.Schema") -> list[str]:
    """Return the names of class numbers that the hub stores in the file's metadata."""
    stored = (schema.metadata or {}).get(b"huggingface")
    if stored is None:
        return []
    try:
        feature = json.loads(stored).get("info", {}).get("features", {}).get("label", {})
        return list(feature.get("names") or []) if isinstance(feature, dict) else []
    except (ValueError, AttributeError, TypeError, RecursionError):  # what is damaged names none
        return []


def one_word(key: object) -> str:
    """Write a key without white space, so that lists of keys can hold it; `%` becomes %25."""
    return re.sub(r"[\s%]", lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), str(key))
