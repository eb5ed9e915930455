"""Pass bytes to libvips: files, and rows generated in Python.

libvips pulls pixels, and its binding cannot call a Python function for them, but it reads files
from any source, also from one that generates its bytes on demand. An uncompressed BigTIFF with
strips in order costs nothing to read: a header, then the rows.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyvips

from photochrom.errors import MissingExtraError

SHORT, LONG, LONG8 = 3, 4, 16  # TIFF field types
OLDEST_LIBVIPS = (8, 18, 3)  # older ones crash on some files, or read past their end


def check_libvips(found: tuple[int, int, int] | None = None) -> None:
    """Raise if libvips is too old, with known faults and without some options that are used here.

    Parameters
    ----------
    found : (major, minor, micro), optional
        By default, the version that is loaded.

    Raises
    ------
    MissingExtraError
    """
    found = found or (pyvips.version(0), pyvips.version(1), pyvips.version(2))
    if found < OLDEST_LIBVIPS:
        needed, came = (".".join(map(str, version)) for version in (OLDEST_LIBVIPS, found))
        raise MissingExtraError(
            f"photochrom needs libvips {needed} or newer; {came} was loaded. "
            "Run: pip install --upgrade pyvips pyvips-binary"
        )


def forget_errors() -> None:
    """Clear libvips' error buffer, including warnings about other files, before a new file.

    It is global, and its contents would be reported as the next file's error.
    """
    pyvips.vips_lib.vips_error_clear()


def native(path: Path) -> str | bytes:
    """Return a file's name in the form that libvips' binding accepts, even if not Unicode."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return str(path)


def picture_of(
    strips: Iterator[np.ndarray], width: int, height: int, bits: int, rows: int
) -> pyvips.Image:
    """Return a sequential picture of rows that are generated while they are read.

    Parameters
    ----------
    strips : iterator of array, (rows, width, 3)
        uint8 or uint16, top to bottom; the last may be shorter.
    width, height : int
        In pixels.
    bits : int
        8 or 16.
    rows : int
        In each strip but the last.

    Returns
    -------
    pyvips.Image
        sRGB, three bands, to be read once.
    """
    file = _VirtualFile(_header(width, height, bits, rows), strips)
    source = pyvips.SourceCustom()
    source.on_read(file.read)
    source.on_seek(file.seek)
    picture = pyvips.Image.new_from_source(source, "", access="sequential", fail_on="error")
    picture._references.append(file)  # objects that the binding keeps alive with the picture
    return picture


def failure_of(picture: pyvips.Image | None) -> Exception | None:
    """Return the error that stopped the rows of a picture of `picture_of`, if any."""
    kept = [] if picture is None else picture._references
    return next((file.failure for file in kept if isinstance(file, _VirtualFile)), None)


def _header(width: int, height: int, bits: int, rows: int) -> bytes:
    """Return a BigTIFF's header: the file without the pixels."""
    row_bytes = width * 3 * bits // 8
    count = -(-height // rows)
    sizes = [rows * row_bytes] * (count - 1) + [(height - rows * (count - 1)) * row_bytes]
    entries = 10
    tables_at = 16 + 8 + 20 * entries + 8
    pixels_at = tables_at + 16 * count
    offsets = [pixels_at + i * rows * row_bytes for i in range(count)]

    def entry(tag: int, kind: int, number: int, value: bytes) -> bytes:
        return struct.pack("<HHQ", tag, kind, number) + value.ljust(8, b"\0")

    def table(tag: int, values: list[int], place: int) -> bytes:
        value = values[0] if count == 1 else place
        return entry(tag, LONG8, count, struct.pack("<Q", value))

    directory = [
        entry(256, LONG, 1, struct.pack("<I", width)),
        entry(257, LONG, 1, struct.pack("<I", height)),
        entry(258, SHORT, 3, struct.pack("<3H", bits, bits, bits)),
        entry(259, SHORT, 1, struct.pack("<H", 1)),  # not compressed
        entry(262, SHORT, 1, struct.pack("<H", 2)),  # RGB
        table(273, offsets, tables_at),
        entry(277, SHORT, 1, struct.pack("<H", 3)),
        entry(278, LONG, 1, struct.pack("<I", rows)),
        table(279, sizes, tables_at + 8 * count),
        entry(284, SHORT, 1, struct.pack("<H", 1)),  # channels interleaved
    ]
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    tables = struct.pack(f"<{2 * count}Q", *offsets, *sizes)
    return head + struct.pack("<Q", entries) + b"".join(directory) + bytes(8) + tables


class _VirtualFile:
    """A file with a given header, whose rest is generated while it is read, once, in order."""

    def __init__(self, head: bytes, strips: Iterator[np.ndarray]) -> None:
        self.head, self.strips = head, strips
        self.position = 0
        self.start, self.strip = len(head), memoryview(b"")
        self.failure: Exception | None = None

    def read(self, size: int) -> bytes | memoryview:
        """Return the next bytes, perhaps fewer than requested; none at the end."""
        part: bytes | memoryview
        if self.position < len(self.head):
            part = self.head[self.position : self.position + size]
        else:
            while self.position >= self.start + len(self.strip):
                self.start += len(self.strip)
                following = self._next()
                if following is None:
                    return b""
                self.strip = np.ascontiguousarray(following).data.cast("B")
            offset = self.position - self.start
            part = self.strip[offset : offset + size]
        self.position += len(part)
        return part

    def _next(self) -> np.ndarray | None:
        """Generate the next strip; a failure ends the file, since C cannot handle exceptions."""
        try:
            return next(self.strips, None)
        except Exception as error:  # kept, and reported later
            self.failure = error
            return None

    def seek(self, offset: int, whence: int) -> int:
        """Seek like a file; the end is not known, and is not needed."""
        if whence == 2:
            return -1
        self.position = offset + (self.position if whence == 1 else 0)
        return self.position
