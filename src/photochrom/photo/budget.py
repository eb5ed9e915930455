"""What opening a picture may cost in memory and time, reckoned before anything is decoded.

A few bytes can ask for gigabytes: a WebP of one colour has any size in 34 bytes, and an interlaced
PNG, a progressive JPEG or a TIFF of one tile must be held as a whole before its first row is
known. The bytes that a decoder holds are reckoned from the header, with factors that were measured
(docs/security.md); what no file of such a size can hold is truncated; and what unpacks to hundreds
of times its bytes in great sizes is a bomb or empty, and no photograph.
"""

from dataclasses import dataclass

from photochrom.errors import PhotoTooLargeError, UnreadablePhotoError
from photochrom.photo.metadata.carried import Carried
from photochrom.photo.open_file import Header, check_megapixels
from photochrom.photo.source import FileSource
from photochrom.photo.tiff import MOST_PAGES

SAMPLE_BYTES = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "float": 4, "uint": 4, "int": 4}
SAMPLE_BYTES |= {"double": 8, "complex": 8, "dpcomplex": 16}
# Of the decoded frame's own bytes: what the decoder holds of a frame that it buffers.
HELD = {"png": 1.3, "jpeg": 3.0, "webp": 2.5, "avif": 3.0, "heic": 3.0, "gif": 2.5, "tiff": 2.0}
COLOUR_BYTES = {"webp": 4, "gif": 4}  # a pixel, whatever the picture has
# Beyond these a file must have bytes in proportion. Below, no picture takes five seconds of work.
LARGE_PIXELS, LARGE_BYTES = 48_000_000, 150_000_000
MOST_RATIO = 200  # decoded bytes to bytes of the file
FREE_PAGES, PAGE_BYTES = 300, 3000  # more pages than that need so many bytes each
FREE_WORDS = 16_000_000  # bytes of metadata of all pages, beyond the file's own
MOST_SIDE = 10_000_000  # libvips' own bound
FREE_SCANS = 10  # of a progressive JPEG, as encoders make them
MOST_SCANNED = 500_000_000  # pixels times scans beyond that: some seconds


@dataclass(frozen=True)
class Budget:
    """Bounds of one file.

    Attributes
    ----------
    max_megapixels : float
        Of a page.
    max_megabytes : float
        That a decoder may hold at once.
    max_pages : int or None
        None allows 300, and more in files that have bytes for them.
    allows_cut : bool
        Whether a file may be too short for its pixels, since what there is of it is wanted.
    """

    max_megapixels: float = 1000.0
    max_megabytes: float = 4000.0
    max_pages: int | None = None
    allows_cut: bool = False


class Spent:
    """What the pages of one file cost, counted as their headers are read.

    Parameters
    ----------
    budget : Budget
    source : FileSource
    """

    def __init__(self, budget: Budget, source: FileSource) -> None:
        self._budget, self._source = budget, source
        self._pixels, self._bytes, self._words = 0, 0.0, 0
        self._file_bytes = source.path.stat().st_size

    def check_before(self, carried: Carried) -> None:
        """Refuse what has too many pages or, by its own bytes, too many pixels.

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
        """Refuse a page that costs more than it may, with the pages before it.

        Raises
        ------
        UnreadablePhotoError
            If the file is too short to hold such a picture.
        PhotoTooLargeError
            If its decoder would hold too much or work too long, or the file unpacks to what is no
            photograph.
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
            raise PhotoTooLargeError(
                f"{name}: a decoder may hold at most {self._budget.max_megabytes:g} MB; {size} "
                f"pixels of this {kind.upper()} need about {megabytes:.0f}, for they are decoded "
                "as a whole. Save it as a baseline JPEG, a PNG without interlacing or a TIFF of "
                "small strips, or raise max_megabytes (--max-megabytes) if you trust it."
            )
        if pixels * max(0, carried.scans - FREE_SCANS) > MOST_SCANNED:
            raise PhotoTooLargeError(
                f"{name}: a JPEG of {size} pixels has at most "
                f"{FREE_SCANS + MOST_SCANNED // pixels} scans; it has {carried.scans}. "
                "Save it with another program."
            )
        self._words += carried.words
        if self._words > self._file_bytes + FREE_WORDS:
            raise PhotoTooLargeError(
                f"{name}: its pages share metadata that would have more than "
                f"{(self._file_bytes + FREE_WORDS) / 1e6:.0f} MB if each had its own. "
                "Remove it, or split the file."
            )
        self._pixels += pixels
        self._bytes += pixels * _pixel_bits(header, kind) / 8
        ratio = self._bytes / max(1, min(self._file_bytes, carried.shown.size))
        is_large = self._pixels > LARGE_PIXELS or self._bytes > LARGE_BYTES
        if is_large and ratio > MOST_RATIO:
            raise PhotoTooLargeError(
                f"{name}: a photograph unpacks to at most {MOST_RATIO} times its bytes; this one "
                f"of {self._pixels / 1e6:.0f} megapixels to {ratio:.0f} times, as bombs and empty "
                "pictures do. Save it as a TIFF without compression if it is one."
            )


def _pixel_bits(header: Header, kind: str) -> int:
    """Return the bits of a pixel, as the file's own depth counts them."""
    sample = min(header.bit_depth, 8 * SAMPLE_BYTES.get(header.band_format, 4))
    return sample * COLOUR_BYTES.get(kind, header.bands)


def held_bytes(header: Header, kind: str, carried: Carried) -> float:
    """Return about how many bytes a decoder holds of a page at once."""
    sample = SAMPLE_BYTES.get(header.band_format, 4)
    row = header.width * sample * COLOUR_BYTES.get(kind, header.bands)
    if carried.decoder_bytes is not None:
        return HELD["tiff"] * carried.decoder_bytes
    if header.streams:
        return row * min(header.height, 16)
    return HELD.get(kind, 3.0) * row * header.height
