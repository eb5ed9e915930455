"""Limits on the memory and time to open a picture, estimated before anything is decoded.

A few bytes can require gigabytes: a WebP of one colour can have any size in 34 bytes, and an
interlaced PNG, a progressive JPEG or a TIFF of one tile must be decoded as a whole before its first
row is known. A decoder's memory is estimated from the header, with measured factors
(docs/security.md). A file too small for its picture is truncated; a large one that unpacks to
hundreds of times its size is a decompression bomb or empty, not a photograph.
"""

from dataclasses import dataclass

from photochrom.errors import PhotoTooLargeError, UnreadablePhotoError
from photochrom.photo.metadata.carried import Carried
from photochrom.photo.open_file import Header, check_megapixels
from photochrom.photo.source import FileSource
from photochrom.photo.tiff import MOST_PAGES

SAMPLE_BYTES = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "float": 4, "uint": 4, "int": 4}
SAMPLE_BYTES |= {"double": 8, "complex": 8, "dpcomplex": 16}
# Decoder memory as a multiple of a buffered frame's size.
HELD = {"png": 1.3, "jpeg": 3.0, "webp": 2.5, "avif": 3.0, "heic": 3.0, "gif": 2.5, "tiff": 2.0}
HELD |= {"raw": 3.0}  # LibRaw's own copies of 16 bits for three or four colours
COLOUR_BYTES = {"webp": 4, "gif": 4}  # bytes per pixel, regardless of the picture
# Above these, a file's size must be in proportion. Below, no picture takes five seconds.
LARGE_PIXELS, LARGE_BYTES = 48_000_000, 150_000_000
MOST_RATIO = 200  # decoded bytes to bytes of the file
FREE_PAGES, PAGE_BYTES = 300, 3000  # more pages than this need this many bytes each
FREE_METADATA = 16_000_000  # bytes of metadata of all pages, beyond the file's own
MOST_SIDE = 10_000_000  # libvips' own limit
FREE_SCANS = 10  # of a progressive JPEG, as encoders make them
MOST_SCANNED = 500_000_000  # pixels times scans beyond that: some seconds


@dataclass(frozen=True)
class Budget:
    """Limits for one file.

    Attributes
    ----------
    max_megapixels : float
        Of a page.
    max_megabytes : float
        That a decoder may hold at once.
    max_pages : int or None
        None allows 300, and more in files that have bytes for them.
    allows_cut : bool
        Whether a truncated file is allowed, since its readable part is used.
    """

    max_megapixels: float = 1000.0
    max_megabytes: float = 4000.0
    max_pages: int | None = None
    allows_cut: bool = False


class Spent:
    """The cost of the pages of a file, summed as their headers are read.

    Parameters
    ----------
    budget : Budget
    source : FileSource
    """

    def __init__(self, budget: Budget, source: FileSource) -> None:
        self._budget, self._source = budget, source
        self._pixels, self._bytes, self._metadata_bytes = 0, 0.0, 0
        self._file_bytes = source.path.stat().st_size

    def check_before(self, carried: Carried) -> None:
        """Raise if a file has too many pages or, for its size, too many pixels.

        Raises
        ------
        PhotoTooLargeError
        """
        name, pages = self._source.name, len(self._source.carriers.pages)
        most = self._budget.max_pages
        if most is None:
            most = min(MOST_PAGES - 1, max(FREE_PAGES, self._file_bytes // PAGE_BYTES))
        if pages > most:
            raise PhotoTooLargeError(
                f"{name}: at most {most} pages are allowed in {self._file_bytes} bytes; it has "
                f"{pages}. Split it, or raise max_pages (--max-pages) if you trust it."
            )
        width, height = carried.size or (1, 1)
        check_megapixels(width, height, self._budget.max_megapixels, name)
        if max(width, height) > MOST_SIDE:
            raise PhotoTooLargeError(
                f"{name}: a side has at most {MOST_SIDE} pixels; it has {width} x {height}. Cut it "
                "into parts."
            )

    def check(self, header: Header, carried: Carried) -> None:
        """Raise if a page costs too much, together with the previous pages.

        Raises
        ------
        UnreadablePhotoError
            If the file is too short to hold such a picture.
        PhotoTooLargeError
            If its decoder needs too much memory or time, or the file is a decompression bomb.
        """
        name, kind = self._source.name, self._source.kind
        pixels, size = header.width * header.height, f"{header.width} x {header.height}"
        is_short = carried.most_pixels is not None and pixels > carried.most_pixels
        if is_short and not self._budget.allows_cut:
            raise UnreadablePhotoError(
                f"{name}: truncated or corrupt (its {carried.shown.size} bytes are too few for "
                f"{size} pixels)."
            )
        megabytes = held_bytes(header, kind, carried) / 1e6
        if megabytes > self._budget.max_megabytes:
            error = PhotoTooLargeError(
                f"{name}: a decoder may use at most {self._budget.max_megabytes:g} MB; {size} "
                f"pixels of this {kind.upper()} need about {megabytes:.0f}, as they are decoded "
                "at once. Save it as a baseline JPEG, a PNG without interlacing or a TIFF with "
                "small strips, or raise max_megabytes (--max-megabytes) if you trust it."
            )
            error.megabytes = megabytes
            raise error
        if pixels * max(0, carried.scans - FREE_SCANS) > MOST_SCANNED:
            raise PhotoTooLargeError(
                f"{name}: a JPEG of {size} pixels has at most "
                f"{FREE_SCANS + MOST_SCANNED // pixels} scans; it has {carried.scans}. "
                "Save it with another program."
            )
        self._metadata_bytes += carried.metadata_bytes
        if self._metadata_bytes > self._file_bytes + FREE_METADATA:
            raise PhotoTooLargeError(
                f"{name}: its pages share metadata that would have more than "
                f"{(self._file_bytes + FREE_METADATA) / 1e6:.0f} MB if each had its own. "
                "Remove it, or split the file."
            )
        self._pixels += pixels
        bits = min(header.bit_depth, 8 * SAMPLE_BYTES.get(header.band_format, 4))
        self._bytes += pixels * bits * COLOUR_BYTES.get(kind, header.bands) / 8
        ratio = self._bytes / max(1, min(self._file_bytes, carried.shown.size))
        is_large = self._pixels > LARGE_PIXELS or self._bytes > LARGE_BYTES
        if is_large and ratio > MOST_RATIO:
            raise PhotoTooLargeError(
                f"{name}: a photograph unpacks to at most {MOST_RATIO} times its size; this one "
                f"of {self._pixels / 1e6:.0f} megapixels unpacks to {ratio:.0f} times, like a "
                "decompression bomb. If it is a photograph, save it as an uncompressed TIFF."
            )


def held_bytes(header: Header, kind: str, carried: Carried) -> float:
    """Return the approximate memory of a page's decoder, in bytes."""
    sample = SAMPLE_BYTES.get(header.band_format, 4)
    row = header.width * sample * COLOUR_BYTES.get(kind, header.bands)
    if carried.decoder_bytes is not None:
        return HELD["tiff"] * carried.decoder_bytes
    if header.streams:
        return row * min(header.height, 16)
    return HELD.get(kind, 3.0) * row * header.height
