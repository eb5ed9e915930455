"""The pages of a TIFF, each read separately: its metadata, and a virtual file with only it.

libtiff walks all directories to find one and reads every value in them, so the cost is quadratic in
the number of pages, and shared values are read repeatedly. Here the chain is walked once, and
libvips is given a file whose only directory has just what the pixels need.
"""

import struct
from collections.abc import Mapping
from pathlib import Path

from photochrom.photo.decoder_excerpt import Excerpt, Range
from photochrom.photo.metadata.carried import (
    MOST_METADATA,
    MOST_PROFILE,
    Carried,
    file_size,
    left_out,
    whole,
)
from photochrom.photo.metadata.exif import read_resolution
from photochrom.photo.metadata.iptc import with_iim
from photochrom.photo.tiff import (
    COPIED,
    DESCRIPTIVE,
    IPTC,
    MOST_PAGES,
    PHOTOSHOP,
    PIXEL_TAGS,
    PROFILE,
    READ_ELSEWHERE,
    XMP,
    Entry,
    Slot,
    TiffError,
    TiffReader,
    exif_block,
    read_value,
)

WIDTH, HEIGHT, BITS, SAMPLES, ROWS = 256, 257, 258, 277, 278
TILE_WIDTH, TILE_HEIGHT = 322, 323
RESOLUTION_UNIT, ORIENTATION, FILL_ORDER = 296, 274, 266
# The values that these tags may have; with another one the tag counts as absent.
CHOICES = {ORIENTATION: range(1, 9), RESOLUTION_UNIT: range(1, 4), FILL_ORDER: range(1, 3)}


def find_pages(path: Path) -> tuple[int, ...]:
    """Return the offsets of a TIFF's directories; if it is damaged, those before the damage."""
    found: list[int] = []
    with path.open("rb") as file:
        try:
            for offset, _, _ in TiffReader(file).chain():
                found.append(offset)
                if len(found) >= MOST_PAGES:
                    break
        except TiffError:
            pass
    return tuple(found)


def read_page(path: Path, pages: tuple[int, ...], page: int) -> Carried:
    """Return the metadata of a page.

    Parameters
    ----------
    path : Path
    pages : tuple of int
        As `find_pages` returns them.
    page : int
        From 0.
    """
    with path.open("rb") as file:
        size = file_size(file)
        notes: list[str] = []
        try:
            reader = TiffReader(file)
            slots, _ = reader.table(pages[page])
            shown = _alone(reader, pages[page], slots, size)
        except (TiffError, IndexError):  # libvips reports the error
            return Carried(whole(size))
        return Carried(
            shown,
            exif=exif_block(reader, slots, notes, MOST_METADATA),
            xmp=read_value(reader, slots, XMP, MOST_METADATA, notes),
            iptc=_iptc(reader, slots, notes),
            profile=read_value(reader, slots, PROFILE, MOST_PROFILE, notes),
            tags=_copied(reader, slots, notes),
            tags_order=reader.order,
            resolution=read_resolution(reader, slots),
            frames=len(pages),
            decoder_bytes=_decoder_bytes(reader, slots),
            notes=tuple(dict.fromkeys(notes)),
        )


def show_page(path: Path, pages: tuple[int, ...], page: int) -> Excerpt:
    """Return the file with only one page, and only its pixels."""
    with path.open("rb") as file:
        size = file_size(file)
        try:
            reader = TiffReader(file)
            return _alone(reader, pages[page], reader.table(pages[page])[0], size)
        except (TiffError, IndexError):  # libvips reports the error
            return whole(size)


def _alone(reader: TiffReader, offset: int, slots: Mapping[int, Slot], size: int) -> Excerpt:
    """Return the file with this directory as its only one, at its offset and reduced."""
    kept = [
        slots[tag].entry
        for tag in sorted(slots)
        if tag in PIXEL_TAGS
        # Otherwise libtiff would refuse the picture for what does not concern its pixels.
        and (tag not in CHOICES or _number(reader, slots, tag, 0) in CHOICES[tag])
    ]
    count_code, pointer_size = ("Q", 8) if reader.is_big else ("H", 4)
    code = "Q" if reader.is_big else "I"
    table = struct.pack(reader.order + count_code, len(kept)) + b"".join(kept) + bytes(pointer_size)
    head_size, first_at = (16, 8) if reader.is_big else (8, 4)
    if offset < head_size:
        raise TiffError("a directory lies in the head")
    first = struct.pack(reader.order + code, offset)
    behind = offset + len(table)
    return Excerpt.of(
        [
            Range(0, first_at),
            first,
            Range(head_size, offset - head_size),
            table,
            Range(behind, max(0, size - behind)),
        ]
    )


def _iptc(reader: TiffReader, slots: Mapping[int, Slot], notes: list[str]) -> bytes | None:
    """Return IPTC, within Photoshop's resources if there are any."""
    iptc = read_value(reader, slots, IPTC, MOST_METADATA, notes)
    resources = read_value(reader, slots, PHOTOSHOP, MOST_METADATA, notes)
    return with_iim(resources, iptc) if resources else iptc


def _copied(reader: TiffReader, slots: Mapping[int, Slot], notes: list[str]) -> dict[int, Entry]:
    """Return the tags that a TIFF can keep unchanged, and a note on the others."""
    found: dict[int, Entry] = {}
    remaining = MOST_METADATA
    unknown = []
    for tag, slot in slots.items():
        if tag in PIXEL_TAGS or tag in READ_ELSEWHERE or tag in DESCRIPTIVE:
            continue
        if tag in COPIED and reader.size_of(slot) <= remaining:
            try:
                found[tag] = reader.value(slot, remaining)
                remaining -= len(found[tag].data)
            except TiffError:
                unknown.append(str(tag))
        else:
            unknown.append(str(tag))
    notes += left_out(unknown, "TIFF tags")
    return found


def _number(reader: TiffReader, slots: Mapping[int, Slot], tag: int, default: int) -> int:
    """Return the first number of a tag."""
    try:
        return reader.numbers(slots[tag])[0]
    except (KeyError, IndexError, TiffError):
        return default


def _decoder_bytes(reader: TiffReader, slots: Mapping[int, Slot]) -> int:
    """Return libtiff's buffer size for a page: a row of tiles, or a strip."""
    width, height = (_number(reader, slots, tag, 0) for tag in (WIDTH, HEIGHT))
    samples = _number(reader, slots, SAMPLES, 1)
    bits = max(8, _number(reader, slots, BITS, 1)) * samples  # libvips: a byte or more each
    wide, high = (_number(reader, slots, tag, 0) for tag in (TILE_WIDTH, TILE_HEIGHT))
    if wide and high:
        across = -(-width // wide)
        return across * wide * high * bits // 8 + wide * high * bits // 8
    rows = min(height, _number(reader, slots, ROWS, height) or height)
    return width * rows * bits // 8
