"""What a file says about its picture, and how it is carried from one format to another.

libvips carries EXIF, XMP and profiles for most formats. It does not read or write EXIF in TIFF,
cuts IPTC in TIFF and drops IPTC in PNG, WebP and AVIF (8.18, measured): the first three are bridged
here, the last by moving the fields that XMP has a name for into XMP.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pyvips

from photochrom.photo.comment import read_comments
from photochrom.photo.iptc import iim_to_xmp, to_app13, to_iim
from photochrom.photo.read import Header
from photochrom.photo.source import ArraySource, FileSource
from photochrom.photo.tiff import IPTC, TiffError, read_exif, read_tag, without_thumbnail
from photochrom.photo.xmp import Marker, marker_of, merge

__all__ = ["Marker", "Metadata", "Prepared", "marker_of", "prepare", "read_metadata"]

BLOB = pyvips.GValue.blob_type
BLOBS = {"exif": "exif-data", "xmp": "xmp-data", "iptc": "iptc-data", "profile": "icc-profile-data"}
RESOLUTION = ("xres", "yres", "resolution-unit")
KEPT_FIELDS = {"width", "height", "bands", "format", "coding", "interpretation"}
KEPT_FIELDS |= {"xoffset", "yoffset", "xres", "yres"}
PNG_TEXT = "png-comment-"  # then a number and the keyword
MAX_JPEG_SEGMENT = 65500


@dataclass(frozen=True)
class Metadata:
    """What a file says about its picture.

    Attributes
    ----------
    exif : bytes or None
        The block that begins with 'Exif' and two zeros.
    xmp : bytes or None
        The packet.
    iptc : bytes or None
        IIM datasets, or the Photoshop resources that hold them.
    profile : bytes or None
        ICC.
    resolution : dict
        libvips' xres and yres (pixels per mm), and resolution-unit where it is known.
    text : dict of str to str
        A PNG's text chunks, by libvips' names for them.
    comments : tuple of bytes
        A JPEG's.
    """

    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    iptc: bytes | None = field(default=None, repr=False)
    profile: bytes | None = field(default=None, repr=False)
    resolution: dict[str, Any] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    comments: tuple[bytes, ...] = field(default=(), repr=False)


def read_metadata(
    source: FileSource | ArraySource, header: Header
) -> tuple[Metadata, tuple[str, ...]]:
    """Collect a file's metadata, and say what of it is damaged."""
    values = {name: _bytes(header.fields.get(key)) for name, key in BLOBS.items()}
    notes: tuple[str, ...] = ()
    if isinstance(source, FileSource) and source.kind == "tiff":
        try:
            values["exif"] = read_exif(source.path)
            values["iptc"] = read_tag(source.path, IPTC)
        except TiffError as error:
            notes = (f"EXIF and IPTC of the TIFF are damaged and were left out ({error}).",)
            values |= {"exif": None, "iptc": None}
    resolution = _read_resolution(header.fields, source.kind)
    text = {key: value for key, value in header.fields.items() if key.startswith(PNG_TEXT)}
    comments: tuple[bytes, ...] = ()
    if isinstance(source, FileSource) and source.kind == "jpeg":
        comments = read_comments(source.path)
    return Metadata(**values, resolution=resolution, text=text, comments=comments), notes


def page_metadata(header: Header) -> Metadata:
    """Collect what libvips reads of a page of a TIFF: XMP, profile and resolution."""
    return Metadata(
        xmp=_bytes(header.fields.get(BLOBS["xmp"])),
        profile=_bytes(header.fields.get(BLOBS["profile"])),
        resolution=_read_resolution(header.fields, "tiff"),
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


@dataclass(frozen=True)
class Prepared:
    """A picture with the metadata of its target format.

    Attributes
    ----------
    image : pyvips.Image
    exif, iptc : bytes or None
        What libvips cannot write into a TIFF: to be entered afterwards.
    notes : tuple of str
        What is lost or moved.
    """

    image: pyvips.Image
    exif: bytes | None
    iptc: bytes | None
    notes: tuple[str, ...]


def prepare(
    image: pyvips.Image,
    metadata: Metadata,
    target_format: str,
    *,
    orientation: int,
    profile: bytes | None,
    marker: Marker | None,
) -> Prepared:
    """Attach what the target format can hold, and say what it cannot.

    Parameters
    ----------
    image : pyvips.Image
        As it will be written; metadata it has inherited is dropped.
    metadata : Metadata
        Of the source.
    target_format : str
        'jpeg', 'png', 'tiff', 'webp' or 'avif'.
    orientation : int
        1 to 8.
    profile : bytes or None
        That of `image`.
    marker : Marker or None
    """
    notes: list[str] = []
    iptc, properties = _place_iptc(metadata.iptc, target_format, notes)
    xmp, xmp_notes = merge(metadata.xmp, marker, properties)
    notes += xmp_notes
    clean = image.copy()
    for name in set(clean.get_fields()) - KEPT_FIELDS:
        clean.remove(name)
    if target_format == "jpeg":
        metadata_exif = _fitting(metadata.exif, "EXIF", notes)
        # Without the marker the result would be coloured again.
        xmp = _fitting(xmp, "XMP", notes) or merge(None, marker, properties)[0]
    else:
        metadata_exif = metadata.exif
    for name, value in _exif_fields(metadata_exif, notes).items():
        kind = BLOB if isinstance(value, bytes) else pyvips.GValue.gstr_type
        clean.set_type(kind, name, value)
    for name, blob in ((BLOBS["xmp"], xmp), (BLOBS["profile"], profile)):
        if blob is not None:
            clean.set_type(BLOB, name, blob)
    if metadata.text and target_format != "png":
        keywords = ", ".join(name.split("-", 3)[-1] for name in metadata.text)
        notes.append(f"Text is held by PNG alone: {keywords} left out.")
    elif metadata.text:
        for name, value in metadata.text.items():
            clean.set_type(pyvips.GValue.gstr_type, name, value)
    if metadata.comments and target_format != "jpeg":
        notes.append("A comment is held by JPEG alone: left out.")
    if target_format == "jpeg" and iptc is not None:
        clean.set_type(BLOB, BLOBS["iptc"], iptc)
    clean.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    clean = _with_resolution(clean, metadata.resolution)
    return Prepared(clean, metadata_exif, iptc, tuple(notes))


def _place_iptc(
    block: bytes | None, target_format: str, notes: list[str]
) -> tuple[bytes | None, dict[tuple[str, str], list[str]] | None]:
    """Give what is written as IPTC, and what moves to XMP."""
    if not block:
        return None, None
    if target_format == "jpeg":
        return _fitting(to_app13(block) or None, "IPTC", notes), None
    iim = to_iim(block)
    if target_format == "tiff" or not iim:
        return iim or None, None
    properties, left = iim_to_xmp(iim)
    rest = f"; {left} of its fields have no place there and are lost" if left else ""
    notes.append(f"IPTC is not held by {target_format.upper()}: moved to XMP{rest}.")
    return None, properties


def _fitting(blob: bytes | None, what: str, notes: list[str]) -> bytes | None:
    """Leave out what no single JPEG segment can hold."""
    if blob is not None and len(blob) > MAX_JPEG_SEGMENT:
        notes.append(f"{what} has {len(blob)} bytes, more than a JPEG segment holds: left out.")
        return None
    return blob


def _exif_fields(exif: bytes | None, notes: list[str]) -> dict[str, Any]:
    """Let libvips take an EXIF block apart, for it writes only the fields that it knows.

    A one-pixel JPEG that bears the block is the only door to that parser.
    """
    if exif is None:
        return {}
    if len(exif) > MAX_JPEG_SEGMENT:
        notes.append(f"EXIF has {len(exif)} bytes, more than libvips can copy: left out.")
        return {}
    try:
        block, had_thumbnail = without_thumbnail(exif)
    except TiffError as error:
        notes.append(f"The EXIF block is damaged ({error}): left out.")
        return {}
    if had_thumbnail:
        notes.append("The embedded thumbnail showed the picture as it was: dropped.")
    pixel = pyvips.Image.black(1, 1).jpegsave_buffer(keep="none")
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    try:
        parsed = pyvips.Image.jpegload_buffer(pixel[:2] + segment + pixel[2:])
    except pyvips.Error:
        notes.append("The EXIF block is damaged: left out.")
        return {}
    names = [name for name in parsed.get_fields() if name.startswith("exif-")]
    return {name: parsed.get(name) for name in names}


def _with_resolution(image: pyvips.Image, resolution: dict[str, Any]) -> pyvips.Image:
    if not {"xres", "yres"} <= resolution.keys():
        return image
    image = image.copy(xres=resolution["xres"], yres=resolution["yres"])
    if "resolution-unit" in resolution:
        image.set_type(pyvips.GValue.gstr_type, "resolution-unit", resolution["resolution-unit"])
    return image


def _read_resolution(fields: dict[str, Any], kind: str) -> dict[str, Any]:
    """Give pixels per mm; WebP and AVIF keep them in EXIF alone, where libvips does not look."""
    resolution = {key: fields[key] for key in RESOLUTION if key in fields}
    if kind not in ("webp", "avif", "heic"):
        return resolution
    per_mm = 10 if fields.get("exif-ifd0-ResolutionUnit", "").startswith("3") else 25.4
    for key, name in (("xres", "exif-ifd0-XResolution"), ("yres", "exif-ifd0-YResolution")):
        found = re.match(r"(\d+)/(\d+)", fields.get(name, ""))
        if found and int(found[1]) and int(found[2]):
            resolution[key] = int(found[1]) / int(found[2]) / per_mm
    return resolution
