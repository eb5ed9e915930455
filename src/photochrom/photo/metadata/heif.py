"""Read the metadata items of AVIF and HEIC.

Sources: ISO/IEC 14496-12 (boxes, 8.11: meta, iloc, iinf, iref, iprp); ISO/IEC 23008-12 (HEIF;
annex A: Exif and XMP items, with the offset of the TIFF header before EXIF); ISO/IEC 23000-22.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.decoder_excerpt import Excerpt, Range
from photochrom.photo.metadata.carried import (
    MOST_METADATA,
    Carried,
    file_size,
    left_out,
    too_large,
    whole,
)
from photochrom.photo.metadata.isobmff import boxes_in, outer_boxes
from photochrom.photo.tiff import EXIF_HEAD

CONTAINERS = {b"iprp", b"ipco"}
MOST_META = 4_000_000  # bytes of the box with the list of items
XMP_TYPE = b"application/rdf+xml"
NOTHING = b"free"  # replaces the type of metadata items, so that a decoder ignores them
AUXILIARY = {  # the end of a property's URN -> its name in notes
    b"hdrgainmap": "a gain map (HDR)",
    b"auxid:2": "a depth map",
    b"auxiliary:depth": "a depth map",
}
PLAIN_ITEMS = {b"hvc1", b"hev1", b"av01", b"grid", b"iden", b"iovl", b"Exif", b"mime", b"jpeg"}
PLAIN_ITEMS |= {b"vvc1", b"unci"}


@dataclass
class Item:
    """One item: its type and the offset of that, its content type, and its extents."""

    kind: bytes = b""
    kind_at: int = -1
    content: bytes = b""
    places: list[tuple[int, int]] = field(default_factory=list)


def read_boxes(path: Path) -> Carried:
    """Read the metadata of an AVIF or HEIC."""
    with path.open("rb") as file:
        size = file_size(file)
        meta = _Meta(file)
        notes: list[str] = []
        exif, xmp = meta.exif(notes), meta.xmp(notes)
        notes += meta.auxiliary()
        shown: list[Range | bytes] = []
        at = 0
        for place in sorted(meta.hidden):
            shown += [Range(at, place - at), NOTHING]
            at = place + len(NOTHING)
        parts = Excerpt.of([*shown, Range(at, size - at)]) if meta.hidden else whole(size)
        return Carried(
            parts, exif=exif, xmp=xmp, size=meta.sides, notes=tuple(dict.fromkeys(notes))
        )


def exif_place(path: Path) -> tuple[int, int] | None:
    """Return the offset and size of the only item with EXIF; None if there is none."""
    with path.open("rb") as file:
        for item in _Meta(file).items.values():
            if item.kind == b"Exif" and len(item.places) == 1:
                return item.places[0]
    return None


class _Meta:
    """The 'meta' box of a file, read once."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.items: dict[int, Item] = {}
        self.hidden: list[int] = []
        self.urns: list[bytes] = []
        self.others: list[bytes] = []
        self.sides: tuple[int, int] | None = None  # of the largest picture
        self.data_at = 0  # of 'idat' in the file
        self._find()

    def _find(self) -> None:
        for box in outer_boxes(self.file):
            self.file.seek(box.start)
            if box.kind == b"meta" and box.end - box.start <= MOST_META:
                self._read(self.file.read(box.end - box.start), box.start)
                return
            if box.kind not in (b"ftyp", b"mdat", b"free", b"skip", b"moov"):
                self.others.append(box.kind)

    def _read(self, data: bytes, base: int) -> None:
        places: dict[int, list[tuple[int, int, int]]] = {}
        for kind, first, end in boxes_in(data, 4):
            if kind == b"iinf":
                self._read_items(data, first, end, base)
            elif kind == b"iloc":
                places = _places(data[first:end])
            elif kind == b"idat":
                self.data_at = base + first
            elif kind in CONTAINERS:
                self._read_properties(data, first, end)
        for number, item in self.items.items():
            for method, offset, length in places.get(number, []):
                item.places.append((offset + (self.data_at if method == 1 else 0), length))

    def _read_items(self, data: bytes, first: int, end: int, base: int) -> None:
        start = first + (6 if data[first : first + 1] == b"\0" else 8)
        for kind, at, stop in boxes_in(data, start, end):
            if kind != b"infe" or stop - at < 12 or data[at] < 2:
                continue
            wide = 4 if data[at] == 3 else 2
            number = int.from_bytes(data[at + 4 : at + 4 + wide])
            kind_at = at + 4 + wide + 2
            item = Item(data[kind_at : kind_at + 4], base + kind_at)
            _, _, rest = data[kind_at + 4 : stop].partition(b"\0")
            item.content = rest.partition(b"\0")[0]
            if item.kind in (b"Exif", b"mime"):
                self.hidden.append(item.kind_at)
            self.items.setdefault(number, item)

    def _read_properties(self, data: bytes, first: int, end: int) -> None:
        for kind, at, stop in boxes_in(data, first, end):
            if kind in CONTAINERS:
                self._read_properties(data, at, stop)
            elif kind == b"ispe" and stop - at >= 12:
                width, height = (int.from_bytes(data[i : i + 4]) for i in (at + 4, at + 8))
                if self.sides is None or width * height > self.sides[0] * self.sides[1]:
                    self.sides = width, height
            elif kind == b"auxC":
                self.urns.append(data[at + 4 : stop].partition(b"\0")[0])

    def _content(self, item: Item, what: str, notes: list[str]) -> bytes | None:
        if sum(size for _, size in item.places) > MOST_METADATA or len(item.places) > 1000:
            notes.append(too_large(what))
            return None
        parts = []
        for at, size in item.places:
            self.file.seek(at)
            # An item of size 0 extends to the end of the file.
            parts.append(self.file.read(size or MOST_METADATA))
        return b"".join(parts)

    def exif(self, notes: list[str]) -> bytes | None:
        """Return the TIFF block of the EXIF item."""
        for item in self.items.values():
            if item.kind == b"Exif":
                data = self._content(item, "EXIF", notes) or b""
                block = data[4:][int.from_bytes(data[:4]) :]
                return block.removeprefix(EXIF_HEAD) or None
        return None

    def xmp(self, notes: list[str]) -> bytes | None:
        """Return the packet of the XMP item."""
        for item in self.items.values():
            if item.kind == b"mime" and item.content == XMP_TYPE:
                return self._content(item, "XMP", notes) or None
        return None

    def auxiliary(self) -> list[str]:
        """Return notes on further contents of the file."""
        names = []
        for urn in self.urns:
            if urn.endswith((b"auxid:1", b"auxiliary:alpha")):
                continue
            known = [name for end, name in AUXILIARY.items() if urn.endswith(end)]
            names += known or [urn.rpartition(b":")[2][:40].decode("ascii", "replace")]
        kinds = [item.kind for item in self.items.values()]
        if b"tmap" in kinds:
            names.append("a gain map (HDR)")
        names += [
            f"{item.content[:40].decode('ascii', 'replace') or 'an item'}"
            for item in self.items.values()
            if item.kind == b"mime" and item.content != XMP_TYPE
        ]
        names += [k.decode("latin-1") for k in kinds if k not in PLAIN_ITEMS and k != b"tmap"]
        names += [kind.decode("latin-1") for kind in self.others]
        return left_out(names, "Besides the picture,")


def _places(data: bytes) -> dict[int, list[tuple[int, int, int]]]:
    """Read 'iloc': item -> (construction method, offset, size) of each extent."""
    version = data[0] if data else 0
    sizes = int.from_bytes(data[4:6])
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    at = 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at])

    found: dict[int, list[tuple[int, int, int]]] = {}
    for _ in range(min(number(wide), len(data) // 6)):
        item = number(wide)
        method = number(2) & 15 if version in (1, 2) else 0
        at += 2
        base = number(base_size)
        count = number(2)
        step = index_size + offset_size + length_size
        most = max(0, len(data) - at) // step if step else 1
        places = []
        for _ in range(min(count, most)):
            at += index_size
            offset = number(offset_size)
            places.append((method, base + offset, number(length_size)))
        found.setdefault(item, places)
        if at > len(data):
            break
    return found
