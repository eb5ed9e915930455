"""Write a coloured picture as the same kind of file, with its metadata."""

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyvips

from photochrom.errors import InvalidValueError, PhotoError, ShapeError, UnwritablePhotoError
from photochrom.options.ranges import QUALITY
from photochrom.photo.atomic import atomic_target, unwritable
from photochrom.photo.byte_stream import failure_of, native
from photochrom.photo.formats import FORMATS, INSTEAD, choose_format, output_bits, save_options
from photochrom.photo.metadata.conversion import Marker, Prepared, prepare
from photochrom.photo.metadata.embedding import embed, embed_tiff, for_saver
from photochrom.photo.open_file import first_line, unreadable
from photochrom.photo.photo import Photo
from photochrom.photo.render import (
    coloured_page,
    note_depth,
    restored_profile,
    unchanged_page,
    with_alpha,
)
from photochrom.photo.sniff import NAMES
from photochrom.photo.temporary_folders import scratch
from photochrom.photo.tiff import TiffError
from photochrom.photo.tiff_writing import append_page

# sRGB of three bands; None leaves a gray page as it is.
ColourPage: TypeAlias = pyvips.Image | None


@dataclass(frozen=True)
class Written:
    """The result of writing.

    Attributes
    ----------
    format : str
    path : Path or None
        None if bytes were requested.
    data : bytes or None
    notes : tuple of str
        What was lost, moved or converted on the way.
    """

    format: str
    path: Path | None
    data: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()


def needs_sixteen_bit(photo: Photo, target_format: str | None = None) -> bool:
    """Return whether `write_photo` needs 16 bits per channel for a lossless result.

    Parameters
    ----------
    photo : Photo
    target_format : str, optional
        Default: the photo's format.

    Raises
    ------
    UnsupportedFormatError
        If the format cannot be written.
    """
    target_format = choose_format(photo, None, target_format)
    return any(
        output_bits(photo, page, target_format) > 8 or restored_profile(photo, page) is not None
        for page in range(photo.pages)
    )


def write_photo(
    photo: Photo,
    colour_pages: Iterable[ColourPage],
    target: str | Path | None,
    *,
    marker: Marker | None,
    format: str | None = None,
    quality: int | None = None,
) -> Written:
    """Write a coloured picture.

    Parameters
    ----------
    photo : Photo
        The source, whose alpha, profile, depth, metadata and compression are kept.
    colour_pages : iterable of pyvips.Image or None
        For each page, sRGB of three bands (uchar, or ushort where `needs_sixteen_bit`), full size,
        stored orientation. None leaves a gray page unchanged, pixel for pixel. Pages are read
        lazily, each after the previous one is written.
    target : str, Path or None
        A file, replaced atomically when complete; None returns bytes.
    marker : Marker or None
        Written into the XMP packet.
    format : str, optional
        'jpeg', 'png', 'tiff', 'webp' or 'avif'. Default: by the name, else the source's format.
    quality : int, optional
        1 to 100. Default for JPEG: the source's, but at least 90.

    Raises
    ------
    InvalidValueError
        If the quality is out of range, the number of pages differs from the photo's, or None is
        given for a page that is not gray.
    ShapeError
        If the size of a page differs from the photo's.
    UnsupportedFormatError
        If the format cannot be written.
    UnreadablePhotoError
        If the source turns out to be damaged while it is read.
    UnwritablePhotoError
        If the folder is missing, full or protected, or the format cannot hold such a size.
    """
    path = None if target is None else Path(target)
    target_format = choose_format(photo, path, format)
    QUALITY.check("quality", quality)
    _check_sides(photo, target_format)
    name = photo.name if path is None else str(path)
    with ExitStack() as stack:
        if path is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch())))
            part = folder / "picture"
        else:
            part = stack.enter_context(atomic_target(path))
        notes = list(photo.late_notes())
        writer = _Writer(photo, name, target_format, quality, marker, notes)
        writer.write(_checked(photo, iter(colour_pages)), part)
        data = part.read_bytes() if path is None else None
    return Written(target_format, path, data, tuple(dict.fromkeys(notes)))


def _check_sides(photo: Photo, target_format: str) -> None:
    most = FORMATS[target_format].max_side
    for header in photo.headers:
        if max(header.width, header.height) > most:
            raise UnwritablePhotoError(
                f"{photo.name}: {target_format.upper()} holds at most {most} pixels a side; it has "
                f"{header.width} x {header.height}. Write it as TIFF or PNG."
            )


def _checked(photo: Photo, colour_pages: Iterator[ColourPage]) -> Iterator[ColourPage]:
    """Yield the pages, checking their number and sizes."""
    for page, header in enumerate(photo.headers):
        try:
            colour = next(colour_pages)
        except StopIteration:
            raise InvalidValueError(
                f"{photo.name}: needs {photo.pages} pages; got {page}."
            ) from None
        if colour is None and photo.device(page).bands != 1:
            raise InvalidValueError(
                f"{photo.name}: only a gray page can stay unchanged; page {page + 1} is not gray."
            )
        if colour is not None and (colour.width, colour.height, colour.bands) != (
            *(header.width, header.height),
            3,
        ):
            raise ShapeError(
                f"{photo.name}: page {page + 1} needs 3 bands of {header.width} x {header.height}; "
                f"it has {colour.bands} of {colour.width} x {colour.height}."
            )
        yield colour


@dataclass(frozen=True)
class _Writer:
    photo: Photo
    target: str
    target_format: str
    quality: int | None
    marker: Marker | None
    notes: list[str]

    def write(self, colour_pages: Iterator[ColourPage], part: Path) -> None:
        """Write the pages that the format holds."""
        photo, notes, target = self.photo, self.notes, self.target_format.upper()
        if self.target_format == INSTEAD.get(photo.format) and photo.path is not None:
            named = NAMES.get(photo.format, photo.format.upper())
            notes.append(f"{named} cannot be written: the result is {target}.")
        if photo.pyramid and self.target_format != "tiff":
            notes.append(f"{target} holds no reduced copies: left out.")
        count = photo.pages if self.target_format == "tiff" else 1
        if count < photo.pages:
            notes.append(f"{target} holds one page: the other {photo.pages - 1} are left out.")
        first = self._write_page(0, next(colour_pages), part)
        last_pointer: int | None = None
        try:
            for page in range(1, count):
                with tempfile.TemporaryDirectory(dir=scratch()) as folder:
                    single = Path(folder) / "page.tif"
                    embed_tiff(single, self._write_page(page, next(colour_pages), single))
                    last_pointer = append_page(part, single, last_pointer)
            if self.target_format == "tiff":
                embed_tiff(part, first)
        except TiffError as error:
            if photo.pages > 1 and count > 1 and "joined" in str(error):
                raise UnwritablePhotoError(
                    f"{photo.name}: its pages cannot be joined ({error})."
                ) from error
            notes.append(f"EXIF and IPTC could not be written to the TIFF ({error}): left out.")

    def _write_page(self, page: int, colour: ColourPage, part: Path) -> Prepared:
        """Run the whole stream: this is where the source is decoded and the target encoded.

        Return the page with the metadata that is yet to be added to a TIFF.
        """
        photo, bits = self.photo, output_bits(self.photo, page, self.target_format)
        prepared = self._prepare_page(page, colour, bits)
        options = save_options(photo, page, self.target_format, bits, self.quality)
        image, kept = for_saver(prepared, self.target_format)
        options |= kept
        is_bilevel = image.bands == 1 and photo.device(page).bit_depth == 1
        if is_bilevel and self.target_format in ("png", "tiff"):
            options["bitdepth"] = 1
            if "predictor" in options:
                options["predictor"] = "none"  # no sample has a left neighbour to differ from
        try:
            getattr(image, FORMATS[self.target_format].saver)(native(part), **options)
            embed(part, self.target_format, prepared)
        except (pyvips.Error, OSError) as error:
            failure = failure_of(colour)
            if isinstance(failure, pyvips.Error):
                raise unreadable(photo.name, failure, photo.format, photo.path) from error
            if isinstance(error, OSError):
                raise UnwritablePhotoError(
                    f"{self.target}: cannot be written ({error.strerror})."
                ) from error
            raise _failure(photo, self.target, part, error) from error
        return prepared

    def _prepare_page(self, page: int, colour: ColourPage, bits: int) -> Prepared:
        """Return a page as it will be written, with its metadata."""
        photo, notes, target_format = self.photo, self.notes, self.target_format
        if colour is None:
            image, profile = unchanged_page(photo, page, bits, notes), photo.device(page).profile
        else:
            image, profile = coloured_page(photo, page, colour, bits, notes)
        image = with_alpha(photo, page, image, target_format, notes)
        note_depth(photo, page, target_format, bits, notes)
        prepared = prepare(
            image,
            photo.metadata_of(page),
            target_format,
            orientation=photo.headers[page].orientation,
            profile=profile,
            marker=self.marker,
        )
        notes.extend(prepared.notes)
        return prepared


def _failure(photo: Photo, target: str, part: Path, error: pyvips.Error) -> PhotoError:
    """Return the error of the source or of the target: libvips names the first failure first."""
    if str(part) not in first_line(error) and not first_line(error).startswith("vips2"):
        return unreadable(photo.name, error, photo.format, photo.path)
    system = re.search(r"system error: (.+)", str(error))
    return unwritable(target, system[1].strip() if system else first_line(error))


def photo_to_array(colour_page: ColourPage, like: Photo) -> np.ndarray:
    """Return a coloured picture as the same kind of array as the input.

    Parameters
    ----------
    colour_page : pyvips.Image or None
        sRGB of three bands, uchar or ushort. None returns the input in three bands.
    like : Photo
        A photo from `Photo.from_array`.

    Returns
    -------
    array, (H, W, 3), or (H, W, 4) with alpha
        Of the input's dtype; uint8 for bool.

    Raises
    ------
    InvalidValueError
        If `like` was not made from an array.
    """
    source = like.array
    if source is None:
        raise InvalidValueError(f"{like.name}: not created from an array.")
    if source.dtype == bool:
        source = source * np.uint8(255)
    if colour_page is None:
        bands = source if source.ndim == 3 else source[..., None]
        is_gray = bands.shape[-1] < 3
        rgb = bands[..., :1].repeat(3, axis=-1) if is_gray else bands[..., :3].copy()
    else:
        pixels = colour_page.numpy().reshape(colour_page.height, colour_page.width, 3)
        rgb = _as_dtype(pixels, source.dtype)
    return np.concatenate((rgb, source[..., -1:]), axis=-1) if like.has_alpha else rgb


def _as_dtype(rgb: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if rgb.dtype == dtype:
        return rgb
    scaled = rgb / np.iinfo(rgb.dtype).max
    if dtype.kind == "u":
        scaled = np.round(scaled * np.iinfo(dtype).max)
    return scaled.astype(dtype)
