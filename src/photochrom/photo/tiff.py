"""The directories of a TIFF file: what libvips does not read from them or write into them.

Source: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF (read only); EXIF 2.32, section 4.6 (the EXIF
and GPS directories are TIFF directories, also inside other formats, where they bear offsets from
the start of the block).
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

EXIF_IFD, GPS_IFD, XMP, IPTC = 34665, 34853, 700, 33723
DESCRIPTIVE = (  # tags that EXIF's first directory and a TIFF's share
    *(269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249),
    *(33432, 40091, 40092, 40093, 40094, 40095),
)
PIXEL_OFFSETS = (273, 324)  # StripOffsets, TileOffsets
EXIF_HEAD = b"Exif\0\0"
BYTE, LONG, UNDEFINED = 1, 4, 7
UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}
UNIT |= {16: 8, 17: 8, 18: 8}
UNITS_PER_VALUE = {5: 2, 10: 2}  # a rational is two numbers
MAX_ENTRIES = 4096  # more means a damaged directory
MAX_VALUE_BYTES = 1 << 26
MAX_OFFSET = (1 << 32) - 1


class TiffError(ValueError):
    """The directories are damaged, or grow beyond what a classic TIFF holds."""


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

    def directory(self, offset: int) -> tuple[Directory, int]:
        """Read the directory at an offset, and where the pointer to the next one stands."""
        count_code, count_size, entry_size = ("Q", 8, 20) if self.is_big else ("H", 2, 12)
        self.file.seek(offset)
        count = self._unpack(count_code, self.file.read(count_size))
        if count > MAX_ENTRIES:
            raise TiffError(f"a directory has {count} entries")
        table = self.file.read(count * entry_size)
        entries: Directory = {}
        for at in range(0, len(table) - entry_size + 1, entry_size):
            tag, kind = struct.unpack(f"{self.order}HH", table[at : at + 4])
            if kind in UNIT:
                entries[tag] = Entry(kind, self._value(kind, table[at + 4 : at + entry_size]))
        return entries, offset + count_size + count * entry_size

    def _value(self, kind: int, rest: bytes) -> bytes:
        half = len(rest) // 2
        code = "Q" if self.is_big else "I"
        count = self._unpack(code, rest[:half])
        size = count * UNIT[kind] * UNITS_PER_VALUE.get(kind, 1)
        if size <= half:
            return rest[half : half + size]
        if size > MAX_VALUE_BYTES:
            raise TiffError(f"a tag's value has {size} bytes")
        self.file.seek(self._unpack(code, rest[half:]))
        return self.file.read(size)

    def pointer(self, entry: Entry) -> int:
        """Give the number that a one-number entry holds."""
        code = {2: "H", 4: "I", 8: "Q"}.get(len(entry.data), "I")
        return self._unpack(code, entry.data)

    def sub_directory(self, directory: Directory, tag: int) -> Directory:
        """Read the directory that a tag points to; empty if there is none."""
        return self.directory(self.pointer(directory[tag]))[0] if tag in directory else {}

    def pages(self) -> Iterator[tuple[Directory, int]]:
        """Walk the chain of directories: each with where its pointer to the next one stands."""
        offset, seen = self.first, set[int]()
        while offset and offset not in seen:
            seen.add(offset)
            directory, pointer_at = self.directory(offset)
            yield directory, pointer_at
            self.file.seek(pointer_at)
            code, size = ("Q", 8) if self.is_big else ("I", 4)
            offset = self._unpack(code, self.file.read(size))


def pack_directory(
    directory: Mapping[int, Entry], order: str, at: int, following: int = 0
) -> bytes:
    """Give the bytes of a classic directory that will stand at offset `at`, values after it."""
    table_end = at + 2 + 12 * len(directory) + 4
    table = [struct.pack(f"{order}H", len(directory))]
    values = b""
    for tag, entry in sorted(directory.items()):
        count = len(entry.data) // (UNIT[entry.kind] * UNITS_PER_VALUE.get(entry.kind, 1))
        place = entry.data.ljust(4, b"\0")
        if len(entry.data) > 4:
            values += b"\0" * (len(values) % 2)
            place = struct.pack(f"{order}I", table_end + len(values))
            values += entry.data
        table.append(struct.pack(f"{order}HHI", tag, entry.kind, count) + place)
    return b"".join(table) + struct.pack(f"{order}I", following) + values


def read_exif(path: Path) -> bytes | None:
    """Give a TIFF's EXIF as the block that other formats carry; None if it has none.

    Raises
    ------
    TiffError, OSError
        If the directories are damaged or the file cannot be read.
    """
    with path.open("rb") as file:
        reader = TiffReader(file)
        first = next(reader.pages(), ({}, 0))[0]
        subs = {tag: reader.sub_directory(first, tag) for tag in (EXIF_IFD, GPS_IFD)}
        kept = {tag: first[tag] for tag in DESCRIPTIVE if tag in first}
        if not kept and not any(subs.values()):
            return None
        mark = b"II" if reader.order == "<" else b"MM"
        head = mark + struct.pack(f"{reader.order}HI", 42, 0)
        return EXIF_HEAD + _with_subs(head, kept, subs, reader.order, first_at=4)


def without_thumbnail(exif: bytes) -> tuple[bytes, bool]:
    """Cut the thumbnail, which stands in a second directory, off an EXIF block.

    Returns
    -------
    block : bytes
    found : bool
        Whether there was one.

    Raises
    ------
    TiffError
        If the block is damaged.
    """
    block = bytearray(exif.removeprefix(EXIF_HEAD))
    reader = TiffReader(io.BytesIO(block))
    pointer_at = reader.directory(reader.first)[1]
    found = any(block[pointer_at : pointer_at + 4])
    block[pointer_at : pointer_at + 4] = bytes(4)
    return EXIF_HEAD + bytes(block), found


def _with_subs(
    head: bytes,
    main: Directory,
    subs: Mapping[int, Directory],
    order: str,
    first_at: int,
) -> bytes:
    """Put directories behind a TIFF header and enter where the first one begins."""
    body = bytearray(head)
    for tag, sub in subs.items():
        if sub:
            body += b"\0" * (len(body) % 2)
            main = main | {tag: Entry(LONG, struct.pack(f"{order}I", len(body)))}
            body += pack_directory(sub, order, len(body))
    body += b"\0" * (len(body) % 2)
    body[first_at : first_at + 4] = struct.pack(f"{order}I", len(body))
    return bytes(body + pack_directory(main, order, len(body)))


def read_tag(path: Path, tag: int, page: int = 0) -> bytes | None:
    """Give the whole value of a tag of a page, or None."""
    with path.open("rb") as file:
        entries = next(islice(TiffReader(file).pages(), page, None), ({}, 0))[0]
        return entries[tag].data if tag in entries else None


def write_metadata(path: Path, exif: bytes | None, iptc: bytes | None) -> None:
    """Enter EXIF and IPTC into the first page of a classic TIFF.

    The first directory is written again behind everything else; a few hundred bytes of the old
    one stay unused.

    Raises
    ------
    TiffError
        If the EXIF block is damaged, or the file is a BigTIFF.
    """
    with path.open("r+b") as file:
        reader = TiffReader(file)
        if reader.is_big:
            raise TiffError("a file beyond 4 GB holds no EXIF or IPTC here")
        first, pointer_at = reader.directory(reader.first)
        file.seek(pointer_at)
        following = struct.unpack(f"{reader.order}I", file.read(4))[0]
        main, subs = _exif_directories(exif, reader.order)
        entries = first | main
        if iptc:
            entries[IPTC] = Entry(UNDEFINED, iptc)
        for tag, sub in subs.items():
            if sub:
                at = _seek_even_end(file)
                file.write(pack_directory(sub, reader.order, at))
                entries[tag] = Entry(LONG, struct.pack(f"{reader.order}I", at))
        at = _seek_even_end(file)
        file.write(pack_directory(entries, reader.order, at, following))
        file.seek(4)
        file.write(struct.pack(f"{reader.order}I", at))


def _exif_directories(exif: bytes | None, order: str) -> tuple[Directory, dict[int, Directory]]:
    """Take an EXIF block apart: descriptive tags, and the EXIF and GPS directories."""
    if exif is None:
        return {}, {}
    reader = TiffReader(io.BytesIO(exif.removeprefix(EXIF_HEAD)))
    first = reader.directory(reader.first)[0]
    subs = {tag: reader.sub_directory(first, tag) for tag in (EXIF_IFD, GPS_IFD)}
    kept = {tag: first[tag] for tag in DESCRIPTIVE if tag in first}
    swapped = {tag: _in_order(sub, reader.order, order) for tag, sub in subs.items()}
    return _in_order(kept, reader.order, order), swapped


def _in_order(directory: Directory, order: str, wanted: str) -> Directory:
    without_pointer = {tag: entry for tag, entry in directory.items() if tag != 40965}
    return {tag: entry.to_order(order, wanted) for tag, entry in without_pointer.items()}


def _seek_even_end(file: BinaryIO) -> int:
    at = file.seek(0, io.SEEK_END)
    if at % 2:
        file.write(b"\0")
    if at > MAX_OFFSET - MAX_VALUE_BYTES:
        raise TiffError("more than 4 GB")
    return at + at % 2


def append_page(path: Path, page: Path) -> None:
    """Append the one page of a TIFF to another; both classic and of the same byte order.

    Raises
    ------
    TiffError
        If the result would pass 4 GB.
    """
    with path.open("r+b") as file, page.open("rb") as added:
        whole, single = TiffReader(file), TiffReader(added)
        if whole.is_big or single.is_big or whole.order != single.order:
            raise TiffError("only classic TIFFs of one byte order can be joined")
        last_pointer = [pointer_at for _, pointer_at in whole.pages()][-1]
        directory = next(single.pages())[0]
        base = _seek_even_end(file)
        added.seek(0)
        while block := added.read(1 << 20):
            file.write(block)
        for tag in PIXEL_OFFSETS:
            if tag in directory:
                directory[tag] = _shifted(directory[tag], base, single.order)
        at = _seek_even_end(file)
        file.write(pack_directory(directory, whole.order, at))
        file.seek(last_pointer)
        file.write(struct.pack(f"{whole.order}I", at))


def _shifted(entry: Entry, base: int, order: str) -> Entry:
    code = "H" if UNIT[entry.kind] == 2 else "I"
    values = struct.unpack(f"{order}{len(entry.data) // UNIT[entry.kind]}{code}", entry.data)
    return Entry(LONG, struct.pack(f"{order}{len(values)}I", *(value + base for value in values)))
