"""Colour a crop of a photograph at full size, without colouring the rest."""

import numpy as np
import pyvips

from photochrom.errors import InvalidValueError
from photochrom.photo.field import ColourField
from photochrom.photo.headers import array_of
from photochrom.photo.join import join
from photochrom.photo.lightness import Tone
from photochrom.photo.open_file import unreadable
from photochrom.photo.orientation import to_upright, upright_size
from photochrom.photo.photo import Photo
from photochrom.photo.rasterize import Overlay
from photochrom.photo.resize import interpolate

FINER = 4  # cells of a part's field for one of the whole's, so that the corners between them stay

Window = tuple[int, int, int, int]  # left, top, width, height in pixels of the upright photograph


def coloured_crop(
    photo: Photo, field: ColourField, window: Window, long_side_px: int
) -> np.ndarray:
    """Colour a crop of the first page.

    Parameters
    ----------
    photo : Photo
    field : ColourField
        Of the whole upright page.
    window : (left, top, width, height)
        In pixels of the upright page.
    long_side_px : int
        Longest side of the result; larger crops are reduced.

    Returns
    -------
    uint8 array, (h, w, 3)
        sRGB, upright.

    Raises
    ------
    InvalidValueError
        If the window is empty or not inside the page.
    UnreadablePhotoError
        If the pixels are truncated or corrupt.
    """
    _check(photo, window)
    orientation = photo.orientation
    part = _part_of(field, window, photo.upright_size)
    try:
        tone = photo.tone(0)
        codes = _cut(tone.codes, photo, window, long_side_px)
        wide, high = upright_size(codes.width, codes.height, orientation)
        overlays = tuple(t.scaled(wide / window[2], high / window[3]) for t in part.overlays)
        part = ColourField(part.slope, part.offset, part.low, part.high, overlays)
        joined = join(Tone(codes, tone.luminance), part.stored(orientation, wide, high))
        return np.ascontiguousarray(to_upright(array_of(joined), orientation))
    except pyvips.Error as error:
        raise unreadable(photo.name, error, photo.format) from error


def original_crop(photo: Photo, window: Window, long_side_px: int) -> np.ndarray:
    """Return a crop of the original first page; see `coloured_crop`."""
    _check(photo, window)
    try:
        image = photo.device().without_alpha(photo.stored())
        rgb = photo.to_rgb(_cut(image, photo, window, long_side_px))
        return np.ascontiguousarray(to_upright(rgb, photo.orientation))
    except pyvips.Error as error:
        raise unreadable(photo.name, error, photo.format) from error


def _check(photo: Photo, window: Window) -> None:
    (left, top, width, height), (wide, high) = window, photo.upright_size
    inside = left >= 0 and top >= 0 and left + width <= wide and top + height <= high
    if width < 1 or height < 1 or not inside:
        raise InvalidValueError(
            f"A crop must lie inside the picture of {wide} x {high} pixels; "
            f"got {width} x {height} at {left}, {top}."
        )


def _cut(image: pyvips.Image, photo: Photo, window: Window, long_side_px: int) -> pyvips.Image:
    """Cut a part out of a stored picture, and reduce it."""
    left, top, width, height = _stored(window, photo)
    part = image.crop(left, top, width, height)
    scale = min(1.0, long_side_px / max(width, height))
    return part if scale == 1 else part.resize(scale)


def _stored(window: Window, photo: Photo) -> Window:
    """Turn a window of the upright page to the stored orientation."""
    left, top, width, height = window
    corners = np.array([(left, top), (left + width, top + height)], float)
    ends = Overlay(corners, 0.0, np.zeros(2)).stored(photo.orientation, *photo.upright_size).points
    (x0, y0), (x1, y1) = np.sort(np.round(ends).astype(int), axis=0)
    return int(x0), int(y0), int(x1 - x0), int(y1 - y0)


def _part_of(field: ColourField, window: Window, size: tuple[int, int]) -> ColourField:
    """Return the field of a part, with overlays relative to its corner."""
    left, top, width, height = window
    rows, columns = field.slope.shape[:2]
    planes = _between(field.planes, top / size[1], height / size[1], rows, axis=0)
    planes = _between(planes, left / size[0], width / size[0], columns, axis=1)
    slope, offset, low, high = np.split(planes, 4, axis=-1)
    overlays = tuple(overlay.moved(-left, -top) for overlay in field.overlays)
    return ColourField(slope, offset, low, high, overlays)


def _between(planes: np.ndarray, start: float, share: float, cells: int, axis: int) -> np.ndarray:
    """Interpolate a range of an axis, given as shares, between the centres of cells."""
    count = max(2, round(FINER * share * cells))
    places = (start + (np.arange(count) + 0.5) * share / count) * cells - 0.5
    return interpolate(planes, np.clip(places, 0, cells - 1), axis)
