"""A photograph on disk or in memory, read lazily, with the metadata to preserve."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pyvips

from photochrom.color.lab import linear_to_srgb, luminance_to_lightness
from photochrom.errors import InvalidValueError, ShapeError
from photochrom.photo.array_source import ArraySource
from photochrom.photo.budget import Budget
from photochrom.photo.headers import (
    array_of,
    frame_notes,
    read_headers,
    reduced_header,
    resize_image,
)
from photochrom.photo.lightness import (
    Tone,
    import_xyz,
    lightness_of,
    tone_of_colour,
    tone_of_gray,
    tone_of_lightness,
)
from photochrom.photo.metadata.conversion import read_metadata
from photochrom.photo.open_file import unreadable
from photochrom.photo.orientation import to_stored, to_upright, upright_size
from photochrom.photo.photo_facts import PhotoFacts
from photochrom.photo.reading import PLAIN, Reading
from photochrom.photo.resize import reduced_size
from photochrom.photo.sample_values import check_float_range, describe_device
from photochrom.photo.source import FileSource

PROBE_PX = 96  # long side of the copy whose colours are analysed


class Photo(PhotoFacts):
    """A photograph, opened but not decoded.

    Attributes
    ----------
    name : str
        Name in messages.
    format : str
        'jpeg', 'png', 'tiff', 'webp', 'avif', 'heic', 'gif' or 'array'.
    headers : tuple of Header
        One for each page.
    metadata : Carried
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
        if float_range is not None:
            check_float_range(float_range)
        self._source = source
        self._lightness: tuple[np.ndarray | None, ...] = ()
        self._is_reduced = False
        self.name = source.name
        self.format = source.kind
        budget = Budget(max_megapixels, max_megabytes, max_pages, source.reading.salvage)
        self.headers, repaired = read_headers(source, budget)
        self._whole = self.headers  # as stored, also of a reduced photo
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
            dict.fromkeys([*frame_notes(source, self.headers[0]), *source.notes, *repaired, *found])
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
            A page with more is rejected before it is decoded.
        float_range : (low, high), optional
            The values of black and white in a file of floats; default (0, 1), and in a file of
            signed or 32-bit integers the whole range of the type.
        max_pages : int, optional
            A file with more is rejected. Default: 300, more for a file with 3,000 bytes per page.
        max_megabytes : float
            A page whose decoder needs more memory is rejected, such as an interlaced PNG.
        reading : Reading
            What is known about a scan, such as its profile.

        Raises
        ------
        UnreadablePhotoError
            If it is missing, empty, not a picture, truncated or corrupt.
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
        """Return a photo of a picture in memory.

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

    @cached_property
    def probe(self) -> np.ndarray:
        """`probe_rgb` of the first page, computed once."""
        return self.probe_rgb()

    def small_lightness(self, width: int, height: int, page: int = 0) -> np.ndarray:
        """Return a small upright copy of the lightness; transparency is ignored.

        Parameters
        ----------
        width, height : int
            The exact size in pixels.
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
            return array_of(lightness_of(self.tone(page)).codes)[..., 0]
        except pyvips.Error as error:
            raise unreadable(self.name, error, self.format, self.path) from error

    def with_lightness(self, pages: Sequence[np.ndarray | None]) -> Self:
        """Return the photo with another lightness; everything else is the file's.

        Parameters
        ----------
        pages : sequence of uint16 array (H, W), or None
            For each page, as returned by `lightness_codes`; None keeps the page's own.

        Returns
        -------
        Photo
            With new `tone` and `small_lightness`; `small_rgb` and `stored` are the file's.

        Raises
        ------
        ShapeError
            If there is not one for each page, or one has a different size.
        """
        sizes = [(header.height, header.width) for header in self.headers]
        given = [size if p is None else p.shape for p, size in zip(pages, sizes, strict=False)]
        if len(pages) != self.pages or given != sizes:
            raise ShapeError(f"{self.name}: needs pages of {sizes}; got {given}.")
        changed = copy(self)
        before = self._lightness or (None,) * self.pages
        changed._lightness = tuple(
            b if p is None else p for p, b in zip(pages, before, strict=True)
        )
        return changed

    @property
    def has_other_lightness(self) -> bool:
        """Whether any page's lightness differs from the file's."""
        return any(page is not None for page in self._lightness)

    def small_rgb(self, width: int, height: int, page: int = 0) -> np.ndarray:
        """Return a small upright copy in colour; transparency is ignored.

        Parameters
        ----------
        width, height : int
            The exact size in pixels.
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
        return self._small(width, height, page, self.to_rgb)

    def probe_rgb(self, page: int = 0) -> np.ndarray:
        """Return a very small copy for tone and stain analysis, as stored: uint8 (h, w, 3)."""
        self._check_page(page)
        header = self.headers[page]
        width, height = reduced_size(*header.upright_size, PROBE_PX)
        return to_stored(self.small_rgb(width, height, page), header.orientation)

    def tone(self, page: int = 0) -> Tone:
        """Return the full-size lightness in stored orientation; it can be read once.

        Raises
        ------
        InvalidValueError
            If there is no such page.
        UnreadablePhotoError
            If the file can no longer be opened. Later damage is found when pixels are read.
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
        """Return the stored full-size transparency, one band, readable once; or None."""
        self._check_page(page)
        header = self.headers[page]
        return self.stored(page)[header.bands - 1] if header.has_alpha else None

    def stored(self, page: int = 0) -> pyvips.Image:
        """Return a page as decoded by libvips, with its metadata; it can be read once."""
        self._check_page(page)
        image, header = self._source.open(page), self.headers[page]
        return resize_image(image, header.width, header.height) if self._is_reduced else image

    def reduced(self, long_side_px: int) -> Self:
        """Return the photo with pages reduced to a maximum long side."""
        changed = copy(self)
        changed.headers = tuple(reduced_header(header, long_side_px) for header in self.headers)
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
        lightness: np.ndarray = table[array_of(tone.codes)[..., 0]]
        return lightness

    def to_rgb(self, image: pyvips.Image, page: int = 0) -> np.ndarray:
        """Convert pixels of a page, decoded and without alpha, to sRGB: uint8 (h, w, 3)."""
        device = self._devices[page]
        if device.bands == 1:
            tone = tone_of_gray(image, device.profile)
            levels = np.round(linear_to_srgb(tone.luminance) * 255).astype(np.uint8)
            return np.repeat(levels[array_of(tone.codes)], 3, axis=-1)
        if device.conversion is not None:
            image = import_xyz(image, device.conversion).colourspace("srgb")
        elif image.format == "ushort":
            image = image.linear(255 / 65535, 0.5).cast("uchar")
        return array_of(image)

    def _small(
        self,
        width: int,
        height: int,
        page: int,
        convert: Callable[[pyvips.Image, int], np.ndarray],
        codes: pyvips.Image | None = None,
    ) -> np.ndarray:
        """Shrink the stored pixels (or the given ones), convert them, and turn them upright."""
        self._check_page(page)
        if min(width, height) < 1:
            raise InvalidValueError(
                f"The size must be at least 1 x 1 pixel; got {width} x {height}."
            )
        header = self.headers[page]
        wide, high = upright_size(width, height, header.orientation)
        # By the stored size: a network must see a reduced photo as it sees the whole one.
        whole = self._whole[page]
        shrink = min(whole.width / wide, whole.height / high)
        try:
            image = codes
            if image is None:
                image = self._devices[page].without_alpha(self._source.open_small(page, shrink))
            resized = resize_image(image, wide, high)
            return np.ascontiguousarray(to_upright(convert(resized, page), header.orientation))
        except pyvips.Error as error:
            raise unreadable(self.name, error, self.format, self.path) from error
