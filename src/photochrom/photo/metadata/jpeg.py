"""Read and write the metadata segments of a JPEG.

Sources: ITU-T T.81, annex B; EXIF 2.32, 4.7 (APP1); XMP specification, part 3, 1.1.3 (APP1, and
extended XMP); ICC.1:2022, B.4 (APP2); CIPA DC-007 (APP2, multi-picture format); Photoshop file
formats (APP13, whose resources may continue in a second segment); Adobe TN 5116 (APP14).
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.decoder_excerpt import Excerpt, Range
from photochrom.photo.metadata.carried import (
    MOST_METADATA,
    MOST_PROFILE,
    MOST_TEXTS,
    SIDES,
    Carried,
    Resolution,
    file_size,
    left_out,
    within,
)
from photochrom.photo.metadata.exif import PER_MM
from photochrom.photo.metadata.insertion import insert
from photochrom.photo.metadata.iptc import APP13 as PHOTOSHOP_HEAD
from photochrom.photo.tiff import EXIF_HEAD

START = b"\xff\xd8"
COMMENT, SCAN, END = 0xFE, 0xDA, 0xD9
APP0, APP1, APP2, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE
APPLICATION = range(0xE0, 0xF0)
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOFn
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_HEAD = b"http://ns.adobe.com/xmp/extension/\0"
ICC_HEAD = b"ICC_PROFILE\0"
MPF_HEAD = b"MPF\0"
UNITS = {b"\0": "none", b"\1": "in", b"\2": "cm"}
MOST_SEGMENT = 65533
MOST_SEGMENTS = 10_000  # before the pixels; a file of nothing else must not take long
BLOCK = 1 << 20
# The marker that ends a scan: 0xFF and neither a stuffed zero, a restart nor a fill byte.
AFTER_SCAN = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
PIXELS_PER_BYTE = 512  # a Huffman code has at least one bit, and a block of 64 pixels one code
NAMES = {0xE0: "JFXX", 0xE2: "FPXR", 0xE3: "JPS or Meta", 0xE4: "APP4", 0xE5: "APP5 (Ricoh)"}
NAMES |= {0xEB: "JUMBF (C2PA, JPEG XT or 360)", 0xEC: "Ducky or picture info"}


def read_jpeg(path: Path) -> Carried:
    """Read the metadata of a JPEG."""
    with path.open("rb") as file:
        return _Reader(file).carried()


def segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Walk the segments up to the first scan.

    Yields
    ------
    marker, start, size
        The offset of the marker, and the bytes of the content, where the file is positioned.
    """
    at = len(START)
    for _ in range(MOST_SEGMENTS):
        file.seek(at)
        head = file.read(4)
        if head[:2] == b"\xff\xff":  # fill bytes
            at = _after_fill(file, at)
            continue
        size = int.from_bytes(head[2:]) - 2
        if len(head) < 4 or head[0] != 0xFF or head[1] == SCAN or size < 0:
            return
        yield head[1], at, size
        at += 4 + size


def _after_fill(file: BinaryIO, at: int) -> int:
    """Return the offset of the last of a run of 0xFF."""
    file.seek(at)
    while block := file.read(BLOCK):
        rest = block.lstrip(b"\xff")
        at += len(block) - len(rest)
        if rest:
            return at - 1
    return at


class _Reader:
    """Walks the segments once, then the scans."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file_size(file)
        self.notes: list[str] = []
        self.left: list[str] = []
        self.comments: list[bytes] = []
        self.extended: list[bytes] = []
        self.remaining = {"XMP": MOST_METADATA, "comments": MOST_METADATA, "IPTC": MOST_METADATA}
        self.exif: bytes | None = None
        self.xmp: bytes | None = None
        self.resources = b""
        self.profile: dict[int, bytes] = {}
        self.pictures = 0
        self.resolution: Resolution | None = None
        self.coding = 0xC0

    def carried(self) -> Carried:
        shown: list[Range | bytes] = [START]
        at = len(START)
        for marker, start, size in segments(self.file):
            at = start + 4 + size
            if self._is_shown(marker, size):
                shown.append(Range(start, 4 + size))
        shown.append(Range(at, self.size - at))
        if self.pictures > 1:
            self.notes.append(
                f"Further pictures in the file (MPF, {self.pictures} in all, such as a gain map, a "
                "preview or a second view) are left out."
            )
        self.notes += left_out(self.left, "JPEG segments")
        profile = b"".join(part for _, part in sorted(self.profile.items()))
        return Carried(
            Excerpt.of(shown),
            exif=self.exif,
            xmp=within(self.xmp, "XMP", self.notes),
            extended_xmp=tuple(self.extended),
            iptc=self.resources or None,
            profile=profile[:MOST_PROFILE] or None,
            comments=tuple(self.comments),
            resolution=self.resolution,
            frames=1,
            most_pixels=None if self.coding > 0xC7 else (self.size - at) * PIXELS_PER_BYTE,
            scans=_scans(self.file, at)[0] if self.coding in PROGRESSIVE else 1,
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _is_shown(self, marker: int, size: int) -> bool:
        """Read a segment; return whether the decoder needs it."""
        if marker not in APPLICATION and marker != COMMENT:
            if marker in FRAMES:
                self.coding = marker
            return True
        data = self.file.read(size)
        if len(data) < size:  # truncated
            return True
        if marker == APP0 and data.startswith(b"JFIF\0"):
            self._take_shape(data)
            return True
        if marker == APP14 and data.startswith(b"Adobe"):
            return True
        self._take(marker, data)
        return False

    def _take_shape(self, data: bytes) -> None:
        x, y = int.from_bytes(data[8:10]), int.from_bytes(data[10:12])
        unit = UNITS.get(data[7:8])
        # 1 x 1 without a unit means unknown.
        if unit is not None and x and y and (unit, x, y) != ("none", 1, 1):
            per_mm = PER_MM[unit]
            self.resolution = {"xres": x / per_mm, "yres": y / per_mm, "resolution-unit": unit}

    def _take(self, marker: int, data: bytes) -> None:
        if marker == COMMENT:
            if self._has_room("comments", len(data), len(self.comments)):
                self.comments.append(data)
        elif marker == APP1 and data.startswith(EXIF_HEAD):
            if self.exif is not None:
                self.left.append("a second EXIF")
            self.exif = self.exif or data.removeprefix(EXIF_HEAD)
        elif marker == APP1 and data.startswith(XMP_HEAD):
            if self.xmp is not None:
                self.left.append("a second XMP")
            self.xmp = self.xmp or data.removeprefix(XMP_HEAD)
        elif marker == APP1 and data.startswith(EXTENDED_HEAD):
            if self._has_room("XMP", len(data), len(self.extended)):
                self.extended.append(data)
        elif marker == APP2 and data.startswith(ICC_HEAD):
            if sum(map(len, self.profile.values())) < MOST_PROFILE and len(data) > 14:
                self.profile.setdefault(data[12], data[14:])
        elif marker == APP2 and data.startswith(MPF_HEAD):
            self.pictures = max(self.pictures, _pictures(data[4:]))
        elif marker == APP13 and data.startswith(PHOTOSHOP_HEAD):
            if self._has_room("IPTC", len(data), 0):
                self.resources += data if not self.resources else data[len(PHOTOSHOP_HEAD) :]
        else:
            self.left.append(_name_of(marker, data))

    def _has_room(self, what: str, size: int, count: int) -> bool:
        """Return whether more of a kind may be kept; add a note once if not."""
        if size > self.remaining[what] or count >= MOST_TEXTS:
            self.remaining[what] = -1
            self.notes.append(
                f"More than {MOST_METADATA // 1_000_000} MB or {MOST_TEXTS} pieces of {what}: "
                "the rest is left out."
            )
            return False
        self.remaining[what] -= size
        return True


def trailer_notes(path: Path) -> tuple[str, ...]:
    """Return a note on data after the end of the picture; this reads the whole file."""
    with path.open("rb") as file:
        at = len(START)
        for marker, start, size in segments(file):
            at = start + 4 + size
            if marker == APP2 and file.read(4) == MPF_HEAD:
                return ()  # noted already
        rest = file_size(file) - _scans(file, at)[1]
    if rest <= 2:
        return ()
    return (
        f"{rest} bytes after the end of the picture (such as a gain map or a film) are left out.",
    )


def _scans(file: BinaryIO, at: int) -> tuple[int, int]:
    """Count the scans and find the end of the picture, reading each byte once."""
    scans, tail, position = 0, b"", at
    file.seek(at)
    skip = 0  # bytes of a segment that are not searched
    while block := file.read(BLOCK):
        data, start = tail + block, position - len(tail)
        position += len(block)
        index = min(skip, len(data))
        skip -= index
        while not skip and (found := AFTER_SCAN.search(data, index)):
            marker, index = data[found.start() + 1], found.start()
            if marker == END:
                return scans, start + index + 2
            if index + 4 > len(data):
                break
            scans += marker == SCAN
            following = index + 2 + int.from_bytes(data[index + 2 : index + 4])
            index, skip = min(following, len(data)), max(0, following - len(data))
        cut = max(index, len(data) - 3) if not skip else len(data)
        tail = data[cut:]
    return scans, position


def _pictures(data: bytes) -> int:
    """Return the number of pictures in an MPF index."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 10:
        return 0
    (at,) = struct.unpack(f"{order}I", data[4:8])
    (count,) = struct.unpack(f"{order}H", data[at : at + 2].ljust(2, b"\0"))
    for entry in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
        if struct.unpack(f"{order}H", data[entry : entry + 2]) == (0xB001,):
            return int(struct.unpack(f"{order}I", data[entry + 8 : entry + 12])[0])
    return 0


def _name_of(marker: int, data: bytes) -> str:
    name = data.partition(b"\0")[0][:20]
    if len(name) >= 3 and name.isascii() and name.decode().isprintable():
        return f"APP{marker - APP0} {name.decode()}"
    return NAMES.get(marker, f"APP{marker - APP0}")


def embed_jpeg(
    path: Path,
    exif: bytes | None,
    xmp: bytes | None,
    extended_xmp: tuple[bytes, ...] = (),
    resources: bytes | None = None,
    comments: tuple[bytes, ...] = (),
    resolution: Resolution | None = None,
) -> None:
    """Embed metadata in a gray or YCbCr JPEG that libvips wrote without any.

    Parameters
    ----------
    path : Path
    exif : bytes or None
        The TIFF block.
    xmp : bytes or None
        At most 65,504 bytes.
    extended_xmp : tuple of bytes
        Whole segments.
    resources : bytes or None
        Photoshop's, with their header; split into segments if necessary.
    comments : tuple of bytes
        Each at most 65,533.
    resolution : Resolution or None
        Written to the JFIF segment.
    """
    parts = [_segment(APP0, _jfif(resolution))]
    if exif is not None:
        parts.append(_segment(APP1, EXIF_HEAD + exif))
    if xmp is not None:
        parts.append(_segment(APP1, XMP_HEAD + xmp))
    parts += [_segment(APP1, data) for data in extended_xmp]
    step = MOST_SEGMENT - len(PHOTOSHOP_HEAD)
    body = (resources or b"").removeprefix(PHOTOSHOP_HEAD)
    for start in range(0, len(body), step):
        parts.append(_segment(APP13, PHOTOSHOP_HEAD + body[start : start + step]))
    for comment in comments:  # one that a segment cannot hold, such as a GIF's, becomes several
        for start in range(0, max(1, len(comment)), MOST_SEGMENT):
            parts.append(_segment(COMMENT, comment[start : start + MOST_SEGMENT]))
    with path.open("r+b") as file:
        insert(file, len(START), b"".join(parts))


def _jfif(resolution: Resolution | None) -> bytes:
    unit = "none" if resolution is None else resolution["resolution-unit"]
    code = next(code for code, name in UNITS.items() if name == unit)
    dots = [1, 1]
    if resolution is not None:
        dots = [round(resolution[side] * PER_MM[unit]) for side in SIDES]
        dots = [max(1, min(0xFFFF, number)) for number in dots]
    return b"JFIF\0\1\2" + code + struct.pack(">HH", *dots) + b"\0\0"


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2) + data
