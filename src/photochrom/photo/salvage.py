"""Salvage damaged photographs: decodable rows, and mid-gray for the rest."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyvips

from photochrom.errors import PhotoError, UnreadablePhotoError

MID_GRAY = 119  # of 255: L* 50 in sRGB
ROWS = 8  # decoded at a time: maximum of good rows lost before the damage


@dataclass(frozen=True)
class Salvaged:
    """A page of a damaged file.

    Attributes
    ----------
    image : pyvips.Image
        In memory, with its metadata.
    lost : tuple of (first, last)
        Rows that could not be decoded, last excluded.
    is_sound : bool
        Whether the page is undamaged.
    """

    image: pyvips.Image
    lost: tuple[tuple[int, int], ...] = ()
    is_sound: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        if self.is_sound:
            return ()
        rows = sum(last - first for first, last in self.lost)
        said = "damaged parts were decoded as far as possible"
        if rows:
            said = f"{rows} of {self.image.height} rows could not be decoded and are mid-gray"
        return (f"Salvaged from a damaged file: {said}.",)


def salvage(load: Callable[[str], pyvips.Image], kind: str, name: str) -> Salvaged:
    """Decode the readable part of a page.

    Parameters
    ----------
    load : callable
        Opens the page; its argument is libvips' `fail_on`: 'error', 'truncated' or 'none'.
    kind : str
        A key of `photochrom.photo.sniff.LOADERS`.
    name : str
        Name in messages.

    Raises
    ------
    PhotoError
        If its header or all rows cannot be read.
    """
    try:
        head = load("error")
        sure = _good_rows(head)
    except PhotoError:
        head = load("none")
        sure = _no_rows(head)
    if len(sure) == head.height:
        return Salvaged(load("error"), is_sound=True)
    pixels = sure
    if kind == "jpeg" and not head.get_typeof("interlaced"):
        # The decoder continues after damage that is not the end.
        pixels = max(_good_rows(load("truncated")), sure, key=len)
    elif kind == "tiff" or len(sure) == 0:
        # Strips and tiles are independent: those after a damaged one are read. A picture decoded
        # in passes, such as a progressive JPEG, is complete but coarse.
        pixels = max(_good_rows(load("none")), sure, key=len)
    if len(pixels) == 0 or not np.ptp(pixels):
        raise UnreadablePhotoError(f"{name}: damaged, and no part of it can be decoded.")
    full = np.empty((head.height, head.width, head.bands), pixels.dtype)
    full[: len(pixels)] = pixels
    is_lost = np.arange(head.height) >= len(pixels)
    if kind == "tiff":  # undecoded rows stay zero
        is_lost[len(sure) : len(pixels)] = [not row.any() for row in pixels[len(sure) :]]
    full[is_lost] = _mid_gray(head)
    image = pyvips.Image.new_from_memory(
        full, head.width, head.height, head.bands, head.format
    ).copy(interpretation=head.interpretation, xres=head.xres, yres=head.yres)
    for name in head.get_fields()[8:]:
        value = head.get(name)
        if value is not None:  # as of a file's name, where libvips was shown bytes
            image.set_type(head.get_typeof(name), name, value)
    return Salvaged(image, _runs(is_lost))


def _runs(marked: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return the runs of true values: first and last, last excluded."""
    steps = np.flatnonzero(np.diff(np.concatenate(([False], marked, [False])).astype(int)))
    return tuple((int(a), int(b)) for a, b in steps.reshape(-1, 2))


def _good_rows(image: pyvips.Image) -> np.ndarray:
    """Decode from the top until it fails: (n, W, bands)."""
    parts = [_no_rows(image)]
    kind, region = parts[0].dtype, pyvips.Region.new(image)
    for top in range(0, image.height, ROWS):
        count = min(ROWS, image.height - top)
        try:
            data = region.fetch(0, top, image.width, count)
        except pyvips.Error:
            break
        parts.append(np.frombuffer(data, kind).reshape(count, image.width, image.bands))
    return np.concatenate(parts)


def _no_rows(image: pyvips.Image) -> np.ndarray:
    return np.empty((0, image.width, image.bands), DTYPES[image.format])


DTYPES = {
    "uchar": "u1",
    "char": "i1",
    "ushort": "u2",
    "short": "i2",
    "uint": "u4",
    "int": "i4",
    "float": "f4",
    "double": "f8",
}


def _mid_gray(image: pyvips.Image) -> np.ndarray:
    """Return a pixel of mid-gray, opaque where there is alpha."""
    top = {"uchar": 255, "ushort": 65535}.get(image.format, 1.0)
    colours = image.bands - int(image.hasalpha())
    pixel = np.full(image.bands, MID_GRAY / 255 * top)
    if image.interpretation == "cmyk":
        pixel[:3], pixel[3] = 0, 0.53 * top
    pixel[colours:] = top
    return pixel.astype(DTYPES[image.format])
