"""A zip that is streamed while it is written, with the standard library."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 1 << 20


class ZipStream:
    """Write files to a zip and return its bytes. Pictures are not compressed again."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)
        self._names: set[str] = set()

    def add(self, name: str, path: Path) -> Iterator[bytes]:
        """Add a file; a duplicate name gets a number."""
        entry = zipfile.ZipInfo.from_file(path, self._unique(name))
        with path.open("rb") as source, self._zip.open(entry, "w") as target:
            while piece := source.read(CHUNK_BYTES):
                target.write(piece)
                yield self._sink.take()

    def add_text(self, name: str, text: str) -> None:
        """Add a text file."""
        self._zip.writestr(self._unique(name), text)

    def end(self) -> bytes:
        """Return the remaining bytes, with the central directory."""
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
    """An unseekable file for the zip to write to."""

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
