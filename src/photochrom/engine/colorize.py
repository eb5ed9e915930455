"""One photo, done properly, with any method.

file -> Photo -> L (small) -> method -> ab (small) -> guided to full size -> joined -> file
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from photochrom import __version__
from photochrom.engine.guided import apply_field
from photochrom.engine.predict import Colouring, predict_colours
from photochrom.engine.resize import resize
from photochrom.engine.working import WorkingSize, working_size
from photochrom.errors import DtypeError, InvalidValueError, ShapeError, UnwritablePhotoError
from photochrom.methods.catalogue import load_method
from photochrom.methods.method import Hints, MethodInfo, Request
from photochrom.photo.formats import choose_format
from photochrom.photo.join import join
from photochrom.photo.photo import Photo
from photochrom.photo.write import needs_sixteen_bit, photo_to_array, write_photo
from photochrom.photo.xmp import Marker

MAX_MEGAPIXELS = 1000.0
INSTEAD_OF_SUFFIX = {".gif": ".png", ".heic": ".jpg", ".heif": ".jpg"}
MOST_SATURATION = 4.0


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
    """

    content: bytes | None
    target: Path | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """How the result should look; what a result's marker stands for.

    Attributes
    ----------
    vividness : float, optional
        From 0, calm, to 1, bold; the method's default if not given.
    saturation : float
        Factor on chroma, 0 to 4.
    short_side_px : int, optional
        At which the method sees the picture; its own default if not given.
    """

    vividness: float | None = None
    saturation: float = 1.0
    short_side_px: int | None = None

    def __post_init__(self) -> None:
        if self.vividness is not None and not 0 <= self.vividness <= 1:
            raise InvalidValueError(
                f"vividness needs 0 (calm) to 1 (bold); it is {self.vividness}."
            )
        if not 0 <= self.saturation <= MOST_SATURATION:
            raise InvalidValueError(
                f"saturation needs 0 to {MOST_SATURATION:g}; it is {self.saturation}."
            )
        if self.short_side_px is not None and not 32 <= self.short_side_px <= 512:
            raise InvalidValueError(
                f"The working size needs a short side of 32 to 512 pixels; "
                f"it is {self.short_side_px}."
            )


class Colorizer:
    """Colours photographs with one method, whose network stays loaded.

    Parameters
    ----------
    method : str or Path
        A name of `photochrom.methods()`, or a path to an exported network (.onnx).
    vividness, saturation, short_side_px :
        See `Look`.
    device : str
        'cpu', 'cuda', 'coreml' or 'directml'.
    threads : int
        Threads of the network; 0 leaves it to ONNX Runtime.

    Raises
    ------
    UnknownMethodError, WeightsError, InvalidValueError
        If the method or an option is not usable.

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
        device: str = "cpu",
        threads: int = 0,
    ) -> None:
        self.look = Look(vividness, saturation, short_side_px)
        self.method = load_method(method, device, threads)

    @property
    def info(self) -> MethodInfo:
        """How the method describes itself."""
        return self.method.info

    @property
    def marker(self) -> Marker:
        """What a file coloured by this colorizer is marked with."""
        wishes = {"method": self.info.name, **self.look.__dict__}
        recipe = hashlib.sha256(json.dumps(wishes, sort_keys=True).encode()).hexdigest()[:16]
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
        return apply_field(colouring.field, lightness)

    def colouring(self, photo: Photo, page: int = 0) -> Colouring:
        """Ask the method for the colours of one page of a photo, upright."""
        width, height = photo.headers[page].upright_size
        size = self._working_size(height, width)
        lightness = photo.small_lightness(size.width, size.height, page)
        request = Request(lightness, vividness=self.look.vividness)
        return predict_colours(self.method, request, size, self.look.saturation)

    def colorize(self, picture: Any) -> Any:
        """Colour a picture and give back the same kind.

        Parameters
        ----------
        picture : str, Path, bytes, PIL image, or array
            A path: a file beside it, `name-color.ext`, is written. Arrays: (H, W) or (H, W, 3),
            also with alpha as (H, W, 2) or (H, W, 4); uint8, uint16, bool, or float in [0, 1].

        Returns
        -------
        Path, bytes, PIL image, or array
            The written file; an encoded picture of the same format; an RGB image; an array
            (H, W, 3), or (H, W, 4) with alpha, of the same dtype.

        Raises
        ------
        PhotoError
            If a file cannot be read or written.
        ShapeError, DtypeError, InvalidValueError
            If an array is not a picture.
        """
        if isinstance(picture, (str, Path)):
            return self.colorize_file(picture, beside(Path(picture))).target
        if isinstance(picture, (bytes, bytearray, memoryview)):
            return self.colorize_file(bytes(picture)).content
        if isinstance(picture, np.ndarray):
            photo = Photo.from_array(picture)
            deep = picture.dtype not in (np.uint8, bool)
            return photo_to_array(self._pages(photo, deep)[0], photo)
        if hasattr(picture, "getexif") and hasattr(picture, "save"):
            return self._colorize_pil(picture)
        raise DtypeError(
            "A picture is a path, bytes, a PIL image or a NumPy array; "
            f"this is {type(picture).__name__}."
        )

    def colorize_file(
        self,
        source: Any,
        target: Path | None = None,
        *,
        format: str | None = None,
        quality: int | None = None,
        max_megapixels: float = MAX_MEGAPIXELS,
        float_range: tuple[float, float] | None = None,
    ) -> Coloured:
        """Colour a file.

        Parameters
        ----------
        source : str, Path, bytes or binary file
            The picture.
        target : Path, optional
            The file to write; bytes are given back if there is none.
        format : str, optional
            'jpeg', 'png', 'tiff', 'webp', 'avif'; by default the target's suffix or the source's.
        quality : int, optional
            1 to 100 for lossy formats; at least 90 and no less than the source's by default.
        max_megapixels : float
            Larger pictures are refused before they are decoded.
        float_range : (low, high), optional
            The values of black and white in a float picture; (0, 1) by default.

        Returns
        -------
        Coloured

        Raises
        ------
        PhotoError
            If the file cannot be read or written; nothing half done is left.
        """
        photo = Photo.open(source, max_megapixels=max_megapixels, float_range=float_range)
        if target is not None and photo.path is not None and _same_file(photo.path, target):
            raise UnwritablePhotoError(f"{target}: would replace the original. Name another file.")
        format = choose_format(photo, target, format)
        pages = self._pages(photo, needs_sixteen_bit(photo, format))
        written = write_photo(
            photo, pages, target, format=format, quality=quality, marker=self.marker
        )
        notes = [*photo.notes, *written.notes]
        if photo.is_colour and self.info.name != "gray":
            notes.append("was in colour or toned: coloured anew from its lightness")
        return Coloured(written.data, written.path, tuple(notes))

    def _working_size(self, height: int, width: int) -> WorkingSize:
        short_side = self.look.short_side_px or self.info.short_side_px
        return working_size(height, width, short_side, self.info.stride)

    def _pages(self, photo: Photo, sixteen_bit: bool) -> list[Any]:
        """Join each page with its colours; None leaves a gray page as it is."""
        if self.info.name == "gray" and photo.is_gray:
            return [None] * photo.pages
        fields = [
            self.colouring(photo, page).field.stored(header.orientation)
            for page, header in enumerate(photo.headers)
        ]
        return [
            join(photo.tone(page), field, sixteen_bit=sixteen_bit)
            for page, field in enumerate(fields)
        ]

    def _colorize_pil(self, image: Any) -> Any:
        """Go through an uncompressed TIFF in memory, which keeps profile and depth."""
        from PIL import Image

        content = io.BytesIO()
        source = (
            image.convert("RGBA" if "transparency" in image.info else "RGB")
            if (image.mode in ("P", "PA", "HSV", "LAB", "YCbCr"))
            else image
        )
        source.save(content, "TIFF", icc_profile=image.info.get("icc_profile"))
        coloured = Image.open(io.BytesIO(self.colorize(content.getvalue())))
        coloured.load()
        kept = {k: v for k, v in image.info.items() if k not in ("transparency", "icc_profile")}
        coloured.info = {**kept, **{k: v for k, v in coloured.info.items() if k == "icc_profile"}}
        return coloured


def beside(source: Path, folder: Path | None = None, suffix: str | None = None) -> Path:
    """Name the coloured file: `photo.jpg` -> `photo-color.jpg`, perhaps elsewhere.

    Formats that are read but not written become what `photochrom.photo.formats` puts instead.
    """
    ending = suffix or INSTEAD_OF_SUFFIX.get(source.suffix.lower(), source.suffix)
    return (folder or source.parent) / f"{source.stem}-color{ending}"


def _same_file(source: Path, target: Path) -> bool:
    return target.exists() and source.exists() and target.samefile(source)


def _small_hints(hints: Hints, size: WorkingSize) -> Hints:
    """Bring hints to the working size: any hinted part of a pixel counts, colours are averaged."""
    weighted = hints.ab * hints.mask[..., None]
    planes = np.concatenate((weighted, hints.mask[..., None]), axis=-1).astype(np.float32)
    small = resize(planes, size.height, size.width)
    share = small[..., 2]
    mask = share > min(0.25, 0.5 * float(share.max(initial=0)))
    ab = small[..., :2] / np.maximum(share, 1e-6)[..., None]
    return Hints(ab * mask[..., None], mask.astype(np.float32))
