"""Colour descriptions other than ICC profiles, which libvips does not read.

Sources: PNG specification, third edition, sections 11.3.2 and 12 (cICP goes before iCCP, that
before sRGB, that before gAMA and cHRM); ISO/IEC 14496-12, section 12.1.5 (`colr` of kind nclx);
TIFF 6.0, section 20 (TransferFunction, WhitePoint, PrimaryChromaticities);
EXIF 2.32, section 4.6.5 and DCF 2.0 (interoperability index R03: Adobe RGB).
"""

import struct
from pathlib import Path

import numpy as np

from photochrom.photo.cicp import (
    ADOBE,
    D65,
    Declared,
    Primaries,
    from_cicp,
    from_gamma,
    from_tables,
)
from photochrom.photo.metadata.carried import Fields
from photochrom.photo.metadata.isobmff import primary_properties
from photochrom.photo.metadata.png import chunks_before_pixels
from photochrom.photo.tiff import RATIONAL, SHORT, Directory, Entry, TiffError, TiffReader

PNG_COLOUR = {b"cICP": 4, b"iCCP": 0, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}  # bytes that are read
R03 = tuple(  # the whole entry of EXIF's interoperability directory, in both byte orders
    struct.pack(order + "HHI4s", 1, 2, 4, b"R03") for order in "<>"
)
ADOBE_GAMMA = 563 / 256
LEAST_GAMMA, MOST_GAMMA = 0.05, 20.0  # beyond, the chunk is damaged
SRGB_GAMA = struct.pack(">I", 45455)
SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)

BITS, PHOTOMETRIC, TRANSFER, WHITE_POINT, CHROMATICITIES, RANGE = 258, 262, 301, 318, 319, 342
TIFF_COLOUR = (BITS, PHOTOMETRIC, TRANSFER, WHITE_POINT, CHROMATICITIES, RANGE)
MOST_TIFF_COLOUR = 400_000  # bytes: three tables of 65,536 numbers, and some
WITH_TABLES = (1, 2, 6)  # gray whose zero is black, RGB, YCbCr: tables apply to the decoded codes
LEAST_LIGHT = 0.5  # between a table's first and last number; less means damaged
UNFIT = "The TIFF's TransferFunction does not fit its samples: it is not used."


def declared_colour(
    path: Path, kind: str, fields: Fields, *, gray: bool, directory: int | None = None
) -> Declared | None:
    """Read a file's colour description other than an ICC profile.

    Parameters
    ----------
    path : Path
    kind : str
        A key of `photochrom.photo.sniff.LOADERS`.
    fields : dict
        libvips' metadata of the page.
    gray : bool
        Whether the page is one band of tone.
    directory : int, optional
        Offset of the directory of a TIFF's page; the first by default.

    Returns
    -------
    Declared or None
        None if there is none.
    """
    if kind == "png":
        return _of_png(_png_chunks(path), gray=gray)
    if kind in ("avif", "heic"):
        for name, content in primary_properties(path):
            if name == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
                primaries, transfer = struct.unpack(">HH", content[4:8])
                return from_cicp(primaries, transfer, gray=gray, source="nclx")
    if kind == "tiff":
        said = _of_tiff(path, directory, gray=gray)
        if said is not None:
            return said
    if not gray and any(entry in bytes(fields.get("exif-data") or b"") for entry in R03):
        return from_gamma(ADOBE_GAMMA, ADOBE, gray=gray, source="EXIF's Adobe RGB")
    return None


def _png_chunks(path: Path) -> dict[bytes, bytes]:
    """Read the chunks before the pixels that describe colours."""
    found: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        for kind, _, size in chunks_before_pixels(file):
            if kind in PNG_COLOUR and kind not in found:
                found[kind] = file.read(min(size, PNG_COLOUR[kind]))
    return found


def _of_png(chunks: dict[bytes, bytes], *, gray: bool) -> Declared | None:
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4:
        declared = from_cicp(cicp[0], cicp[1], gray=gray, source="cICP", beats_icc=True)
        if declared is not None:
            return declared
    if b"sRGB" in chunks:
        return Declared("sRGB", None)
    gamma = int.from_bytes(chunks.get(b"gAMA", b"").ljust(4, b"\0"), "big") / 100000
    corners = chunks.get(b"cHRM", b"")
    primaries = None
    if len(corners) == 32 and not gray:
        x, y = (tuple(v / 100000 for v in struct.unpack(">8I", corners)[i::2]) for i in (0, 1))
        pairs = tuple(zip(x, y, strict=True))
        primaries = (*pairs[1:], pairs[0])  # the chunk begins with white
    if chunks.get(b"gAMA") == SRGB_GAMA and corners == SRGB_CHRM:
        return Declared("sRGB", None)  # what writers of sRGB add by the specification
    exponent = 1 / gamma if LEAST_GAMMA <= gamma <= MOST_GAMMA else None
    if exponent is None and primaries is None:
        return None
    names = [name.decode() for name in (b"gAMA", b"cHRM") if name in chunks]
    return from_gamma(exponent, primaries, gray=gray, source=" and ".join(names))


def _of_tiff(path: Path, directory: int | None, *, gray: bool) -> Declared | None:
    try:
        with path.open("rb") as file:
            reader = TiffReader(file)
            at = reader.first if directory is None else directory
            tags, _ = reader.directory(at, TIFF_COLOUR, MOST_TIFF_COLOUR)
    except TiffError:  # of the value of such a tag: the page has opened
        return Declared("", None, unused=UNFIT)
    tables = None
    if TRANSFER in tags:
        tables = _tables(tags, reader.order, gray=gray)
        if tables is None:
            return Declared("", None, unused=UNFIT)
    primaries = None if gray else _chromaticities(tags, reader.order)
    if tables is None and primaries is None:
        return None
    names = ["TransferFunction"] * (tables is not None)
    names += ["PrimaryChromaticities"] * (primaries is not None)
    return from_tables(tables, primaries, gray=gray, source=" and ".join(names))


def _tables(tags: Directory, order: str, *, gray: bool) -> np.ndarray | None:
    """Read TransferFunction as light in [0, 1], (1 or 3, 2 ** bits); None if it is unfit."""
    entry = tags[TRANSFER]
    (bits, *_), (photometric, *_) = (
        _shorts(tags.get(tag), order) or (default,)
        for tag, default in ((BITS, 1), (PHOTOMETRIC, 1))
    )
    if entry.kind != SHORT or photometric not in WITH_TABLES or RANGE in tags:
        return None
    numbers = np.frombuffer(entry.data, f"{order}u2")
    if not 2 <= bits <= 16 or numbers.size not in (1 << bits, 3 << bits):
        return None
    tables = numbers.reshape(-1, 1 << bits) / 65535
    if (tables == tables[0]).all():
        tables = tables[:1]
    rises = (np.diff(tables) >= 0).all() and (tables[:, -1] - tables[:, 0] > LEAST_LIGHT).all()
    return tables if rises and not (gray and len(tables) > 1) else None


def _chromaticities(tags: Directory, order: str) -> Primaries | None:
    """Read red, green, blue and white; D65 if there is no white."""
    corners = _rationals(tags.get(CHROMATICITIES), order)
    white = _rationals(tags.get(WHITE_POINT), order)
    if len(corners) != 6:
        return None
    # A white that is D65 up to rounding is D65 for the matrix, too.
    white = D65 if len(white) != 2 or np.abs(np.subtract(white, D65)).max() < 5e-4 else white
    return (*zip(corners[::2], corners[1::2], strict=True), (white[0], white[1]))


def _shorts(entry: Entry | None, order: str) -> tuple[int, ...]:
    if entry is None or entry.kind != SHORT:
        return ()
    return struct.unpack(f"{order}{len(entry.data) // 2}H", entry.data)


def _rationals(entry: Entry | None, order: str) -> tuple[float, ...]:
    """Read rational numbers; none if one has no denominator."""
    if entry is None or entry.kind != RATIONAL:
        return ()
    pairs = np.frombuffer(entry.data, f"{order}u4").reshape(-1, 2)
    return tuple((pairs[:, 0] / pairs[:, 1]).tolist()) if pairs[:, 1].all() else ()
