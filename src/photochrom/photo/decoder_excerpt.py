"""The excerpt of a file that a decoder is given: only the parts with its pixels.

A decoder reads everything in a file before the first pixel: texts that unpack to gigabytes,
thousands of tags that share one value, every page before the requested one. This package reads
metadata itself, within limits, so libvips is given a file without it. Files are read, never
memory-mapped: a file that shrinks while it is read gives an error, not a bus error.
"""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyvips

IN_MEMORY = 1 << 25  # bytes: smaller excerpts are read at once, which saves calls


@dataclass(frozen=True)
class Range:
    """A range of bytes in the file."""

    start: int
    size: int


@dataclass(frozen=True)
class Excerpt:
    """A file made of parts of another one.

    Attributes
    ----------
    parts : tuple of Range or bytes
        In order.
    """

    parts: tuple[Range | bytes, ...]

    @classmethod
    def of(cls, parts: Iterable[Range | bytes]) -> "Excerpt":
        """Merge adjacent ranges."""
        joined: list[Range | bytes] = []
        for part in parts:
            last = joined[-1] if joined else None
            if (
                isinstance(part, Range)
                and isinstance(last, Range)
                and last.start + last.size == part.start
            ):
                joined[-1] = Range(last.start, last.size + part.size)
            elif not isinstance(part, Range) or part.size > 0:
                joined.append(part)
        return cls(tuple(joined))

    @property
    def size(self) -> int:
        """The size in bytes."""
        return sum(part.size if isinstance(part, Range) else len(part) for part in self.parts)

    def read(self, path: Path) -> bytes:
        """Return all of it."""
        with path.open("rb") as file:
            return b"".join(self._pieces(file))

    def _pieces(self, file: io.BufferedReader) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, Range):
                file.seek(part.start)
                yield file.read(part.size)
            else:
                yield part

    def source(self, path: Path, *, at_once: bool | None = None) -> pyvips.Source:
        """Return the excerpt as a libvips source.

        Parameters
        ----------
        path : Path
        at_once : bool, optional
            Whether it is read into memory as a whole. Default: if it is small.
        """
        if self.size <= IN_MEMORY if at_once is None else at_once:
            return pyvips.Source.new_from_memory(self.read(path))
        reader = _Reader(self, path)
        source = pyvips.SourceCustom()
        source.on_read(reader.read)
        source.on_seek(reader.seek)
        return source


class _Reader:
    """An excerpt as a file; exceptions must not reach C, so an error ends the file."""

    def __init__(self, excerpt: Excerpt, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._parts = excerpt.parts
        self._starts = [0]
        for part in excerpt.parts:
            size = part.size if isinstance(part, Range) else len(part)
            self._starts.append(self._starts[-1] + size)
        self._position, self._index = 0, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, perhaps fewer than asked for; none at the end."""
        if not 0 <= self._position < self._starts[-1]:
            return b""
        while self._position >= self._starts[self._index + 1]:
            self._index += 1
        while self._position < self._starts[self._index]:
            self._index -= 1
        part, offset = self._parts[self._index], self._position - self._starts[self._index]
        size = min(size, self._starts[self._index + 1] - self._position)
        data = b""
        if isinstance(part, Range):
            with suppress(OSError):
                self._file.seek(part.start + offset)
                data = self._file.read(size) or b""
        else:
            data = part[offset : offset + size]
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int) -> int:
        """Seek like a file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._starts[-1]}
        self._position = max(0, base[whence] + offset)
        return self._position

    def __del__(self) -> None:
        self._file.close()
