"""Telling a picture's format from its first bytes, before libvips sees the file.

Only the loader of the format found is ever called: nothing outside `LOADERS` is shown to libvips,
whatever the file is named.
"""

from pathlib import Path

from photochrom.errors import UnreadablePhotoError, UnsupportedFormatError

HEADER_BYTES = 4096
LOADERS = {
    "jpeg": "jpegload",
    "png": "pngload",
    "tiff": "tiffload",
    "webp": "webpload",
    "gif": "gifload",
    "avif": "heifload",
    "heic": "heifload",
}
HANDLED = "Formats that are read: JPEG, PNG, TIFF, WebP, AVIF, HEIC, GIF."
RAW_SUFFIXES = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf"}
RAW_SUFFIXES |= {".rw2", ".sr2", ".srw"}
MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"II\xbc", "JPEG XR"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x08\xf2\xa6\xb6", "libvips"),
    (b"\xb6\xa6\xf2\x08", "libvips"),
)


def sniff(path: Path, name: str) -> str:
    """Tell a file's format from its first bytes.

    Parameters
    ----------
    path : Path
    name : str
        What the file is called in messages.

    Returns
    -------
    str
        A key of `LOADERS`.

    Raises
    ------
    UnreadablePhotoError
        If there is no such file, it may not be read, is a folder or empty, or is no picture.
    UnsupportedFormatError
        If it is a picture or document of a format that is not handled.
    """
    head = _read_head(path, name)
    found = _format_of(head)
    if found is None:
        raise UnreadablePhotoError(f"{name}: not a picture. {HANDLED}")
    if found == "tiff" and path.suffix.lower() in RAW_SUFFIXES:
        found = "camera raw"
    if found not in LOADERS:
        raise UnsupportedFormatError(
            f"{name}: {found} is not handled. {HANDLED} Convert it to one of them first."
        )
    return found


def _read_head(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except FileNotFoundError:
        raise UnreadablePhotoError(f"{name}: no such file.") from None
    except IsADirectoryError:
        raise UnreadablePhotoError(f"{name}: a folder, where a picture is needed.") from None
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
    return "camera raw" if brands[0][:3] == b"crx" else "MP4"
