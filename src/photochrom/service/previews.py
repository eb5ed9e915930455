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
from photochrom.photo.resize import reduced_size
from photochrom.photo.write import ColourPage, write_photo
from photochrom.service.jobs import jpeg, levels_of
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


def is_heavy(request: PreviewRequest) -> bool:
    """Return whether drawing the hints is so slow that a worker should do it."""
    return sum(_visited(hint.scaled(request.scale)) for hint in request.guidance.hints) > HEAVY_PX


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


def field(request: PreviewRequest) -> ColourField:
    """Return the colours of the whole photograph, with guidance in its own pixels.

    Raises
    ------
    InvalidValueError
        If the method cannot follow the guidance.
    """
    colorizer = colorizer_of(request.method, request.look)
    photo = Photo.from_array(request.preview)
    found = colorizer.colouring(photo, 0, request.guidance.scaled(request.scale)).field
    enlarged = 1 / request.scale
    overlays = tuple(overlay.scaled(enlarged, enlarged) for overlay in found.overlays)
    return dataclasses.replace(found, overlays=overlays)


def gray(preview: np.ndarray) -> bytes:
    """Return a proof as a JPEG."""
    return _encoded(Photo.from_array(preview), None, "jpeg", GRAY_QUALITY)


def preview(request: PreviewRequest) -> bytes:
    """Colour a proof and return a JPEG of its size.

    Raises
    ------
    InvalidValueError
        If the method cannot follow the guidance.
    """
    colorizer = colorizer_of(request.method, request.look)
    photo = Photo.from_array(_coloured(request))
    page = None if photo.is_gray else photo.stored()  # method `gray` leaves one band
    return _encoded(photo, page, "jpeg", PREVIEW_QUALITY, colorizer.marker(request.guidance))


def thumbnail(request: PreviewRequest) -> bytes:
    """Colour a proof and return a small JPEG."""
    photo = Photo.from_array(_coloured(request))
    small = photo.small_rgb(*reduced_size(*photo.upright_size, THUMBNAIL_PX))
    return jpeg(small, PREVIEW_QUALITY)


def confidence(request: PreviewRequest) -> bytes:
    """Return a confidence map: a gray PNG at the working size, 255 where the method is certain.

    Raises
    ------
    InvalidValueError
        If the method does not estimate its confidence.
    """
    colorizer = colorizer_of(request.method, request.look)
    photo = Photo.from_array(request.preview)
    found = colorizer.colouring(photo, 0, request.guidance.scaled(request.scale)).confidence
    if found is None:
        raise InvalidValueError(
            f"The method '{request.method}' does not estimate its confidence. Use 'photochrom'."
        )
    levels = np.asarray(np.round(found.clip(0, 1) * 255), np.uint8)
    return _encoded(Photo.from_array(levels), None, "png")


def suggestions(
    request: PreviewRequest, x: float, y: float, radius: float
) -> tuple[float, list[Suggestion]]:
    """Return the lightness of a spot and its likely colours.

    Parameters
    ----------
    request : PreviewRequest
    x, y, radius : float
        The spot, in pixels of the photograph.

    Raises
    ------
    InvalidValueError
        If the spot lies outside, or the method predicts no distribution.
    """
    colorizer = colorizer_of(request.method, request.look)
    photo = Photo.from_array(request.preview)
    at_x, at_y = _on_proof(request, x, y)
    reach = radius * request.scale
    hints = request.guidance.scaled(request.scale).hints
    found = colorizer.suggest(photo, at_x, at_y, reach, hints=hints)
    rows, columns = (slice(max(0, int(at - reach)), int(at + reach) + 1) for at in (at_y, at_x))
    spot = Photo.from_array(np.ascontiguousarray(request.preview[rows, columns]))
    return float(spot.small_lightness(*spot.upright_size).mean()), found


def outline(request: PreviewRequest, x: float, y: float) -> list[tuple[float, float]]:
    """Return the outline of the object at a place, in pixels of the photograph.

    Parameters
    ----------
    request : PreviewRequest
    x, y : float
        The place, in pixels of the photograph.

    Raises
    ------
    InvalidValueError
        If the place lies outside.
    """
    colorizer = colorizer_of(request.method, request.look)
    found = colorizer.outline(request.preview, *_on_proof(request, x, y))
    return [(right / request.scale, low / request.scale) for right, low in found]


def _on_proof(request: PreviewRequest, x: float, y: float) -> tuple[float, float]:
    """Return a place on the proof, whose sides are rounded: one in the last pixels stays inside."""
    height, width = request.preview.shape[:2]
    places = ((x * request.scale, width), (y * request.scale, height))
    most = 0.5 if request.scale < 1 else 0.0
    right, low = (side - 1e-3 if side <= at < side + most else at for at, side in places)
    return right, low


def _coloured(request: PreviewRequest) -> np.ndarray:
    colorizer = colorizer_of(request.method, request.look)
    guidance = request.guidance.scaled(request.scale)
    rgb = colorizer.colorize(
        request.preview,
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
