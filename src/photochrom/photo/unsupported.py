"""Intact files that are not supported: their names in messages, and what to do.

libvips and its libraries report an unsupported kind of file like a damaged one. Users could think
that an archive's scan is lost.
"""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.metadata.isobmff import outer_boxes
from photochrom.photo.tiff_pages import is_whole

TAIL_BYTES = 1 << 12
KINDS = (  # error text of the libraries -> the kind of file
    (r"Unsupported JPEG data precision (\d+)", r"a JPEG with \1 bits per sample"),
    (r"Unsupported JPEG process: SOF type 0x(\w+)", r"a JPEG with a rare coding process (SOF \1)"),
    (r"Arithmetic (?:en)?coding.*(?:not|disabled)", "a JPEG with arithmetic coding"),
    (r"bad labq format|not at least 3 samples", "a TIFF with 8-bit Lab"),
    (r"samples out of range", "a TIFF with 64-bit samples"),
    (r"samples_per_pixel not a whole number of bytes", "a TIFF with an odd number of bits"),
    (r"tiled separate planes", "a TIFF with separate planes in tiles"),
    (r"([\w -]+?) compression support is not configured", r"a TIFF with \1 compression"),
    (r"[Cc]ompression scheme (\d+) \w+ decoding is not implemented", r"TIFF compression \1"),
    (r"unsupported tiff image type", "a TIFF with a rare sample type"),
    (r"[Uu]nsupported (?:codec|feature|color conversion)", "an AVIF or HEIC coding"),
    (r"Support for this compression format", "an AVIF or HEIC coding"),
)
MEMORY = re.compile(r"out of memory|cannot allocate|insufficient memory|bad_alloc", re.IGNORECASE)
CONVERT = (
    "Convert it to 8 or 16 bits, gray or RGB, in another program first "
    "(ImageMagick, GIMP, IrfanView)"
)


def kind_of(reason: str) -> str | None:
    """Return the kind of an unsupported file from a library's error; None for other errors."""
    for pattern, name in KINDS:
        found = re.search(pattern, reason)
        if found:
            return found.expand(name)
    return None


def is_memory(reason: str) -> bool:
    """Return whether an error is due to a lack of memory, not to the file."""
    return MEMORY.search(reason) is not None


def is_cut_short(path: Path | None, kind: str) -> bool:
    """Return whether a file ends too early, as after an interrupted copy.

    Parameters
    ----------
    path : Path or None
    kind : str
        A key of `photochrom.photo.sniff.LOADERS`; other kinds are not checked.
    """
    check = ENDS.get(kind)
    if path is None or check is None:
        return False
    try:
        with path.open("rb") as file:
            return not check(file, file.seek(0, os.SEEK_END))
    except (OSError, struct.error, ValueError):
        return False


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - TAIL_BYTES))
    return file.read()


def _ends_with(mark: bytes) -> Callable[[BinaryIO, int], bool]:
    """Return a check for a mark near the end of a file."""
    return lambda file, size: mark in _tail(file, size)


def _riff_ends(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    return int(struct.unpack("<I", file.read(4))[0]) + 8 <= size


def _boxes_end(file: BinaryIO, size: int) -> bool:
    """Return whether the last outer box ends with the file; what is damaged is not cut short."""
    at = 0
    for box in outer_boxes(file):
        at = box.end
    return at == size or at + 8 <= size


def _jp2_ends(file: BinaryIO, size: int) -> bool:
    file.seek(0)
    if file.read(2) == b"\xff\x4f":
        return b"\xff\xd9" in _tail(file, size)
    return _boxes_end(file, size)


def _bmp_ends(file: BinaryIO, size: int) -> bool:
    file.seek(2)
    return int(struct.unpack("<I", file.read(4))[0]) <= size


ENDS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "jpeg": _ends_with(b"\xff\xd9"),
    "png": _ends_with(b"IEND"),
    "gif": _ends_with(b"\0;"),
    "webp": _riff_ends,
    "avif": _boxes_end,
    "heic": _boxes_end,
    "jp2": _jp2_ends,
    "bmp": _bmp_ends,
    "tiff": lambda file, size: is_whole(file),
}
