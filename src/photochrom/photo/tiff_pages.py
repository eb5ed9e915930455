"""Classify the pages of a TIFF by their tags, before libvips opens it.

libvips and libtiff silently misread some pages: old-style JPEG in tiles becomes black, a scanner's
infrared channel becomes transparency, reduced copies of a picture become pages, signed samples
lose MinIsWhite. So the tags are checked first.

Source: TIFF 6.0 (Adobe, 1992), sections 8 and 15 to 23; TIFF Technical Note 1 (SubIFDs).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO

import pyvips

from photochrom.photo.metadata.carried import file_size
from photochrom.photo.tiff import TiffReader

TAGS = {
    254: "subfile",
    255: "old_subfile",
    256: "width",
    258: "bits",
    259: "compression",
    262: "photometric",
    277: "samples",
    284: "planar",
    322: "tile_width",
    330: "sub_directories",
    338: "extra",
    339: "sample_format",
    50706: "dng",
}
MOST_VALUES = 64  # of one tag that are looked at
OFFSETS, COUNTS = (273, 324), (279, 325)  # of strips and of tiles
MOST_PLACES = 1 << 16
MOST_PAGES = 1 << 16
REDUCED, MASK = 1, 4  # bits of NewSubfileType
OLD_REDUCED = 2  # a value of SubfileType
WHITE_IS_ZERO, CMYK, YCBCR = 0, 5, 6
OLD_JPEG = 6
MOSAIC = 32803
COMPRESSIONS = {
    OLD_JPEG: "old-style JPEG",
    9: "JBIG (T.85)",
    10: "JBIG (T.43)",
    32766: "NeXT",
    32809: "ThunderScan",
    32908: "PixarFilm",
    32909: "PixarLog",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI Log",
    34677: "SGI Log",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of DNG",
    34925: "LZMA",
    34926: "Zstandard",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
SPACES = {
    4: "a transparency mask",
    9: "ICC Lab",
    10: "ITU Lab",
    MOSAIC: "a sensor's raw mosaic",
    34892: "a sensor's linear raw numbers",
}
ONLY_BITS = (1, 2, 4, 8, 16, 32, 64)
BANDS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}  # of a photometric interpretation


@dataclass(frozen=True)
class TiffPage:
    """The tags of a page that say how its samples are stored.

    Attributes
    ----------
    index : int
        Its index in the chain of directories, from 0, which libvips calls the page.
    bits, extra, sample_format : tuple of int
        One value per sample; `extra` one for each beyond colour: 0 unspecified, 1 and 2 alpha.
    others :
        The tags of the same names.
    """

    index: int
    subfile: int = 0
    old_subfile: int = 0
    width: int = 0
    bits: tuple[int, ...] = (1,)
    compression: int = 1
    photometric: int = 1
    samples: int = 1
    planar: int = 1
    tile_width: int = 0
    sub_directories: int = 0
    dng: int = 0
    extra: tuple[int, ...] = ()
    sample_format: tuple[int, ...] = (1,)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a smaller copy of another page."""
        return bool(self.subfile & REDUCED) or self.old_subfile == OLD_REDUCED

    @property
    def is_sensor(self) -> bool:
        """Whether it is camera raw: a mosaic, or a DNG."""
        return self.dng > 0 or self.photometric == MOSAIC

    @property
    def is_mask(self) -> bool:
        """Whether it is the transparency mask of another page."""
        return bool(self.subfile & MASK)

    @property
    def kept_bands(self) -> tuple[int, ...] | None:
        """The bands with tone, colour or alpha, if there are others too; else None."""
        colours = BANDS.get(self.photometric)
        if colours is None or not self.extra or len(self.extra) != self.samples - colours:
            return None
        alpha = [colours + i for i, kind in enumerate(self.extra) if kind in (1, 2)][:1]
        kept = (*range(colours), *alpha)
        return kept if len(kept) < self.samples else None

    @property
    def is_opaque_colour(self) -> bool:
        """Whether it is YCbCr without alpha, to which libtiff adds one in conversion."""
        return self.photometric == YCBCR and self.samples == 3

    @property
    def is_inverted(self) -> bool:
        """Whether zero is white."""
        return self.photometric == WHITE_IS_ZERO


def read_pages(path: Path) -> tuple[TiffPage, ...]:
    """List the pages of a TIFF, in the order of the file.

    Returns
    -------
    tuple of TiffPage
        Those before any damage, which libvips reports.
    """
    pages: list[TiffPage] = []
    try:
        with path.open("rb") as file:
            pages.extend(_pages(file))
    except (OSError, ValueError):
        pass  # the pages before the damage are kept
    return tuple(pages)


def _pages(file: BinaryIO) -> Iterator[TiffPage]:
    reader = TiffReader(file)
    for index, (_, slots, pointer_at) in enumerate(islice(reader.chain(), MOST_PAGES)):
        if pointer_at > file_size(file):
            return
        found = {
            name: reader.numbers(slots[tag], MOST_VALUES)
            for tag, name in TAGS.items()
            if tag in slots
        }
        plural = ("bits", "extra", "sample_format")
        single = {name: n[0] for name, n in found.items() if n and name not in plural}
        if "sub_directories" in found:
            single["sub_directories"] = len(found["sub_directories"])
        several = {name: found[name] for name in plural if found.get(name)}
        yield TiffPage(index, **single, **several)  # type: ignore[arg-type]


def is_whole(file: BinaryIO) -> bool:
    """Return whether the first directory and the last of its strips or tiles lie inside."""
    reader, size = TiffReader(file), file_size(file)
    if reader.first >= size:
        return False
    slots, _ = reader.table(reader.first)
    ends = [0]
    for pair in zip(OFFSETS, COUNTS, strict=True):
        if all(tag in slots for tag in pair):
            offsets, counts = (reader.numbers(slots[tag], MOST_PLACES) for tag in pair)
            ends += [at + size for at, size in zip(offsets, counts, strict=False)]
    return max(ends) <= size


def pictures(pages: tuple[TiffPage, ...]) -> tuple[TiffPage, ...]:
    """Return the pages that are pictures: neither reduced copies nor masks; all if none is."""
    return tuple(page for page in pages if not (page.is_reduced or page.is_mask)) or pages


def pyramid_of(pages: Sequence[TiffPage]) -> str | None:
    """Return how a TIFF of one tiled picture holds its reduced copies.

    Returns
    -------
    str or None
        'pages' (each half of the one before, after it), 'subifds', or None for anything else.
    """
    if not pages or pages[0].is_reduced or not pages[0].tile_width:
        return None
    if len(pages) == 1:
        return "subifds" if pages[0].sub_directories else None
    halves = all(
        after.is_reduced and 1.5 <= before.width / max(1, after.width) <= 2.5
        for before, after in pairwise(pages)
    )
    return "pages" if halves else None


def refusal(page: TiffPage) -> str | None:
    """Return the unsupported feature of a page, so that the file is not reported as damaged.

    Returns
    -------
    str or None
        Such as 'TIFF with 12 bits a sample'; None for what is read.
    """
    space = SPACES.get(page.photometric)
    if page.photometric == CMYK and page.samples < 4:
        space = "inks that are not CMYK"
    if space is not None:
        return f"a TIFF that holds {space}"
    if len(set(page.bits)) > 1 or page.bits[0] not in ONLY_BITS:
        bits = ", ".join(map(str, dict.fromkeys(page.bits)))
        return f"a TIFF with {bits} bits per sample"
    if page.bits[0] == 16 and page.sample_format[0] == 3:
        return "a TIFF with 16-bit floats"
    if page.sample_format[0] in (5, 6):
        return "a TIFF of complex numbers"
    if page.tile_width and page.planar == 2 and page.samples > 1:
        return "a TIFF with separate planes in tiles"
    if page.compression == OLD_JPEG or not _is_decoded(page.compression):
        name = COMPRESSIONS.get(page.compression)
        named = f"{name} compression" if name else f"compression of kind {page.compression}"
        return f"a TIFF with {named}"
    return None


@cache
def _is_decoded(compression: int) -> bool:
    """Read one pixel with libvips; only that shows the features of its libtiff."""
    tags = {256: 1, 257: 1, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: 1, 279: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = struct.pack("<2sHI8x", b"II", 42, 16) + struct.pack("<H", len(tags)) + entries
    try:
        pyvips.Image.tiffload_buffer(data + bytes(4), fail_on="error").avg()
    except pyvips.Error as error:
        return not any(words in str(error) for words in ("not configured", "not implemented"))
    return True
