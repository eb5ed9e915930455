"""One photo, done properly, with any method.

file -> Photo -> L (small) -> method -> ab (small) -> guided to full size -> joined -> file
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from photochrom import __version__
from photochrom.engine.after_fork import elsewhere_if_stranded
from photochrom.engine.companion_files import carry_along
from photochrom.engine.conditioning import condition, distribution
from photochrom.engine.guidance import Guidance, outside
from photochrom.engine.guided import apply_field
from photochrom.engine.highlights import toned_down_photo
from photochrom.engine.output_names import beside, free_name, state_of
from photochrom.engine.picture_kinds import (
    array_to_tensor,
    is_array,
    is_file,
    is_pil,
    is_tensor,
    many,
    open_picture,
    orientation_of,
    pil_to_tiff,
    tensor_to_array,
    turned_back,
)
from photochrom.engine.prediction import Colouring, method_features, predict_colours
from photochrom.engine.reference import References
from photochrom.engine.restore import opencv, restored_photo
from photochrom.engine.selection import outline, thing_at
from photochrom.engine.suggestions import Suggestion, shares_of, suggest
from photochrom.engine.tiling import WorkingSize, working_size
from photochrom.errors import (
    DtypeError,
    InvalidValueError,
    ShapeError,
    UnreadablePhotoError,
    UnwritablePhotoError,
)
from photochrom.methods.catalogue import load_method
from photochrom.methods.method import Hints, MethodInfo, Request
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.photo.budget import Budget
from photochrom.photo.descreen import descreened
from photochrom.photo.formats import choose_format
from photochrom.photo.join import Tally, join
from photochrom.photo.metadata.xmp import Marker
from photochrom.photo.negative_detection import looks_like_negative
from photochrom.photo.photo import Photo
from photochrom.photo.reading import PLAIN as AS_IT_SAYS
from photochrom.photo.reading import Reading
from photochrom.photo.resize import resize
from photochrom.photo.tint_detection import Tint
from photochrom.photo.write import needs_sixteen_bit, photo_to_array, write_photo

MAX_MEGAPIXELS = 1000.0
MOST_MAP_PX = 1024
MOST_EXTREME = 0.9  # share of pixels so dark or light that none of them bears colour


PLAIN = Guidance()


class Coloured(NamedTuple):
    """A coloured file.

    Attributes
    ----------
    content : bytes or None
        The picture, where no target was named.
    target : Path or None
        The file that was written.
    notes : tuple of str
        What a person should know: repaired, lost, or decided.
    guidance : Guidance
        As they were fulfilled: with the reference that was taken from a folder.
    size : (width, height)
        Upright, of the first page.
    confidence : float32 array, (h, w), or None
        Of the first page; see `Colorizer.confidence`.
    """

    content: bytes | None
    target: Path | None
    notes: tuple[str, ...]
    guidance: Guidance
    size: tuple[int, int]
    confidence: np.ndarray | None = None


@dataclass(frozen=True)
class Result:
    """A coloured picture and what a person should know of it.

    Attributes
    ----------
    image : Path, bytes, binary file, PIL image, tensor or array
        As `Colorizer.colorize` gives it.
    notes : tuple of str
        What was repaired, lost, assumed or decided.
    confidence : float32 array, (h, w), or None
        At the working size, in [0, 1]: 0 is guessing, 1 is sure; None from a method that does not
        know.
    """

    image: Any
    notes: tuple[str, ...] = ()
    confidence: np.ndarray | None = field(default=None, repr=False)


class _Seen:
    """What is found out while pages are coloured."""

    def __init__(self) -> None:
        self.tallies: list[Tally] = []
        self.lightness: np.ndarray | None = None  # of the first page, small
        self.confidence: np.ndarray | None = None

    def notes(self) -> list[str]:
        """Say it if a page has no grays that could bear colour."""
        found = [n for n, t in enumerate(self.tallies, 1) if t.extreme_share > MOST_EXTREME]
        if not found:
            return []
        where = f" (page {', '.join(map(str, found))})" if len(self.tallies) > 1 else ""
        return [
            f"nearly every pixel is black or white and bears no colour{where}: a bilevel or "
            "halftone scan? Scan it in gray, or give --descreen (Reading(descreen=True))"
        ]


class Colorizer:
    """Colours photographs with one method, whose network stays loaded.

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
        If the method or an option is not usable.
    MissingExtraError
        If `restore` is asked for and not installed.

    Examples
    --------
    >>> colorizer = Colorizer("photochrom", vividness=0.7)
    >>> colorizer.colorize("grandmother.jpg")
    PosixPath('grandmother-color.jpg')
    """

    def __init__(
        self,
        method: str | Path = "photochrom",
        *,
        vividness: float | None = None,
        saturation: float = 1.0,
        short_side_px: int | None = None,
        restore: bool = False,
        white_lightness: float | None = None,
        device: str = "cpu",
        threads: int = 0,
    ) -> None:
        self._place = device, threads
        self.name = str(method)
        self.look = Look(vividness, saturation, short_side_px, restore, white_lightness)
        if restore:
            opencv()  # a missing extra is told before any work
        self.method = load_method(method, device, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it was made of: the process that gets it opens the network itself."""
        return _made_again, (self.name, self.look, *self._place)

    @property
    def info(self) -> MethodInfo:
        """How the method describes itself."""
        return self.method.info

    def marker(self, guidance: Guidance = PLAIN, **written: Any) -> Marker:
        """Give what a file coloured by this colorizer is marked with.

        `written` is how else it was asked for, such as `quality`; None is as if it were not there.
        """
        recipe_of = {"method": self.info.name, **self.look.to_table()}
        recipe_of |= {name: value for name, value in written.items() if value is not None}
        if guidance != PLAIN:
            recipe_of["wishes"] = guidance.to_table()
        recipe = hashlib.sha256(json.dumps(recipe_of, sort_keys=True).encode()).hexdigest()[:16]
        return Marker(self.info.name, __version__, self.info.weights_sha256, recipe)

    def predict_ab(
        self,
        lightness: np.ndarray,
        *,
        hints: Hints | None = None,
        histogram: np.ndarray | None = None,
        chroma: float | None = None,
        vividness: float | None = None,
        saturation: float | None = None,
    ) -> np.ndarray:
        """Give the colours of a lightness, at its own size.

        Parameters
        ----------
        lightness : float array, (h, w)
            L* in [0, 100].
        hints : Hints, optional
            At the same size.
        histogram : float array, (Q,), optional
            Wanted share of each of the method's bins.
        chroma : float, optional
            Wanted mean chroma, ab units.
        vividness, saturation : float, optional
            Instead of the colorizer's own.

        Returns
        -------
        float32 array, (h, w, 2)
            ab, not yet bounded by the gamut.

        Raises
        ------
        ShapeError, InvalidValueError, MethodOutputError
            If an input, or what the method returns, is wrong.
        """
        if lightness.ndim != 2 or 0 in lightness.shape:
            raise ShapeError(f"lightness needs shape (h, w); it is {lightness.shape}.")
        size = self._working_size(*lightness.shape)
        small = resize(lightness[..., None].astype(np.float32), size.height, size.width)[..., 0]
        request = Request(
            small,
            hints=hints and _small_hints(hints, size),
            histogram=histogram,
            chroma=chroma,
            vividness=self.look.vividness if vividness is None else vividness,
        )
        saturation = self.look.saturation if saturation is None else saturation
        colouring = predict_colours(self.method, request, size, saturation)
        ab = apply_field(colouring.field, lightness)
        if hints is None:
            return ab
        decided = hints.mask[..., None]
        return np.asarray(ab + (hints.ab - ab) * decided, np.float32)

    def colouring(self, photo: Photo, page: int = 0, guidance: Guidance = PLAIN) -> Colouring:
        """Ask the method for the colours of one page of a photo, upright.

        Parameters
        ----------
        photo : Photo
        page : int
            From 0.
        guidance : Guidance
            In pixels of that page, upright.

        Returns
        -------
        Colouring
        """
        return self._colouring(photo, page, guidance, self._small(photo, page))

    def _colouring(
        self, photo: Photo, page: int, guidance: Guidance, small: tuple[np.ndarray, WorkingSize]
    ) -> Colouring:
        lightness, size = small
        upright = photo.headers[page].upright_size
        conditioning = condition(self.method, lightness, upright, guidance, self.look.vividness)
        return predict_colours(
            self.method,
            conditioning.request,
            size,
            self.look.saturation,
            overlays=conditioning.overlays,
            spots=conditioning.spots,
        )

    @elsewhere_if_stranded
    def suggest(
        self,
        picture: Any,
        x: float,
        y: float,
        radius: float = 8.0,
        *,
        count: int = 6,
        hints: Sequence[Hint] = (),
    ) -> list[Suggestion]:
        """Give the likely colours of a spot, most likely first.

        Parameters
        ----------
        picture : as `colorize` takes it, or Photo
        x, y, radius : float
            The spot, in pixels of the upright photo.
        count : int
            At most so many.
        hints : sequence of Hint
            What is decided already, elsewhere.

        Returns
        -------
        list of Suggestion

        Raises
        ------
        InvalidValueError
            If the spot lies outside the picture, or the method has one opinion only.
        """
        photo = open_picture(picture)
        width, height = _checked_spot(photo, x, y)
        lightness, _ = self._small(photo, 0)
        conditioning = condition(
            self.method, lightness, (width, height), Guidance(tuple(hints)), None
        )
        logits = distribution(self.method, conditioning.request)
        shares = shares_of(_window_mean(np.moveaxis(logits, 0, -1), x / width, y / height))
        spot = _window_mean(lightness[..., None], x / width, y / height, radius / width)
        return suggest(shares, np.array(self.info.centres), float(spot[0]), count)

    @elsewhere_if_stranded
    def outline(self, picture: Any, x: float, y: float) -> list[tuple[float, float]]:
        """Return the outline of the thing at a spot, for a hint that is a region.

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
        width, height = _checked_spot(photo, x, y)
        lightness, size = self._small(photo, 0)
        request = Request(lightness)
        plain = predict_colours(self.method, request, size).ab
        features = method_features(self.method, request, plain)
        across, down = width / size.width, height / size.height
        thing = thing_at(lightness, features, int(y / down), int(x / across))
        return [(float(right * across), float(low * down)) for right, low in outline(thing)]

    @elsewhere_if_stranded
    def confidence(self, picture: Any) -> np.ndarray:
        """Tell where the method is guessing.

        Parameters
        ----------
        picture : as `colorize` takes it, or Photo

        Returns
        -------
        float32 array, (h, w)
            At the working size, in [0, 1]: 0 is guessing, 1 is sure.

        Raises
        ------
        InvalidValueError
            If the method does not know how sure it is.
        """
        found = self.colouring(open_picture(picture)).confidence
        if found is None:
            raise InvalidValueError(
                f"The method '{self.info.name}' does not know how sure it is; 'photochrom' does."
            )
        return found

    @elsewhere_if_stranded
    def write_confidence(self, source: Path, target: Path) -> None:
        """Write `confidence` as an 8-bit gray PNG of the photograph's size, at most 1024 px.

        Raises
        ------
        PhotoError
            If the photograph cannot be read or the map not be written.
        """
        photo = Photo.open(source)
        _keep_original(photo, target)
        width, height = photo.upright_size
        scale = min(1.0, MOST_MAP_PX / max(width, height))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        levels = resize(self.confidence(photo)[..., None], *size)[..., 0] * 255
        plane = Photo.from_array(np.round(levels).astype(np.uint8))
        # Marked, so that no later run colours the map itself.
        write_photo(plane, [None], target, format="png", marker=self.marker())

    def colorize(
        self,
        picture: Any,
        *,
        hints: Iterable[Hint] = (),
        reference: Any = None,
        palette: Any = None,
        candidate: int = 0,
        seed: int = 0,
        reading: Reading = AS_IT_SAYS,
    ) -> Any:
        """Colour a picture and give back the same kind.

        Parameters
        ----------
        picture : str, Path, bytes, binary file, PIL image, array or tensor, or several of them
            A path: a file beside it, `name-color.ext`, is written. Arrays: (H, W) or (H, W, 3),
            also with alpha as (H, W, 2) or (H, W, 4); uint8, uint16, bool, or float in [0, 1].
            Tensors: the same, or (C, H, W), or a batch (N, C, H, W).
        hints : iterable of Hint
            Decided colours, in pixels of the upright picture (the first page of several).
        reference : a picture as above, or a folder, optional
            A colour photograph that lends its colours; of a folder, the one that shows the like.
        palette : str or sequence of colours, optional
            A few wanted colours, or a mood; see `Palette.of`.
        candidate : int
            0 is what the method thinks likeliest; 1, 2, ... are other plausible colourings.
        seed : int
            Of what is drawn at random.
        reading : Reading
            What is known of a scan beside what its file says.

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
            return self._run(picture, guidance, reading).image
        results = (self._run(one, guidance, reading).image for one in several)
        return results if isinstance(picture, Iterator) else list(results)

    def run(
        self,
        picture: Any,
        *,
        hints: Iterable[Hint] = (),
        reference: Any = None,
        palette: Any = None,
        candidate: int = 0,
        seed: int = 0,
        reading: Reading = AS_IT_SAYS,
    ) -> Result:
        """Colour one picture; give it with notes and confidence.

        Parameters and errors are those of `colorize`.

        Returns
        -------
        Result
            Its `image` is what `colorize` gives.
        """
        if many(picture) is not None:
            raise DtypeError("run takes one picture; colorize takes several.")
        guidance = self._guidance(tuple(hints), reference, palette, candidate, seed)
        return self._run(picture, guidance, reading)

    @elsewhere_if_stranded
    def _guidance(self, *page_guidance: Any) -> Guidance:
        """Read what is wished, a reference among it; as `Guidance.of` takes it."""
        return Guidance.of(*page_guidance)

    @elsewhere_if_stranded
    def _run(self, picture: Any, guidance: Guidance, reading: Reading) -> Result:
        if isinstance(picture, (str, Path)):
            target = free_name(beside(Path(picture)))
            done = self.colorize_file(picture, target, guidance=guidance, reading=reading)
            return Result(done.target, done.notes, done.confidence)
        if isinstance(picture, (bytes, bytearray, memoryview)) or is_file(picture):
            given = picture if is_file(picture) else bytes(picture)
            done = self.colorize_file(given, guidance=guidance, reading=reading)
            content = done.content or b""
            image = io.BytesIO(content) if is_file(picture) else content
            return Result(image, done.notes, done.confidence)
        if (is_tensor(picture) or is_array(picture)) and reading != AS_IT_SAYS:
            raise InvalidValueError(
                "A reading is for files. Give the picture as one (bytes, a path), or make the "
                "array positive and sRGB-encoded first."
            )
        if is_tensor(picture):
            return self._run_tensor(picture, guidance)
        if is_array(picture):
            return self._run_array(np.asarray(picture), guidance)
        if is_pil(picture):
            return self._run_pil(picture, guidance, reading)
        raise DtypeError(
            "A picture is a path, bytes, an open file, a PIL image, an array or a tensor; "
            f"this is {type(picture).__name__}."
        )

    def _run_array(self, array: np.ndarray, guidance: Guidance) -> Result:
        photo, notes = self.restored(Photo.from_array(array))
        guidance, chosen = self._choose_reference(photo, guidance)
        deep = array.dtype not in (np.uint8, bool)
        seen = _Seen()
        image = photo_to_array(next(self._pages(photo, deep, guidance, seen)), photo)
        said = (*photo.notes, *notes, *chosen, *self._said(photo, guidance, seen), *seen.notes())
        return Result(image, said, seen.confidence)

    def _run_tensor(self, tensor: Any, guidance: Guidance) -> Result:
        if tensor.ndim == 4:
            results = [self._run_array(tensor_to_array(one), guidance) for one in tensor]
            if not results:
                raise ShapeError("A batch needs at least one picture; this one is empty.")
            stacked = np.stack([np.moveaxis(result.image, -1, 0) for result in results])
            notes = dict.fromkeys(note for result in results for note in result.notes)
            return Result(tensor.new_tensor(stacked), tuple(notes))
        done = self._run_array(tensor_to_array(tensor), guidance)
        return replace(done, image=array_to_tensor(done.image, tensor))

    @elsewhere_if_stranded
    def colorize_file(
        self,
        source: Any,
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
            The file to write; bytes are given back if there is none.
        format : str, optional
            'jpeg', 'png', 'tiff', 'webp', 'avif'; by default the target's suffix or the source's.
        quality : int, optional
            1 to 100 for lossy formats; at least 90 and no less than the source's by default.
        max_megapixels : float
            Larger pictures are refused before they are decoded.
        max_pages, max_megabytes :
            As `Photo.open` takes them.
        float_range : (low, high), optional
            The values of black and white in a float picture; (0, 1) by default.
        guidance : Guidance
            What is decided for this photograph.
        long_side_px : int, optional
            Each page is made so small; wishes are in pixels of the photograph as it is.
        reading : Reading
            What is known of a scan beside what its file says.
        keep_time : bool
            Give the written file the source's times.

        Returns
        -------
        Coloured

        Raises
        ------
        PhotoError
            If the file cannot be read or written; nothing half done is left.
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
        if long_side_px is not None:
            full, photo = photo, photo.reduced(long_side_px)
            guidance = guidance.scaled(max(photo.upright_size) / max(full.upright_size))
        if target is not None:
            _keep_original(photo, target)
        format = choose_format(photo, target, format)
        photo, restored = self.restored(photo)
        marker = self.marker(
            guidance, quality=quality, float_range=float_range, reading=reading.to_table()
        )
        if isinstance(source, str | Path):
            marker = replace(marker, source=_state_of(photo))
        guidance, chosen = self._choose_reference(photo, guidance)
        seen = _Seen()
        pages = self._pages(photo, needs_sixteen_bit(photo, format), guidance, seen)
        written = write_photo(photo, pages, target, format=format, quality=quality, marker=marker)
        notes = [
            *photo.notes,
            *restored,
            *chosen,
            *written.notes,
            *self._said(photo, guidance, seen),
        ]
        notes += seen.notes()
        if written.path is not None and isinstance(source, (str, Path)):
            notes += carry_along(Path(source), written.path, keep_time=keep_time)
        return Coloured(
            *(written.data, written.path, tuple(notes), guidance, photo.upright_size),
            confidence=seen.confidence,
        )

    def _said(self, photo: Photo, guidance: Guidance, seen: _Seen) -> list[str]:
        """Say what of the wishes does nothing, and what the picture's own colours become."""
        notes = outside(guidance.hints, photo.upright_size)
        if self.info.name == "gray":
            return notes
        if photo.is_colour:
            notes.append(_said_of(photo.tint))
        if photo.looks_like_negative or _is_negative(photo, seen.lightness):
            notes.append(
                "looks like a negative: if it is one, give --negative (Reading(negative=True))"
            )
        return notes

    def restored(self, photo: Photo) -> tuple[Photo, tuple[str, ...]]:
        """Give a photo as it will be coloured, mended or toned down if that is asked for."""
        notes: tuple[str, ...] = ()
        if photo.reading.descreen:
            photo, notes = descreened(photo)
        if self.look.restore:
            photo, more = restored_photo(photo)
            notes += more
        if self.look.white_lightness is not None:
            photo, more = toned_down_photo(photo, self.look.white_lightness)
            notes += more
        return photo, notes

    def _working_size(self, height: int, width: int) -> WorkingSize:
        short_side = self.look.short_side_px or self.info.short_side_px
        return working_size(height, width, short_side, self.info.stride)

    def _small(self, photo: Photo, page: int) -> tuple[np.ndarray, WorkingSize]:
        width, height = photo.headers[page].upright_size
        size = self._working_size(height, width)
        return photo.small_lightness(size.width, size.height, page), size

    def _choose_reference(self, photo: Photo, guidance: Guidance) -> tuple[Guidance, list[str]]:
        """Take the reference of a folder that shows the like of a photo; say which."""
        if not isinstance(guidance.reference, References):
            return guidance, []
        judge = self.method if self.info.centres else load_method("photochrom")
        reference = guidance.reference.choose(self._small(photo, 0)[0], judge)
        return replace(guidance, reference=reference), [f"reference: {reference.name}"]

    def _pages(
        self, photo: Photo, sixteen_bit: bool, guidance: Guidance = PLAIN, seen: _Seen | None = None
    ) -> Iterator[Any]:
        """Join each page with its colours when it is asked for; None leaves a gray page as it is.

        A join holds memory and an open file, and a TIFF may have a thousand pages.
        """
        as_it_is = photo.is_gray and not photo.has_other_lightness
        if self.info.name == "gray" and as_it_is and not guidance.hints:
            yield from (None for _ in photo.headers)
            return
        for page, header in enumerate(photo.headers):
            page_guidance = guidance if page == 0 else replace(guidance, hints=())
            small = self._small(photo, page)
            colouring = self._colouring(photo, page, page_guidance, small)
            stored = colouring.field.stored(header.orientation, *header.upright_size)
            stored = replace(stored, overlays=(*stored.overlays, *photo.lost_places(page)))
            tally = None
            if seen is not None and self.info.name != "gray":
                tally = Tally()
                seen.tallies.append(tally)
                if page == 0:
                    seen.confidence, seen.lightness = colouring.confidence, small[0]
            yield join(photo.tone(page), stored, sixteen_bit=sixteen_bit, tally=tally)

    def _run_pil(self, image: Any, guidance: Guidance, reading: Reading) -> Result:
        """Go through an uncompressed TIFF in memory, upright, which keeps profile and depth."""
        from PIL import Image

        done = self.colorize_file(pil_to_tiff(image), guidance=guidance, reading=reading)
        opened = Image.open(io.BytesIO(done.content or b""))
        opened.load()
        coloured = turned_back(opened, orientation_of(image))  # as it lay
        kept = {k: v for k, v in image.info.items() if k not in ("transparency", "icc_profile")}
        coloured.info = {**kept, **{k: v for k, v in coloured.info.items() if k == "icc_profile"}}
        return Result(coloured, done.notes, done.confidence)


def _state_of(photo: Photo) -> str:
    try:
        return "" if photo.path is None else state_of(photo.path)
    except OSError as error:
        raise UnreadablePhotoError(f"{photo.name}: cannot be read ({error.strerror}).") from error


def _made_again(name: str, look: Look, device: str, threads: int) -> Colorizer:
    return Colorizer(name, **asdict(look), device=device, threads=threads)


def _said_of(tint: Tint) -> str:
    if tint.kind == "toned":
        return f"a toned original ({tint.name}): its tone is not taken for colour"
    return "was in colour: coloured anew from its lightness"


def _is_negative(photo: Photo, lightness: np.ndarray | None) -> bool:
    """Whether a picture without colour looks like a negative that nobody has inverted."""
    if lightness is None or photo.reading.negative or photo.tint.kind == "colour":
        return False
    return looks_like_negative(lightness)


def _checked_spot(photo: Photo, x: float, y: float) -> tuple[int, int]:
    """Return the upright size of a photo that has this spot."""
    width, height = photo.upright_size
    if not (0 <= x < width and 0 <= y < height):
        raise InvalidValueError(
            f"The spot {x:g}, {y:g} lies outside the picture of {width} x {height} pixels."
        )
    return width, height


def _window_mean(planes: np.ndarray, x: float, y: float, radius: float = 0.0) -> np.ndarray:
    """Average (h, w, n) planes around a place given in shares of the sides."""
    high, wide = planes.shape[:2]
    reach = radius * wide
    rows, columns = (
        slice(int(max(0, at * n - reach)), int(min(n - 1, at * n + reach)) + 1)
        for at, n in ((y, high), (x, wide))
    )
    return np.asarray(planes[rows, columns].mean(axis=(0, 1)))


def _keep_original(photo: Photo, target: Path) -> None:
    source = photo.path
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise UnwritablePhotoError(f"{target}: would replace the original. Name another file.")


def _small_hints(hints: Hints, size: WorkingSize) -> Hints:
    """Bring hints to the working size: any hinted part of a pixel counts, colours are averaged."""
    weighted = hints.ab * hints.mask[..., None]
    planes = np.concatenate((weighted, hints.mask[..., None]), axis=-1).astype(np.float32)
    small = resize(planes, size.height, size.width)
    share = small[..., 2]
    mask = share > min(0.25, 0.5 * float(share.max(initial=0)))
    ab = small[..., :2] / np.maximum(share, 1e-6)[..., None]
    return Hints(ab * mask[..., None], mask.astype(np.float32))
