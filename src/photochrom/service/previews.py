"""Previews of a photograph, made from its proof in this process.

A proof is a small gray copy, (h, w) uint8, from a worker; hints and spots are scaled to it.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from photochrom.color.lab import luminance_to_lightness, srgb_to_linear
from photochrom.engine.guidance import Guidance
from photochrom.engine.highlights import toned_down
from photochrom.engine.suggestions import Suggestion
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.photo.field import ColourField
from photochrom.photo.metadata.conversion import Marker
from photochrom.photo.photo import Photo
from photochrom.photo.write import ColourPage, write_photo
from photochrom.service.jobs import levels_of, reduced_size
from photochrom.service.loaded_colorizers import colorizer_of

PREVIEW_QUALITY = 88
GRAY_QUALITY = 90
THUMBNAIL_PX = 256
HEAVY_PX = 10e6  # pixels to visit for hints: about a third of a second


class PreviewRequest(NamedTuple):
    """A request for a proof.

    Attributes
    ----------
    preview : uint8 array, (h, w)
        The proof.
    scale : float
        Proof pixels per pixel of the photograph.
    method : str
    look : Look
    guidance : Guidance
        In pixels of the photograph.
    """

    preview: np.ndarray
    scale: float
    method: str
    look: Look
    guidance: Guidance


def is_heavy(ask: PreviewRequest) -> bool:
    """Return whether drawing the hints is so slow that a worker should do it."""
    return sum(_visited(hint.scaled(ask.scale)) for hint in ask.guidance.hints) > HEAVY_PX


def _visited(hint: Hint) -> float:
    """Estimate the pixels visited for a hint: the bounding box of each of its segments."""
    points = np.array(hint.points)
    extent = np.ptp(points, axis=0) + 2 * hint.radius
    if hint.shape == "region":
        return float(len(points) * extent.prod())
    steps = np.abs(np.diff(points, axis=0)) + 2 * hint.radius
    return float(extent.prod() + steps.prod(axis=1).sum())


def reduced(preview: np.ndarray, long_side_px: int) -> np.ndarray:
    """Return a proof reduced to a maximum long side."""
    height, width = preview.shape
    size = reduced_size(width, height, long_side_px)
    if size == (width, height):
        return preview
    return levels_of(Photo.from_array(preview).small_lightness(*size))


def lowered_white(preview: np.ndarray, white_lightness: float) -> np.ndarray:
    """Return a proof with pure white lowered to an L*."""
    lightness = luminance_to_lightness(srgb_to_linear(np.arange(256) / 255))
    return np.asarray(levels_of(toned_down(lightness, white_lightness))[preview])


def field(ask: PreviewRequest) -> ColourField:
    """Return the colours of the whole photograph, with guidance in its own pixels.

    Raises
    ------
    InvalidValueError
        If the method cannot follow the guidance.
    """
    colorizer = colorizer_of(ask.method, ask.look)
    photo = Photo.from_array(ask.preview)
    found = colorizer.colouring(photo, 0, ask.guidance.scaled(ask.scale)).field
    overlays = tuple(overlay.scaled(1 / ask.scale, 1 / ask.scale) for overlay in found.overlays)
    return dataclasses.replace(found, overlays=overlays)


def gray(preview: np.ndarray) -> bytes:
    """Return a proof as a JPEG."""
    return _encoded(Photo.from_array(preview), None, "jpeg", GRAY_QUALITY)


def preview(ask: PreviewRequest) -> bytes:
    """Colour a proof and return a JPEG of its size.

    Raises
    ------
    InvalidValueError
        If the method cannot follow the guidance.
    """
    colorizer = colorizer_of(ask.method, ask.look)
    photo = Photo.from_array(_coloured(ask))
    page = None if photo.is_gray else photo.stored()  # method `gray` leaves one band
    return _encoded(photo, page, "jpeg", PREVIEW_QUALITY, colorizer.marker(ask.guidance))


def thumbnail(ask: PreviewRequest) -> bytes:
    """Colour a proof and return a small JPEG."""
    photo = Photo.from_array(_coloured(ask))
    width, height = photo.upright_size
    scale = min(1.0, THUMBNAIL_PX / max(width, height))
    small = photo.small_rgb(max(1, round(width * scale)), max(1, round(height * scale)))
    shown = Photo.from_array(small)
    return _encoded(shown, shown.stored(), "jpeg", PREVIEW_QUALITY)


def confidence(ask: PreviewRequest) -> bytes:
    """Return a confidence map: a gray PNG at the working size, 255 where the method is certain.

    Raises
    ------
    InvalidValueError
        If the method does not estimate its confidence.
    """
    colorizer = colorizer_of(ask.method, ask.look)
    photo = Photo.from_array(ask.preview)
    found = colorizer.colouring(photo, 0, ask.guidance.scaled(ask.scale)).confidence
    if found is None:
        raise InvalidValueError(
            f"The method '{ask.method}' does not estimate its confidence. Use 'photochrom'."
        )
    levels = np.asarray(np.round(found.clip(0, 1) * 255), np.uint8)
    return _encoded(Photo.from_array(levels), None, "png")


def suggestions(
    ask: PreviewRequest, x: float, y: float, radius: float
) -> tuple[float, list[Suggestion]]:
    """Return the lightness of a spot and its likely colours.

    Parameters
    ----------
    ask : PreviewRequest
    x, y, radius : float
        The spot, in pixels of the photograph.

    Raises
    ------
    InvalidValueError
        If the spot lies outside, or the method predicts no distribution.
    """
    colorizer = colorizer_of(ask.method, ask.look)
    photo = Photo.from_array(ask.preview)
    at_x, at_y, reach = (value * ask.scale for value in (x, y, radius))
    hints = ask.guidance.scaled(ask.scale).hints
    found = colorizer.suggest(photo, at_x, at_y, reach, hints=hints)
    rows, columns = (slice(max(0, int(at - reach)), int(at + reach) + 1) for at in (at_y, at_x))
    spot = Photo.from_array(np.ascontiguousarray(ask.preview[rows, columns]))
    return float(spot.small_lightness(*spot.upright_size).mean()), found


def outline(ask: PreviewRequest, x: float, y: float) -> list[tuple[float, float]]:
    """Return the outline of the object at a place, in pixels of the photograph.

    Parameters
    ----------
    ask : PreviewRequest
    x, y : float
        The place, in pixels of the photograph.

    Raises
    ------
    InvalidValueError
        If the place lies outside.
    """
    colorizer = colorizer_of(ask.method, ask.look)
    found = colorizer.outline(ask.preview, x * ask.scale, y * ask.scale)
    return [(right / ask.scale, low / ask.scale) for right, low in found]


def _coloured(ask: PreviewRequest) -> np.ndarray:
    colorizer = colorizer_of(ask.method, ask.look)
    guidance = ask.guidance.scaled(ask.scale)
    rgb = colorizer.colorize(
        ask.preview,
        hints=guidance.hints,
        reference=guidance.reference,
        palette=guidance.palette,
        candidate=guidance.candidate,
        seed=guidance.seed,
    )
    return np.asarray(rgb)


def _encoded(
    photo: Photo,
    page: ColourPage,
    format: str,
    quality: int | None = None,
    marker: Marker | None = None,
) -> bytes:
    written = write_photo(photo, [page], None, format=format, quality=quality, marker=marker)
    return written.data or b""
