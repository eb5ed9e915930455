"""Convert metadata from one format to another.

This package reads and writes metadata itself, as bytes: libvips writes only the EXIF fields that it
knows, moves the data that a maker note points to, and truncates or drops IPTC in all formats but
JPEG (8.18, measured). What a format cannot hold is moved to XMP or left out, with a note.
"""

from dataclasses import replace
from typing import NamedTuple

import pyvips

from photochrom.photo.array_source import ArraySource
from photochrom.photo.decoder_excerpt import Excerpt
from photochrom.photo.metadata.carried import SIDES, Carried, Fields, Piece, Resolution, left_out
from photochrom.photo.metadata.exif import EMPTY, edited, has_maker_note, read_basics
from photochrom.photo.metadata.iptc import APP13, has_more_than_iim, iim_to_xmp, to_app13, to_iim
from photochrom.photo.metadata.png import text_piece
from photochrom.photo.metadata.xmp import Marker, marker_of, merge
from photochrom.photo.open_file import Header
from photochrom.photo.source import FileSource
from photochrom.photo.tiff import BYTE, EXIF_HEAD, MOVED, PHOTOSHOP, Entry, TiffError

__all__ = ["Marker", "Prepared", "marker_of", "prepare", "read_metadata"]

BLOB = pyvips.GValue.blob_type
XMP_FIELD, PROFILE_FIELD = "xmp-data", "icc-profile-data"
EXIF_FIELD = "exif-data"
KEPT_FIELDS = {"width", "height", "bands", "format", "coding", "interpretation"}
KEPT_FIELDS |= {"xoffset", "yoffset", "xres", "yres"}
EXIF_HOLDS_RESOLUTION = ("jpeg", "webp", "avif")  # formats whose only exact resolution is EXIF's
MOST_EXIF, MOST_XMP = 65_527, 65_504  # bytes in a JPEG's segment
MOST_DOTS = 1e6  # per millimetre: libvips' own limit
PIXEL_MM: Resolution = {
    "xres": 1.0,
    "yres": 1.0,
}  # libvips' default for an unknown one


def read_metadata(source: FileSource | ArraySource, header: Header) -> Carried:
    """Return the metadata of a file's first page."""
    if isinstance(source, ArraySource):
        return Carried(Excerpt(()), resolution=PIXEL_MM)
    return _metadata(source.carried(0), header)


def page_metadata(source: FileSource, page: int, header: Header) -> Carried:
    """Return a page's metadata; it is read each time, since a file may have a thousand pages."""
    return _metadata(source.carried(page), header)


def _metadata(carried: Carried, header: Header) -> Carried:
    found: Resolution | None = header.fields.get("resolution")
    if found and max(found["xres"], found["yres"]) > MOST_DOTS:
        found = None
    if not carried.known:
        blobs = (header.fields.get(f"{name}-data") for name in ("exif", "xmp", "iptc"))
        exif, xmp, iptc = (None if blob is None else bytes(blob) for blob in blobs)
        exif = None if exif is None else exif.removeprefix(EXIF_HEAD)
        found = found or _decoder_resolution(header.fields) or read_basics(exif).resolution
        carried = replace(carried, exif=exif, xmp=xmp, iptc=iptc)
    profile = header.fields.get(PROFILE_FIELD)
    return replace(carried, profile=profile, resolution=found or PIXEL_MM)


def _decoder_resolution(fields: Fields) -> Resolution | None:
    """Return the resolution that a decoder reports; None if it is its default."""
    x, y = (fields.get(side, 1.0) for side in SIDES)
    if "resolution-unit" not in fields and x == y == 1:
        return None
    return {"xres": x, "yres": y, "resolution-unit": fields.get("resolution-unit", "in")}


class Prepared(NamedTuple):
    """A picture with the metadata of its target format.

    Attributes
    ----------
    image : pyvips.Image
        With its profile and the metadata that libvips itself writes.
    metadata : Carried
        To be embedded afterwards; IPTC in the target's form.
    notes : tuple of str
        What is lost or moved.
    """

    image: pyvips.Image
    metadata: Carried
    notes: tuple[str, ...]


def prepare(
    image: pyvips.Image,
    metadata: Carried,
    target_format: str,
    *,
    orientation: int,
    profile: bytes | None,
    marker: Marker | None,
) -> Prepared:
    """Attach the metadata that the target format can hold, with notes on the rest.

    Parameters
    ----------
    image : pyvips.Image
        The pixels to write; inherited metadata is removed.
    metadata : Carried
        Of the source.
    target_format : str
        'jpeg', 'png', 'tiff', 'webp' or 'avif'.
    orientation : int
        1 to 8.
    profile : bytes or None
        Of `image`.
    marker : Marker or None
    """
    notes: list[str] = []
    known = metadata.resolution
    if known is not None and "resolution-unit" not in known:
        known = None
    iptc, properties = _place_iptc(metadata.iptc, target_format, notes)
    xmp, extended = _place_xmp(metadata, target_format, marker, properties, notes)
    exif = _place_exif(metadata.exif, target_format, orientation, known, notes)
    clean = image.copy()
    for name in set(clean.get_fields()) - KEPT_FIELDS:
        clean.remove(name)
    if profile is not None:
        clean.set_type(BLOB, PROFILE_FIELD, profile)
    if target_format in ("tiff", "avif") and xmp is not None:
        clean.set_type(BLOB, XMP_FIELD, xmp)
    clean.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    pieces = _place_texts(metadata, target_format, notes)
    tags, order = _place_tags(metadata, target_format, notes)
    placed = Carried(
        Excerpt(()),
        exif=exif,
        iptc=iptc,
        xmp=xmp,
        extended_xmp=extended,
        resolution=known,
        comments=metadata.comments if target_format == "jpeg" else (),
        pieces=pieces,
        tags=tags,
        tags_order=order,
    )
    return Prepared(_with_resolution(clean, known), placed, tuple(notes))


def _place_iptc(
    block: bytes | None, target_format: str, notes: list[str]
) -> tuple[bytes | None, dict[tuple[str, str], list[str]] | None]:
    """Return the IPTC block to write, and the properties that move to XMP."""
    if not block:
        return None, None
    if target_format == "jpeg":
        return to_app13(block) or None, None
    iim = to_iim(block)
    if target_format == "tiff":
        return iim or None, None
    if has_more_than_iim(block):
        notes.append(f"{target_format.upper()} cannot hold Photoshop's resources: left out.")
    if not iim:
        return None, None
    properties, left = iim_to_xmp(iim)
    rest = f"; {left} of its fields have no equivalent there and are lost" if left else ""
    notes.append(f"{target_format.upper()} cannot hold IPTC: moved to XMP{rest}.")
    return None, properties


def _place_xmp(
    metadata: Carried,
    target_format: str,
    marker: Marker | None,
    properties: dict[tuple[str, str], list[str]] | None,
    notes: list[str],
) -> tuple[bytes | None, tuple[bytes, ...]]:
    """Return the XMP packet, and the further XMP segments of a JPEG."""
    extended = metadata.extended_xmp if target_format == "jpeg" else ()
    xmp, said = merge(metadata.xmp, marker, properties, keeps_extended=bool(extended))
    notes += said
    if target_format == "jpeg" and xmp is not None and len(xmp) > MOST_XMP:
        notes.append(f"XMP has {len(xmp)} bytes, more than a JPEG segment holds: left out.")
        # Without the marker, the result would be coloured again.
        return merge(None, marker, properties)[0], ()
    return xmp, extended if xmp is not None else ()


def _place_exif(
    block: bytes | None,
    target_format: str,
    orientation: int,
    resolution: Resolution | None,
    notes: list[str],
) -> bytes | None:
    """Return the EXIF block for the target: with its orientation and without the thumbnail."""
    turn = 1 if target_format == "avif" else orientation  # AVIF has its own field for it
    if target_format == "tiff":  # its directory has both
        turn, resolution = 1, None
        if block is not None and has_maker_note(block):
            notes.append(MOVED)
    elif target_format not in EXIF_HOLDS_RESOLUTION and block is None:
        resolution = None
    if block is None and turn == 1 and resolution is None:
        return None
    if resolution is not None and _agree(read_basics(block).resolution, resolution):
        resolution = None
    try:
        changed, had_thumbnail = edited(block or EMPTY, turn, resolution)
    except TiffError as error:
        notes.append(f"The EXIF block is damaged ({error}): left out.")
        return _place_exif(None, target_format, orientation, resolution, notes)
    if had_thumbnail:
        notes.append("The embedded thumbnail showed the original picture: dropped.")
    if target_format in ("jpeg", "avif") and len(changed) > MOST_EXIF:
        notes.append(f"EXIF has {len(changed)} bytes, more than can be written: left out.")
        return _place_exif(None, target_format, orientation, resolution, notes)
    return changed


def _agree(one: Resolution | None, other: Resolution) -> bool:
    """Return whether two resolutions agree within 0.2 %."""
    if one is None or (one["resolution-unit"] == "none") != (other["resolution-unit"] == "none"):
        return False
    return all(abs(one[side] - other[side]) <= other[side] / 500 for side in SIDES)


def _place_texts(metadata: Carried, target_format: str, notes: list[str]) -> tuple[Piece, ...]:
    """Return the chunks of a PNG, with the comments of JPEG and GIF."""
    if target_format == "png":
        said = [text_piece("Comment", _text(comment)) for comment in metadata.comments]
        return (*metadata.pieces, *said)
    texts = [piece.keyword for piece in metadata.pieces if piece.keyword]
    notes += left_out(texts, "Text, which only PNG can hold,")
    others = [piece.kind.decode("latin-1") for piece in metadata.pieces if not piece.keyword]
    notes += left_out(others, "PNG chunks")
    if target_format != "jpeg" and metadata.comments:
        notes.append("Only JPEG and PNG can hold a comment: left out.")
    return ()


def _text(comment: bytes) -> str:
    """Decode a comment, whose encoding is not specified."""
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _place_tags(
    metadata: Carried, target_format: str, notes: list[str]
) -> tuple[dict[int, Entry], str]:
    """Return the tags that only a TIFF can hold, and their byte order."""
    if target_format != "tiff":
        notes += left_out([str(tag) for tag in metadata.tags], "TIFF tags")
        return {}, "<"
    tags = dict(metadata.tags)
    if metadata.iptc and has_more_than_iim(metadata.iptc):
        resources = to_app13(metadata.iptc).removeprefix(APP13)
        tags[PHOTOSHOP] = Entry(BYTE, resources)
    return tags, metadata.tags_order


def _with_resolution(image: pyvips.Image, resolution: Resolution | None) -> pyvips.Image:
    if resolution is None:
        return image.copy(xres=1.0, yres=1.0)
    image = image.copy(xres=resolution["xres"], yres=resolution["yres"])
    unit = resolution["resolution-unit"]
    if unit != "none":
        image.set_type(pyvips.GValue.gstr_type, "resolution-unit", unit)
    return image
