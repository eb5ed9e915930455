"""Read and write the metadata chunks of a WebP.

Source: RFC 9649 (RIFF; VP8X with its flags; ICCP, EXIF and XMP chunks).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from photochrom.photo.decoder_excerpt import Excerpt, Range
from photochrom.photo.metadata.carried import (
    MOST_METADATA,
    MOST_PROFILE,
    Carried,
    file_size,
    left_out,
    too_large,
)
from photochrom.photo.metadata.insertion import insert
from photochrom.photo.tiff import EXIF_HEAD

HEAD = 12  # RIFF, size, WEBP
SHOWN = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
PICTURES = {b"VP8 ", b"VP8L", b"ANMF"}
PROFILE_FLAG, ALPHA_FLAG, EXIF_FLAG, XMP_FLAG = 0x20, 0x10, 0x08, 0x04
MOST_LEFT = 100


def read_webp(path: Path) -> Carried:
    """Read the metadata of a WebP."""
    with path.open("rb") as file:
        return _carried(file)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks: name, offset, size of the content, where the file is positioned."""
    size, at = file_size(file), HEAD
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        yield head[:4], at, length
        at += 8 + length + length % 2


def _carried(file: BinaryIO) -> Carried:
    size = file_size(file)
    shown: list[Range | bytes] = []
    found: dict[bytes, bytes] = {}
    notes: list[str] = []
    left: list[str] = []
    pictures, dropped, at = 0, 0, HEAD
    for kind, at, length in _chunks(file):
        if kind in SHOWN:
            pictures += kind in PICTURES
            if kind == b"VP8X" and length == 10:
                flags = file.read(1)[0] & ~(PROFILE_FLAG | EXIF_FLAG | XMP_FLAG)
                shown += [Range(at, 8), bytes([flags]), Range(at + 9, 9)]
            else:
                shown.append(Range(at, min(8 + length + length % 2, size - at)))
            continue
        dropped += 8 + length + length % 2
        if kind in (b"EXIF", b"XMP ", b"ICCP"):
            most = MOST_PROFILE if kind == b"ICCP" else MOST_METADATA
            if length > most:
                notes.append(too_large(kind.decode().strip()))
            else:
                found.setdefault(kind, file.read(length))
        elif len(left) < MOST_LEFT:
            left.append(kind.decode("latin-1"))
    file.seek(0)
    head = file.read(HEAD)
    # The size of the excerpt; a truncated file stays truncated.
    riff_size = max(4, int.from_bytes(head[4:8], "little") - dropped)
    head = head[:4] + riff_size.to_bytes(4, "little") + head[8:]
    notes += left_out(left, "WebP chunks")
    exif = found.get(b"EXIF")
    return Carried(
        Excerpt.of([head, *shown]),
        exif=None if exif is None else exif.removeprefix(EXIF_HEAD),
        xmp=found.get(b"XMP "),
        profile=found.get(b"ICCP"),
        most_pixels=None if pictures else 0,
        notes=tuple(notes),
    )


def embed_webp(
    path: Path, exif: bytes | None, xmp: bytes | None, width: int, height: int, alpha: bool
) -> None:
    """Embed metadata in a WebP, after its pixels.

    Parameters
    ----------
    path : Path
    exif : bytes or None
        The TIFF block.
    xmp : bytes or None
    width, height : int
        Of the picture.
    alpha : bool
        Whether it has transparency.
    """
    if exif is None and xmp is None:
        return
    flags = EXIF_FLAG * (exif is not None) | XMP_FLAG * (xmp is not None)
    with path.open("r+b") as file:
        for kind, at, _ in _chunks(file):
            if kind == b"VP8X":
                flags |= file.read(1)[0]
                file.seek(at + 8)
                file.write(bytes([flags]))
            else:
                flags |= ALPHA_FLAG * alpha
                sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
                insert(file, HEAD, _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides))
            break
        end = file_size(file)
        file.write(b"\0" * (end % 2))
        for kind, data in ((b"EXIF", exif), (b"XMP ", xmp)):
            if data is not None:
                file.write(_chunk(kind, data))
        size = file.tell() - 8
        file.seek(4)
        file.write(size.to_bytes(4, "little"))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
