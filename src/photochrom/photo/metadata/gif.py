"""Read the blocks of a GIF: its first picture, the number of frames, and the metadata.

Source: GIF89a specification; XMP specification, part 3, 1.1.2 (an application extension whose data
are not in sub-blocks, with a "magic trailer" that leads every reader to the end).
"""

from pathlib import Path
from typing import BinaryIO

from photochrom.photo.decoder_excerpt import Excerpt, Range
from photochrom.photo.metadata.carried import (
    MOST_METADATA,
    MOST_PROFILE,
    MOST_TEXTS,
    Carried,
    file_size,
    left_out,
    too_large,
)

XMP_NAME, ICC_NAME = b"XMP DataXMP", b"ICCRGBG1012"
TRAILER = b";"
MAGIC = 258  # bytes of the trailer after an XMP packet: 1, 255, 254 ... 0, 0
MOST_STEPS = 2_000_000  # sub-blocks: beyond, the frames are no longer counted


def read_gif(path: Path) -> Carried:
    """Read the metadata of a GIF; a decoder is given only the first picture."""
    with path.open("rb") as file:
        return _Reader(file).carried()


class _Reader:
    """Walks the blocks once."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size = file, file_size(file)
        self.steps = MOST_STEPS
        self.frames = 0
        self.comments: list[bytes] = []
        self.remaining = MOST_METADATA
        self.xmp: bytes | None = None
        self.profile: bytes | None = None
        self.left: list[str] = []
        self.notes: list[str] = []

    def carried(self) -> Carried:
        self.file.seek(0)
        head = self.file.read(13)
        at = len(head)
        if len(head) == 13 and head[10] & 0x80:
            at += 3 << (head[10] & 7) + 1
        shown: list[Range | bytes] = [Range(0, at)]
        while at < self.size and self.steps > 0:
            self.file.seek(at)
            kind = self.file.read(1)
            end = self._block_end(kind, at)
            self.file.seek(at + 1)
            if kind == b"," or (kind == b"!" and self.file.read(1) == b"\xf9"):
                if not self.frames:
                    shown.append(Range(at, min(end, self.size) - at))
                self.frames += kind == b","
            at = end
        self.notes += left_out(self.left, "GIF extensions")
        return Carried(
            Excerpt.of([*shown, TRAILER] if self.frames else [Range(0, self.size)]),
            xmp=self.xmp,
            profile=self.profile,
            comments=tuple(self.comments),
            frames=max(1, self.frames),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _block_end(self, kind: bytes, at: int) -> int:
        """Return the offset of the next block; the end of the file if this is not a block."""
        if kind == b",":
            head = self.file.read(9)
            if len(head) < 9:
                return self.size
            table = 3 << (head[8] & 7) + 1 if head[8] & 0x80 else 0
            return self._read_blocks(at + 10 + table + 1)[0]
        if kind != b"!":
            return self.size
        label = self.file.read(1)
        if label == b"\xff":
            return self._application(at)
        end, data = self._read_blocks(at + 2, MOST_METADATA if label == b"\xfe" else 0)
        if label == b"\xfe":
            if data is None or len(data) > self.remaining or len(self.comments) >= MOST_TEXTS:
                self.notes.append(too_large("The comments"))
            elif data:
                self.remaining -= len(data)
                self.comments.append(data)
        return end

    def _application(self, at: int) -> int:
        self.file.seek(at + 2)
        size = self.file.read(1)
        name = self.file.read(11)
        start = at + 3 + (size[0] if size else 0)
        most = {XMP_NAME: MOST_METADATA, ICC_NAME: MOST_PROFILE}.get(name, 0)
        end, data = self._read_blocks(start, most)
        if name == XMP_NAME:
            self.file.seek(start)
            packet = self.file.read(max(0, min(end - start - MAGIC, MOST_METADATA + 1)))
            if len(packet) > MOST_METADATA:
                self.notes.append(too_large("XMP"))
            else:
                self.xmp = self.xmp or packet or None
        elif name == ICC_NAME and data:
            self.profile = self.profile or data
        elif name[:8] not in (b"NETSCAPE", b"ANIMEXTS"):  # the number of repetitions
            self.left.append(name.decode("latin-1", "replace").strip())
        return end

    def _read_blocks(self, at: int, most: int = 0) -> tuple[int, bytes | None]:
        """Walk sub-blocks: return the offset after them, and their content up to `most` bytes."""
        parts: list[bytes] | None = []
        total = 0
        while self.steps > 0:
            self.steps -= 1
            self.file.seek(at)
            size = self.file.read(1)
            if not size:
                return self.size, None
            at += 1 + size[0]
            if not size[0]:
                return at, None if parts is None else b"".join(parts)
            total += size[0]
            if parts is not None and total <= most:
                parts.append(self.file.read(size[0]))
            else:
                parts = None
        return self.size, None
