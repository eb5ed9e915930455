"""Open picture files: headers, limits, and libvips' errors."""

import contextlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

import pyvips

from photochrom.errors import (
    PhotoError,
    PhotoTooLargeError,
    UnreadablePhotoError,
    UnsupportedFormatError,
)
from photochrom.photo.byte_stream import check_libvips, forget_errors
from photochrom.photo.metadata.carried import Carried, Fields
from photochrom.photo.metadata.carriers import Carriers
from photochrom.photo.metadata.exif import read_basics
from photochrom.photo.metadata.jpeg import segments
from photochrom.photo.orientation import upright_size
from photochrom.photo.sniff import LOADERS
from photochrom.photo.tiff import EXIF_HEAD
from photochrom.photo.unsupported import CONVERT, is_cut_short, is_memory, kind_of

logging.getLogger("pyvips").addHandler(logging.NullHandler())  # a library never prints

check_libvips()


@dataclass(frozen=True)
class Header:
    """The header of one page, known before anything is decoded.

    Attributes
    ----------
    width, height : int
        As stored.
    bands : int
        Of the decoded picture, alpha included.
    band_format : str
        libvips' number format: 'uchar', 'ushort', 'float' and so on.
    interpretation : str
        libvips' colour space: 'b-w', 'srgb', 'cmyk' and so on.
    has_alpha : bool
    orientation : int
        1 to 8.
    bit_depth : int
        Of one sample in the file: 1, 2, 4, 8, 10, 12, 16, 32 or 64.
    streams : bool
        Whether the decoder streams rows instead of buffering the whole frame.
    frames : int
        How many pages or frames the file holds.
    fields : dict
        libvips' metadata by name.
    """

    width: int
    height: int
    bands: int
    band_format: str
    interpretation: str
    has_alpha: bool
    orientation: int
    bit_depth: int
    streams: bool
    frames: int
    fields: Fields = field(repr=False)

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after turning upright."""
        return upright_size(self.width, self.height, self.orientation)


class LoaderOptions(TypedDict, total=False):
    """Options of libvips' loaders.

    Attributes
    ----------
    shrink : int
        Factor by which a JPEG is reduced as it is decoded: 1, 2, 4 or 8.
    scale : float
        Factor by which the sides of a WebP are scaled as it is decoded.
    fail_on : str
        The least damage that is an error: 'none', 'truncated', 'error' or 'warning'.
    """

    shrink: int
    scale: float
    fail_on: str


def load(
    path: Path,
    kind: str,
    name: str,
    page: int = 0,
    *,
    carriers: Carriers | None = None,
    pixels: bool = True,
    **options: Unpack[LoaderOptions],
) -> pyvips.Image:
    """Open one page as a stream that can be read once, top to bottom.

    Parameters
    ----------
    path : Path
    kind : str
        A key of `LOADERS`.
    name : str
        Name in messages.
    page : int
        Of a TIFF, in its chain of directories; elsewhere 0.
    carriers : Carriers, optional
        Of the file, to avoid reading them again: libvips is given only the pixels.
    pixels : bool
        Whether pixels will be read, not only the header.
    **options
        Of the loader; see `LoaderOptions`.

    Raises
    ------
    UnreadablePhotoError
        If the header is damaged, or this build of libvips lacks the decoder.
    """
    loader = getattr(pyvips.Image, f"{LOADERS[kind]}_source")
    carriers = carriers or Carriers(path, kind)
    forget_errors()
    try:
        at_once = True if kind in WHOLE else None
        if len(carriers.pages) > 1 or (not pixels and kind not in WHOLE):
            at_once = False  # read at the page's offset, not the whole file for each
        source = carriers.shown(page).source(path, at_once=at_once)
    except OSError as error:
        raise UnreadablePhotoError(f"{name}: cannot be read ({error.strerror}).") from error
    try:
        image = loader(source, **{"access": "sequential", "fail_on": "error"} | options)
        image._references.append(source)  # objects that the binding keeps alive with the picture
        return _with_profile(image, carriers.of(page).profile) if pixels else image
    except pyvips.Error as error:
        raise unreadable(name, error, kind, path) from error


def _with_profile(image: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    """Attach the file's profile, which the decoder was not given, to a picture."""
    if profile is None:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def unreadable(
    name: str, error: pyvips.Error, kind: str = "", path: Path | None = None
) -> PhotoError:
    """Return a one-line error for what libvips reported about a file."""
    reason = first_line(error)
    if is_memory(reason):
        return UnreadablePhotoError(
            f"{name}: not enough memory to read it ({reason}). The file may be intact: "
            "close other programs, colour fewer at once (--jobs 1), or make it smaller first."
        )
    unread = kind_of(reason)
    if unread is not None:
        return UnsupportedFormatError(
            f"{name}: {unread}; libvips does not read such samples ({reason}). {CONVERT}."
        )
    if is_cut_short(path, kind):
        return UnreadablePhotoError(
            f"{name}: truncated or corrupt ({reason}). This file is cut short: copy it again."
        )
    return UnreadablePhotoError(f"{name}: truncated or corrupt ({reason}).")


def first_line(error: pyvips.Error) -> str:
    """Return the first line of libvips' error, without the binding's 'unable to call'."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    details = [line for line in lines if not line.startswith("unable to ")]
    details = details or ["the decoder gives no reason"]
    return "".join(c if c.isprintable() else "?" for c in details[0])


def _take_error(error: pyvips.Error, message: str, detail: str | None = None) -> None:
    """Return libvips' error buffer, whatever bytes of a file it contains.

    The binding decodes it as strict UTF-8: a damaged AVIF then raises UnicodeDecodeError, and
    the buffer is not cleared, so that every later error does so too.
    """
    if not detail:
        noted = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer())
        detail = noted.decode("utf-8", "replace")
        pyvips.vips_lib.vips_error_clear()
    error.message, error.detail = message, detail


pyvips.Error.__init__ = _take_error  # type: ignore[assignment, method-assign]
# Their decoders read the whole file at once, and trust its announced size.
WHOLE = ("webp", "gif", "avif", "heic")
QUANTISATION, STANDARD_LUMINANCE_SUM = 0xDB, 3688  # of JPEG
METADATA = ("exif-data", "xmp-data", "iptc-data", "icc-profile-data", "photoshop-data")


def read_header(
    image: pyvips.Image, kind: str, carried: Carried | None = None, profile: bytes | None = None
) -> Header:
    """Describe an opened page.

    Parameters
    ----------
    image : pyvips.Image
    kind : str
    carried : Carried, optional
        Takes precedence over libvips' values.
    profile : bytes, optional
        That of `carried`.
    """
    fields: Fields = {name: _value(image, name) for name in image.get_fields()[8:]}
    if carried is not None:
        fields = _with_carried(fields, kind, carried, profile)
    turn = fields.get("orientation", 1)  # HEIF decoders have turned the picture already
    default_depth = {"uchar": 8, "ushort": 16, "double": 64}.get(image.format, 32)
    return Header(
        width=image.width,
        height=image.height,
        bands=image.bands,
        band_format=image.format,
        interpretation=image.interpretation,
        has_alpha=bool(image.hasalpha()),
        orientation=int(turn) if kind not in ("avif", "heic") and turn in range(1, 9) else 1,
        bit_depth=int(fields.get("bits-per-sample", default_depth)),
        streams=kind in ("jpeg", "png", "tiff", "raw") and not fields.get("interlaced"),
        frames=int(fields.get("n-pages", 1)),
        fields=fields,
    )


def _value(image: pyvips.Image, name: str) -> object:
    """Return a field; None for a text that is not UTF-8, which the binding cannot decode."""
    try:
        return image.get(name)
    except UnicodeDecodeError:
        return None


def _with_carried(fields: Fields, kind: str, carried: Carried, profile: bytes | None) -> Fields:
    """Replace libvips' metadata by the file's own bytes."""
    basics = read_basics(carried.exif)
    if kind in ("avif", "heic"):
        profile = fields.get("icc-profile-data")
    said = carried.resolution or basics.resolution
    if kind == "jpeg":  # JFIF has whole numbers, which are often wrong
        said = basics.resolution or carried.resolution
    found: Fields = {
        "exif-data": None if kind == "tiff" or not carried.exif else EXIF_HEAD + carried.exif,
        "icc-profile-data": profile,
        "orientation": None if kind == "tiff" else carried.orientation or basics.orientation,
        "n-pages": carried.frames,
        "resolution": said,
    }
    kept = {
        name: value for name, value in fields.items() if not (carried.known and name in METADATA)
    }
    return kept | {name: value for name, value in found.items() if value is not None}


def check_size(header: Header, max_megapixels: float, name: str) -> None:
    """Raise if a page is too large, before decoding it.

    Raises
    ------
    PhotoTooLargeError
        If it has more megapixels than allowed.
    """
    check_megapixels(header.width, header.height, max_megapixels, name)


def check_megapixels(width: int, height: int, max_megapixels: float, name: str) -> None:
    """Raise if a size is too large; see `check_size`."""
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise PhotoTooLargeError(
            f"{name}: at most {max_megapixels:g} megapixels are allowed; it has {megapixels:.0f} "
            f"({width} x {height}). Raise max_megapixels (--max-megapixels) if you "
            f"trust it."
        )


def jpeg_quality(path: Path) -> int | None:
    """Estimate a JPEG's quality from its luminance table (Annex K.1 of ITU-T T.81).

    Returns
    -------
    int or None
        1 to 100 on libjpeg's scale, or None if there is no such table.
    """
    with contextlib.suppress(OSError), path.open("rb") as file:
        for marker, _, size in segments(file):
            table = file.read(65) if marker == QUANTISATION and size >= 65 else b""
            if len(table) == 65 and table[0] == 0:  # 8 bits each, of luminance
                scale = 100 * sum(table[1:]) / STANDARD_LUMINANCE_SUM
                return max(1, min(100, round(5000 / scale if scale > 100 else (200 - scale) / 2)))
    return None
