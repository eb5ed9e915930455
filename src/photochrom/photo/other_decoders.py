"""Decoders for formats not in libvips' binary wheel: HEIC, JPEG 2000 and BMP, in memory.

HEIC by pillow-heif (libheif, libde265), JPEG 2000 and BMP by Pillow (OpenJPEG). Both are imported
only when needed. Metadata fields get libvips' names, so that all formats are handled alike.
"""

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyvips

from photochrom.errors import (
    MissingExtraError,
    PhotoError,
    UnreadablePhotoError,
    UnsupportedFormatError,
)
from photochrom.photo.metadata.carried import Fields
from photochrom.photo.metadata.isobmff import contents_in, outer_boxes
from photochrom.photo.tiff import EXIF_HEAD
from photochrom.photo.unsupported import is_cut_short

if TYPE_CHECKING:
    from PIL import Image

FOREIGN = ("heic", "jp2", "bmp")
BLOB = pyvips.GValue.blob_type
BYTES_A_METRE = 1000
UUID_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
UUID_EXIF = b"JpgTiffExif->JP2"
JP2_BANDS = {"L": 1, "LA": 2, "I;16": 1, "I": 1, "RGB": 3, "RGBA": 4, "YCbCr": 3, "P": 3}
CODESTREAM = b"\xff\x4f\xff\x51"
MOST_METADATA = 1 << 24


@dataclass(frozen=True)
class Foreign:
    """A picture decoded by another library.

    Attributes
    ----------
    size : (width, height)
        Upright for HEIC, whose decoder turns it.
    bands : int
        Alpha included.
    decode : callable
        Returns the pixels, (H, W) or (H, W, bands), uint8 or uint16.
    bits : int
        Of a sample in the file.
    frames : int
    fields : dict
        Metadata by libvips' names.
    notes : tuple of str
    """

    size: tuple[int, int]
    bands: int
    decode: Callable[[], np.ndarray] = field(repr=False)
    bits: int = 8
    frames: int = 1
    fields: Fields = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def open_foreign(path: Path, kind: str, name: str) -> Foreign:
    """Read the header of a file of one of the kinds in `FOREIGN`.

    Raises
    ------
    UnreadablePhotoError
        If it is damaged.
    MissingExtraError
        If the library that decodes it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's warning about large pictures: they are checked here.
            warnings.simplefilter("ignore")
            return {"heic": _open_heic, "jp2": _open_jp2, "bmp": _open_bmp}[kind](path)
    except ImportError as error:
        raise MissingExtraError(
            f"{name}: reading {kind.upper()} needs pillow-heif, which cannot be imported "
            f"({error}). Run: pip install pillow-heif"
        ) from error
    except Exception as error:  # any error of another library concerns only this file
        raise damaged(name, kind, path, error) from error


def head(foreign: Foreign) -> pyvips.Image:
    """Return an image with a picture's properties and black pixels."""
    black = pyvips.Image.black(*foreign.size, bands=foreign.bands)
    return _described(black.cast("ushort" if foreign.bits > 8 else "uchar"), foreign)


def decoded(foreign: Foreign, path: Path, kind: str, name: str) -> pyvips.Image:
    """Decode the pixels, with the metadata on the image.

    Raises
    ------
    UnreadablePhotoError
        If they are damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = np.ascontiguousarray(foreign.decode())
    except Exception as error:  # any error of another library concerns only this file
        raise damaged(name, kind, path, error) from error
    wide = pixels.dtype == np.uint16
    image = pyvips.Image.new_from_memory(
        pixels, *foreign.size, foreign.bands, "ushort" if wide else "uchar"
    )
    return _described(image, foreign)


def _described(image: pyvips.Image, foreign: Foreign) -> pyvips.Image:
    """Set the colour space and metadata of an image, as libvips' own loaders do."""
    gray, rgb = ("grey16", "rgb16") if image.format == "ushort" else ("b-w", "srgb")
    image = image.copy(interpretation=gray if image.bands < 3 else rgb)
    for key, value in (foreign.fields | {"bits-per-sample": foreign.bits}).items():
        if isinstance(value, bytes):
            image.set_type(BLOB, key, value)
        elif isinstance(value, int):
            image.set_type(pyvips.GValue.gint_type, key, value)
        elif isinstance(value, float):
            image = image.copy(xres=value) if key == "xres" else image.copy(yres=value)
        else:
            image.set_type(pyvips.GValue.gstr_type, key, value)
    if foreign.frames > 1:
        image.set_type(pyvips.GValue.gint_type, "n-pages", foreign.frames)
    return image


def damaged(name: str, kind: str, path: Path, error: BaseException) -> PhotoError:
    """Return a one-line error for what another library reported about a file."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, MemoryError):
        return UnreadablePhotoError(
            f"{name}: not enough memory to read it. Close other programs, or make it smaller first."
        )
    if "nsupported" in reason or "DecompressionBomb" in type(error).__name__:
        return UnsupportedFormatError(
            f"{name}: {kind.upper()} of this kind is not supported ({reason}). Convert it to "
            "TIFF, PNG or JPEG first."
        )
    short = " This file is cut short: copy it again." if is_cut_short(path, kind) else ""
    return UnreadablePhotoError(f"{name}: truncated or corrupt ({reason}).{short}")


def _open_heic(path: Path) -> Foreign:
    import pillow_heif

    file = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    bits = int(file.info["bit_depth"])

    def decode() -> np.ndarray:
        pixels = np.asarray(file)
        if pixels.dtype != np.uint16:
            return pixels
        top = ((1 << bits) - 1) << (16 - bits)  # the library shifts up and leaves zeros below
        return np.round(pixels * (65535 / top)).clip(0, 65535).astype(np.uint16)

    fields: Fields = {}
    for key, name in (
        ("exif", "exif-data"),
        ("xmp", "xmp-data"),
        ("icc_profile", "icc-profile-data"),
    ):
        if file.info.get(key):
            fields[name] = bytes(file.info[key])
    fields |= _exif_fields(fields.get("exif-data"))
    notes = ["The file has a depth map: left out."] * bool(file.info.get("depth_images"))
    bands = len(file.mode.split(";")[0])
    return Foreign(file.size, bands, decode, bits, len(file), fields, tuple(notes))


def _exif_fields(exif: bytes | None) -> Fields:
    """Let libvips parse an EXIF block, as it does for the formats that it reads.

    The orientation is not among them: the decoder has turned the picture.
    """
    if exif is None or len(exif) > 65000:
        return {}
    block = EXIF_HEAD + exif.removeprefix(EXIF_HEAD)
    pixel = pyvips.Image.black(1, 1).jpegsave_buffer(keep="none")
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    try:
        parsed = pyvips.Image.jpegload_buffer(pixel[:2] + segment + pixel[2:])
    except pyvips.Error:
        return {}
    names = [name for name in parsed.get_fields() if name.startswith("exif-ifd")]
    return {"exif-data": block} | {name: str(parsed.get(name)) for name in names}


def _open_jp2(path: Path) -> Foreign:
    from PIL import Image

    with Image.open(path, formats=["JPEG2000"]) as image:
        size, mode = image.size, image.mode
    bits, fields = _jp2_head(path)
    notes: tuple[str, ...] = ()
    if bits > 8 and mode not in ("I;16", "I"):
        notes = (f"JPEG 2000 with {bits} bits: only 8 of them are read.",)

    def decode() -> np.ndarray:
        with Image.open(path, formats=["JPEG2000"]) as image:
            plain = image.convert("RGB") if image.mode in ("YCbCr", "P") else image
            pixels = np.asarray(plain)
        return pixels.astype(np.uint16) if pixels.dtype.itemsize > 2 else pixels

    if mode not in JP2_BANDS:
        raise ValueError(f"Unsupported JPEG 2000 of mode {mode}")
    return Foreign(size, JP2_BANDS[mode], decode, 16 if mode[0] == "I" else 8, 1, fields, notes)


def _jp2_head(path: Path) -> tuple[int, Fields]:
    """Return the bits of a sample, and profile, XMP, EXIF and resolution."""
    bits: int = 8
    fields: Fields = {}
    with path.open("rb") as file:
        if file.read(4) == CODESTREAM:
            file.seek(0)
            return _precision(file.read(64)), fields
        for box in outer_boxes(file):
            file.seek(box.start)
            if box.kind == b"jp2c":
                bits = _precision(file.read(64))
            elif box.kind in (b"jp2h", b"uuid") and box.end - box.start <= MOST_METADATA:
                content = file.read(box.end - box.start)
                fields |= _of_header(content) if box.kind == b"jp2h" else _of_uuid(content)
    return bits, fields


def _precision(codestream: bytes) -> int:
    """Read Ssiz of the first component from the marker SIZ."""
    return (codestream[42] & 0x7F) + 1 if len(codestream) > 42 else 8


def _of_header(content: bytes) -> Fields:
    fields: Fields = {}
    for kind, data in contents_in(content):
        if kind == b"colr" and data[:1] in (b"\x02", b"\x03"):
            fields.setdefault("icc-profile-data", data[3:])
        elif kind == b"res ":
            for inner, values in contents_in(data):
                if inner in (b"resc", b"resd") and len(values) >= 10:
                    up, upper, across, acrosser, e, f = struct.unpack(">4H2b", values[:10])
                    if upper and acrosser:
                        fields["yres"] = up / upper * 10.0**e / BYTES_A_METRE
                        fields["xres"] = across / acrosser * 10.0**f / BYTES_A_METRE
    return fields


def _of_uuid(content: bytes) -> Fields:
    if content[:16] == UUID_XMP:
        return {"xmp-data": content[16:]}
    if content[:16] == UUID_EXIF:
        return _exif_fields(content[16:])
    return {}


def _open_bmp(path: Path) -> Foreign:
    from PIL import Image

    with Image.open(path, formats=["BMP"]) as image:
        fields: Fields = {}
        x, y = image.info.get("dpi", (0, 0))
        if x > 0 and y > 0:
            fields = {"xres": x / 25.4, "yres": y / 25.4}
        gray = image.mode in ("1", "L") or (image.mode == "P" and _is_gray_palette(image))
        mode = "L" if gray else image.mode if "A" in image.mode else "RGB"
        size, bits = image.size, 1 if image.mode == "1" else 8
    fields |= _bmp_profile(path)

    def decode() -> np.ndarray:
        with Image.open(path, formats=["BMP"]) as image:
            return np.asarray(image.convert(mode))

    return Foreign(size, len(mode), decode, bits, 1, fields)


def _is_gray_palette(image: "Image.Image") -> bool:
    colours = np.array(image.getpalette() or [0], np.uint8)
    return len(colours) % 3 == 0 and not np.ptp(colours.reshape(-1, 3), axis=1).any()


def _bmp_profile(path: Path) -> Fields:
    """Read the profile that a BMP of version 5 embeds (BITMAPV5HEADER)."""
    with path.open("rb") as file:
        head = file.read(14 + 124)
        if len(head) < 138 or head[14:18] != struct.pack("<I", 124) or head[70:74] != b"DEBM":
            return {}
        at, size = struct.unpack_from("<II", head, 14 + 112)
        if not 128 < size <= MOST_METADATA:
            return {}
        file.seek(14 + at)
        return {"icc-profile-data": file.read(size)}
