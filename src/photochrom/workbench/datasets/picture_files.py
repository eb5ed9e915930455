"""Find the files of a data set, and decode its pictures; `sources` reads them one by one."""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, TypeVar

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.lab import srgb_to_linear
from photochrom.errors import DataError
from photochrom.workbench.datasets.file_states import sample_of

if TYPE_CHECKING:
    from PIL import Image

LINEAR = srgb_to_linear(np.arange(256, dtype=np.float32) / 255)  # of the 256 levels of sRGB
# Of Pillow's, by name: among the others is EPS, which starts Ghostscript on what a stranger wrote.
READ_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
SMALLEST_SIDE_PX = 32  # what is prepared, crawled or trained on
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp"})

Filter = Literal["NEAREST", "BOX", "BILINEAR", "LANCZOS"]  # Pillow's, by name
Values = TypeVar("Values", Bytes, Floats)


class Credit(NamedTuple):
    """Author and licence of a picture: the columns of `photochrom data crawl`."""

    licence: str = ""
    licence_url: str = ""
    author: str = ""
    landing_page: str = ""
    url: str = ""

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Self:
        """Read it from a row of a data set; missing fields are ''."""
        return cls(*(str(row.get(name) or "") for name in cls._fields))


class Encoded(NamedTuple):
    """One picture as stored in the data set."""

    image: bytes
    source: str
    label: str
    key: str
    credit: Credit = Credit()


def data_files(data: Path) -> list[Path]:
    """Find the Parquet files of a data set, or its pictures where it has none, sorted by name.

    Folders are searched to their depths, links to other folders followed. Raise DataError if there
    is nothing to read.
    """
    if data.is_file():
        return [data]
    if not data.is_dir():
        raise DataError(f"{data}: no such file or folder of training pictures.")
    below = sorted(_walk(data))
    # What is there but no file, such as a pipe, would keep a reader waiting for ever.
    files = [f for f in below if f.suffix == ".parquet" and (f.is_file() or not f.exists())]
    if not files:
        files = [f for f in below if f.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(
            f"{data}: holds neither Parquet files nor pictures ({', '.join(sorted(SUFFIXES))})."
        )
    return files


def _walk(folder: Path) -> Iterator[Path]:
    """Return the files below a folder; loops of links are followed once."""
    entered: set[str] = set()
    for below, folders, files in os.walk(folder, followlinks=True):
        entered.add(os.path.realpath(below))
        folders[:] = [f for f in folders if os.path.realpath(Path(below, f)) not in entered]
        yield from (Path(below, file) for file in files)


def fingerprint(root: Path, files: list[Path], *options: object) -> str:
    """Return a short hash of a data set's files and of how they are read, 16 hexadecimal digits.

    The files' places below the root, their sizes and a sample of their contents count; their times
    and where the root lies do not. `options` need a `repr` that does not change.
    """
    folder = root if root.is_dir() else root.parent
    stats = [(f.relative_to(folder).as_posix(), f.stat().st_size) for f in files]
    return hashlib.sha256(repr((stats, sample_of(files), options)).encode()).hexdigest()[:16]


def earlier_fingerprint(root: Path, files: list[Path], *options: object) -> str:
    """Return the fingerprint that photochrom 0.2 gave, which changes with the files' times."""
    folder = root if root.is_dir() else root.parent
    stats = [
        (f.relative_to(folder).as_posix(), f.stat().st_size, f.stat().st_mtime_ns) for f in files
    ]
    return hashlib.sha256(repr((stats, options)).encode()).hexdigest()[:16]


def decode(image: bytes, short_side_px: int | None = None) -> np.ndarray | None:
    """Decode a small picture for training, as upright sRGB (H, W, 3) by its own profile.

    A larger picture is reduced to `short_side_px`. None if it cannot be decoded, or is in none of
    READ_FORMATS (AVIF from Pillow 11.3 on).
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=READ_FORMATS) as opened:
            opened.load()
            picture = _in_srgb(_upright(opened))
    except Exception:  # a damaged file provokes nearly any, by its format's plugin
        return None
    if short_side_px is not None and min(picture.size) > short_side_px:
        scale = short_side_px / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(picture)


def fitting(
    rgb: Bytes, long_side_px: int, *, least_px: int = 1, enlarge: bool = False
) -> tuple[int, int]:
    """Return the width and height to which a picture is reduced, or perhaps enlarged, to fit."""
    scale = long_side_px / max(rgb.shape[:2])
    if not enlarge:
        scale = min(1.0, scale)
    height, width = (max(least_px, round(scale * side)) for side in rgb.shape[:2])
    return width, height


def resized(
    values: Values,
    size: tuple[int, int],
    by: Filter = "LANCZOS",
    box: tuple[float, float, float, float] | None = None,
    reducing_gap: float | None = None,
) -> Values:
    """Resize a picture, or a plane of floats, or a box of it, to a width and height by Pillow."""
    from PIL import Image

    image = Image.fromarray(values).resize(size, Image.Resampling[by], box, reducing_gap)
    return np.asarray(image)


def _upright(picture: "Image.Image") -> "Image.Image":
    """Turn a Pillow picture upright by its EXIF; damaged EXIF is ignored."""
    from PIL import ImageOps

    with suppress(Exception):
        return ImageOps.exif_transpose(picture)
    return picture


def _in_srgb(picture: "Image.Image") -> "Image.Image":
    """Convert a Pillow picture to sRGB; a profile that does not fit is ignored."""
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if profile and picture.mode in {"L", "RGB", "CMYK"}:
        with suppress(ImageCms.PyCMSError, OSError):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            if converted := ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB"):
                return converted
    return picture.convert("RGB")
