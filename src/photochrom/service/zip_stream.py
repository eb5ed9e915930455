"""A zip that is sent while it is made; the standard library writes it."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 1 << 20


class ZipStream:
    """Files go in, bytes come out. Nothing is compressed: pictures are already."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)
        self._names: set[str] = set()

    def add(self, name: str, path: Path) -> Iterator[bytes]:
        """Put a file in; another of the same name gets a number."""
        entry = zipfile.ZipInfo.from_file(path, self._unique(name))
        with path.open("rb") as source, self._zip.open(entry, "w") as target:
            while piece := source.read(CHUNK_BYTES):
                target.write(piece)
                yield self._sink.take()

    def add_text(self, name: str, text: str) -> None:
        """Put a text in."""
        self._zip.writestr(self._unique(name), text)

    def end(self) -> bytes:
        """Return what is left, with the table of contents."""
        self._zip.close()
        return self._sink.take()

    def _unique(self, name: str) -> str:
        path, count = Path(name), 1
        while name.lower() in self._names:
            count += 1
            name = f"{path.stem}-{count}{path.suffix}"
        self._names.add(name.lower())
        return name


class _Sink(io.RawIOBase):
    """Where a zip writes to, once and forward only."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
