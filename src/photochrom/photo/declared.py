"""What a file says of its colours without an ICC profile; libvips does not look there.

Sources: PNG specification, third edition, sections 11.3.2 and 12 (cICP goes before iCCP, that
before sRGB, that before gAMA and cHRM); ISO/IEC 14496-12, section 12.1.5 (`colr` of kind nclx);
EXIF 2.32, section 4.6.5 and DCF 2.0 (interoperability index R03: Adobe RGB).
"""

import struct
from pathlib import Path
from typing import Any

from photochrom.photo.cicp import ADOBE, Declared, from_cicp, from_gamma
from photochrom.photo.isobmff import primary_properties

PNG_HEAD = 8
MOST_CHUNKS = 1000
PNG_COLOUR = {b"cICP": 4, b"iCCP": 0, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}  # bytes that are read
R03 = tuple(  # the whole entry of EXIF's interoperability directory, in both byte orders
    struct.pack(order + "HHI4s", 1, 2, 4, b"R03") for order in "<>"
)
ADOBE_GAMMA = 563 / 256
LEAST_GAMMA, MOST_GAMMA = 0.05, 20.0  # beyond, the chunk is damaged
SRGB_GAMA = struct.pack(">I", 45455)
SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def declared_colour(
    path: Path, kind: str, fields: dict[str, Any], *, gray: bool
) -> Declared | None:
    """Read what is said of the colours beside an ICC profile.

    Parameters
    ----------
    path : Path
    kind : str
        A key of `photochrom.photo.sniff.LOADERS`.
    fields : dict
        libvips' metadata of the page.
    gray : bool
        Whether the page is one band of tone.

    Returns
    -------
    Declared or None
        None if nothing is said.
    """
    if kind == "png":
        return _of_png(_png_chunks(path), gray=gray)
    if kind in ("avif", "heic"):
        for name, content in primary_properties(path):
            if name == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
                primaries, transfer = struct.unpack(">HH", content[4:8])
                return from_cicp(primaries, transfer, gray=gray, source="nclx")
    if not gray and any(entry in bytes(fields.get("exif-data") or b"") for entry in R03):
        return from_gamma(ADOBE_GAMMA, ADOBE, gray=gray, source="EXIF's Adobe RGB")
    return None


def _png_chunks(path: Path) -> dict[bytes, bytes]:
    """Read the chunks that stand before the pixels and describe colours."""
    found: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        at = PNG_HEAD
        for _ in range(MOST_CHUNKS):
            file.seek(at)
            head = file.read(8)
            if len(head) < 8 or head[4:] == b"IDAT":
                break
            size = int.from_bytes(head[:4], "big")
            if head[4:] in PNG_COLOUR and head[4:] not in found:
                found[head[4:]] = file.read(min(size, PNG_COLOUR[head[4:]]))
            at += 12 + size
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
        return Declared("sRGB", None)  # what the specification has writers of sRGB add
    exponent = 1 / gamma if LEAST_GAMMA <= gamma <= MOST_GAMMA else None
    if exponent is None and primaries is None:
        return None
    names = [name.decode() for name in (b"gAMA", b"cHRM") if name in chunks]
    return from_gamma(exponent, primaries, gray=gray, source=" and ".join(names))
