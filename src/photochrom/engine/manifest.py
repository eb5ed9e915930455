"""Manifests: a table, in Parquet or CSV, with one photograph a row.

The column `path` has a photograph's path or address. `result` may name its result and `reference` a
colour photograph to take its colours from. Relative names lie below the manifest's folder, results
below the folder for the results, in the same folders: those below the manifest's folder, or else
all below the bucket or host. Rows are read in batches: ten million need little memory.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np

from photochrom.engine.hashes import name_hashes
from photochrom.engine.output_names import INSTEAD_OF_SUFFIX
from photochrom.engine.run_table import arrow, texts_of
from photochrom.errors import InvalidValueError, UnreadablePhotoError
from photochrom.extras import require
from photochrom.photo import storage

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.csv import CSVStreamingReader

SUFFIXES = (".parquet", ".csv", ".csv.gz")
COLUMNS = ("path", "result", "reference")
GZIP = b"\x1f\x8b"
BATCH_ROWS = 1 << 15
# A name below a folder without what an address, or a path, gives a meaning to; as RE2 has it.
_PART = r"[^./?@#:\\\x00][^/?@#:\\\x00]*"
PLAIN_BELOW = rf"^({_PART}/)*{_PART}\.[A-Za-z0-9]+$"
PLAIN_ROOT = re.compile(rf"(?!https?:|file:|zip:|tar:)[A-Za-z][A-Za-z0-9+.-]+://{_PART}/", re.I)


class Row(NamedTuple):
    """One photograph: its source, where its result goes, and its own reference."""

    source: str
    target: str
    reference: str | None


@dataclass(frozen=True)
class Rows:
    """Several rows, by column; there may be millions."""

    sources: list[str]
    targets: list[str]
    references: list[str | None]

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Row]:
        return map(Row, self.sources, self.targets, self.references)


class Survey(NamedTuple):
    """What all rows of a manifest say: sorted hashes of the results' names, and the folders."""

    results: np.ndarray
    source_folders: set[str]
    target_folders: set[str]


def is_manifest(source: str) -> bool:
    """Return whether a name ends like a manifest's."""
    return storage.name_of(source).lower().endswith(SUFFIXES)


def coloured_name(name: str, suffix: str | None = None) -> str:
    """Return the name of a coloured file; see `photochrom.engine.output_names.beside`.

    The name may have folders; they stay.
    """
    dot = name.rfind(".")
    if dot <= name.rfind("/") + 1 or dot == len(name) - 1:
        return f"{name}-color{suffix or ''}"
    own = name[dot:]
    return f"{name[:dot]}-color{suffix or INSTEAD_OF_SUFFIX.get(own.lower(), own)}"


class Manifest:
    """A manifest; use it as a context manager, since one at an address is copied first.

    Parameters
    ----------
    source : str
        Path or address of the table.
    output : str, optional
        Folder of the results; by default, each lies beside its photograph.
    suffix : str, optional
        Of the results, such as '.png'.

    Raises
    ------
    PhotoError
        If it cannot be read.
    InvalidValueError
        If it is no table, or has no column `path`.
    """

    def __init__(self, source: str, output: str | None = None, suffix: str | None = None) -> None:
        require("storage", "Reading a manifest", "pyarrow")
        self.source, self.output, self.suffix = source, output, suffix
        self.name = storage.cleaned(source)
        self.is_far = storage.is_address(source)
        self.folder = storage.parent_of(source) if self.is_far else str(Path(source).parent)
        place = storage.cleaned(self.folder) if self.is_far else str(Path(self.folder).absolute())
        self._own_folder = f"{place.rstrip('/')}/"
        self._around_sources = storage.around(self.folder)
        self._around_targets = storage.around(output or self.folder)
        self._stack = ExitStack()
        self._path = Path(source)

    def __enter__(self) -> "Manifest":
        try:
            self._path = self._stack.enter_context(storage.local_copy(self.source))
            self._columns = self._read_columns()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _read_columns(self) -> list[str]:
        try:
            if self._is_csv:
                with self._open_csv() as reader:
                    names = list(reader.schema.names)
            else:
                import pyarrow.parquet as pq

                names = list(pq.read_schema(self._path).names)
        except (OSError, ValueError, KeyError) as error:  # ArrowInvalid is a ValueError
            self._no_table(error)
        if "path" not in names:
            raise InvalidValueError(
                f"{self.name}: a manifest needs the column 'path'; its columns are "
                f"{storage.without_secrets(', '.join(names[:20])) or 'none'}."
            )
        return [name for name in COLUMNS if name in names]

    def _no_table(self, error: Exception) -> NoReturn:
        if isinstance(error, OSError) and error.strerror:
            raise UnreadablePhotoError(
                f"{self.name}: cannot be read ({error.strerror})."
            ) from error
        reason = (str(error).splitlines() or [""])[0].replace(str(self._path), self.name)
        reason = storage.without_secrets(reason)[:160]
        if "utf8" in reason.lower().replace("-", ""):
            reason = "its text is not in UTF-8"
        raise InvalidValueError(
            f"{self.name}: not a table that can be read ({reason.rstrip('.')})."
        ) from error

    def _begins_with(self, content: bytes) -> bool:
        with suppress(OSError), self._path.open("rb") as file:
            return file.read(len(content)) == content
        return False

    @property
    def _is_csv(self) -> bool:
        return self.name.lower().endswith((".csv", ".csv.gz"))

    def _open_csv(self, columns: list[str] | None = None) -> "CSVStreamingReader":
        pa = arrow()
        from pyarrow import csv

        # pyarrow would tell by the end of the name.
        compression = "gzip" if self._begins_with(GZIP) else None
        return csv.open_csv(
            pa.input_stream(str(self._path), compression=compression),
            convert_options=csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=[""],
                include_columns=columns,
                column_types=dict.fromkeys(columns or (), pa.string()),
            ),
            parse_options=csv.ParseOptions(newlines_in_values=True),
        )

    def _record_batches(self) -> Iterator["pa.RecordBatch"]:
        if self._is_csv:
            with self._open_csv(self._columns) as reader:
                yield from reader
            return
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._path) as file:
            yield from file.iter_batches(BATCH_ROWS, columns=self._columns)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows, in batches.

        Raises
        ------
        InvalidValueError
            If a row has no path, or a name leads out of its folder. It names the row, from 1.
        """
        begin = 1
        try:
            for batch in self._record_batches():
                rows = self._plain_rows(batch) or self._rows(batch, begin)
                begin += len(rows)
                yield rows
        except (OSError, ValueError, KeyError) as error:
            if isinstance(error, InvalidValueError):
                raise
            self._no_table(error)

    def _rows(self, batch: "pa.RecordBatch", begin: int) -> Rows:
        """Return the rows of a batch whose first has a number."""
        missing = [None] * batch.num_rows
        has = set(batch.schema.names)
        cells = [batch.column(name).to_pylist() if name in has else missing for name in COLUMNS]
        rows = []
        for number, row in enumerate(zip(*cells, strict=True), begin):
            try:
                rows.append(self._row(*row))
            except InvalidValueError as error:
                said = storage.without_secrets(str(error))
                raise InvalidValueError(f"{self.name}, row {number}: {said}") from error
        return Rows(
            [row.source for row in rows],
            [row.target for row in rows],
            [row.reference for row in rows],
        )

    def _plain_rows(self, batch: "pa.RecordBatch") -> Rows | None:
        """Return the rows of a batch, a column at a time, or None if a row needs `_row`.

        Nearly all of ten million are plain: they have only a path, all below the same folder,
        bucket or host, and no character in it that an address gives a meaning to.
        """
        import pyarrow.compute as pc

        paths = batch.column("path")
        if not _is_text(paths) or paths.null_count or not len(paths):
            return None
        paths = paths.cast("string")
        if any(batch.column(n).null_count < len(paths) for n in batch.schema.names if n != "path"):
            return None
        root = self._root_of(paths[0].as_py())
        below = pc.utf8_slice_codeunits(paths, len(root))  # binary_slice fails
        is_plain = pc.and_(
            pc.starts_with(paths, root), pc.match_substring_regex(below, PLAIN_BELOW)
        )
        is_own = pc.starts_with(paths, self._own_folder)
        if not pc.all(is_plain).as_py() or (root != self._own_folder and pc.any(is_own).as_py()):
            return None
        before, after = self._around_sources if not root else (root, "")
        sources = texts_of(pc.binary_join_element_wise(before, below, after, ""))
        if self.output is not None:
            before, after = self._around_targets
        coloured = _coloured_names(below, self.suffix)
        targets = texts_of(pc.binary_join_element_wise(before, coloured, after, ""))
        return Rows(sources, targets, [None] * len(paths))

    def _root_of(self, path: str) -> str:
        """Return what `_resolved` takes from a path, if it is plain."""
        if path.startswith(self._own_folder):
            return self._own_folder
        root = PLAIN_ROOT.match(path)
        return root[0] if root else "/" if path.startswith("/") else ""

    def _row(self, path: object, result: object, reference: object) -> Row:
        if not isinstance(path, str) or not path:
            raise InvalidValueError(f"the column 'path' needs a path or an address; got {path!r}.")
        source, relative = self._resolved(path)
        if not _is_empty(result):
            target = self._target(storage.checked_below(_name("result", result)))
        elif self.output is None:
            target = _beside(source, self.suffix)
        else:
            target = self._target(coloured_name(relative, self.suffix))
        if _is_empty(reference):
            return Row(source, target, None)
        return Row(source, target, self._resolved(_name("reference", reference))[0])

    def _resolved(self, path: str) -> tuple[str, str]:
        """Return a source, and its name below the folder of the results: with its folders."""
        if storage.is_address(path):
            local = storage.path_or_address(path)
            if isinstance(local, str):
                path = storage.cleaned(path)
                below = path.removeprefix(self._own_folder)
                return local, storage.checked_below(
                    storage.path_of(path) if below == path else below
                )
            path = str(local)
        if os.path.isabs(path):  # noqa: PTH117 - one of millions
            below = path.removeprefix(self._own_folder)
            return path, storage.checked_below(below.lstrip("/"))
        path = path.removeprefix("./")
        return self._source(storage.checked_below(path)), path

    def _source(self, relative: str) -> str:
        before, after = self._around_sources
        return f"{before}{relative}{after}"

    def _target(self, relative: str) -> str:
        before, after = self._around_targets
        return f"{before}{relative}{after}"

    def survey(self, sidecars: bool = False) -> Survey:
        """Read all rows, and make sure that each has a result of its own.

        Parameters
        ----------
        sidecars : bool
            Whether results must also differ without their suffixes.

        Returns
        -------
        Survey

        Raises
        ------
        InvalidValueError
            If two rows have the same result, or a row is not valid.
        """
        parts = [np.zeros(0, np.uint64)]
        sources: set[str] = set()
        targets: set[str] = set()
        for rows in self.rows():
            parts.append(name_hashes(_result_names(rows.targets, sidecars)))
            sources.update(_folders(rows.sources))
            targets.update(_folders(rows.targets))
        hashes = np.concatenate(parts)
        hashes.sort()
        twice = hashes[1:][hashes[1:] == hashes[:-1]]
        if len(twice):
            self._name_duplicate(set(map(int, twice[:100])), len(twice), sidecars)
        return Survey(hashes, sources, targets)

    def _name_duplicate(self, twice: set[int], count: int, sidecars: bool) -> None:
        seen: dict[str, tuple[int, str]] = {}
        number = 0
        for rows in self.rows():
            for row in rows:
                number += 1
                (name,) = _result_names([row.target], sidecars)
                if int(name_hashes([name])[0]) not in twice:
                    continue
                first, source = seen.setdefault(name, (number, row.source))
                if first != number:
                    more = f" So have {count - 1:,} more rows." if count > 1 else ""
                    raise InvalidValueError(
                        f"{self.name}: rows {first} and {number} have the same result, "
                        f"{storage.cleaned(row.target)} (from {storage.cleaned(source)} and "
                        f"{storage.cleaned(row.source)}).{more} Name each in the column 'result'."
                    )


def _folders(names: list[str]) -> set[str]:
    """Return the folders of files."""
    # Most rows lie in the folder of the row before.
    some = {name.rpartition("/")[0]: name for name in names if "::" not in name}
    odd = (name for name in names if "::" in name)
    return {storage.folder_of(name) for name in (*some.values(), *odd)}


def _beside(source: str, suffix: str | None) -> str:
    if not storage.is_address(source):
        return coloured_name(source, suffix)
    name = storage.name_of(source)
    return storage.beside(source, coloured_name(name, suffix))


def _result_names(targets: list[str], sidecars: bool) -> list[str]:
    """Return the names that must differ."""
    targets = storage.all_cleaned(targets)
    return [str(Path(target).with_suffix("")) for target in targets] if sidecars else targets


def _is_text(column: "pa.Array") -> bool:
    pa = arrow()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _is_empty(cell: object) -> bool:
    """Return whether a cell has nothing; pandas writes NaN into it."""
    return cell is None or cell == "" or cell != cell


def _name(column: str, cell: object) -> str:
    if not isinstance(cell, str):
        raise InvalidValueError(f"the column '{column}' needs a name; got {cell!r}.")
    return cell


def _coloured_names(names: "pa.Array", suffix: str | None) -> "pa.Array":
    """Return `coloured_name` of each name in a pyarrow array, which `PLAIN_BELOW` describes."""
    import pyarrow.compute as pc

    if suffix is not None:
        return pc.replace_substring_regex(names, r"\.[A-Za-z0-9]+$", f"-color{suffix}")
    coloured = pc.replace_substring_regex(names, r"(\.[A-Za-z0-9]+)$", r"-color\1")
    for ending in set(INSTEAD_OF_SUFFIX.values()):
        ends = [own for own, instead in INSTEAD_OF_SUFFIX.items() if instead == ending]
        foreign = rf"(?i)({'|'.join(map(re.escape, ends))})$"
        is_foreign = pc.match_substring_regex(names, foreign)
        if pc.any(is_foreign).as_py():
            instead = pc.replace_substring_regex(names, foreign, f"-color{ending}")
            coloured = pc.if_else(is_foreign, instead, coloured)
    return coloured
