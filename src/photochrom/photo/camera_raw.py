"""Camera raw files: their embedded preview, the JPEG that the camera made of them.

It is used where `photochrom.photo.develop_raw` cannot develop the file.

Every maker has its own format, but all of them contain complete JPEG files. So the largest one
that a JPEG decoder can read is used, wherever it is in the file.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from photochrom.extras import how_to_install
from photochrom.photo.develop_raw import has_rawpy
from photochrom.photo.metadata.carried import Carried
from photochrom.photo.page_files import find_pages, read_page
from photochrom.photo.tiff import EXIF_HEAD, TiffError, read_exif, read_number

SOI, EOI = b"\xff\xd8\xff", b"\xff\xd9"
DECODED = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive; 0xC3 is the sensor's own data
ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
MOST_CANDIDATES = 256
MOST_SEGMENTS = 200
MOST_BYTES = 1 << 28
ORIENTATION = 274
LEAST_SIDE = 320  # smaller previews are ignored
LEAST_SHARE = 0.9  # of the preview's pixels: with fewer, something else than the picture is read


class Preview(NamedTuple):
    """A JPEG inside another file."""

    start: int
    width: int
    height: int
    end: int


def find_preview(path: Path) -> Preview | None:
    """Find the largest JPEG inside a file; None if there is none worth colouring."""
    with path.open("rb") as file:  # not mapped: a file that shrinks would end the process
        data = file.read(MOST_BYTES)
    best: Preview | None = None
    at = data.find(SOI)
    for _ in range(MOST_CANDIDATES):
        if at < 0:
            break
        found = _preview(data, at)
        if found and (best is None or found.width * found.height > best.width * best.height):
            best = found
        at = data.find(SOI, found.end if found else at + 2)
    return best if best and max(best.width, best.height) >= LEAST_SIDE else None


def _preview(data: bytes, start: int) -> Preview | None:
    """Walk the segments of a JPEG that seems to begin here."""
    at, size = start + 2, (0, 0)
    for _ in range(MOST_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in ALONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if marker not in DECODED or data[at + 4] != 8:
                return None
            size = (
                int.from_bytes(data[at + 7 : at + 9], "big"),
                int.from_bytes(data[at + 5 : at + 7], "big"),
            )
        if marker == 0xDA:
            end = data.find(EOI, at)
            return Preview(start, *size, end + 2) if all(size) and end > 0 else None
        at += 2 + length
    return None


def read_preview(path: Path, preview: Preview) -> bytes:
    """Return a preview's bytes."""
    with path.open("rb") as file:
        file.seek(preview.start)
        return file.read(preview.end - preview.start)


def is_far_smaller(size: tuple[int, int], preview: Preview) -> bool:
    """Return whether a developed picture, (width, height), is far smaller than the preview."""
    return size[0] * size[1] < LEAST_SHARE * preview.width * preview.height


def with_raw_metadata(carried: Carried, path: Path) -> Carried:
    """Add the raw file's EXIF, orientation, XMP and IPTC to a preview's metadata if it has none."""
    around = read_page(path, find_pages(path), 0)
    carried = replace(carried, xmp=carried.xmp or around.xmp, iptc=carried.iptc or around.iptc)
    if carried.exif or carried.orientation:
        return carried
    try:
        exif = read_exif(path)
        turned = read_number(path, ORIENTATION)
    except (TiffError, OSError):
        return carried
    return replace(
        carried,
        exif=None if exif is None else exif.removeprefix(EXIF_HEAD),
        orientation=turned or None,
    )


def how_to_develop(why: str) -> str:
    """Return the sentences that say how a raw file is coloured at full size.

    Parameters
    ----------
    why : str
        Why photochrom did not develop it.
    """
    if not has_rawpy():
        return f"To have it developed at full size, install rawpy. {how_to_install('raw')}."
    return (
        f"It could not be developed ({why}). For its full size, develop it with another program "
        "(darktable, RawTherapee) and use the TIFF or JPEG."
    )
