"""Colour photographs with any method.

file -> Photo -> L (small) -> method -> ab (small) -> guided to full size -> joined -> file
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Unpack, cast, overload

import numpy as np

from photochrom.colorization.method import Request
from photochrom.engine.after_fork import elsewhere_if_stranded
from photochrom.engine.companion_files import carry_along
from photochrom.engine.conditioning import condition, distribution
from photochrom.engine.guidance import Guidance
from photochrom.engine.originals import keep_original, photo_state
from photochrom.engine.page_colouring import PLAIN, PageColorizer
from photochrom.engine.picture_kinds import many, open_picture
from photochrom.engine.picture_types import (
    ColorizeOptions,
    Colours,
    GuidanceOptions,
    HintTable,
    InMemory,
    Lender,
    Picture,
    PictureOrPhoto,
    Pictures,
)
from photochrom.engine.prediction import method_features, predict_colours
from photochrom.engine.result import Coloured, Comparison, Findings, Result, decoded_png
from photochrom.engine.same_kind import same_kind
from photochrom.engine.selection import outline, thing_at
from photochrom.engine.spots import checked_spot, window_mean
from photochrom.engine.suggestions import Suggestion, shares_of, suggest
from photochrom.errors import DtypeError, InvalidValueError
from photochrom.options.hint import Hint
from photochrom.photo.budget import Budget
from photochrom.photo.formats import choose_format
from photochrom.photo.metadata.xmp import Marker
from photochrom.photo.photo import Photo
from photochrom.photo.reading import PLAIN as AS_IT_SAYS
from photochrom.photo.reading import Reading
from photochrom.photo.write import needs_sixteen_bit, write_photo

SHOWN_PX = 1024  # long side of pictures in a notebook
MAX_MEGAPIXELS = 1000.0


class Colorizer(PageColorizer):
    """Colour photographs with one method; its network stays loaded.

    Parameters
    ----------
    method : str or Path
        A name of `photochrom.methods()`, or a path to an exported network (.onnx).
    vividness, saturation, short_side_px, restore, white_lightness :
        See `Look`.
    device : str
        'cpu', 'cuda', 'coreml' or 'directml'.
    threads : int
        Threads of the network; 0 leaves it to ONNX Runtime.

    Raises
    ------
    UnknownMethodError, WeightsError, InvalidValueError
        If the method or an option cannot be used.
    MissingExtraError
        If `restore` is requested but not installed.

    Examples
    --------
    >>> colorizer = Colorizer("photochrom", vividness=0.7)
    >>> colorizer.colorize("grandmother.jpg")
    PosixPath('grandmother-color.jpg')
    """

    @elsewhere_if_stranded
    def suggest(
        self,
        picture: PictureOrPhoto,
        x: float,
        y: float,
        radius: float = 8.0,
        *,
        count: int = 6,
        hints: Sequence[Hint] = (),
    ) -> list[Suggestion]:
        """Return the likely colours of a spot, most likely first.

        Parameters
        ----------
        picture : as `colorize` takes it, or Photo
        x, y, radius : float
            The spot, in pixels of the upright photo.
        count : int
            Maximum number of colours.
        hints : sequence of Hint
            Hints elsewhere in the picture.

        Returns
        -------
        list of Suggestion

        Raises
        ------
        InvalidValueError
            If the spot lies outside the picture, or the method predicts no distribution.
        """
        photo = open_picture(picture)
        width, height = checked_spot(photo, x, y)
        lightness, _ = self.small(photo, 0)
        conditioning = condition(
            self.method, lightness, (width, height), Guidance(tuple(hints)), None
        )
        logits = distribution(self.method, conditioning.request)
        shares = shares_of(window_mean(np.moveaxis(logits, 0, -1), x / width, y / height))
        spot = window_mean(lightness[..., None], x / width, y / height, radius / width)
        return suggest(shares, np.array(self.info.centres), float(spot[0]), count)

    @elsewhere_if_stranded
    def outline(self, picture: PictureOrPhoto, x: float, y: float) -> list[tuple[float, float]]:
        """Return the outline of the object at a spot, for a region hint.

        Parameters
        ----------
        picture : as `colorize` takes it, or Photo
        x, y : float
            The spot, in pixels of the upright photo.

        Returns
        -------
        list of (x, y)
            Corners of a closed polygon in the same pixels.

        Raises
        ------
        InvalidValueError
            If the spot lies outside the picture.
        """
        photo = open_picture(picture)
        width, height = checked_spot(photo, x, y)
        lightness, size = self.small(photo, 0)
        request = Request(lightness)
        plain = predict_colours(self.method, request, size).ab
        features = method_features(self.method, request, plain)
        across, down = width / size.width, height / size.height
        thing = thing_at(lightness, features, int(y / down), int(x / across))
        return [(float(right * across), float(low * down)) for right, low in outline(thing)]

    @elsewhere_if_stranded
    def confidence(self, picture: PictureOrPhoto) -> np.ndarray:
        """Return the method's confidence.

        Parameters
        ----------
        picture : as `colorize` takes it, or Photo

        Returns
        -------
        float32 array, (h, w)
            At the working size, in [0, 1]: 0 is a guess, 1 is certain.

        Raises
        ------
        InvalidValueError
            If the method does not estimate its confidence.
        """
        found = self.colouring(open_picture(picture)).confidence
        if found is None:
            raise InvalidValueError(
                f"The method '{self.info.name}' does not estimate its confidence. Use 'photochrom'."
            )
        return found

    @overload
    def colorize(self, picture: str | Path, **options: Unpack[ColorizeOptions]) -> Path: ...
    @overload
    def colorize(
        self, picture: bytearray | memoryview, **options: Unpack[ColorizeOptions]
    ) -> bytes: ...
    @overload
    def colorize(self, picture: BinaryIO, **options: Unpack[ColorizeOptions]) -> BytesIO: ...
    @overload
    def colorize(self, picture: InMemory, **options: Unpack[ColorizeOptions]) -> InMemory: ...
    @overload
    def colorize(
        self,
        picture: list[str] | list[Path] | tuple[str | Path, ...],
        **options: Unpack[ColorizeOptions],
    ) -> list[Path]: ...
    @overload
    def colorize(
        self, picture: list[BinaryIO] | tuple[BinaryIO, ...], **options: Unpack[ColorizeOptions]
    ) -> list[BytesIO]: ...
    @overload
    def colorize(
        self, picture: list[InMemory] | tuple[InMemory, ...], **options: Unpack[ColorizeOptions]
    ) -> list[InMemory]: ...
    @overload
    def colorize(
        self, picture: Iterator[str] | Iterator[Path], **options: Unpack[ColorizeOptions]
    ) -> Iterator[Path]: ...
    @overload
    def colorize(
        self, picture: Iterator[BinaryIO], **options: Unpack[ColorizeOptions]
    ) -> Iterator[BytesIO]: ...
    @overload
    def colorize(
        self, picture: Iterator[InMemory], **options: Unpack[ColorizeOptions]
    ) -> Iterator[InMemory]: ...
    def colorize(
        self,
        picture: Pictures,
        *,
        hints: "Iterable[Hint | HintTable]" = (),
        reference: "Lender | None" = None,
        palette: "Colours | None" = None,
        candidate: int = 0,
        seed: int = 0,
        reading: Reading = AS_IT_SAYS,
    ) -> object:
        """Colour a picture and return the same kind of object.

        Parameters
        ----------
        picture : str, Path, bytes, binary file, PIL image, array or tensor, or several of them
            A path: a file beside it, `name-color.ext`, is written. Arrays: (H, W) or (H, W, 3),
            also with alpha as (H, W, 2) or (H, W, 4); uint8, uint16, bool, or float in [0, 1].
            Tensors: the same, or (C, H, W), or a batch (N, C, H, W).
        hints : iterable of Hint
            Colours of places, in pixels of the upright picture (of the first page).
        reference : a picture as above, or a folder, optional
            A colour photograph to take colours from; of a folder, the most similar one is used.
        palette : str or sequence of colours, optional
            Colours to use, or a mood; see `Palette.of`.
        candidate : int
            0 is the most likely colouring; 1, 2, ... are other plausible ones.
        seed : int
            Seed of random choices.
        reading : Reading
            What is known about a scan beyond what its file says.

        Returns
        -------
        Path, bytes, BytesIO, PIL image, array, tensor; a list or a generator of them
            The written file; an encoded picture of the same format; an RGB image; an array
            (H, W, 3), or (H, W, 4) with alpha, of the same dtype; a tensor (3, H, W), or as it
            came. A list gives a list; an iterator gives a generator, which colours as it is read.

        Raises
        ------
        PhotoError
            If a file cannot be read or written.
        ShapeError, DtypeError, InvalidValueError
            If an array is not a picture.
        """
        guidance = self._guidance(tuple(hints), reference, palette, candidate, seed)
        several = many(picture)
        if several is None:
            return self._run(cast(Picture, picture), guidance, reading).image
        results = (self._run(one, guidance, reading).image for one in several)
        return results if isinstance(picture, Iterator) else list(results)

    @overload
    def run(self, picture: str | Path, **options: Unpack[ColorizeOptions]) -> Result[Path]: ...
    @overload
    def run(
        self, picture: bytearray | memoryview, **options: Unpack[ColorizeOptions]
    ) -> Result[bytes]: ...
    @overload
    def run(self, picture: BinaryIO, **options: Unpack[ColorizeOptions]) -> Result[BytesIO]: ...
    @overload
    def run(self, picture: InMemory, **options: Unpack[ColorizeOptions]) -> Result[InMemory]: ...
    def run(
        self,
        picture: Picture,
        *,
        hints: "Iterable[Hint | HintTable]" = (),
        reference: "Lender | None" = None,
        palette: "Colours | None" = None,
        candidate: int = 0,
        seed: int = 0,
        reading: Reading = AS_IT_SAYS,
    ) -> Result[object]:
        """Colour one picture and return it with notes and confidence.

        Parameters and errors are those of `colorize`.

        Returns
        -------
        Result
            Its `image` is what `colorize` returns.
        """
        if many(picture) is not None:
            raise DtypeError("run takes a single picture. Use colorize for several.")
        guidance = self._guidance(tuple(hints), reference, palette, candidate, seed)
        return self._run(picture, guidance, reading)

    def show(self, picture: Picture, **options: Unpack[ColorizeOptions]) -> Comparison:
        """Return a picture before and after colouring, to show side by side in a notebook.

        Parameters and errors are those of `colorize`; nothing is written.

        Returns
        -------
        Comparison
            At most 1,024 pixels on its long side.
        """
        photo = open_picture(picture, options.pop("reading", AS_IT_SAYS))
        guidance = self._guidance(**cast(GuidanceOptions, options))
        done = self._colorize_photo(photo, guidance, SHOWN_PX, None, "png", None, self.marker())
        after = decoded_png(done.content or b"")
        before = photo.small_rgb(after.shape[1], after.shape[0])
        return Comparison(before, after, done.notes)

    @elsewhere_if_stranded
    def _guidance(
        self,
        hints: "Iterable[Hint | HintTable]" = (),
        reference: "Lender | None" = None,
        palette: "Colours | None" = None,
        candidate: int = 0,
        seed: int = 0,
    ) -> Guidance:
        """Return the guidance, with the reference opened; see `Guidance.of`."""
        return Guidance.of(hints, reference, palette, candidate, seed)

    @elsewhere_if_stranded
    def _run(self, picture: Picture, guidance: Guidance, reading: Reading) -> Result[object]:
        return same_kind(self, picture, guidance, reading)

    @elsewhere_if_stranded
    def colorize_file(
        self,
        source: str | Path | bytes | BinaryIO,
        target: str | Path | None = None,
        *,
        format: str | None = None,
        quality: int | None = None,
        max_megapixels: float = MAX_MEGAPIXELS,
        max_pages: int | None = Budget.max_pages,
        max_megabytes: float = Budget.max_megabytes,
        float_range: tuple[float, float] | None = None,
        guidance: Guidance = PLAIN,
        long_side_px: int | None = None,
        reading: Reading = AS_IT_SAYS,
        keep_time: bool = False,
    ) -> Coloured:
        """Colour a file.

        Parameters
        ----------
        source : str, Path, bytes or binary file
            The picture.
        target : str or Path, optional
            The file to write; without one, bytes are returned.
        format : str, optional
            'jpeg', 'png', 'tiff', 'webp', 'avif'; by default the target's suffix or the source's.
        quality : int, optional
            1 to 100 for lossy formats; at least 90 and no less than the source's by default.
        max_megapixels : float
            Larger pictures are rejected before they are decoded.
        max_pages, max_megabytes :
            See `Photo.open`.
        float_range : (low, high), optional
            The values of black and white in a floating-point picture; (0, 1) by default.
        guidance : Guidance
            Guidance for this photograph.
        long_side_px : int, optional
            Each page is reduced to this; hints are in pixels of the original photograph.
        reading : Reading
            What is known about a scan beyond what its file says.
        keep_time : bool
            Copy the source's file times to the result.

        Returns
        -------
        Coloured

        Raises
        ------
        PhotoError
            If the file cannot be read or written; no partial file is left.
        """
        target = None if target is None else Path(target)
        photo = Photo.open(
            source,
            max_megapixels=max_megapixels,
            max_pages=max_pages,
            max_megabytes=max_megabytes,
            float_range=float_range,
            reading=reading,
        )
        decided = {"quality": quality, "float_range": float_range, "reading": reading.to_table()}
        marker = self.marker(guidance, **decided)
        path = Path(source) if isinstance(source, str | Path) else None
        if path is not None:
            marker = replace(marker, source=photo_state(photo))
        done = self._colorize_photo(photo, guidance, long_side_px, target, format, quality, marker)
        if done.target is None or path is None:
            return done
        carried = carry_along(path, done.target, keep_time=keep_time)
        return done._replace(notes=(*done.notes, *carried))

    def _colorize_photo(
        self,
        photo: Photo,
        guidance: Guidance,
        long_side_px: int | None,
        target: Path | None,
        format: str | None,
        quality: int | None,
        marker: Marker,
    ) -> Coloured:
        if long_side_px is not None:
            full, photo = photo, photo.reduced(long_side_px)
            guidance = guidance.scaled(max(photo.upright_size) / max(full.upright_size))
        if target is not None:
            keep_original(photo, target)
        format = choose_format(photo, target, format)
        photo, restored = self.restored(photo)
        guidance, chosen = self.choose_reference(photo, guidance)
        findings = Findings()
        pages = self.pages(photo, needs_sixteen_bit(photo, format), guidance, findings)
        written = write_photo(photo, pages, target, format=format, quality=quality, marker=marker)
        found = findings.notes(photo, guidance, self.info.name)
        notes = (*photo.notes, *restored, *chosen, *written.notes, *found)
        return Coloured(
            *(written.data, written.path, notes, guidance, photo.upright_size),
            confidence=findings.confidence,
            megapixels=sum(header.width * header.height for header in photo.headers) / 1e6,
        )
