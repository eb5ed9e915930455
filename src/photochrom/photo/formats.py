"""The formats that can be written: what they can hold, and libvips' options."""

import os
from dataclasses import dataclass
from pathlib import Path

from photochrom.errors import UnsupportedFormatError
from photochrom.photo.photo import Photo
from photochrom.photo.sniff import RAW_SUFFIXES
from photochrom.photo.tiff import TiffError, read_number


@dataclass(frozen=True)
class Format:
    """A format that can be written.

    Attributes
    ----------
    saver : str
        libvips' name.
    max_bits : int
        Of a sample: 8, 12, 16 or 32 (float).
    max_side : int
        Pixels.
    suffixes : tuple of str
        The first is used for new files.
    holds_alpha : bool
    """

    saver: str
    max_bits: int
    max_side: int
    suffixes: tuple[str, ...]
    holds_alpha: bool = True


Options = dict[str, str | int]  # of a saver

FORMATS = {
    "jpeg": Format("jpegsave", 8, 65535, (".jpg", ".jpeg", ".jpe", ".jfif"), holds_alpha=False),
    "png": Format("pngsave", 16, 2**31 - 1, (".png",)),
    "tiff": Format("tiffsave", 32, 2**31 - 1, (".tif", ".tiff")),
    "webp": Format("webpsave", 8, 16383, (".webp",)),
    "avif": Format("heifsave", 12, 16384, (".avif",)),
}
INSTEAD = {  # target format for formats that can only be read
    "gif": "png",
    "heic": "jpeg",
    "jp2": "tiff",
    "jxl": "png",
    "bmp": "png",
    "raw": "jpeg",
    "array": "png",
}
FOREIGN_SUFFIXES = {".gif": "gif", ".bmp": "bmp", ".dib": "bmp"} | {
    suffix: kind
    for kind, suffixes in {
        "heic": (".heic", ".heif", ".hif"),
        "jp2": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        "jxl": (".jxl",),
        "raw": tuple(sorted(RAW_SUFFIXES)),
    }.items()
    for suffix in suffixes
}
JPEG_QUALITY = WEBP_QUALITY = 90
AVIF_QUALITY = 80
PNG_COMPRESSION = 4
COMPRESSIONS = {  # TIFF tag 259
    1: "none",
    5: "lzw",
    7: "jpeg",
    8: "deflate",
    32773: "packbits",
    32946: "deflate",
    50000: "zstd",
}
COMPRESSION_TAG, TILE_WIDTH_TAG, TILE_HEIGHT_TAG = 259, 322, 323
BIG_TIFF_BYTES = 3_500_000_000
RIFF_HEADER_BYTES = 12


def default_format(photo: Photo) -> str:
    """Return the default format for writing a picture: its own."""
    return INSTEAD.get(photo.format, photo.format)


def choose_format(photo: Photo, target: Path | None, asked: str | None) -> str:
    """Return the format to write: as requested, else by the name, else the source's.

    Raises
    ------
    UnsupportedFormatError
        If it is not one of `FORMATS`.
    """
    if asked is not None:
        wanted = {"jpg": "jpeg", "tif": "tiff"}.get(asked.lower(), asked.lower())
    elif target is not None and target.suffix:
        suffix = target.suffix.lower()
        wanted = next((name for name, f in FORMATS.items() if suffix in f.suffixes), suffix)
        if wanted == suffix and photo.path and photo.path.suffix.lower() == suffix:
            wanted = default_format(photo)  # the source has the same suffix, whatever it means
    else:
        wanted = default_format(photo)
    if wanted not in FORMATS:
        suffixes = ", ".join(f.suffixes[0] for f in FORMATS.values())
        raise UnsupportedFormatError(
            f"{target or photo.name}: pictures can be written as {', '.join(FORMATS)}; {wanted!r} "
            f"is not one of them. Use a name that ends in {suffixes}, or name a format (--format)."
        )
    return wanted


def output_bits(photo: Photo, page: int, target_format: str) -> int:
    """Return the bits per sample of a written page: 8, 10, 12, 16, or 32 for floats."""
    header, most = photo.headers[page], FORMATS[target_format].max_bits
    bits = 8
    if header.band_format in ("float", "double"):
        bits = 32
    elif header.band_format != "uchar":
        bits = header.bit_depth if header.bit_depth in (10, 12) else 16
    if bits > most:
        return most
    return 16 if bits in (10, 12) and target_format != "avif" else bits


def save_options(
    photo: Photo, page: int, target_format: str, bits: int, quality: int | None
) -> Options:
    """Return the saver's options for a page, taken from the source if it has the same format."""
    if target_format == "jpeg":
        chosen = quality or max(JPEG_QUALITY, photo.jpeg_quality or 0)
        return {"Q": chosen, "subsample_mode": "off"}
    if target_format == "webp":
        lossless = quality is None and _is_lossless_webp(photo)
        return {"lossless": True} if lossless else {"Q": quality or WEBP_QUALITY}
    if target_format == "avif":
        return {
            "compression": "av1",
            "Q": quality or AVIF_QUALITY,
            "subsample_mode": "off",
            "bitdepth": bits,
        }
    if target_format == "png":
        return {"compression": PNG_COMPRESSION}
    return _tiff_options(photo, page, bits, quality)


def _is_lossless_webp(photo: Photo) -> bool:
    if photo.format != "webp" or photo.path is None:
        return False
    with photo.path.open("rb") as file:
        file.seek(RIFF_HEADER_BYTES)
        while len(head := file.read(8)) == 8 and head[:4] not in (b"VP8 ", b"ANMF"):
            if head[:4] == b"VP8L":
                return True
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, os.SEEK_CUR)
    return False


def _tiff_options(photo: Photo, page: int, bits: int, quality: int | None) -> Options:
    compression = COMPRESSIONS.get(_tag(photo, COMPRESSION_TAG, page) or 0, "deflate")
    if compression == "jpeg" and bits != 8:
        compression = "deflate"
    options: Options = {"compression": compression}
    if compression in ("deflate", "lzw", "zstd"):
        options["predictor"] = "float" if bits == 32 else "horizontal"
    if compression == "jpeg":
        options["Q"] = quality or JPEG_QUALITY
    wide, high = (_tag(photo, tag, page) for tag in (TILE_WIDTH_TAG, TILE_HEIGHT_TAG))
    if wide and high:
        options |= {"tile": True, "tile_width": wide, "tile_height": high}
    if photo.pyramid and wide:
        options |= {"pyramid": True, "subifd": photo.pyramid == "subifds"}
    samples = sum(header.width * header.height for header in photo.headers) * 4
    if samples * bits // 8 > BIG_TIFF_BYTES:
        options["bigtiff"] = True
    return options


def _tag(photo: Photo, tag: int, page: int) -> int | None:
    """Return a number from a TIFF's page; None for other formats or a damaged directory."""
    if photo.format != "tiff" or photo.path is None:
        return None
    try:
        return read_number(photo.path, tag, photo.directory_at(page))
    except TiffError:
        return None
