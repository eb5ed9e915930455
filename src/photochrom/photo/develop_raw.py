"""Develop camera raw files at full size, by LibRaw (rawpy), where the extra `raw` is installed.

LibRaw declares the size before it reads the sensor's data, and is asked for nothing larger than
allowed. What it cannot develop is coloured by the preview (`photochrom.photo.camera_raw`).
"""

import warnings
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from photochrom.photo.open_file import check_megapixels
from photochrom.photo.other_decoders import Foreign

if TYPE_CHECKING:
    import rawpy
    from rawpy._rawpy import ImageSizes

MOST_BYTES = 1 << 29  # LibRaw is given the file's bytes, so that any file name can be read
LEAST_BITS = 1  # of the file for each pixel: no camera compresses further
CLIPPED = 0.001  # share of pixels that may become white when a dark picture is brightened
SRGB_CURVE = (2.4, 12.92)  # exponent, and slope of the straight part
ORIENTATIONS = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}  # LibRaw's flip -> EXIF's tag


def has_rawpy() -> bool:
    """Return whether raw files can be developed."""
    return util.find_spec("rawpy") is not None


def open_raw(path: Path, name: str, max_megapixels: float) -> tuple[Foreign, int] | str:
    """Read the header and the sensor's data of a raw file; they are developed when asked for.

    Parameters
    ----------
    path : Path
    name : str
        Name in messages.
    max_megapixels : float

    Returns
    -------
    (Foreign, int) or str
        The picture, 16 bits, gray or RGB (sRGB), as the sensor lay, and its EXIF orientation; or
        why it cannot be developed.

    Raises
    ------
    PhotoTooLargeError
        If it declares more megapixels than allowed.
    """
    if not has_rawpy():
        return "rawpy is not installed"
    file_bytes = path.stat().st_size
    if file_bytes > MOST_BYTES:
        return f"it has more than {MOST_BYTES >> 20} MB"
    try:
        with _opened(path) as raw:
            sizes = raw.sizes
    except Exception as error:  # any error of another library concerns only this file
        return _reason(error)
    size = (int(sizes.iwidth), int(sizes.iheight))
    check_megapixels(*size, max_megapixels, name)
    refusal = _refusal(sizes, file_bytes)
    if refusal:
        return refusal
    try:
        bands = _unpacked_bands(path)
    except Exception as error:
        return _reason(error)
    picture = Foreign(size, bands, lambda: _develop(path, size, bands), 16)
    return picture, ORIENTATIONS.get(int(sizes.flip), 1)


def _opened(path: Path) -> "rawpy.RawPy":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about forks: workers are started afresh
        import rawpy

        raw = rawpy.RawPy()
    with path.open("rb") as file:
        raw.open_buffer(file)
    return raw


def _refusal(sizes: "ImageSizes", file_bytes: int) -> str:
    """Return why a picture of such sizes is not developed; '' if it is."""
    if min(sizes.iwidth, sizes.iheight) < 1:
        return "it declares no pixels"
    pixels = max(sizes.raw_width * sizes.raw_height, sizes.iwidth * sizes.iheight)
    if pixels * LEAST_BITS > file_bytes * 8:
        return "its file is too short for its pixels"
    if sizes.pixel_aspect != 1:
        return "its pixels are not square"
    return ""


def _unpacked_bands(path: Path) -> int:
    """Return 1 or 3, after the sensor's data was read: only now is it known that it can be."""
    with _opened(path) as raw:
        raw.unpack()
        return 1 if raw.num_colors == 1 else 3


def _develop(path: Path, size: tuple[int, int], bands: int) -> np.ndarray:
    """Return sRGB codes, uint16, (H, W, bands)."""
    with _opened(path) as raw:
        raw.unpack()
        pixels: np.ndarray = raw.postprocess(
            output_bps=16,
            use_camera_wb=True,
            user_flip=0,
            gamma=SRGB_CURVE,
            auto_bright_thr=CLIPPED,
        )
    pixels = pixels.reshape(*pixels.shape[:2], -1)[..., :bands]
    if pixels.shape != (size[1], size[0], bands):
        height, width = pixels.shape[:2]
        raise ValueError(f"Unsupported sensor: {width} x {height} instead of {size[0]} x {size[1]}")
    return pixels


def _reason(error: BaseException) -> str:
    """Return LibRaw's message, which is bytes, on one line."""
    given = error.args[0] if error.args else ""
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    line = text.splitlines()[0] if text else type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in line)
