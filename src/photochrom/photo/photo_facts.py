"""Facts about a photo that are known before its pixels are read."""

from functools import cached_property
from pathlib import Path

import numpy as np

from photochrom.errors import InvalidValueError
from photochrom.photo.array_source import ArraySource
from photochrom.photo.metadata.carried import Carried
from photochrom.photo.metadata.conversion import Marker, marker_of, page_metadata
from photochrom.photo.negative import looks_like_colour_negative
from photochrom.photo.open_file import Header, jpeg_quality
from photochrom.photo.rasterize import Overlay
from photochrom.photo.reading import Reading
from photochrom.photo.sample_values import Device
from photochrom.photo.source import FileSource
from photochrom.photo.tiff_pages import TiffPage
from photochrom.photo.tint_detection import NEUTRAL, Tint, find_tint


class PhotoFacts:
    """The facts of a photo; see `photochrom.photo.photo.Photo`, which adds its pixels."""

    name: str
    format: str
    headers: tuple[Header, ...]
    metadata: Carried
    notes: tuple[str, ...]
    _source: FileSource | ArraySource
    _devices: tuple[Device, ...]

    @property
    def probe(self) -> np.ndarray:
        """A small copy of the first page in colour, (h, w, 3) uint8."""
        raise NotImplementedError

    def metadata_of(self, page: int) -> Carried:
        """Return a page's metadata; the first page has the file's."""
        if page and isinstance(self._source, FileSource):
            return page_metadata(self._source, page, self.headers[page])
        return self.metadata

    def late_notes(self) -> tuple[str, ...]:
        """Return notes on omitted parts that are found only when the whole file is read."""
        return self._source.carriers.late_notes() if isinstance(self._source, FileSource) else ()

    def directory_at(self, page: int) -> int | None:
        """Return the offset of the directory of a TIFF's page; None for other formats."""
        return self._source.directory_at(page) if isinstance(self._source, FileSource) else None

    @property
    def path(self) -> Path | None:
        """The file that is read; None for an array."""
        return self._source.path if isinstance(self._source, FileSource) else None

    @property
    def reading(self) -> Reading:
        """What is known about it beyond what its file says."""
        return self._source.reading

    def lost_places(self, page: int = 0) -> tuple[Overlay, ...]:
        """Return the undecodable parts of a page, as places of the stored picture kept gray."""
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
        """The tags of each page; empty for other formats."""
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
        """Size of the first page, as stored."""
        return self.headers[0].width

    @property
    def height(self) -> int:
        """Size of the first page, as stored."""
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
        """Whether every page has a single gray band."""
        return all(device.bands == 1 for device in self._devices)

    @property
    def has_alpha(self) -> bool:
        """Whether any page has transparency."""
        return any(header.has_alpha for header in self.headers)

    @property
    def profile(self) -> bytes | None:
        """The embedded ICC profile, if it is usable for the first page."""
        return self._devices[0].profile

    @cached_property
    def marker(self) -> Marker | None:
        """The marker that photochrom wrote into this file, or None."""
        return marker_of(self.metadata.xmp)

    @cached_property
    def tint(self) -> Tint:
        """Whether the first page is neutral, toned or in colour, judged by a small copy."""
        if self._devices[0].bands == 1:
            return NEUTRAL
        return find_tint(self.probe)

    @property
    def looks_like_negative(self) -> bool:
        """Whether the first page looks like a colour negative that has not been inverted."""
        if self.tint.kind == "neutral" or self.reading.negative:
            return False
        return looks_like_colour_negative(self.probe)

    @property
    def is_colour(self) -> bool:
        """Whether the first page has any colour, even just a tone."""
        return self.tint.kind != "neutral"

    @cached_property
    def jpeg_quality(self) -> int | None:
        """The estimated quality of a JPEG, 1 to 100; None for other formats."""
        return jpeg_quality(self.path) if self.path and self.format == "jpeg" else None

    def device(self, page: int = 0) -> Device:
        """Return what the stored numbers of a page mean."""
        self._check_page(page)
        return self._devices[page]

    def _check_page(self, page: int) -> None:
        if not 0 <= page < self.pages:
            raise InvalidValueError(f"{self.name}: page must be 0 to {self.pages - 1}; got {page}.")
