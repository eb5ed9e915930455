"""Read and edit EXIF blocks in place.

Source: EXIF 2.32, section 4.6. A camera's maker note refers to the block by offsets from its
start, in undocumented ways, so nothing in the block may move: numbers are changed in place, and a
directory that must grow is rewritten at the end, so that only the pointer to it changes.
"""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from photochrom.photo.metadata.carried import Resolution, Side
from photochrom.photo.tiff import (
    EXIF_IFD,
    MAKER_NOTE,
    RATIONAL,
    SHORT,
    Slot,
    TiffError,
    TiffReader,
)

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
RESOLUTIONS: tuple[tuple[Side, int], ...] = (("xres", X_RESOLUTION), ("yres", Y_RESOLUTION))
THUMBNAIL_AT, THUMBNAIL_SIZE = 513, 514
UNITS = {1: "none", 2: "in", 3: "cm"}
PER_MM = {"in": 25.4, "cm": 10.0, "none": 1.0}
HEAD = b"II*\0\x08\0\0\0"
EMPTY = HEAD + bytes(2) + bytes(4)


@dataclass(frozen=True)
class Basics:
    """The EXIF fields that affect how a picture is shown.

    Attributes
    ----------
    orientation : int or None
        1 to 8.
    resolution : Resolution or None
    """

    orientation: int | None = None
    resolution: Resolution | None = None


def read_basics(block: bytes | None) -> Basics:
    """Read orientation and resolution; damaged values are ignored."""
    if block is None:
        return Basics()
    try:
        reader = TiffReader(io.BytesIO(block))
        slots, _ = reader.table(reader.first)
    except TiffError:
        return Basics()
    turn = _number(reader, slots.get(ORIENTATION))
    return Basics(turn if turn in range(1, 9) else None, read_resolution(reader, slots))


def _number(reader: TiffReader, slot: Slot | None) -> int | None:
    try:
        return None if slot is None else next(iter(reader.numbers(slot)), None)
    except TiffError:
        return None


def read_resolution(reader: TiffReader, slots: Mapping[int, Slot]) -> Resolution | None:
    """Return the resolution in a directory of a TIFF or of EXIF; None if there is none."""
    unit = UNITS.get(_number(reader, slots.get(RESOLUTION_UNIT)) or 2, "in")
    found: list[float] = []
    for _, tag in RESOLUTIONS:
        slot = slots.get(tag)
        if slot is None or slot.kind != RATIONAL:
            return None
        try:
            top, bottom = struct.unpack(f"{reader.order}II", reader.value(slot, 8).data)
        except (TiffError, struct.error):
            return None
        if not top or not bottom:
            return None
        found.append(top / bottom / PER_MM[unit])
    return {"xres": found[0], "yres": found[1], "resolution-unit": unit}


def has_maker_note(block: bytes) -> bool:
    """Return whether the block has a maker note."""
    try:
        reader = TiffReader(io.BytesIO(block))
        slots, _ = reader.table(reader.first)
        at = _number(reader, slots.get(EXIF_IFD))
        return at is not None and MAKER_NOTE in reader.table(at)[0]
    except TiffError:
        return False


def edited(block: bytes, orientation: int, resolution: Resolution | None) -> tuple[bytes, bool]:
    """Return a block with this orientation and resolution, and without its thumbnail.

    Parameters
    ----------
    block : bytes
        TIFF header, directories and values.
    orientation : int
        1 to 8.
    resolution : Resolution or None
        As `read_basics` returns it; None keeps the block's own.

    Returns
    -------
    block : bytes
    had_thumbnail : bool
        Whether a thumbnail, which shows the original picture, was removed.

    Raises
    ------
    TiffError
        If the first directory is damaged.
    """
    data = bytearray(block)
    reader = TiffReader(io.BytesIO(block))
    if reader.is_big:
        raise TiffError("a BigTIFF where EXIF is needed")
    slots, pointer_at = reader.table(reader.first)
    if pointer_at > len(data):
        raise TiffError("a directory is cut off")
    had_thumbnail = _cut_thumbnail(data, reader, pointer_at)
    wanted = _entries(slots, reader.order, orientation, resolution)
    if not wanted:
        return bytes(data), had_thumbnail
    table_size = 2 + 12 * len(slots) + 4
    lines = {tag: slot.entry for tag, slot in slots.items()} | wanted
    at = reader.first
    if len(lines) > len(slots) or table_size + reader.first > len(data):
        data += b"\0" * (len(data) % 2)
        at = len(data)
        data += bytes(2 + 12 * len(lines) + 4)
        data[4:8] = struct.pack(f"{reader.order}I", at)
    for name, tag in RESOLUTIONS:
        if resolution is not None and tag in wanted:
            number = resolution[name] * PER_MM[resolution.get("resolution-unit", "in")]
            lines[tag] = struct.pack(f"{reader.order}HHII", tag, RATIONAL, 1, len(data))
            data += rational(number, reader.order)
    table = struct.pack(f"{reader.order}H", len(lines))
    table += b"".join(lines[tag] for tag in sorted(lines)) + bytes(4)
    data[at : at + len(table)] = table
    return bytes(data), had_thumbnail


def _entries(
    slots: dict[int, Slot], order: str, orientation: int, resolution: Resolution | None
) -> dict[int, bytes]:
    """Return the entries that are missing or differ; those of rationals are empty."""
    wanted: dict[int, bytes] = {}
    line = struct.pack(f"{order}HHIHH", ORIENTATION, SHORT, 1, orientation, 0)
    if (orientation != 1 or ORIENTATION in slots) and not _has(slots, ORIENTATION, line):
        wanted[ORIENTATION] = line
    if resolution is None:
        return wanted
    unit = next(n for n, name in UNITS.items() if name == resolution.get("resolution-unit", "in"))
    line = struct.pack(f"{order}HHIHH", RESOLUTION_UNIT, SHORT, 1, unit, 0)
    if not _has(slots, RESOLUTION_UNIT, line):
        wanted[RESOLUTION_UNIT] = line
    return wanted | {X_RESOLUTION: b"", Y_RESOLUTION: b""}


def _has(slots: dict[int, Slot], tag: int, line: bytes) -> bool:
    return tag in slots and slots[tag].entry[:10] == line[:10]


def rational(number: float, order: str) -> bytes:
    """Return a positive number as a rational of TIFF."""
    part = Fraction(min(number, 0xFFFFFFFF)).limit_denominator(10_000)
    if part.numerator > 0xFFFFFFFF:
        part = Fraction(0xFFFFFFFF)
    return struct.pack(f"{order}II", part.numerator, part.denominator)


def _cut_thumbnail(data: bytearray, reader: TiffReader, pointer_at: int) -> bool:
    """Unlink the second directory and overwrite the picture that it points to."""
    second = int.from_bytes(
        data[pointer_at : pointer_at + 4], "little" if reader.order == "<" else "big"
    )
    data[pointer_at : pointer_at + 4] = bytes(len(data[pointer_at : pointer_at + 4]))
    if not second:
        return False
    try:
        slots, _ = reader.table(second)
    except TiffError:
        return True
    at, size = (_number(reader, slots.get(tag)) for tag in (THUMBNAIL_AT, THUMBNAIL_SIZE))
    if at is None or size is None or at < 8 or at + size > len(data):
        return True
    if data[at : at + 2] != b"\xff\xd8":  # only a JPEG may be overwritten
        return True
    if at + size >= len(data) - 1:
        del data[at:]
    else:
        data[at : at + size] = bytes(size)
    return True
