"""Write metadata and further pages into a TIFF file."""

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.tiff import (
    DESCRIPTIVE,
    EXIF_HEAD,
    EXIF_IFD,
    GPS_IFD,
    IPTC,
    LONG,
    LONG8,
    MAX_OFFSET,
    MAX_VALUE_BYTES,
    PIXEL_OFFSETS,
    UNDEFINED,
    UNIT,
    Directory,
    Entry,
    TiffError,
    TiffReader,
    pack_directory,
)


def write_metadata(
    path: Path,
    exif: bytes | None,
    iptc: bytes | None,
    tags: Mapping[int, Entry] | None = None,
    tags_order: str = "<",
) -> None:
    """Write EXIF, IPTC and further tags into the first page of a TIFF.

    The first directory is rewritten at the end of the file; a few hundred bytes of the old one stay
    unused.

    Parameters
    ----------
    path : Path
    exif : bytes or None
        With or without its head.
    iptc : bytes or None
    tags : mapping, optional
        Tag -> entry in the byte order `tags_order`.
    tags_order : str
        '<' or '>'.

    Raises
    ------
    TiffError
        If the EXIF block is damaged, or the file would exceed the limit of its kind.
    """
    with path.open("r+b") as file:
        reader = TiffReader(file)
        first, pointer_at = reader.directory(reader.first)
        code, size = ("Q", 8) if reader.is_big else ("I", 4)
        file.seek(pointer_at)
        following = struct.unpack(reader.order + code, file.read(size))[0]
        main, subs = _exif_directories(exif, reader.order)
        entries = first | main | _in_order(tags or {}, tags_order, reader.order)
        if iptc:
            entries[IPTC] = Entry(UNDEFINED, iptc)
        for tag, sub in subs.items():
            if sub:
                at = _seek_even_end(file, reader.is_big)
                file.write(pack_directory(sub, reader.order, at, is_big=reader.is_big))
                kind = LONG8 if reader.is_big else LONG
                entries[tag] = Entry(kind, struct.pack(reader.order + code, at))
        at = _seek_even_end(file, reader.is_big)
        file.write(pack_directory(entries, reader.order, at, following, is_big=reader.is_big))
        file.seek(8 if reader.is_big else 4)
        file.write(struct.pack(reader.order + code, at))


def _exif_directories(exif: bytes | None, order: str) -> tuple[Directory, dict[int, Directory]]:
    """Parse an EXIF block: descriptive tags, and the EXIF and GPS directories."""
    if exif is None:
        return {}, {}
    block = exif.removeprefix(EXIF_HEAD)
    reader = TiffReader(io.BytesIO(block))
    most = 4 * len(block)  # values may be shared, but only to a limit
    first = reader.directory(reader.first, {*DESCRIPTIVE, EXIF_IFD, GPS_IFD}, most)[0]
    subs = {tag: reader.sub_directory(first, tag, most) for tag in (EXIF_IFD, GPS_IFD)}
    kept = {tag: first[tag] for tag in DESCRIPTIVE if tag in first}
    swapped = {tag: _in_order(sub, reader.order, order) for tag, sub in subs.items()}
    return _in_order(kept, reader.order, order), swapped


def _in_order(directory: Mapping[int, Entry], order: str, wanted: str) -> Directory:
    without_pointer = {tag: entry for tag, entry in directory.items() if tag != 40965}
    return {tag: entry.to_order(order, wanted) for tag, entry in without_pointer.items()}


def _seek_even_end(file: BinaryIO, is_big: bool = False) -> int:
    at = file.seek(0, io.SEEK_END)
    if at % 2:
        file.write(b"\0")
    if at > MAX_OFFSET - MAX_VALUE_BYTES and not is_big:
        raise TiffError("more than 4 GB")
    return at + at % 2


def append_page(path: Path, page: Path, last_pointer: int | None = None) -> int:
    """Append the one page of a TIFF to another; both classic and of the same byte order.

    Parameters
    ----------
    path, page : Path
    last_pointer : int, optional
        The result of the previous call, which avoids a walk through all pages.

    Returns
    -------
    int
        Offset of the pointer of the new last page.

    Raises
    ------
    TiffError
        If the result would exceed 4 GB.
    """
    with path.open("r+b") as file, page.open("rb") as added:
        whole, single = TiffReader(file), TiffReader(added)
        if whole.is_big or single.is_big or whole.order != single.order:
            raise TiffError("only classic TIFFs of one byte order can be joined")
        if last_pointer is None:
            last_pointer = [pointer_at for _, _, pointer_at in whole.chain()][-1]
        directory = single.directory(single.first)[0]
        subs = {tag: single.sub_directory(directory, tag) for tag in (EXIF_IFD, GPS_IFD)}
        base = _seek_even_end(file)
        added.seek(0)
        while block := added.read(1 << 20):
            file.write(block)
        for tag in PIXEL_OFFSETS:
            if tag in directory:
                directory[tag] = _shifted(directory[tag], base, single.order)
        for tag, sub in subs.items():
            if sub:
                at = _seek_even_end(file)
                file.write(pack_directory(sub, whole.order, at))
                directory[tag] = Entry(LONG, struct.pack(f"{whole.order}I", at))
        at = _seek_even_end(file)
        file.write(pack_directory(directory, whole.order, at))
        file.seek(last_pointer)
        file.write(struct.pack(f"{whole.order}I", at))
        return at + 2 + 12 * len(directory)


def _shifted(entry: Entry, base: int, order: str) -> Entry:
    code = "H" if UNIT[entry.kind] == 2 else "I"
    values = struct.unpack(f"{order}{len(entry.data) // UNIT[entry.kind]}{code}", entry.data)
    return Entry(LONG, struct.pack(f"{order}{len(values)}I", *(value + base for value in values)))
