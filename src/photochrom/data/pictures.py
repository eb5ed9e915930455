"""Read pictures one by one from Parquet files or from a folder of pictures.

A Parquet file has a column `image` (the encoded bytes) and may have `source`, `label` and `key`.
In a folder every picture is a row: its source is the folder that it lies in, its key its path.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from photochrom.color.lab import srgb_to_linear
from photochrom.errors import DataError, MissingExtraError

LINEAR = srgb_to_linear(np.arange(256, dtype=np.float32) / 255)  # of the 256 levels of sRGB
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp"})


class Encoded(NamedTuple):
    """One picture as it lies in the data set."""

    image: bytes
    source: str
    label: str
    key: str


def data_files(data: Path) -> list[Path]:
    """Find the Parquet files of a data set, or its pictures where it has none.

    Parameters
    ----------
    data : Path
        A Parquet file, or a folder of Parquet files or of pictures (searched recursively).

    Returns
    -------
    list of Path
        Sorted by name.

    Raises
    ------
    DataError
        If there is nothing to read.
    """
    if data.is_file():
        return [data]
    if not data.is_dir():
        raise DataError(f"{data}: no such file or folder of training pictures.")
    files = sorted(data.rglob("*.parquet"))
    if not files:
        files = sorted(f for f in data.rglob("*") if f.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(
            f"{data}: holds neither Parquet files nor pictures ({', '.join(sorted(SUFFIXES))})."
        )
    return files


def fingerprint(files: list[Path], *options: object) -> str:
    """Give a short hash of a data set's files (name, size, time) and of how they are read."""
    stats = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(repr((stats, options)).encode()).hexdigest()[:16]


def read_pictures(files: list[Path]) -> Iterator[Encoded]:
    """Read the pictures of `data_files` in order, in constant memory.

    Parameters
    ----------
    files : list of Path
        As `data_files` gives them.

    Yields
    ------
    Encoded
        The picture's bytes and what is known of it.

    Raises
    ------
    DataError
        If a Parquet file is damaged or has no column `image`.
    """
    for file in files:
        if file.suffix == ".parquet":
            yield from _read_parquet(file)
        else:
            yield Encoded(file.read_bytes(), file.parent.name, file.parent.name, str(file))


def _read_parquet(file: Path) -> Iterator[Encoded]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError(
            "Reading Parquet needs pyarrow, which is not installed. "
            "Run: pip install 'photochrom[evaluate]'"
        ) from error
    try:
        parquet = pq.ParquetFile(file)
        if "image" not in parquet.schema_arrow.names:
            raise DataError(f"{file}: needs a column 'image'; it has {parquet.schema_arrow.names}.")
        wanted = [n for n in Encoded._fields if n in parquet.schema_arrow.names]
        batches = parquet.iter_batches(batch_size=64, columns=wanted)
        rows = chain.from_iterable(batch.to_pylist() for batch in batches)
        for number, row in enumerate(rows):
            yield _row(row, f"{file.name}:{number}")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file}: a damaged Parquet file ({error}).") from error


def _row(row: dict[str, Any], fallback_key: str) -> Encoded:
    image = row["image"]
    image = image["bytes"] if isinstance(image, dict) else image  # the hub's Image feature
    label = row.get("label")
    return Encoded(
        image,
        row.get("source") or "",
        "" if label is None else str(label),
        row.get("key") or fallback_key,
    )


def decode(image: bytes, short_side_px: int | None = None) -> np.ndarray | None:
    """Decode a small picture for training.

    Parameters
    ----------
    image : bytes
        An encoded picture in any format that Pillow reads (AVIF from Pillow 11.3 on).
    short_side_px : int, optional
        A larger picture is reduced to this short side.

    Returns
    -------
    uint8 array, (H, W, 3), or None
        Upright sRGB, by the picture's own profile; None if the picture cannot be decoded.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image)) as opened:
            picture = _in_srgb(ImageOps.exif_transpose(opened))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if short_side_px is not None and min(picture.size) > short_side_px:
        scale = short_side_px / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(picture)


def _in_srgb(picture: Any) -> Any:
    """Turn a Pillow picture into sRGB; a profile that does not fit it is passed over."""
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if profile and picture.mode in {"L", "RGB", "CMYK"}:
        with suppress(ImageCms.PyCMSError, OSError):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(picture, own, srgb, outputMode="RGB")
    return picture.convert("RGB")
