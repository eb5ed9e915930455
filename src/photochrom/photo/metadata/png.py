"""Read and write the metadata chunks of a PNG, before and after the pixels.

Sources: PNG specification, third edition (11.3.3 text, 11.3.4.5 eXIf, 14.2 copying of chunks); XMP
specification, part 3, 1.1.5 (an iTXt chunk with the keyword XML:com.adobe.xmp, uncompressed); and
ImageMagick's "Raw profile type" texts, which are EXIF, IPTC, XMP or ICC as hexadecimal digits.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.decoder_excerpt import Excerpt, Range
from photochrom.photo.metadata.carried import (
    MOST_METADATA,
    MOST_PROFILE,
    MOST_TEXTS,
    Carried,
    Piece,
    Resolution,
    file_size,
    left_out,
    printable,
    too_large,
    within,
)
from photochrom.photo.metadata.insertion import insert
from photochrom.photo.metadata.jpeg import XMP_HEAD
from photochrom.photo.tiff import EXIF_HEAD

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Chunks that libvips is given: pixels, and the meaning of their values.
SHOWN = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"pHYs"}
SHOWN |= {b"sBIT", b"mDCV", b"cLLI"}
MOST_CHUNKS = 1000  # before the pixels
SMALL = 1 << 16  # bytes of any shown chunk but IDAT
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
COPIED = {b"oFFs", b"pCAL", b"sCAL", b"sTER"}  # positions and sizes, which stay valid
XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_PROFILE = "raw profile type "
DIGITS = 3  # characters per byte: two hexadecimal digits, and line ends
DEFLATE_AT_MOST = 1032  # zlib's technical notes: the highest compression ratio
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def read_png(path: Path) -> Carried:
    """Read the metadata of a PNG, anywhere in the file."""
    with path.open("rb") as file:
        return _Reader(file).carried()


class _Reader:
    """Walks the chunks once."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file_size(file)
        self.shown: list[Range | bytes] = [Range(0, len(SIGNATURE))]
        self.notes: list[str] = []
        self.pieces: list[Piece] = []
        self.remaining = MOST_METADATA  # bytes of all text, as stored
        self.unpacking = 16 * MOST_METADATA  # bytes of all text, decompressed
        self.unknown: list[str] = []
        self.found: dict[str, bytes] = {}  # by 'exif', 'xmp', 'iptc', 'profile'
        self.raw: dict[str, bytes] = {}  # the same, from ImageMagick's texts
        self.packed = 0
        self.head = b""
        self.frames = 1
        self.shape: Resolution | None = None  # of a pixel, or its size

    def carried(self) -> Carried:
        at = len(SIGNATURE)
        while at < self.size:
            self.file.seek(at)
            head = self.file.read(8)
            size, kind = int.from_bytes(head[:4]), head[4:8]
            if len(head) < 8 or at + 12 + size > self.size:
                self.shown.append(Range(at, self.size - at))  # libvips reports the error
                self.packed += self.size - at
                break
            self._take(kind, at, size)
            at += 12 + size
            if kind == b"IEND":
                break
        last = self.shown[-1]
        is_cut = isinstance(last, Range) and last.start + last.size == self.size
        if at < self.size and not is_cut:
            self.notes.append(f"{self.size - at} bytes after the end of the picture: left out.")
        self.notes += left_out(self.unknown, "PNG chunks")
        found = self.raw | self.found
        return Carried(
            Excerpt.of(self.shown),
            exif=within(found.get("exif"), "EXIF", self.notes),
            xmp=within(found.get("xmp"), "XMP", self.notes),
            iptc=within(found.get("iptc"), "IPTC", self.notes),
            profile=found.get("profile"),
            pieces=tuple(self.pieces),
            resolution=self.shape,
            frames=self.frames,
            size=(int.from_bytes(self.head[:4]), int.from_bytes(self.head[4:8]))
            if len(self.head) >= 8
            else None,
            most_pixels=self._most_pixels(),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _most_pixels(self) -> int | None:
        """Return the maximum number of pixels in the compressed bytes."""
        if len(self.head) < 10:
            return None
        bits = self.head[8] * CHANNELS.get(self.head[9], 1)
        return self.packed * DEFLATE_AT_MOST * 8 // max(1, bits)

    def _take(self, kind: bytes, at: int, size: int) -> None:
        if kind == b"IDAT":
            self.packed += size
        if kind in SHOWN and (kind == b"IDAT" or size <= SMALL):
            if kind == b"IHDR":
                self.head = self.file.read(min(size, 13))
            elif kind == b"pHYs":
                self._take_shape(self.file.read(9))
            self.shown.append(Range(at, size + 12))
        elif kind in TEXTS:
            self._take_text(kind, size)
        elif kind == b"eXIf":
            self._keep("exif", self._read(size, "EXIF"))
        elif kind == b"iCCP":
            self._take_profile(size)
        elif kind == b"acTL":
            self.frames = max(1, int.from_bytes(self.file.read(4)))
        elif kind in COPIED and size <= SMALL and self._has_room(size):
            self.pieces.append(Piece(kind, self.file.read(size)))
        elif kind not in ANIMATION:
            self.unknown.append(kind.decode("latin-1"))

    def _take_shape(self, data: bytes) -> None:
        x, y = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
        if not x or not y or len(data) < 9:
            return
        if data[8] == 1:
            self.shape = {"xres": x / 1000, "yres": y / 1000, "resolution-unit": "in"}
        elif (x, y) != (1, 1):
            self.shape = {"xres": x, "yres": y, "resolution-unit": "none"}

    def _read(self, size: int, what: str) -> bytes | None:
        if size > MOST_METADATA:
            self.notes.append(too_large(what))
            return None
        return self.file.read(size)

    def _keep(self, what: str, data: bytes | None) -> None:
        if data:
            self.found.setdefault(what, data.removeprefix(EXIF_HEAD) if what == "exif" else data)

    def _has_room(self, size: int) -> bool:
        """Return whether more may be copied; add a note if not."""
        if size > self.remaining or len(self.pieces) >= MOST_TEXTS:
            self.notes.append(
                f"The file has more than {MOST_TEXTS} texts or more than "
                f"{MOST_METADATA // 1_000_000} MB of text: the rest is left out."
            )
            return False
        self.remaining -= size
        return True

    def _take_profile(self, size: int) -> None:
        _, _, packed = self.file.read(min(size, MOST_PROFILE)).partition(b"\0")
        profile = _unpack(packed[1:], MOST_PROFILE)
        if profile is None:
            self.notes.append("The embedded profile is damaged or too large: it is ignored.")
        else:
            self._keep("profile", profile)

    def _take_text(self, kind: bytes, size: int) -> None:
        start = self.file.tell()
        keyword = self.file.read(min(size, 80)).partition(b"\0")[0]
        name = keyword.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")
        is_known = name == XMP_KEYWORD or name.lower().startswith(RAW_PROFILE)
        if size > MOST_METADATA * (DIGITS if is_known else 1):
            self.notes.append(too_large(printable(name)))
            return
        if not is_known and not self._has_room(size):
            return
        self.file.seek(start)
        data = self.file.read(size)
        text = self._text_of(kind, data, len(keyword), is_known)
        if text is None:
            self.notes.append(f"{printable(name)} is damaged or {too_large('it')}")
        elif not is_known:
            self.pieces.append(Piece(kind, data, printable(name)))
        elif name == XMP_KEYWORD:
            self._keep("xmp", text)
        else:
            self._take_raw(name.lower().removeprefix(RAW_PROFILE).strip(), text)

    def _text_of(self, kind: bytes, data: bytes, name_size: int, is_known: bool) -> bytes | None:
        """Return the bytes of a text, decompressed; None if damaged or too large."""
        rest = data[name_size + 1 :]
        if kind == b"tEXt":
            return rest
        packed = rest[1:]
        if kind == b"iTXt":
            _, _, after = rest[2:].partition(b"\0")  # the language
            _, _, packed = after.partition(b"\0")  # the keyword in that language
            if rest[:1] == b"\0":
                return packed
        most = min(MOST_METADATA * (DIGITS if is_known else 1), self.unpacking)
        text = _unpack(packed, most)
        self.unpacking -= most if text is None else len(text)
        return text

    def _take_raw(self, kind: str, text: bytes) -> None:
        """Decode EXIF, XMP, IPTC or ICC from the digits of ImageMagick's texts."""
        parts = text.split(None, 2)  # its name, its size and the digits
        try:
            data = bytes.fromhex(parts[2].decode("ascii")) if len(parts) == 3 else b""
        except ValueError:
            data = b""
        if not data:
            self.notes.append(f"The raw profile {printable(kind)!r} is damaged: left out.")
        elif data.startswith(XMP_HEAD):
            self.raw.setdefault("xmp", data.removeprefix(XMP_HEAD))
        elif data.startswith(EXIF_HEAD) or kind == "exif":
            self.raw.setdefault("exif", data.removeprefix(EXIF_HEAD))
        elif kind in ("xmp", "iptc", "8bim", "icc", "icm"):
            where = {"8bim": "iptc", "icc": "profile", "icm": "profile"}.get(kind, kind)
            self.raw.setdefault(where, data)
        else:
            self.notes.append(f"The raw profile {printable(kind)!r} is unknown: left out.")


def _unpack(packed: bytes, most: int) -> bytes | None:
    """Decompress; return None if there are more than `most` bytes, or they are damaged."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, most + 1)
    except zlib.error:
        return None
    return data if unpacker.eof and len(data) <= most else None


def text_piece(keyword: str, text: str) -> Piece:
    """Return a text as the simplest chunk that can hold it: tEXt for Latin-1, else iTXt."""
    try:
        data = keyword.encode("latin-1") + b"\0" + text.encode("latin-1")
        if "\0" not in text:
            return Piece(b"tEXt", data, keyword)
    except UnicodeEncodeError:
        pass
    head = keyword.encode("latin-1", "replace") + b"\0\0\0\0\0"
    return Piece(b"iTXt", head + text.replace("\0", "").encode(), keyword)


def embed_png(
    path: Path, exif: bytes | None, xmp: bytes | None, pieces: tuple[Piece, ...] = ()
) -> None:
    """Embed metadata in a PNG, before its pixels.

    Parameters
    ----------
    path : Path
    exif : bytes or None
        The TIFF block.
    xmp : bytes or None
        UTF-8.
    pieces : tuple of Piece
    """
    chunks = []
    if xmp is not None:
        chunks.append(_chunk(b"iTXt", XMP_KEYWORD.encode() + b"\0\0\0\0\0" + xmp))
    if exif is not None:
        chunks.append(_chunk(b"eXIf", exif))
    chunks += [_chunk(piece.kind, piece.data) for piece in pieces]
    if chunks:
        with path.open("r+b") as file:
            pixels_at = len(SIGNATURE)
            for _, at, size in chunks_before_pixels(file):
                pixels_at = at + 12 + size
            insert(file, pixels_at, b"".join(chunks))


def replace_resolution(path: Path, x: int, y: int) -> None:
    """Set a PNG's pHYs chunk to a pixel aspect ratio, x to y, without a unit."""
    with path.open("r+b") as file:
        for kind, at, _ in chunks_before_pixels(file):
            if kind == b"pHYs":
                file.seek(at)
                file.write(_chunk(b"pHYs", x.to_bytes(4) + y.to_bytes(4) + b"\0"))
                return


def chunks_before_pixels(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks before the pixels: kind, offset, size of the content, where the file is."""
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return
        size = int.from_bytes(head[:4])
        yield head[4:], at, size
        at += 12 + size


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
