"""The source of a picture: a file, reopened for each pass, or an array in memory."""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Unpack

import numpy as np
import pyvips

from photochrom.errors import (
    DtypeError,
    UnreadablePhotoError,
    UnsupportedFormatError,
)
from photochrom.photo.camera_raw import (
    Preview,
    find_preview,
    how_to_develop,
    is_far_smaller,
    read_preview,
    with_raw_metadata,
)
from photochrom.photo.cicp import Declared, from_gamma
from photochrom.photo.declared_colour import declared_colour
from photochrom.photo.develop_raw import open_raw
from photochrom.photo.icc import curve_profile
from photochrom.photo.lightness import TOP, srgb_table
from photochrom.photo.metadata.carried import Carried, Fields
from photochrom.photo.metadata.carriers import Carriers
from photochrom.photo.named_pipe import Pipe, is_pipe
from photochrom.photo.negative import Inversion, find_inversion
from photochrom.photo.open_file import LoaderOptions, check_megapixels, load, read_header
from photochrom.photo.other_decoders import FOREIGN, Foreign, decoded, head, open_foreign
from photochrom.photo.profiles import srgb_profile
from photochrom.photo.reading import PLAIN, Reading
from photochrom.photo.salvage import Salvaged, salvage
from photochrom.photo.sniff import NAMES, sniff
from photochrom.photo.temporary_folders import remove_with, scratch
from photochrom.photo.tiff_pages import TiffPage, pictures, pyramid_of, read_pages, refusal
from photochrom.photo.unsupported import CONVERT

JPEG_SHRINKS = (8, 4, 2)
MARGIN = 2  # shrinking while decoding is a plain mean: leave this factor to the better filter
NEGATIVE_PROBE_PX = 400
SIGNED = ("char", "short", "int")


class FileSource:
    """A picture file.

    Parameters
    ----------
    source : str, Path, bytes or binary file
        Anything but a path is first written to a temporary file, which is deleted with this object.
    reading : Reading
        How to read what the file does not define.
    float_range : (low, high), optional
        Values of black and white in floating-point files.
    max_megapixels : float
        A picture with more is rejected before it is decoded into memory.

    Attributes
    ----------
    notes : tuple of str
        Parts of the file that are not read.

    Raises
    ------
    DtypeError
        If `source` has another type.
    UnreadablePhotoError, UnsupportedFormatError
        See `photochrom.photo.sniff.sniff`; and if a TIFF is of a kind that is not read.
    PhotoTooLargeError
        If it has more megapixels than allowed and is decoded whole.
    """

    def __init__(
        self,
        source: str | Path | bytes | BinaryIO,
        reading: Reading = PLAIN,
        *,
        float_range: tuple[float, float] | None = None,
        max_megapixels: float = float("inf"),
    ) -> None:
        self.path, self.name, self._spool = _as_path(source)
        self.kind = sniff(self.path, self.name)
        self.carriers = Carriers(self.path, self.kind)
        self.reading, self.float_range = reading, float_range
        self.notes: tuple[str, ...] = ()
        self.tiff_pages: tuple[TiffPage, ...] = ()
        self._foreign: Foreign | None = None
        self._decoded: pyvips.Image | None = None
        self._salvaged: dict[int, Salvaged] = {}
        self._inversions: dict[int, Inversion] = {}
        self._preview: _Spool | None = None
        self._raw_orientation = 1
        if self.kind == "tiff":
            self._look_at_pages()
        elif self.kind == "raw":
            self._open_raw(max_megapixels)
        elif self.kind in FOREIGN:
            if reading.salvage:
                raise UnsupportedFormatError(
                    f"{self.name}: --salvage reads JPEG, PNG, TIFF, WebP, GIF and AVIF; got "
                    f"{NAMES.get(self.kind, self.kind.upper())}."
                )
            self._foreign = open_foreign(self.path, self.kind, self.name)
            check_megapixels(*self._foreign.size, max_megapixels, self.name)
            self.notes = self._foreign.notes

    @property
    def pages(self) -> int:
        """How many pages there are: the pictures of a TIFF, else 1."""
        return len(self.tiff_pages) or max(1, len(self.carriers.pages))

    def index_of(self, page: int) -> int:
        """Return the place of a page in the chain of a TIFF's directories."""
        return self.tiff_pages[page].index if self.tiff_pages else page

    def carried(self, page: int) -> Carried:
        """Return a page's metadata."""
        found = self.carriers.of(self.index_of(page))
        if self.kind == "raw":
            return self._carried_by_raw(found)
        # Other libraries report more for their formats, as fields of the decoded picture.
        return replace(found, known=False) if self.kind in FOREIGN else found

    def _carried_by_raw(self, found: Carried) -> Carried:
        if self._foreign is None:
            return with_raw_metadata(found, self.path)
        around = with_raw_metadata(found, self.path)
        if around.exif is None and self._preview is not None:
            around = replace(found, exif=Carriers(self._preview.path, "jpeg").of(0).exif)
        profile = srgb_profile() if self._foreign.bands == 3 else None
        return replace(around, orientation=self._raw_orientation, profile=profile, known=True)

    @property
    def is_decoded_whole(self) -> bool:
        """Whether another library decodes the picture at once."""
        return self._foreign is not None

    def head(self, page: int) -> pyvips.Image:
        """Return the header of one page: the file is not read to its end."""
        return self._load(page, pixels=False) if self._foreign is None else head(self._foreign)

    def settle(self) -> None:
        """Add the notes that need the pixels of a picture that is decoded as a whole."""
        if self._foreign is not None and self.reading.negative:
            self._load(0)

    def open(self, page: int) -> pyvips.Image:
        """Return one page at full size, to be read once, top to bottom."""
        return self._load(page)

    def open_small(self, page: int, shrink: float) -> pyvips.Image:
        """Return one page, smaller by up to `shrink` where the decoder can do that cheaply."""
        options = LoaderOptions()
        if self.kind in ("jpeg", "raw"):
            options["shrink"] = next((s for s in JPEG_SHRINKS if shrink >= s * MARGIN), 1)
        elif self.kind == "webp" and shrink > MARGIN:
            options["scale"] = MARGIN / shrink
        return self._load(page, **options)

    def directory_at(self, page: int) -> int | None:
        """Return the offset of the directory of a TIFF's page; None for other formats."""
        pages, index = self.carriers.pages, self.index_of(page)
        return pages[index] if index < len(pages) else None

    def declared(self, page: int, fields: Fields, *, gray: bool) -> Declared | None:
        """Return a page's colour description other than an ICC profile."""
        if self.reading.negative:
            return Declared("an inverted negative", None, beats_icc=True)
        return self._said(page, fields, gray=gray)

    def _said(self, page: int, fields: Fields, *, gray: bool) -> Declared | None:
        directory = self.directory_at(page)
        return declared_colour(self.path, self.kind, fields, gray=gray, directory=directory)

    def _load(
        self, page: int, *, pixels: bool = True, **options: Unpack[LoaderOptions]
    ) -> pyvips.Image:
        image = self._read(page, pixels, options)
        return self._positive(image, page) if self.reading.negative else image

    def _read(self, page: int, pixels: bool, options: LoaderOptions) -> pyvips.Image:
        if self._foreign is not None:
            if self._decoded is None:
                self._decoded = decoded(self._foreign, self.path, self.kind, self.name)
            return self._kept(self._decoded)
        if self.reading.salvage:
            return self._salvage(page)
        if self._preview is not None:
            preview, carriers = self._preview.path, self.carriers
            return self._kept(
                load(preview, "jpeg", self.name, carriers=carriers, pixels=pixels, **options)
            )
        index, carriers = self.index_of(page), self.carriers
        image = self._kept(
            load(
                self.path, self.kind, self.name, index, carriers=carriers, pixels=pixels, **options
            )
        )
        return self._as_meant(image, self.tiff_pages[page]) if self.tiff_pages else image

    def _salvage(self, page: int) -> pyvips.Image:
        """Decode the readable part, once."""
        if page not in self._salvaged:
            path = self.path if self._preview is None else self._preview.path
            kind = "jpeg" if self.kind == "raw" else self.kind
            index = self.index_of(page)

            def again(fail_on: str) -> pyvips.Image:
                image = load(path, kind, self.name, index, carriers=self.carriers, fail_on=fail_on)
                return self._as_meant(image, self.tiff_pages[page]) if self.tiff_pages else image

            self._salvaged[page] = salvage(again, kind, self.name)
            self.notes += self._salvaged[page].notes
        return self._salvaged[page].image

    def lost_rows(self, page: int) -> tuple[tuple[int, int], ...]:
        """Return the rows of a page that could not be decoded: first and last, last excluded."""
        return self._salvaged[page].lost if page in self._salvaged else ()

    def _positive(self, image: pyvips.Image, page: int) -> pyvips.Image:
        """Invert a negative; the result is sRGB."""
        alpha = int(image.hasalpha())
        bands = image.bands - alpha
        if image.format not in TOP or bands not in (1, 3) or image.interpretation == "cmyk":
            raise UnsupportedFormatError(
                f"{self.name}: a negative must be gray or RGB of 8 or 16 bits; got {bands} bands "
                f"({image.interpretation}, {image.format})."
            )
        if page not in self._inversions:
            self._inversions[page] = self._measure(page, bands)
            how = "in density"
            if not self._inversions[page].is_film:
                how = "by reversing its codes, since its densities are not those of film"
            self.notes = tuple(dict.fromkeys((*self.notes, f"Inverted as a negative, {how}.")))
        top = TOP[image.format]
        tables = np.round(self._inversions[page].tables * top)
        lookup = pyvips.Image.new_from_array(
            tables.astype(np.uint8 if top == 255 else np.uint16)[None]
        )
        space = image.interpretation
        colours = image.extract_band(0, n=bands).maplut(lookup)
        if alpha:
            colours = colours.bandjoin(image[bands])
        positive = colours.copy(interpretation=space)
        positive.remove("icc-profile-data")
        return positive

    def _measure(self, page: int, bands: int) -> Inversion:
        """Return a small copy of a negative, converted through its profile."""
        image = self._read(page, True, {})
        carried = self.carried(page)
        fields = read_header(image, self.kind, carried, carried.profile).fields
        profile = fields.get("icc-profile-data")
        if profile is None:
            said = self._said(page, fields, gray=bands == 1)
            said = None if said and said.unused else said
            profile = said.profile if said else self.reading.profile
            if said is None and self.reading.gamma is not None:
                profile = from_gamma(self.reading.gamma, None, gray=bands == 1, source="").profile
        curves = None if profile is None else curve_profile(bytes(profile))
        levels = TOP[image.format] + 1
        light = srgb_table(levels)[:, None] if curves is None else curves.linear(levels)
        if light.shape[1] != bands:
            light = np.repeat(light[:, :1], bands, axis=1)
        shrink = max(1, max(image.width, image.height) // NEGATIVE_PROBE_PX)
        plain = image.extract_band(0, n=bands)
        # The mean of an area: a sharper filter would create false densities.
        small = plain.shrink(shrink, shrink).cast(image.format).numpy()
        return find_inversion(
            small.reshape(-1, small.shape[1] if small.ndim > 1 else 1, bands), light
        )

    def _as_meant(self, image: pyvips.Image, page: TiffPage) -> pyvips.Image:
        """Return a TIFF page as its tags define it, where libvips ignores them."""
        kept = page.kept_bands or ((0, 1, 2) if page.is_opaque_colour else None)
        if kept is not None and len(kept) < image.bands:
            bands = [image[band] for band in kept]
            space = image.interpretation
            image = bands[0].bandjoin(bands[1:]) if len(bands) > 1 else bands[0]
            image = image.copy(interpretation=space)
        if page.is_inverted and image.format in SIGNED:
            image = image ^ -1  # -1 - x: exact
        elif page.is_inverted and image.format in ("float", "double"):
            low, high = self.float_range or (0.0, 1.0)
            image = image.linear(-1, low + high).cast(image.format)
        if image.get_typeof("n-pages"):
            image = image.copy()
            image.set_type(pyvips.GValue.gint_type, "n-pages", len(self.tiff_pages))
        return image

    def _look_at_pages(self) -> None:
        """Choose the pages that are pictures; reject those that would be read wrongly."""
        found = read_pages(self.path)
        self.tiff_pages = pictures(found)
        for number, page in enumerate(self.tiff_pages, 1):
            unread = refusal(page)
            if unread is not None:
                where = f" (page {number})" if len(self.tiff_pages) > 1 else ""
                raise UnsupportedFormatError(
                    f"{self.name}: {unread} is not supported{where}. {CONVERT}."
                )
        self.notes = tuple(_page_notes(found, self.tiff_pages))

    @property
    def pyramid(self) -> str | None:
        """How a TIFF of one picture holds reduced copies: 'pages', 'subifds', or None."""
        return pyramid_of(read_pages(self.path)) if len(self.tiff_pages) == 1 else None

    def _open_raw(self, max_megapixels: float) -> None:
        """Develop a raw file if that can be done; else take its preview."""
        preview = find_preview(self.path)
        found: tuple[Foreign, int] | str = "a damaged file is read by its preview"
        if not self.reading.salvage:
            found = open_raw(self.path, self.name, max_megapixels)
        if preview is not None:
            self._preview = _Spool()
            self._preview.path.write_bytes(read_preview(self.path, preview))
            if not isinstance(found, str) and is_far_smaller(found[0].size, preview):
                found = "its preview is larger"
        if isinstance(found, str):
            self._use_preview(preview, found)
            return
        self._foreign, self._raw_orientation = found
        width, height = self._foreign.size
        self.notes = (
            f"Camera raw: developed at its full size of {width} x {height} by LibRaw, with the "
            "camera's white balance.",
        )

    def _use_preview(self, preview: Preview | None, why: str) -> None:
        advice = how_to_develop(why)
        if preview is None:
            raise UnsupportedFormatError(
                f"{self.name}: camera raw without an embedded preview that can be coloured. "
                f"{advice}"
            )
        assert self._preview is not None
        self.carriers = Carriers(self._preview.path, "jpeg")
        self.notes = (
            f"Camera raw: its embedded preview of {preview.width} x {preview.height} is coloured. "
            f"{advice}",
        )

    def _kept(self, image: pyvips.Image) -> pyvips.Image:
        """Keep temporary files as long as the image and its results, to which references pass."""
        image._references.extend(s for s in (self._spool, self._preview) if s is not None)
        return image


def _page_notes(found: Sequence[TiffPage], kept: Sequence[TiffPage]) -> Iterator[str]:
    reduced = sum(page.is_reduced for page in found if page not in kept)
    reduced += sum(page.sub_directories for page in kept)
    masks = sum(page.is_mask for page in found if page not in kept)
    if reduced and pyramid_of(found) is None:
        yield f"{reduced} reduced or further copies inside the TIFF are left out."
    if masks:
        yield f"{masks} transparency mask{'s' * (masks > 1)} inside the TIFF left out."
    unkept = (page.samples - len(page.kept_bands) for page in kept if page.kept_bands)
    bands = max(unkept, default=0)
    if bands:
        yield (
            f"{bands} channel{'s' * (bands > 1)} besides the colours (a scanner's infrared?) "
            "left out."
        )


def _as_path(source: str | Path | bytes | BinaryIO) -> tuple[Path, str, "_Spool | None"]:
    """Return the path, the name for messages, and an object to keep alive."""
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
            f"A picture must be a path, bytes or a file opened for binary reading; got a "
            f"{type(source).__name__}."
        )
    name = str(getattr(content, "name", "picture in memory"))
    spool = _Spool()
    try:
        with spool.path.open("wb") as file:
            shutil.copyfileobj(content, file)
            if (
                not isinstance(content, Pipe)
                and file.tell() == 0
                and content.seekable()
                and content.tell() > 0
            ):  # a file object that was just written and not rewound
                content.seek(0)
                shutil.copyfileobj(content, file)
    except UnreadablePhotoError:  # of a pipe, an OSError too
        raise
    except (TypeError, ValueError) as error:
        raise DtypeError(f"{name}: the file must be opened for binary reading.") from error
    except OSError as error:
        raise UnreadablePhotoError(f"{name}: cannot be read ({error.strerror}).") from error
    return spool.path, name, spool


class _Spool:
    """A temporary file that is removed when this object is garbage-collected."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(dir=scratch())
        os.close(descriptor)
        self.path = Path(name)
        remove_with(self, self.path)
