"""Read and write TIFF directories, as far as libvips does not.

Source: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF; EXIF 2.32, section 4.6 (the EXIF
and GPS directories are TIFF directories, also inside other formats, where offsets count from the
start of the block).
"""

import struct
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.metadata.carried import left_out

EXIF_IFD, GPS_IFD, XMP, IPTC = 34665, 34853, 700, 33723
PHOTOSHOP, PROFILE, MAKER_NOTE = 34377, 34675, 37500
DESCRIPTIVE = (  # tags that the first directories of EXIF and TIFF share
    *(269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249),
    *(33432, 40091, 40092, 40093, 40094, 40095),
)
# Tags that only a TIFF can hold and that stay valid for a coloured page: page numbers,
# georeferences, GDAL's metadata, an archive's sheet.
COPIED = (297, 32781, 33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
PIXEL_OFFSETS = (273, 324)  # StripOffsets, TileOffsets
# Tags that libvips is given: the layout of the pixels and the meaning of their values.
PIXEL_TAGS = frozenset(
    (
        *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281),
        *(282, 283, 284, 290, 291, 292, 293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324),
        *(325, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518),
        *(519, 520, 521, 529, 530, 531, 532, 559, 37439, 50674),
    )
)
READ_ELSEWHERE = {EXIF_IFD, GPS_IFD, XMP, IPTC, PHOTOSHOP, PROFILE, 330}
EXIF_HEAD = b"Exif\0\0"
BYTE, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 3, 4, 5, 7, 16
UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
UNIT |= {16: 8, 17: 8, 18: 8}
UNITS_PER_VALUE = {5: 2, 10: 2}  # a rational is two numbers
WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
MAX_ENTRIES = 4096  # more means a damaged directory
MAX_VALUE_BYTES = 1 << 26
MOST_PAGES = 100_000  # that are counted
MAX_OFFSET = (1 << 32) - 1


class TiffError(ValueError):
    """The directories are damaged, or exceed the limits of a classic TIFF."""


@dataclass(frozen=True)
class Entry:
    """One tag's value: its TIFF type and its bytes, in the byte order of its directory."""

    kind: int
    data: bytes

    def to_order(self, order: str, wanted: str) -> "Entry":
        """Swap the bytes of each number if the two byte orders differ."""
        unit = UNIT[self.kind]
        if order == wanted or unit == 1:
            return self
        swapped = (self.data[i : i + unit][::-1] for i in range(0, len(self.data), unit))
        return Entry(self.kind, b"".join(swapped))


Directory = dict[int, Entry]


@dataclass(frozen=True)
class Slot:
    """One entry of a directory: its type and its bytes; the value is not read yet."""

    kind: int
    entry: bytes


class TiffReader:
    """Reads directories from an open file.

    Parameters
    ----------
    file : binary file
        Can seek.

    Raises
    ------
    TiffError
        If it does not begin like a TIFF.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        file.seek(0)
        head = file.read(16).ljust(16, b"\0")
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(f"{self.order}H", head[2:4])[0] if self.order else 0
        if version not in (42, 43):
            raise TiffError("it does not begin like a TIFF")
        self.is_big = version == 43
        place = head[8:16] if self.is_big else head[4:8]
        self.first: int = self._unpack("Q" if self.is_big else "I", place)

    def _unpack(self, code: str, data: bytes) -> int:
        try:
            value: int = struct.unpack(self.order + code, data)[0]
        except struct.error as error:
            raise TiffError("a directory is cut off") from error
        return value

    def table(self, offset: int) -> tuple[dict[int, "Slot"], int]:
        """Read a directory's entries without their values, and the offset of the next pointer."""
        count_code, count_size, entry_size = ("Q", 8, 20) if self.is_big else ("H", 2, 12)
        count = self._unpack(count_code, self._read_at(offset, count_size))
        if count > MAX_ENTRIES:
            raise TiffError(f"a directory has {count} entries")
        table = self._read_at(offset + count_size, count * entry_size)
        slots: dict[int, Slot] = {}
        for at in range(0, len(table) - entry_size + 1, entry_size):
            tag, kind = struct.unpack(f"{self.order}HH", table[at : at + 4])
            if kind in UNIT:
                slots.setdefault(tag, Slot(kind, table[at : at + entry_size]))
        return slots, offset + count_size + count * entry_size

    def directory(
        self, offset: int, tags: Container[int] | None = None, most: int = MAX_VALUE_BYTES
    ) -> tuple[Directory, int]:
        """Read the directory at an offset, and the offset of the pointer to the next one.

        Parameters
        ----------
        offset : int
        tags : container of int, optional
            Those that are read. Default: all.
        most : int
            Bytes of all their values together.

        Raises
        ------
        TiffError
            If it is damaged, or its values have more bytes.
        """
        slots, pointer_at = self.table(offset)
        entries: Directory = {}
        for tag, slot in slots.items():
            if tags is None or tag in tags:
                entries[tag] = self.value(slot, most)
                most -= len(entries[tag].data)
        return entries, pointer_at

    def size_of(self, slot: "Slot") -> int:
        """Return the size of a value in bytes, from its entry."""
        half = (len(slot.entry) - 4) // 2
        count = self._unpack("Q" if self.is_big else "I", slot.entry[4 : 4 + half])
        return count * UNIT[slot.kind] * UNITS_PER_VALUE.get(slot.kind, 1)

    def value(self, slot: "Slot", most: int = MAX_VALUE_BYTES) -> Entry:
        """Read a value.

        Raises
        ------
        TiffError
            If it has more than `most` bytes or lies beyond the end of the file.
        """
        half = (len(slot.entry) - 4) // 2
        size = self.size_of(slot)
        if size <= half:
            return Entry(slot.kind, slot.entry[4 + half : 4 + half + size])
        if size > most:
            raise TiffError(f"a tag's value has {size} bytes")
        place = self._unpack("Q" if self.is_big else "I", slot.entry[4 + half :])
        data = self._read_at(place, size)
        if len(data) < size:
            raise TiffError("a tag's value lies beyond the end of the file")
        return Entry(slot.kind, data)

    def numbers(self, slot: "Slot", most: int = 1) -> tuple[int, ...]:
        """Return the first whole numbers of a value, as many as there are; none of other types."""
        if slot.kind not in WHOLE_NUMBERS:
            return ()
        half, unit = (len(slot.entry) - 4) // 2, UNIT[slot.kind]
        size = self.size_of(slot)
        data = slot.entry[4 + half : 4 + half + size]
        if size > half:
            place = self._unpack("Q" if self.is_big else "I", slot.entry[4 + half :])
            data = self._read_at(place, min(size, most * unit))
        whole = min(most, len(data) // unit)
        return struct.unpack(f"{self.order}{whole}{WHOLE_NUMBERS[slot.kind]}", data[: whole * unit])

    def _read_at(self, offset: int, size: int) -> bytes:
        try:
            self.file.seek(offset)
        except (OSError, OverflowError, ValueError) as error:  # beyond the possible size of a file
            raise TiffError("a pointer leads beyond the end of the file") from error
        return self.file.read(size)

    def pointer(self, entry: Entry) -> int:
        """Return the number that a one-number entry holds."""
        code = {2: "H", 4: "I", 8: "Q"}.get(len(entry.data), "I")
        return self._unpack(code, entry.data)

    def sub_directory(
        self, directory: Directory, tag: int, most: int = MAX_VALUE_BYTES
    ) -> Directory:
        """Read the directory that a tag points to; empty if there is none."""
        if tag not in directory:
            return {}
        return self.directory(self.pointer(directory[tag]), None, most)[0]

    def pages(self) -> Iterator[tuple[Directory, int]]:
        """Yield each directory of the chain, and the offset of the pointer to the next one."""
        for offset, _, _ in self.chain():
            yield self.directory(offset)

    def chain(self) -> Iterator[tuple[int, dict[int, "Slot"], int]]:
        """Yield each directory of the chain: its offset, its entries, the offset of its pointer."""
        offset, seen = self.first, set[int]()
        while offset and offset not in seen:
            seen.add(offset)
            slots, pointer_at = self.table(offset)
            yield offset, slots, pointer_at
            code, size = ("Q", 8) if self.is_big else ("I", 4)
            offset = self._unpack(code, self._read_at(pointer_at, size))


def pack_directory(
    directory: Mapping[int, Entry], order: str, at: int, following: int = 0, *, is_big: bool = False
) -> bytes:
    """Return the bytes of a directory to be written at offset `at`, followed by its values."""
    count_code, code, inline = ("Q", "Q", 8) if is_big else ("H", "I", 4)
    head = struct.pack(order + count_code, len(directory))
    table_end = at + len(head) + (4 + 2 * inline) * len(directory) + inline
    table = [head]
    values = bytearray()
    for tag, entry in sorted(directory.items()):
        count = len(entry.data) // (UNIT[entry.kind] * UNITS_PER_VALUE.get(entry.kind, 1))
        place = entry.data.ljust(inline, b"\0")
        if len(entry.data) > inline:
            values += b"\0" * (len(values) % 2)
            place = struct.pack(order + code, table_end + len(values))
            values += entry.data
        table.append(struct.pack(f"{order}HH{code}", tag, entry.kind, count) + place)
    return b"".join(table) + struct.pack(order + code, following) + bytes(values)


def exif_block(
    reader: TiffReader, slots: Mapping[int, Slot], notes: list[str], most: int
) -> bytes | None:
    """Return a TIFF's EXIF as a block for other formats; None if it has none.

    Parameters
    ----------
    reader : TiffReader
    slots : mapping
        The table of the page.
    notes : list of str
        Extended by what is damaged and left out.
    most : int
        Bytes of each directory's values together.
    """
    kept: Directory = {}
    for tag in DESCRIPTIVE:
        if tag in slots:
            with _noting_damage(tag, notes):
                kept[tag] = reader.value(slots[tag], most)
    subs: dict[int, Directory] = {}
    for tag in (EXIF_IFD, GPS_IFD):
        if tag in slots:
            with _noting_damage(tag, notes):
                at = reader.pointer(reader.value(slots[tag], 8))
                subs[tag] = _readable(
                    reader, reader.table(at)[0], most, f"{NAMES[tag]} tags", notes
                )
    if MAKER_NOTE in subs.get(EXIF_IFD, {}):
        notes.append(MOVED)
    if not kept and not any(subs.values()):
        return None
    mark = b"II" if reader.order == "<" else b"MM"
    head = mark + struct.pack(f"{reader.order}HI", 42, 0)
    return _with_subs(head, kept, subs, reader.order)


def read_exif(path: Path) -> bytes | None:
    """Return the EXIF of a TIFF's first page, with the Exif header; None if it has none.

    Raises
    ------
    TiffError, OSError
        If the directory is damaged or the file cannot be read.
    """
    with path.open("rb") as file:
        reader = TiffReader(file)
        block = exif_block(reader, reader.table(reader.first)[0], [], MAX_VALUE_BYTES)
        return None if block is None else EXIF_HEAD + block


MOVED = "The camera's maker note was moved with EXIF: some readers may not find all parts of it."
NAMES = {EXIF_IFD: "EXIF", GPS_IFD: "the place (GPS)", IPTC: "IPTC", XMP: "XMP"}
NAMES |= {PHOTOSHOP: "Photoshop's resources", PROFILE: "the profile", 270: "the description"}


def _readable(
    reader: TiffReader, slots: Mapping[int, Slot], most: int, what: str, notes: list[str]
) -> Directory:
    """Read the values that are readable and within the limit together; note the others."""
    found: Directory = {}
    left: list[str] = []
    for tag, slot in slots.items():
        try:
            found[tag] = reader.value(slot, most)
            most -= len(found[tag].data)
        except TiffError:
            left.append(str(tag))
    notes += left_out(left, f"{what[0].upper()}{what[1:]}")
    return found


@contextmanager
def _noting_damage(tag: int, notes: list[str]) -> Iterator[None]:
    """Turn an error of damaged data into a note."""
    try:
        yield
    except TiffError as error:
        name = NAMES.get(tag, f"tag {tag}")
        notes.append(f"{name[0].upper()}{name[1:]} of the TIFF is damaged and left out ({error}).")


def read_value(
    reader: TiffReader, slots: Mapping[int, Slot], tag: int, most: int, notes: list[str]
) -> bytes | None:
    """Return the bytes of a tag's value; None, and a note, if it is damaged or too large."""
    if tag in slots:
        with _noting_damage(tag, notes):
            return reader.value(slots[tag], most).data
    return None


def _with_subs(head: bytes, main: Directory, subs: Mapping[int, Directory], order: str) -> bytes:
    """Append directories to a TIFF header, and set the offset of the first one."""
    body = bytearray(head)
    for tag, sub in subs.items():
        if sub:
            body += b"\0" * (len(body) % 2)
            main = main | {tag: Entry(LONG, struct.pack(f"{order}I", len(body)))}
            body += pack_directory(sub, order, len(body))
    body += b"\0" * (len(body) % 2)
    body[4:8] = struct.pack(f"{order}I", len(body))
    return bytes(body + pack_directory(main, order, len(body)))


def read_number(path: Path, tag: int, offset: int | None = None) -> int | None:
    """Return the first number of a tag, or None.

    Parameters
    ----------
    path : Path
    tag : int
    offset : int, optional
        Offset of the page's directory; by default, that of the first page.
    """
    with path.open("rb") as file:
        reader = TiffReader(file)
        slots, _ = reader.table(reader.first if offset is None else offset)
        return next(iter(reader.numbers(slots[tag])), None) if tag in slots else None
