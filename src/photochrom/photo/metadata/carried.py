"""The metadata of a file, as its own bytes."""

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NotRequired, TypeAlias, TypedDict

from photochrom.photo.decoder_excerpt import Excerpt, Range

if TYPE_CHECKING:
    from photochrom.photo.tiff import Entry

MOST_METADATA = 1_000_000  # bytes of one carrier: EXIF, XMP, IPTC, all text, all comments
MOST_PROFILE = 8_000_000  # bytes: the largest CMYK profiles in use have 3 million
MOST_TEXTS = 1_000  # texts, comments and unknown pieces of one file


Fields = dict[str, Any]  # what a decoder tells of a page, under libvips' names
# Pixels per mm, or plain numbers if the unit, of 'in', 'cm' and 'none', is 'none'. Without a unit,
# the resolution is unknown.
Resolution = TypedDict(
    "Resolution", {"xres": float, "yres": float, "resolution-unit": NotRequired[str]}
)
Side: TypeAlias = Literal["xres", "yres"]
SIDES: tuple[Side, Side] = ("xres", "yres")


@dataclass(frozen=True)
class Piece:
    """A chunk of a PNG that is copied unchanged.

    Attributes
    ----------
    kind : bytes
        For example b"tEXt".
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
        The TIFF block, without the Exif header.
    xmp : bytes or None
        The packet.
    extended_xmp : tuple of bytes
        Segments of a JPEG, unchanged.
    iptc : bytes or None
        IIM datasets, or the Photoshop resources that contain them.
    profile : bytes or None
        ICC; None also if libvips reads it.
    pieces : tuple of Piece
        Of a PNG.
    comments : tuple of bytes
        Of a JPEG or GIF.
    tags : dict
        Of a TIFF: tag -> entry, of tags that no other format can hold.
    tags_order : str
        Their byte order, '<' or '>'.
    resolution : Resolution or None
        None if libvips reads it.
    orientation : int or None
        1 to 8; None if libvips reads it.
    frames : int or None
        Number of pictures in the file; None if libvips reads it.
    size : (width, height) or None
        If known before decoding.
    decoder_bytes : int or None
        Bytes that the decoder holds at once, if the file's tables give them, as for TIFF tiles.
    most_pixels : int or None
        Upper limit for a file of this content and size.
    scans : int
        Of a JPEG: the number of passes of its decoder.
    known : bool
        Whether the file was read; otherwise libvips reads everything.
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
    tags: "dict[int, Entry]" = field(default_factory=dict, repr=False)
    tags_order: str = "<"
    resolution: Resolution | None = None
    orientation: int | None = None
    frames: int | None = None
    size: tuple[int, int] | None = None
    decoder_bytes: int | None = None
    most_pixels: int | None = None
    scans: int = 1
    known: bool = True
    notes: tuple[str, ...] = ()

    @property
    def metadata_bytes(self) -> int:
        """Size of the metadata and the profile."""
        tags = sum(len(entry.data) for entry in self.tags.values())
        blobs = (self.exif, self.xmp, self.iptc, self.profile)
        return tags + sum(len(blob) for blob in blobs if blob is not None)


def file_size(file: BinaryIO) -> int:
    """Return the size of a file, and seek to its end."""
    return file.seek(0, os.SEEK_END)


def whole(size: int) -> Excerpt:
    """Return an excerpt of the whole file."""
    return Excerpt.of([Range(0, size)])


def within(data: bytes | None, what: str, notes: list[str]) -> bytes | None:
    """Return metadata within the size limit; otherwise None, and add a note."""
    if data is not None and len(data) > MOST_METADATA:
        notes.append(too_large(what))
        return None
    return data


def too_large(what: str) -> str:
    """Return the note that something is left out because of its size."""
    return f"{what} has more than {MOST_METADATA // 1_000_000} MB: left out."


def printable(name: str) -> str:
    """Return a name that a file gives, without characters that would control a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)


def left_out(names: list[str], what: str) -> list[str]:
    """Return a note on what is not copied, with at most ten names: a file gives the names."""
    names = list(dict.fromkeys(map(printable, names)))
    if not names:
        return []
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return [f"{what} left out: {shown}."]
