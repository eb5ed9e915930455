"""The metadata of a file, as its own bytes."""

import os
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from photochrom.photo.decoder_excerpt import Excerpt, Range

MOST_METADATA = 1_000_000  # bytes of one carrier: EXIF, XMP, IPTC, all text, all comments
MOST_PROFILE = 8_000_000  # bytes: the largest CMYK profiles in use have 3 million
MOST_TEXTS = 1_000  # texts, comments and unknown pieces of one file


@dataclass(frozen=True)
class Piece:
    """A chunk of a PNG that is copied as it is.

    Attributes
    ----------
    kind : bytes
        Such as b"tEXt".
    data : bytes
    keyword : str
        Of a text; '' for other chunks.
    """

    kind: bytes
    data: bytes = field(repr=False)
    keyword: str = ""


@dataclass(frozen=True)
class Carried:
    """The metadata of a file.

    Attributes
    ----------
    shown : Excerpt
        The excerpt that a decoder is given.
    exif : bytes or None
        The TIFF block, without a head of its own.
    xmp : bytes or None
        The packet.
    extended_xmp : tuple of bytes
        Segments of a JPEG, as they are.
    iptc : bytes or None
        IIM datasets, or the Photoshop resources that hold them.
    profile : bytes or None
        ICC. None also where libvips is asked for it.
    pieces : tuple of Piece
        Of a PNG.
    comments : tuple of bytes
        Of a JPEG or GIF.
    tags : dict
        Of a TIFF: tag -> entry, of what only a TIFF holds.
    tags_order : str
        Their byte order, '<' or '>'.
    resolution : dict or None
        'xres' and 'yres' in pixels per mm and 'resolution-unit': 'in', 'cm' or 'none', where they
        are the plain numbers. None where libvips is asked for it.
    orientation : int or None
        1 to 8; None where libvips is asked for it.
    frames : int or None
        Pictures in the file; None where libvips is asked for it.
    size : (width, height) or None
        Where it is known before a decoder is asked.
    decoder_bytes : int or None
        What the decoder must hold at once where the file's own tables say so, as of TIFF tiles.
    most_pixels : int or None
        No file of such content and size holds more.
    scans : int
        Of a JPEG: how often its decoder goes over the picture.
    known : bool
        Whether the file was read; else libvips is asked for everything.
    notes : tuple of str
        What is damaged, too large, or left out.
    """

    shown: Excerpt
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    extended_xmp: tuple[bytes, ...] = field(default=(), repr=False)
    iptc: bytes | None = field(default=None, repr=False)
    profile: bytes | None = field(default=None, repr=False)
    pieces: tuple[Piece, ...] = ()
    comments: tuple[bytes, ...] = field(default=(), repr=False)
    tags: dict[int, Any] = field(default_factory=dict, repr=False)
    tags_order: str = "<"
    resolution: dict[str, Any] | None = None
    orientation: int | None = None
    frames: int | None = None
    size: tuple[int, int] | None = None
    decoder_bytes: int | None = None
    most_pixels: int | None = None
    scans: int = 1
    known: bool = True
    notes: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """How many bytes of metadata and profile there are."""
        tags = sum(len(entry.data) for entry in self.tags.values())
        blobs = (self.exif, self.xmp, self.iptc, self.profile)
        return tags + sum(len(blob) for blob in blobs if blob is not None)


def file_size(file: BinaryIO) -> int:
    """Return how many bytes a file has; it stands at its end."""
    return file.seek(0, os.SEEK_END)


def whole(size: int) -> Excerpt:
    """Return an excerpt that shows everything."""
    return Excerpt.of([Range(0, size)])


def within(data: bytes | None, what: str, notes: list[str]) -> bytes | None:
    """Leave out what has more bytes than metadata may have, and say so."""
    if data is not None and len(data) > MOST_METADATA:
        notes.append(too_large(what))
        return None
    return data


def too_large(what: str) -> str:
    """Say that something is left out for its size."""
    return f"{what} has more than {MOST_METADATA // 1_000_000} MB: left out."


def printable(name: str) -> str:
    """Return a name that a file gives, without characters that would control a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)


def left_out(names: list[str], what: str) -> list[str]:
    """Say what is not carried over: at most ten by name, since a file gives the names."""
    names = list(dict.fromkeys(map(printable, names)))
    if not names:
        return []
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return [f"{what} left out: {shown}."]
