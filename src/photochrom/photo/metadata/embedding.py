"""Embed the metadata that libvips would change, move or drop in a file that it wrote."""

import struct
from pathlib import Path

import pyvips

from photochrom.photo.metadata.carried import SIDES, Resolution
from photochrom.photo.metadata.conversion import BLOB, EXIF_FIELD, Prepared
from photochrom.photo.metadata.exif import rational
from photochrom.photo.metadata.heif import exif_place
from photochrom.photo.metadata.jpeg import embed_jpeg
from photochrom.photo.metadata.png import embed_png, replace_resolution
from photochrom.photo.metadata.webp import embed_webp
from photochrom.photo.tiff import (
    EXIF_HEAD,
    EXIF_IFD,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Entry,
    pack_directory,
)
from photochrom.photo.tiff_writing import write_metadata

# libvips' flags for the metadata that a saver keeps; everything else is embedded here.
KEEP_PROFILE, KEEP_XMP, KEEP_EXIF = 8, 2, 1
USER_COMMENT = 37510
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296


def for_saver(prepared: Prepared, target_format: str) -> tuple[pyvips.Image, dict[str, int]]:
    """Return the picture for libvips to write, and the saver's options for metadata."""
    if target_format == "tiff":
        return prepared.image, {}
    if target_format != "avif":
        return prepared.image, {"keep": KEEP_PROFILE}
    exif = prepared.metadata.exif
    if exif is None:
        return prepared.image, {"keep": KEEP_PROFILE | KEEP_XMP}
    # libvips rewrites EXIF. It is given a placeholder of at least the same size, which is then
    # overwritten, so that no offset in the file changes.
    image = prepared.image.copy()
    image.set_type(BLOB, EXIF_FIELD, EXIF_HEAD + _placeholder(len(exif)))
    return image, {"keep": KEEP_PROFILE | KEEP_XMP | KEEP_EXIF}


def _placeholder(size: int) -> bytes:
    """Return an EXIF block that has more bytes than this, even after libvips has rewritten it."""
    comment = {USER_COMMENT: Entry(UNDEFINED, b"ASCII\0\0\0".ljust(size, b"x"))}
    main_at = 8
    sub_at = main_at + 2 + 12 + 4
    pointer = {EXIF_IFD: Entry(LONG, struct.pack("<I", sub_at))}
    head = b"II" + struct.pack("<HI", 42, main_at)
    return head + pack_directory(pointer, "<", main_at) + pack_directory(comment, "<", sub_at)


def embed(path: Path, target_format: str, prepared: Prepared) -> None:
    """Embed what libvips has not written.

    Parameters
    ----------
    path : Path
    target_format : str
        'jpeg', 'png', 'webp' or 'avif'; see `embed_tiff` for a TIFF.
    prepared : Prepared
    """
    image, metadata = prepared.image, prepared.metadata
    exif, xmp = metadata.exif, metadata.xmp
    if target_format == "jpeg":
        embed_jpeg(
            path,
            exif,
            xmp,
            metadata.extended_xmp,
            metadata.iptc,
            metadata.comments,
            metadata.resolution,
        )
    elif target_format == "png":
        shape = _shape(metadata.resolution)
        if shape is not None:
            replace_resolution(path, *shape)
        embed_png(path, exif, xmp, metadata.pieces)
    elif target_format == "webp":
        embed_webp(path, exif, xmp, image.width, image.height, bool(image.hasalpha()))
    elif target_format == "avif" and exif is not None:
        _embed_avif(path, exif)


def _shape(resolution: Resolution | None) -> tuple[int, int] | None:
    """Return the sides of a pixel if the resolution has no unit, else None."""
    if resolution is None:
        return 1, 1
    if resolution["resolution-unit"] != "none":
        return None
    x, y = (max(1, round(resolution[side])) for side in SIDES)
    return x, y


def _embed_avif(path: Path, exif: bytes) -> None:
    """Overwrite the EXIF placeholder that libvips wrote, which is larger."""
    content = len(EXIF_HEAD).to_bytes(4) + EXIF_HEAD + exif
    place = exif_place(path)
    if place is None or place[1] < len(content):
        raise ValueError("libvips wrote no EXIF item of the size that was asked for")
    with path.open("r+b") as file:
        file.seek(place[0])
        file.write(content.ljust(place[1], b"\0"))


def embed_tiff(path: Path, prepared: Prepared) -> None:
    """Embed EXIF, IPTC, tags and a resolution without a unit in the first page of a TIFF.

    Raises
    ------
    TiffError
        If that cannot be done.
    """
    metadata = prepared.metadata
    order = metadata.tags_order
    tags = metadata.tags | _plain_resolution(metadata.resolution, order)
    if metadata.exif or metadata.iptc or tags:
        write_metadata(path, metadata.exif, metadata.iptc, tags, order)


def _plain_resolution(resolution: Resolution | None, order: str) -> dict[int, Entry]:
    """Return the tags of a resolution without a unit; empty if it has one."""
    if resolution is not None and resolution["resolution-unit"] != "none":
        return {}
    x, y = (1.0, 1.0) if resolution is None else (resolution["xres"], resolution["yres"])
    return {
        X_RESOLUTION: Entry(RATIONAL, rational(x, order)),
        Y_RESOLUTION: Entry(RATIONAL, rational(y, order)),
        RESOLUTION_UNIT: Entry(SHORT, struct.pack(f"{order}H", 1)),
    }
