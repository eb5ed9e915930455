"""A photograph on disk or in memory: lazy, with everything that must survive colouring."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pyvips

from photochrom.color.lab import linear_to_srgb, luminance_to_lightness
from photochrom.errors import InvalidValueError, ShapeError
from photochrom.photo.budget import Budget, Spent
from photochrom.photo.lightness import (
    Tone,
    import_xyz,
    lightness_of,
    tone_of_colour,
    tone_of_gray,
    tone_of_lightness,
)
from photochrom.photo.metadata.conversion import (
    Marker,
    Metadata,
    marker_of,
    page_metadata,
    read_metadata,
)
from photochrom.photo.negative import looks_like_colour_negative
from photochrom.photo.open_file import Header, check_size, jpeg_quality, read_header, unreadable
from photochrom.photo.orientation import to_stored, to_upright, upright_size
from photochrom.photo.rasterize import Overlay
from photochrom.photo.reading import PLAIN, Reading
from photochrom.photo.sample_values import Device, describe_device
from photochrom.photo.source import ArraySource, FileSource
from photochrom.photo.tiff_pages import TiffPage
from photochrom.photo.tint_detection import NEUTRAL, Tint, find_tint

PROBE_PX = 96  # long side of the copy whose colours are judged


class Photo:
    """A photograph, opened but not decoded.

    Attributes
    ----------
    name : str
        For messages.
    format : str
        'jpeg', 'png', 'tiff', 'webp', 'avif', 'heic', 'gif' or 'array'.
    headers : tuple of Header
        One for each page.
    metadata : Metadata
        EXIF, XMP, IPTC, profile and resolution of the file.
    notes : tuple of str
        What was repaired, ignored or assumed.
    """

    def __init__(
        self,
        source: FileSource | ArraySource,
        *,
        max_megapixels: float = 1000,
        float_range: tuple[float, float] | None = None,
        max_pages: int | None = Budget.max_pages,
        max_megabytes: float = Budget.max_megabytes,
    ) -> None:
        self._source = source
        self._lightness: tuple[np.ndarray | None, ...] = ()
        self._is_reduced = False
        self.name = source.name
        self.format = source.kind
        budget = Budget(max_megapixels, max_megabytes, max_pages, source.reading.salvage)
        self.headers, repaired = _read_headers(source, budget)
        if isinstance(source, FileSource):
            source.settle()
        self.metadata = read_metadata(source, self.headers[0])
        self._devices = tuple(
            describe_device(
                source, page, header, header.fields.get("icc-profile-data"), float_range
            )
            for page, header in enumerate(self.headers)
        )
        found = [note for device in self._devices for note in device.notes]
        self.notes: tuple[str, ...] = tuple(
            dict.fromkeys(
                [*_frame_notes(source, self.headers[0]), *source.notes, *repaired, *found]
            )
        )

    @classmethod
    def open(
        cls,
        source: str | Path | bytes | BinaryIO,
        *,
        max_megapixels: float = 1000,
        float_range: tuple[float, float] | None = None,
        max_pages: int | None = Budget.max_pages,
        max_megabytes: float = Budget.max_megabytes,
        reading: Reading = PLAIN,
    ) -> Self:
        """Open a picture file.

        Parameters
        ----------
        source : str, Path, bytes or binary file
            A file that is not on disk is spooled to a temporary one.
        max_megapixels : float
            A page with more is refused before it is decoded.
        float_range : (low, high), optional
            The values of black and white in a file of floats; default (0, 1), and in a file of
            signed or 32-bit integers the whole range of the type.
        max_pages : int, optional
            A file with more is refused. Default: 300, and more in a file of 3,000 bytes a page.
        max_megabytes : float
            A page whose decoder must hold more at once is refused, as of an interlaced PNG.
        reading : Reading
            What the owner knows of a scan, such as its profile.

        Raises
        ------
        UnreadablePhotoError
            If it is missing, empty, no picture, truncated or corrupt.
        UnsupportedFormatError
            If it is a picture of a format that is not handled.
        PhotoTooLargeError
            If it has more megapixels or pages than allowed, if its decoder would hold more, or if
            it unpacks to far more than a photograph of its bytes.
        InvalidValueError
            If `float_range` is empty or not finite.
        """
        file = FileSource(source, reading, float_range=float_range, max_megapixels=max_megapixels)
        return cls(
            file,
            max_megapixels=max_megapixels,
            float_range=float_range,
            max_pages=max_pages,
            max_megabytes=max_megabytes,
        )

    @classmethod
    def from_array(cls, array: np.ndarray) -> Self:
        """Take a picture from memory.

        Parameters
        ----------
        array : array, (H, W), (H, W, 1), (H, W, 3), or with alpha (H, W, 2) or (H, W, 4)
            bool, uint8, uint16, or float in [0, 1] (sRGB-encoded).

        Raises
        ------
        ShapeError, DtypeError, InvalidValueError
            If the array is anything else.
        """
        return cls(ArraySource(array))

    def metadata_of(self, page: int) -> Metadata:
        """Return a page's own; that of the first is the file's."""
        if page and isinstance(self._source, FileSource):
            return page_metadata(self._source, page, self.headers[page])
        return self.metadata

    def late_notes(self) -> tuple[str, ...]:
        """Say what is left out and is found only when the whole file is read."""
        return self._source.carriers.late_notes() if isinstance(self._source, FileSource) else ()

    def directory_at(self, page: int) -> int | None:
        """Return where the directory of a TIFF's page stands; None for other formats."""
        return self._source.directory_at(page) if isinstance(self._source, FileSource) else None

    @property
    def path(self) -> Path | None:
        """The file that is read; None for an array."""
        return self._source.path if isinstance(self._source, FileSource) else None

    @property
    def reading(self) -> Reading:
        """What is known of it beside what its file says."""
        return self._source.reading

    def lost_places(self, page: int = 0) -> tuple[Overlay, ...]:
        """Return what could not be decoded of a page, as places of the stored picture kept gray."""
        if not isinstance(self._source, FileSource):
            return ()
        lost = self._source.lost_rows(page)
        if not lost:
            return ()
        width, height = self.headers[page].width, self.headers[page].height
        scale = height / self._source.open(page).height  # of a reduced copy
        return tuple(
            Overlay(
                np.array([[0, top], [width, top], [width, end], [0, end]], float) * (1, scale),
                0.0,
                np.zeros(2, np.float32),
                closed=True,
            )
            for top, end in lost
        )

    @property
    def tiff_pages(self) -> tuple[TiffPage, ...]:
        """What the tags of each page say; empty for other formats."""
        return self._source.tiff_pages if isinstance(self._source, FileSource) else ()

    @property
    def pyramid(self) -> str | None:
        """How a TIFF holds reduced copies of its picture: 'pages', 'subifds' or None."""
        return self._source.pyramid if isinstance(self._source, FileSource) else None

    @property
    def array(self) -> np.ndarray | None:
        """The array that was given; None for a file."""
        return self._source.array if isinstance(self._source, ArraySource) else None

    @property
    def width(self) -> int:
        """Of the first page, as stored."""
        return self.headers[0].width

    @property
    def height(self) -> int:
        """Of the first page, as stored."""
        return self.headers[0].height

    @property
    def orientation(self) -> int:
        """EXIF orientation of the first page, 1 to 8."""
        return self.headers[0].orientation

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the first page when upright."""
        return self.headers[0].upright_size

    @property
    def pages(self) -> int:
        """How many pages are coloured: all of a TIFF, else 1."""
        return len(self.headers)

    @property
    def bands(self) -> int:
        """Bands of the first page, alpha included."""
        return self.headers[0].bands

    @property
    def bit_depth(self) -> int:
        """Bits of a sample, 1, 8, 16 or 32: the largest of all pages."""
        return max(device.bit_depth for device in self._devices)

    @property
    def is_gray(self) -> bool:
        """Whether every page is a true gray picture: one band of tone."""
        return all(device.bands == 1 for device in self._devices)

    @property
    def has_alpha(self) -> bool:
        """Whether any page has transparency."""
        return any(header.has_alpha for header in self.headers)

    @property
    def profile(self) -> bytes | None:
        """The embedded ICC profile, if it is usable for the first page."""
        return self._devices[0].profile

    @property
    def buffers_frame(self) -> bool:
        """Whether the decoder must hold a whole frame in memory."""
        return self.format != "array" and not all(header.streams for header in self.headers)

    @cached_property
    def marker(self) -> Marker | None:
        """What an earlier photochrom wrote into this file, or None."""
        return marker_of(self.metadata.xmp)

    @cached_property
    def tint(self) -> Tint:
        """Whether the first page is neutral, toned or in colour, as its thumbnail tells."""
        if self._devices[0].bands == 1:
            return NEUTRAL
        return find_tint(self.probe)

    @cached_property
    def probe(self) -> np.ndarray:
        """`probe_rgb` of the first page, made once."""
        return self.probe_rgb()

    @property
    def looks_like_negative(self) -> bool:
        """Whether the first page looks like a colour negative that nobody has inverted."""
        if self.tint.kind == "neutral" or self.reading.negative:
            return False
        return looks_like_colour_negative(self.probe)

    @property
    def is_colour(self) -> bool:
        """Whether the first page has any colour in it, be it a tone alone."""
        return self.tint.kind != "neutral"

    @cached_property
    def jpeg_quality(self) -> int | None:
        """The estimated quality of a JPEG, 1 to 100; None for what is no JPEG."""
        return jpeg_quality(self.path) if self.path and self.format == "jpeg" else None

    def device(self, page: int = 0) -> Device:
        """Return what the stored numbers of a page mean."""
        self._check_page(page)
        return self._devices[page]

    def small_lightness(self, width: int, height: int, page: int = 0) -> np.ndarray:
        """Return a small upright copy of the lightness; transparency is ignored.

        Parameters
        ----------
        width, height : int
            The exact size wanted, in pixels.
        page : int
            From 0.

        Returns
        -------
        float32 array, (height, width)
            L* in [0, 100].

        Raises
        ------
        InvalidValueError
            If a side is not at least 1, or there is no such page.
        UnreadablePhotoError
            If the pixels are truncated or corrupt.
        """
        other = self._other_tone(page) if 0 <= page < self.pages else None
        codes = None if other is None else other.codes
        return self._small(width, height, page, self._lightness_of, codes)

    def lightness_codes(self, page: int = 0) -> np.ndarray:
        """Return the full-size lightness, whole in memory, in stored orientation.

        Returns
        -------
        uint16 array, (H, W)
            L* 0 to 100 in 65535 steps.

        Raises
        ------
        InvalidValueError
            If there is no such page.
        UnreadablePhotoError
            If the pixels are truncated or corrupt.
        """
        try:
            return _pixels(lightness_of(self.tone(page)).codes)[..., 0]
        except pyvips.Error as error:
            raise unreadable(self.name, error, self.format, self.path) from error

    def with_lightness(self, pages: Sequence[np.ndarray | None]) -> Self:
        """Return the same photo with other lightness; everything else is the file's.

        Parameters
        ----------
        pages : sequence of uint16 array (H, W), or None
            For each page as `lightness_codes` gives it; None keeps what a page has.

        Returns
        -------
        Photo
            Its `tone` and `small_lightness` are new; `small_rgb` and `stored` are the file's.

        Raises
        ------
        ShapeError
            If there is not one for each page, or one has another size.
        """
        sizes = [(header.height, header.width) for header in self.headers]
        given = [size if p is None else p.shape for p, size in zip(pages, sizes, strict=False)]
        if len(pages) != self.pages or given != sizes:
            raise ShapeError(f"{self.name}: pages of {sizes} are needed; {given} came.")
        changed = copy(self)
        before = self._lightness or (None,) * self.pages
        changed._lightness = tuple(
            b if p is None else p for p, b in zip(pages, before, strict=True)
        )
        return changed

    @property
    def has_other_lightness(self) -> bool:
        """Whether any page's lightness is not the file's."""
        return any(page is not None for page in self._lightness)

    def small_rgb(self, width: int, height: int, page: int = 0) -> np.ndarray:
        """Return a small upright copy in colour; transparency is ignored.

        Parameters
        ----------
        width, height : int
            The exact size wanted, in pixels.
        page : int
            From 0.

        Returns
        -------
        uint8 array, (height, width, 3)
            sRGB.

        Raises
        ------
        InvalidValueError
            If a side is not at least 1, or there is no such page.
        UnreadablePhotoError
            If the pixels are truncated or corrupt.
        """
        return self._small(width, height, page, self._rgb_of)

    def probe_rgb(self, page: int = 0) -> np.ndarray:
        """Return a copy so small that it shows tone and stain alone, as stored: uint8 (h, w, 3)."""
        self._check_page(page)
        header = self.headers[page]
        scale = min(1.0, PROBE_PX / max(header.width, header.height))
        width, height = (max(1, round(side * scale)) for side in header.upright_size)
        return to_stored(self.small_rgb(width, height, page), header.orientation)

    def tone(self, page: int = 0) -> Tone:
        """Return the full-size lightness in stored orientation, to be read once.

        Raises
        ------
        InvalidValueError
            If there is no such page.
        UnreadablePhotoError
            If the file can no longer be opened. Damage further down shows when pixels are read.
        """
        self._check_page(page)
        other = self._other_tone(page)
        if other is not None:
            return other
        return self._tone_of(self._devices[page].without_alpha(self.stored(page)), page)

    def _other_tone(self, page: int) -> Tone | None:
        codes = self._lightness[page] if self._lightness else None
        return None if codes is None else tone_of_lightness(codes)

    def alpha(self, page: int = 0) -> pyvips.Image | None:
        """Return the transparency as stored, full size, one band, to be read once; or None."""
        self._check_page(page)
        header = self.headers[page]
        return self.stored(page)[header.bands - 1] if header.has_alpha else None

    def stored(self, page: int = 0) -> pyvips.Image:
        """Return a page just as libvips decodes it, with its metadata, to be read once."""
        self._check_page(page)
        image, header = self._source.open(page), self.headers[page]
        return _resize(image, header.width, header.height) if self._is_reduced else image

    def reduced(self, long_side_px: int) -> Self:
        """Give the same photo with smaller pages, the long side of each so many pixels at most."""
        changed = copy(self)
        changed.headers = tuple(_reduced(header, long_side_px) for header in self.headers)
        changed._is_reduced = changed.headers != self.headers
        return changed

    def _tone_of(self, image: pyvips.Image, page: int) -> Tone:
        device = self._devices[page]
        if device.bands == 1:
            return tone_of_gray(image, device.profile)
        return tone_of_colour(image, device.conversion)

    def _lightness_of(self, image: pyvips.Image, page: int) -> np.ndarray:
        other = self._other_tone(page)
        tone = self._tone_of(image, page) if other is None else Tone(image, other.luminance)
        table = luminance_to_lightness(tone.luminance).astype(np.float32)
        lightness: np.ndarray = table[_pixels(tone.codes)[..., 0]]
        return lightness

    def to_rgb(self, image: pyvips.Image, page: int = 0) -> np.ndarray:
        """Convert pixels of a page, decoded and without alpha, to sRGB: uint8 (h, w, 3)."""
        return self._rgb_of(image, page)

    def _rgb_of(self, image: pyvips.Image, page: int) -> np.ndarray:
        device = self._devices[page]
        if device.bands == 1:
            tone = tone_of_gray(image, device.profile)
            levels = np.round(linear_to_srgb(tone.luminance) * 255).astype(np.uint8)
            return np.repeat(levels[_pixels(tone.codes)], 3, axis=-1)
        if device.conversion is not None:
            image = import_xyz(image, device.conversion).colourspace("srgb")
        elif image.format == "ushort":
            image = image.linear(255 / 65535, 0.5).cast("uchar")
        return _pixels(image)

    def _small(
        self,
        width: int,
        height: int,
        page: int,
        convert: Callable[[pyvips.Image, int], np.ndarray],
        codes: pyvips.Image | None = None,
    ) -> np.ndarray:
        """Shrink the stored numbers or these, convert the few that remain, turn them upright."""
        self._check_page(page)
        if min(width, height) < 1:
            raise InvalidValueError(
                f"A picture has at least 1 x 1 pixel; {width} x {height} asked."
            )
        header = self.headers[page]
        wide, high = upright_size(width, height, header.orientation)
        shrink = min(header.width / wide, header.height / high)
        try:
            image = codes
            if image is None:
                image = self._devices[page].without_alpha(self._source.open_small(page, shrink))
            resized = _resize(image, wide, high)
            return np.ascontiguousarray(to_upright(convert(resized, page), header.orientation))
        except pyvips.Error as error:
            raise unreadable(self.name, error, self.format, self.path) from error

    def _check_page(self, page: int) -> None:
        if not 0 <= page < self.pages:
            raise InvalidValueError(f"{self.name}: pages are 0 to {self.pages - 1}; {page} asked.")


def _pixels(image: pyvips.Image) -> np.ndarray:
    """Return (H, W, bands) whatever the size: pyvips drops axes of length 1."""
    pixels: np.ndarray = image.numpy().reshape(image.height, image.width, image.bands)
    return pixels


def _resize(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Resize to exactly this size."""
    resized = image.resize(width / image.width, vscale=height / image.height)
    return resized.embed(0, 0, width, height, extend="copy")


def _reduced(header: Header, long_side_px: int) -> Header:
    scale = min(1.0, long_side_px / max(header.width, header.height))
    width, height = (max(1, round(side * scale)) for side in (header.width, header.height))
    return replace(header, width=width, height=height)


def _read_headers(
    source: FileSource | ArraySource, budget: Budget
) -> tuple[tuple[Header, ...], dict[str, None]]:
    """Read each page's header, within the budget; give them and what is said of the pages."""
    if isinstance(source, ArraySource):
        header = read_header(source.open(0), source.kind)
        check_size(header, budget.max_megapixels, source.name)
        return (header,), {}
    spent = Spent(budget, source)
    headers, notes = [], dict[str, None]()
    for page in range(source.pages):
        carried = source.carried(page)
        spent.check_before(carried)
        # A negative is inverted through its profile, which says nothing of the positive.
        own = None if source.reading.negative else carried.profile
        profile = source.carriers.one_profile(own)
        header = read_header(source.head(page), source.kind, carried, profile)
        check_size(header, budget.max_megapixels, source.name)
        spent.check(header, carried)
        headers.append(header)
        notes |= dict.fromkeys(carried.notes)
        if own is not None and profile is None:
            notes["The profiles of all pages together are too large: the rest is ignored."] = None
    return tuple(headers), notes


def _frame_notes(source: FileSource | ArraySource, header: Header) -> list[str]:
    kind, frames = source.kind, header.frames
    if frames == 1 or kind == "tiff":
        return []
    if kind in ("avif", "heic"):
        return [f"It holds {frames} pictures: only the main one is used."]
    return [f"It is animated ({frames} frames): only the first frame is used."]
