"""Colour a picture and return the same kind: a path, bytes, a file, an image or an array."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from photochrom.engine.guidance import Guidance
from photochrom.engine.output_names import beside, free_name
from photochrom.engine.picture_kinds import (
    array_to_tensor,
    is_array,
    is_file,
    is_pil,
    is_tensor,
    orientation_of,
    pil_to_tiff,
    tensor_to_array,
    turned_back,
)
from photochrom.engine.picture_types import Picture, Tensor
from photochrom.engine.result import Findings, Result
from photochrom.errors import DtypeError, InvalidValueError, ShapeError
from photochrom.photo.photo import Photo
from photochrom.photo.reading import PLAIN, Reading
from photochrom.photo.write import photo_to_array

if TYPE_CHECKING:
    from PIL import Image

    from photochrom.engine.colorize import Colorizer


def same_kind(
    colorizer: "Colorizer", picture: Picture, guidance: Guidance, reading: Reading
) -> Result[object]:
    """Colour one picture.

    Parameters
    ----------
    colorizer : Colorizer
    picture : str, Path, bytes, binary file, PIL image, array or tensor
        As `Colorizer.colorize` takes it.
    guidance : Guidance
    reading : Reading
        Of a file, bytes or a PIL image.

    Returns
    -------
    Result
        Its `image` is of the same kind as `picture`.

    Raises
    ------
    PhotoError, ShapeError, DtypeError, InvalidValueError
        If it is not a picture, or cannot be coloured.
    """
    if isinstance(picture, (str, Path)):
        target = free_name(beside(Path(picture)))
        done = colorizer.colorize_file(picture, target, guidance=guidance, reading=reading)
        return Result(done.target, done.notes, done.confidence)
    if is_file(picture):
        done = colorizer.colorize_file(picture, guidance=guidance, reading=reading)
        return Result(io.BytesIO(done.content or b""), done.notes, done.confidence)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        done = colorizer.colorize_file(bytes(picture), guidance=guidance, reading=reading)
        return Result(done.content or b"", done.notes, done.confidence)
    if (is_tensor(picture) or is_array(picture)) and reading != PLAIN:
        raise InvalidValueError(
            "A reading applies only to files. Pass the picture as bytes or a path, or make the "
            "array positive and sRGB-encoded first."
        )
    if is_tensor(picture):
        return _tensor(colorizer, picture, guidance)
    if is_array(picture):
        return _array(colorizer, np.asarray(picture), guidance)
    if is_pil(picture):
        return _pil(colorizer, picture, guidance, reading)
    raise DtypeError(
        "A picture must be a path, bytes, an open file, a PIL image, an array or a tensor; "
        f"got {type(picture).__name__}."
    )


def _array(colorizer: "Colorizer", array: np.ndarray, guidance: Guidance) -> Result[np.ndarray]:
    photo, notes = colorizer.restored(Photo.from_array(array))
    guidance, chosen = colorizer.choose_reference(photo, guidance)
    deep = array.dtype not in (np.uint8, bool)
    findings = Findings()
    image = photo_to_array(next(colorizer.pages(photo, deep, guidance, findings)), photo)
    found = findings.notes(photo, guidance, colorizer.info.name)
    return Result(image, (*photo.notes, *notes, *chosen, *found), findings.confidence)


def _tensor(colorizer: "Colorizer", tensor: Tensor, guidance: Guidance) -> Result[Tensor]:
    if tensor.ndim == 4:
        results = [_array(colorizer, tensor_to_array(one), guidance) for one in tensor]
        if not results:
            raise ShapeError("A batch needs at least one picture; got an empty one.")
        stacked = np.stack([np.moveaxis(result.image, -1, 0) for result in results])
        notes = dict.fromkeys(note for result in results for note in result.notes)
        return Result(tensor.new_tensor(stacked), tuple(notes))
    done = _array(colorizer, tensor_to_array(tensor), guidance)
    return Result(array_to_tensor(done.image, tensor), done.notes, done.confidence)


def _pil(
    colorizer: "Colorizer", image: "Image.Image", guidance: Guidance, reading: Reading
) -> "Result[Image.Image]":
    """Colour by way of an upright uncompressed TIFF in memory, which keeps profile and depth."""
    from PIL import Image

    done = colorizer.colorize_file(pil_to_tiff(image), guidance=guidance, reading=reading)
    opened = Image.open(io.BytesIO(done.content or b""))
    opened.load()
    coloured = turned_back(opened, orientation_of(image))  # as it lay
    kept = {k: v for k, v in image.info.items() if k not in ("transparency", "icc_profile")}
    coloured.info = {**kept, **{k: v for k, v in coloured.info.items() if k == "icc_profile"}}
    return Result(coloured, done.notes, done.confidence)
