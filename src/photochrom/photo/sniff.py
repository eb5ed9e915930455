"""Detect a picture's format from its first bytes, before libvips opens the file.

Only the loader of the detected format is called: nothing outside `LOADERS` is passed to libvips,
whatever the file's name.
"""

from pathlib import Path, PurePath

import pyvips

from photochrom.errors import UnreadablePhotoError, UnsupportedFormatError
from photochrom.photo.tiff_pages import read_pages

HEADER_BYTES = 4096
LOADERS = {
    "jpeg": "jpegload",
    "png": "pngload",
    "tiff": "tiffload",
    "webp": "webpload",
    "gif": "gifload",
    "avif": "heifload",
}
FOREIGN = ("heic", "jp2", "bmp", "raw")  # other libraries decode these, or a preview is taken
OPTIONAL = {"jxl": "jxlload"}  # if libvips was built with it, unlike its binary wheel
LOADERS |= {
    kind: loader for kind, loader in OPTIONAL.items() if pyvips.type_find("VipsForeignLoad", loader)
}
NAMES = {"jp2": "JPEG 2000", "bmp": "BMP", "jxl": "JPEG XL", "raw": "camera raw"}
HANDLED = (
    "Supported formats: JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG 2000, BMP, GIF and camera raw."
)
RAW_SUFFIXES = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf"}
RAW_SUFFIXES |= {".rw2", ".sr2", ".srw", ".rwl", ".x3f", ".3fr", ".iiq", ".dcr", ".kdc", ".mrw"}
RAW_SUFFIXES |= {".erf"}
BMP_HEADS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes of what follows its file header
MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"IIRO", "raw"),
    (b"IIRS", "raw"),
    (b"MMOR", "raw"),
    (b"IIU\0", "raw"),
    (b"FUJIFILMCCD-RAW", "raw"),
    (b"FOVb", "raw"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"\0\0\0\x0cJXL ", "jxl"),
    (b"\xff\x0a", "jxl"),
    (b"II\xbc", "JPEG XR"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x08\xf2\xa6\xb6", "libvips"),
    (b"\xb6\xa6\xf2\x08", "libvips"),
)


def sniff(path: Path, name: str) -> str:
    """Return a file's format, detected from its first bytes.

    Parameters
    ----------
    path : Path
    name : str
        Name in messages.

    Returns
    -------
    str
        A key of `LOADERS`.

    Raises
    ------
    UnreadablePhotoError
        If the file is missing, unreadable, a folder, empty, or not a picture.
    UnsupportedFormatError
        If it is a picture or document of a format that is not handled.
    """
    head = _read_head(path, name)
    found = _format_of(head)
    if found is None:
        raise UnreadablePhotoError(f"{name}: not a picture. {HANDLED}")
    if found == "tiff" and (
        any(PurePath(text).suffix.lower() in RAW_SUFFIXES for text in (path, name))
        or head[8:10] == b"CR"  # Canon's signature
        or any(page.is_sensor for page in read_pages(path))
    ):
        found = "raw"
    if found == "MP4":
        raise UnsupportedFormatError(
            f"{name}: a film, not a picture. As a file whose name ends in .mp4 or .mov, it can be "
            "coloured."
        )
    if found not in LOADERS and found not in FOREIGN:
        raise UnsupportedFormatError(
            f"{name}: {NAMES.get(found, found)} is not supported. {HANDLED} Convert it to one of "
            "them first."
        )
    return found


def still_kind(path: Path) -> tuple[str, str] | None:
    """Return what a file is that is named like a film but is a picture or document.

    Returns
    -------
    (kind, suffix) or None
        Its kind as people call it; the suffix of a photograph, '' if it is none. None for whatever
        may be a film, such as an animated GIF, PNG or AVIF.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except (OSError, ValueError):
        return None
    found = _format_of(head)
    is_moving = b"acTL" in head or head[8:12] == b"avis" or found == "gif"
    if found is None or found == "MP4" or is_moving:
        return None
    if found == "raw":
        return NAMES["raw"], ""
    kind = NAMES.get(found, "WebP" if found == "webp" else found.upper())
    suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(found, f".{found}")
    return (kind, suffix) if found in LOADERS or found in FOREIGN else (found, "")


def _read_head(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except FileNotFoundError:
        raise UnreadablePhotoError(f"{name}: no such file.") from None
    except IsADirectoryError:
        raise UnreadablePhotoError(f"{name}: is a folder; a picture is needed.") from None
    except PermissionError:
        raise UnreadablePhotoError(f"{name}: no permission to read it.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadablePhotoError(f"{name}: cannot be read ({reason}).") from error
    if not head:
        raise UnreadablePhotoError(f"{name}: the file is empty (0 bytes).")
    return head


def _format_of(head: bytes) -> str | None:
    for magic, name in MAGIC:
        if head.startswith(magic):
            return name
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADS:
        return "bmp"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _format_of_heif(head)
    if b"<svg" in head:
        return "SVG"
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return "PNM"
    return None


def _format_of_heif(head: bytes) -> str:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, end, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "avif"
    if any(brand in (b"mif1", b"msf1") or brand[:3] in (b"hei", b"hev") for brand in brands):
        return "heic"
    return "raw" if brands[0][:3] == b"crx" else "MP4"
