"""The jobs of the worker processes: decoding uploaded files and encoding results.

They are functions of plain values and paths, so that they can be sent to another process.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from photochrom.color.lab import lightness_to_luminance, linear_to_srgb
from photochrom.engine.guidance import Guidance
from photochrom.engine.highlights import toned_down_photo
from photochrom.engine.reference import Reference
from photochrom.engine.restore import restored_photo
from photochrom.errors import PhotoTooLargeError
from photochrom.options.look import Look
from photochrom.photo.crop import Window, coloured_crop, original_crop
from photochrom.photo.field import ColourField
from photochrom.photo.photo import Photo
from photochrom.photo.resize import reduced_size
from photochrom.photo.sniff import sniff
from photochrom.photo.write import write_photo
from photochrom.service.loaded_colorizers import colorizer_of

PROOF_PX = 1280  # long side of the copy from which previews are made
RESULT = "result"
WARM_SIZE = 960, 1280
PREVIEW_QUALITY, CROP_QUALITY = 90, 92


class Facts(NamedTuple):
    """Facts about a photograph.

    Attributes
    ----------
    format : str
    width, height : int
        Upright, of the first page.
    pages, bit_depth : int
    notes : tuple of str
        What was repaired, ignored or assumed.
    tint : str
        'neutral', 'toned' or 'colour'.
    """

    format: str
    width: int
    height: int
    pages: int
    bit_depth: int
    notes: tuple[str, ...]
    tint: str


class Order(NamedTuple):
    """A file to colour at full size.

    Attributes
    ----------
    source, folder : Path
        The photograph; the folder for the result.
    method : str
    look : Look
    guidance : Guidance
        In pixels of the upright photograph.
    format : str or None
        The source's format if None.
    quality : int or None
    megapixels : float
        Maximum for all pages together.
    float_range : (black, white), optional
        Values of black and white in a floating-point file.
    long_side_px : int, optional
        Longest side of the result; larger pictures are reduced.
    """

    source: Path
    folder: Path
    method: str
    look: Look
    guidance: Guidance
    format: str | None
    quality: int | None
    megapixels: float
    float_range: tuple[float, float] | None = None
    long_side_px: int | None = None


class Part(NamedTuple):
    """A crop of a photograph at full size.

    Attributes
    ----------
    window : (left, top, width, height)
        In pixels of the upright photograph.
    long_side_px : int
        Longest side of the crop; larger crops are reduced.
    field : ColourField, optional
        The colours; the original is shown if None.
    restore : bool
        Restore the photograph first.
    white_lightness : float, optional
        L* to which pure white is lowered.
    """

    window: Window
    long_side_px: int
    field: ColourField | None
    restore: bool = False
    white_lightness: float | None = None


class Done(NamedTuple):
    """A coloured file."""

    path: Path
    format: str
    notes: tuple[str, ...]


def warm() -> None:
    """Load what every job needs and colour once, so that the first request is not slower."""
    ramp = np.tile(np.linspace(0, 255, WARM_SIZE[1]).astype(np.uint8), (WARM_SIZE[0], 1))
    photo = Photo.from_array(ramp)
    content = write_photo(photo, [None], None, format="jpeg", marker=None).data
    assert content is not None  # no target was named
    colorizer_of("photochrom").colorize(content)


def examine(path: Path, megapixels: float) -> tuple[Facts, np.ndarray]:
    """Read the facts about a photograph, and compute its proof.

    Parameters
    ----------
    path : Path
    megapixels : float
        Maximum for all pages together.

    Returns
    -------
    (Facts, uint8 array (h, w))

    Raises
    ------
    PhotoError
        If it is not a photograph, damaged, or too large.
    """
    photo = _open(path, megapixels)
    facts = Facts(
        photo.format,
        *photo.upright_size,
        photo.pages,
        photo.bit_depth,
        photo.notes,
        photo.tint.kind,
    )
    return facts, _proof(photo)


def restored_preview(path: Path, megapixels: float) -> np.ndarray:
    """Compute the proof of the restored photograph, (h, w) uint8.

    Raises
    ------
    PhotoError, MissingExtraError
        If the photograph cannot be read, or the restoring extra is not installed.
    """
    return _proof(restored_photo(_open(path, megapixels))[0])


def set_reference(path: Path, megapixels: float) -> Reference:
    """Read a colour reference.

    Raises
    ------
    PhotoError, InvalidValueError
        If it cannot be read, or has no colours.
    """
    _open(path, megapixels)
    return Reference.of(path)


def colour(order: Order) -> Done:
    """Colour a file at full size.

    Raises
    ------
    PhotoError, InvalidValueError, MissingExtraError
        If the photograph cannot be read, or the guidance cannot be followed.
    """
    _open(order.source, order.megapixels)
    target = order.folder / RESULT
    coloured = colorizer_of(order.method, order.look).colorize_file(
        order.source,
        target,
        format=order.format,
        quality=order.quality,
        max_megapixels=order.megapixels,
        float_range=order.float_range,
        guidance=order.guidance,
        long_side_px=order.long_side_px,
    )
    return Done(target, sniff(target, RESULT), coloured.notes)


def original(path: Path, megapixels: float) -> bytes:
    """Return the original, with its own colours or tone, as a JPEG of proof size.

    Raises
    ------
    PhotoError
        If it cannot be read.
    """
    photo = _open(path, megapixels)
    return jpeg(photo.small_rgb(*_proof_size(photo)), PREVIEW_QUALITY)


def crop(path: Path, megapixels: float, part: Part) -> bytes:
    """Return a crop of a photograph at full size, as a JPEG.

    Raises
    ------
    PhotoError, InvalidValueError, MissingExtraError
        If the photograph cannot be read, or the crop is not inside it.
    """
    photo = _open(path, megapixels)
    if part.field is None:
        return jpeg(original_crop(photo, part.window, part.long_side_px), CROP_QUALITY)
    if part.restore:
        photo, _ = restored_photo(photo)
    if part.white_lightness is not None:
        photo, _ = toned_down_photo(photo, part.white_lightness)
    return jpeg(coloured_crop(photo, part.field, part.window, part.long_side_px), CROP_QUALITY)


def _open(path: Path, megapixels: float) -> Photo:
    photo = Photo.open(path, max_megapixels=megapixels)
    found = sum(header.width * header.height for header in photo.headers) / 1e6
    if found > megapixels:
        raise PhotoTooLargeError(
            f"{path}: its {photo.pages} pages have {found:.1f} megapixels together; at most "
            f"{megapixels:g} are accepted."
        )
    return photo


def _proof(photo: Photo) -> np.ndarray:
    """Return a small gray copy of a photograph that preserves its lightness."""
    return levels_of(photo.small_lightness(*_proof_size(photo)))


def _proof_size(photo: Photo) -> tuple[int, int]:
    return reduced_size(*photo.upright_size, PROOF_PX)


def levels_of(lightness: np.ndarray) -> np.ndarray:
    """Encode L* as sRGB gray levels, uint8."""
    levels = linear_to_srgb(lightness_to_luminance(lightness)) * 255
    return np.asarray(np.round(levels), np.uint8)


def jpeg(rgb: np.ndarray, quality: int) -> bytes:
    """Return sRGB pixels, (h, w, 3) or (h, w) uint8, as a JPEG."""
    photo = Photo.from_array(rgb)
    written = write_photo(
        photo, [photo.stored()], None, format="jpeg", quality=quality, marker=None
    )
    return written.data or b""
