"""Boxes of ISO base media files (AVIF, HEIC) and of JPEG 2000.

Sources: ISO/IEC 14496-12, section 4.2; 23008-12, section 9.3 (item properties); 15444-1, annex I.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MOST_BOX_BYTES = 1 << 24  # of a box that is read whole
MOST_BOXES = 4096


class Box(NamedTuple):
    """A box's kind, and the range of its content."""

    kind: bytes
    start: int
    end: int


def outer_boxes(file: BinaryIO) -> Iterator[Box]:
    """Walk the outermost boxes of a file; the last may end beyond it."""
    size = file.seek(0, 2)
    at = 0
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head[:8])
        body = 8
        if length == 1 and len(head) == 16:
            length, body = struct.unpack(">Q", head[8:])[0], 16
        end = size if length == 0 else at + length
        if end < at + body:
            return
        yield Box(kind, at + body, end)
        at = end


def boxes_in(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Walk boxes in memory."""
    at, stop = start, len(data) if end is None else end
    while at + 8 <= stop:
        length, kind = struct.unpack_from(">I4s", data, at)
        body = 8
        if length == 1 and at + 16 <= stop:
            length, body = struct.unpack_from(">Q", data, at + 8)[0], 16
        following = stop if length == 0 else at + length
        if following < at + body:
            return
        yield Box(kind, at + body, min(following, stop))
        at = following


def contents_in(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk boxes in memory: the kind and the content of each."""
    return ((box.kind, data[box.start : box.end]) for box in boxes_in(data))


def _read_meta(path: Path) -> bytes | None:
    """Return the content of the first outermost 'meta' box; None if missing or too large."""
    with path.open("rb") as file:
        for box in outer_boxes(file):
            if box.kind == b"meta" and box.end - box.start <= MOST_BOX_BYTES:
                file.seek(box.start)
                return file.read(box.end - box.start)
    return None


def primary_properties(path: Path) -> list[tuple[bytes, bytes]]:
    """Return the properties of the primary item of a HEIF file: kind and content.

    Returns
    -------
    list of (kind, content)
        Empty if the file is damaged or has none.
    """
    try:
        meta = dict(contents_in((_read_meta(path) or b"")[4:]))
        (primary,) = struct.unpack_from(">I" if meta[b"pitm"][0] else ">H", meta[b"pitm"], 4)
        inside = dict(contents_in(meta[b"iprp"]))
        all_of_them = list(contents_in(inside[b"ipco"]))
        wanted = _associations(inside[b"ipma"]).get(primary, [])
        return [all_of_them[index - 1] for index in wanted if 0 < index <= len(all_of_them)]
    except (KeyError, struct.error, OSError):
        return []


def _associations(data: bytes) -> dict[int, list[int]]:
    """Read `ipma`: the properties of each item, counted from 1."""
    version, wide = data[0], data[3] & 1
    (count,) = struct.unpack_from(">I", data, 4)
    at, found = 8, dict[int, list[int]]()
    for _ in range(min(count, MOST_BOXES)):
        (item,) = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        number = data[at] if at < len(data) else 0
        at += 1
        size = 2 if wide else 1
        part = data[at : at + number * size]
        at += number * size
        mask = 0x7FFF if wide else 0x7F
        values = [
            int.from_bytes(part[i : i + size], "big") & mask for i in range(0, len(part), size)
        ]
        found.setdefault(item, []).extend(values)
    return found
