"""Where a picture comes from: a file, opened afresh for each pass, or an array in memory."""

import io
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyvips

from photochrom.errors import DtypeError, InvalidValueError, ShapeError, UnreadablePhotoError
from photochrom.photo.carried import Carried
from photochrom.photo.carriers import Carriers
from photochrom.photo.pipe import Pipe, is_pipe
from photochrom.photo.read import load
from photochrom.photo.scratch import scratch
from photochrom.photo.sniff import sniff

JPEG_SHRINKS = (8, 4, 2)
MARGIN = 2  # shrinking while decoding is a plain mean: leave this much to the better filter
FORMATS_BY_DTYPE = {"uint8": "uchar", "uint16": "ushort", "float32": "float", "float64": "double"}


class Source(Protocol):
    """What a Photo reads from."""

    name: str
    kind: str

    def open(self, page: int) -> pyvips.Image:
        """Give one page at full size, to be read once, top to bottom."""

    def open_small(self, page: int, shrink: float) -> pyvips.Image:
        """Give one page, smaller by up to `shrink` where the decoder can do that cheaply."""


class FileSource:
    """A picture file.

    Parameters
    ----------
    source : str, Path, bytes or binary file
        What is not a path is first written to a temporary file, which goes with this object.

    Raises
    ------
    DtypeError
        If `source` is nothing of these.
    UnreadablePhotoError, UnsupportedFormatError
        See `photochrom.photo.sniff.sniff`.
    """

    def __init__(self, source: str | Path | bytes | BinaryIO) -> None:
        self.path, self.name, self._spool = _as_path(source)
        self.kind = sniff(self.path, self.name)
        self.carriers = Carriers(self.path, self.kind)

    @property
    def pages(self) -> int:
        """How many pages there are: of a TIFF, else 1."""
        return max(1, len(self.carriers.pages))

    def index_of(self, page: int) -> int:
        """Give the place of a page in the chain of a TIFF's directories."""
        return page

    def carried(self, page: int) -> Carried:
        """Give what a page carries beside its pixels."""
        return self.carriers.of(self.index_of(page))

    def head(self, page: int) -> pyvips.Image:
        """Give one page whose pixels are not asked for: the file is not read to its end."""
        return self._load(page, pixels=False)

    def open(self, page: int) -> pyvips.Image:
        """Give one page at full size, to be read once, top to bottom."""
        return self._load(page)

    def open_small(self, page: int, shrink: float) -> pyvips.Image:
        """Give one page, smaller by up to `shrink` where the decoder can do that cheaply."""
        options: dict[str, Any] = {}
        if self.kind == "jpeg":
            options["shrink"] = next((s for s in JPEG_SHRINKS if shrink >= s * MARGIN), 1)
        elif self.kind == "webp" and shrink > MARGIN:
            options["scale"] = MARGIN / shrink
        return self._load(page, **options)

    def _load(self, page: int, **options: Any) -> pyvips.Image:
        index = self.index_of(page)
        return self._kept(
            load(self.path, self.kind, self.name, index, carriers=self.carriers, **options)
        )

    def _kept(self, image: pyvips.Image) -> pyvips.Image:
        """Tie the temporary file to the image; pyvips hands references on to what is made of it."""
        if self._spool is not None:
            image._references.append(self._spool)
        return image


def _as_path(source: str | Path | bytes | BinaryIO) -> tuple[Path, str, Any]:
    """Give the path, the name for messages, and what must be kept alive."""
    content: Pipe | BinaryIO
    if isinstance(source, str | Path):
        if not is_pipe(Path(source)):
            return Path(source), str(source), None
        content = Pipe(Path(source))
    elif isinstance(source, bytes | bytearray | memoryview):
        content = io.BytesIO(source)
    elif hasattr(source, "read"):
        content = source
    else:
        raise DtypeError(
            f"A picture is a path, bytes or a file opened for reading in binary; this is a "
            f"{type(source).__name__}."
        )
    name = str(getattr(content, "name", "picture in memory"))
    spool = _Spool()
    try:
        with spool.path.open("wb") as file:
            shutil.copyfileobj(content, file)
    except UnreadablePhotoError:  # of a pipe, an OSError too
        raise
    except OSError as error:
        raise UnreadablePhotoError(f"{name}: cannot be read ({error.strerror}).") from error
    return spool.path, name, spool


class _Spool:
    """A temporary file that is removed when nothing refers to this object any more."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(dir=scratch())
        os.close(descriptor)
        self.path = Path(name)
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path: Path, owner: int) -> None:
    """Remove a temporary file; a fork of the process that made it leaves it alone."""
    if os.getpid() == owner:
        path.unlink(missing_ok=True)


class ArraySource:
    """A picture in memory.

    Parameters
    ----------
    array : array, (H, W), (H, W, 1), (H, W, 3), or with alpha (H, W, 2) or (H, W, 4)
        bool, uint8, uint16, or float in [0, 1] (sRGB-encoded).

    Raises
    ------
    DtypeError
        If it is no NumPy array or of another dtype.
    ShapeError
        If it has another shape or no pixels.
    InvalidValueError
        If a float is NaN or outside [0, 1].
    """

    name = "array"
    kind = "array"

    def __init__(self, array: np.ndarray) -> None:
        _check_array(array)
        self.array = array
        planes = array if array.ndim == 3 else array[..., None]
        if planes.dtype == bool:
            planes = planes * np.uint8(255)
        elif planes.dtype == np.float16:
            planes = planes.astype(np.float32)
        planes = planes.astype(planes.dtype.newbyteorder("="), copy=False)
        self._pixels = np.ascontiguousarray(planes)

    def open(self, page: int) -> pyvips.Image:
        """Give the picture."""
        height, width, bands = self._pixels.shape
        band_format = FORMATS_BY_DTYPE[self._pixels.dtype.name]
        image = pyvips.Image.new_from_memory(self._pixels, width, height, bands, band_format)
        gray, colour = ("grey16", "rgb16") if band_format == "ushort" else ("b-w", "srgb")
        return image.copy(interpretation=gray if bands < 3 else colour)

    def open_small(self, page: int, shrink: float) -> pyvips.Image:
        """Give the picture; an array is not made smaller while it is read."""
        return self.open(page)


def _check_array(array: np.ndarray) -> None:
    if not isinstance(array, np.ndarray):
        raise DtypeError(f"A NumPy array is needed; this is a {type(array).__name__}.")
    if array.dtype.name not in ("bool", "float16", *FORMATS_BY_DTYPE):
        raise DtypeError(
            f"A picture's dtype is bool, uint8, uint16, float16, float32 or float64; this is "
            f"{array.dtype}. Convert it, for example with array.astype('uint8')."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise ShapeError(
            f"A picture is (H, W), (H, W, 1), (H, W, 3), or with alpha (H, W, 2) or (H, W, 4); "
            f"this is {array.shape}."
        )
    if array.size == 0:
        raise ShapeError(f"A picture needs at least one pixel; this array is {array.shape}.")
    if array.dtype.kind == "f":
        _check_floats(array)


def _check_floats(array: np.ndarray) -> None:
    missing = int(np.isnan(array).sum())
    if missing:
        raise InvalidValueError(f"{missing} of {array.size} values are NaN; none may be.")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise InvalidValueError(
            f"Floats must lie in [0, 1]; these lie in [{low:g}, {high:g}]. Divide them first, for "
            f"example by 255."
        )
