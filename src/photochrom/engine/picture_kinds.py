"""Kinds of input pictures: Pillow images, tensors, open files, and several at once.

Neither Pillow nor torch is imported here: a caller with such a picture has imported it.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeGuard, cast

import numpy as np

from photochrom.engine.picture_types import Picture, PictureOrPhoto, Tensor
from photochrom.errors import DtypeError, ShapeError
from photochrom.photo.photo import Photo
from photochrom.photo.reading import PLAIN, Reading

if TYPE_CHECKING:
    from PIL import Image

# What turns a picture of an EXIF orientation upright, as a number of Pillow's `Transpose`.
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
CHANNELS = (1, 2, 3, 4)


def is_pil(picture: object) -> "TypeGuard[Image.Image]":
    """Return whether an object is a Pillow image."""
    return hasattr(picture, "getexif") and hasattr(picture, "save")


def is_tensor(picture: object) -> TypeGuard[Tensor]:
    """Return whether an object is a torch tensor, or one of a similar library."""
    return all(hasattr(picture, name) for name in ("detach", "cpu", "new_tensor"))


def is_array(picture: object) -> TypeGuard[np.ndarray]:
    """Return whether an object is a NumPy array, or can be converted to one."""
    return isinstance(picture, np.ndarray) or (
        hasattr(picture, "__array__") and hasattr(picture, "dtype") and not is_pil(picture)
    )


def is_file(picture: object) -> TypeGuard[BinaryIO]:
    """Return whether an object is an open file."""
    return hasattr(picture, "read") and not is_pil(picture)


def many(picture: object) -> Iterable[Picture] | None:
    """Return the pictures of a list, tuple or iterator; None for one picture.

    Raises
    ------
    DtypeError
        If it is a list of numbers.
    """
    if isinstance(picture, (list, tuple)):
        if any(isinstance(part, (int, float, list, tuple)) for part in picture[:1]):
            raise DtypeError(
                "A list means several pictures; this one contains numbers. Pass an array: "
                "numpy.array(picture, 'uint8')."
            )
        return picture
    is_single = is_pil(picture) or is_tensor(picture) or is_file(picture) or is_array(picture)
    return picture if isinstance(picture, Iterator) and not is_single else None


def open_picture(picture: PictureOrPhoto, reading: Reading = PLAIN) -> Photo:
    """Open a picture of any kind that `Colorizer.colorize` accepts, or a Photo.

    `reading` is for files, bytes and PIL images.

    Raises
    ------
    PhotoError, DtypeError, ShapeError, InvalidValueError
        If it is not a picture.
    """
    if isinstance(picture, Photo):
        return picture
    if is_pil(picture):
        return Photo.open(pil_to_tiff(picture), reading=reading)
    if is_tensor(picture):
        return Photo.from_array(tensor_to_array(picture))
    if is_array(picture):
        return Photo.from_array(np.asarray(picture))
    return Photo.open(cast("str | Path | bytes | BinaryIO", picture), reading=reading)


def pil_to_tiff(image: "Image.Image") -> bytes:
    """Return a Pillow image as an uncompressed TIFF, upright, which keeps profile and depth.

    Raises
    ------
    DtypeError
        If its numbers have no range.
    """
    content = io.BytesIO()
    upright = turned(_plain_pil(image), orientation_of(image))
    upright.save(content, "TIFF", icc_profile=image.info.get("icc_profile"))
    return content.getvalue()


def orientation_of(image: "Image.Image") -> int:
    """Return a Pillow image's EXIF orientation, 1 to 8."""
    from PIL import ExifTags

    return int(image.getexif().get(ExifTags.Base.Orientation, 1) or 1)


def turned(image: "Image.Image", orientation: int) -> "Image.Image":
    """Turn a Pillow image upright."""
    from PIL import Image

    return image.transpose(Image.Transpose(TURNS[orientation])) if orientation in TURNS else image


def turned_back(image: "Image.Image", orientation: int) -> "Image.Image":
    """Turn an upright Pillow image back; the inverse of `turned`."""
    return turned(image, {6: 8, 8: 6}.get(orientation, orientation))


def _plain_pil(image: "Image.Image") -> "Image.Image":
    """Return a PIL image in a mode that a TIFF holds; DtypeError if its numbers have no range."""
    from PIL import Image

    if image.mode in ("P", "PA", "HSV", "LAB", "YCbCr"):
        has_alpha = "transparency" in image.info or image.mode == "PA"
        return image.convert("RGBA" if has_alpha else "RGB")
    if image.mode in ("RGBa", "La"):
        return image.convert(image.mode.upper())
    if image.mode == "I":
        low, high = cast(tuple[float, float], image.getextrema())
        if low >= 0 and high <= 65535:  # as Pillow opens 16-bit PNG and PGM
            plain = Image.fromarray(np.asarray(image).astype(np.uint16))
            plain.info = image.info
            return plain
    if image.mode in ("I", "F"):
        raise DtypeError(
            f"A PIL image of mode {image.mode} does not define black and white. Pass an array: "
            "uint16, or float in [0, 1]."
        )
    return image


def is_channels_first(tensor: Tensor) -> bool:
    """Return whether a tensor of three axes is (C, H, W), as in torch, rather than (H, W, C).

    If both are possible, it is (C, H, W).
    """
    return tensor.ndim == 3 and tensor.shape[0] in CHANNELS


def tensor_to_array(tensor: Tensor) -> np.ndarray:
    """Return a picture's tensor, (H, W), (C, H, W) or (H, W, C), as an array with channels last.

    Raises
    ------
    ShapeError
        If it has other axes.
    """
    if tensor.ndim not in (2, 3):
        raise ShapeError(
            f"A tensor needs shape (H, W), (C, H, W) or (H, W, C), or (N, C, H, W) as a batch; got "
            f"{tuple(tensor.shape)}."
        )
    plain = tensor.detach().cpu()
    if str(plain.dtype).endswith("bfloat16"):  # NumPy has no such type
        plain = plain.float()
    array = np.asarray(plain.numpy())
    return np.moveaxis(array, 0, -1) if is_channels_first(tensor) else array


def array_to_tensor(array: np.ndarray, like: Tensor) -> Tensor:
    """Return a coloured array (H, W, C) as the same kind of tensor as the input."""
    ordered = np.moveaxis(array, -1, 0) if like.ndim == 2 or is_channels_first(like) else array
    return like.new_tensor(np.ascontiguousarray(ordered))
