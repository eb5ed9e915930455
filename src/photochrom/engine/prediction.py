"""Predict the colours of a lightness with a method, and fit a colour field."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from photochrom.color.gamut import lab_to_rgb
from photochrom.colorization.method import (
    Hints,
    Method,
    Prediction,
    Request,
    checked,
)
from photochrom.engine.conditioning import distribution
from photochrom.engine.guided import fit_field
from photochrom.engine.hint_interpolation import interpolate_hints
from photochrom.engine.hint_propagation import Spot, features_of, propagate
from photochrom.engine.tiling import WorkingSize
from photochrom.photo.field import ColourField
from photochrom.photo.rasterize import Overlay
from photochrom.photo.resize import resize

COLOUR_OF_A_FEATURE = 40.0  # ab units that count like a feature difference of 1


class Colouring(NamedTuple):
    """The prediction for one picture, at the working size.

    Attributes
    ----------
    field : ColourField
        For the full size.
    ab : float32 array, (h, w, 2)
        Colours, with saturation.
    confidence : float32 array, (h, w), or None
    moved : float
        Share of pixels whose chroma the gamut reduces.
    """

    field: ColourField
    ab: np.ndarray
    confidence: np.ndarray | None
    moved: float


def predict_colours(
    method: Method,
    request: Request,
    size: WorkingSize,
    saturation: float = 1.0,
    *,
    overlays: Sequence[Overlay] = (),
    spots: Sequence[Spot] = (),
) -> Colouring:
    """Colour a picture at the working size.

    Parameters
    ----------
    method : Method
    request : Request
        At the working size.
    size : WorkingSize
        With its tiles.
    saturation : float
        Factor on ab, except at hints.
    overlays : sequence of Overlay
        Hinted places of the full-size picture.
    spots : sequence of Spot
        Hints whose colour stays on their object; the request's hints spread without limit.

    Raises
    ------
    MethodOutputError
        If the method returns an invalid result.
    """
    parts = [_predict_tile(method, request, size, tile) for tile in size.tiles]
    ab = _blend([ab for ab, _ in parts], size)
    confidence = None
    if all(c is not None for _, c in parts):
        confidence = _blend([c for _, c in parts if c is not None], size)[..., 0]
    ab = ab * saturation
    plain = ab
    if request.hints is not None:
        if "hints" in method.info.accepts and "hints" not in method.info.requires:
            without = replace(request, hints=None)
            tiles = [_predict_tile(method, without, size, tile)[0] for tile in size.tiles]
            plain = _blend(tiles, size) * saturation
        ab = interpolate_hints(
            plain, ab, request.hints, request.lightness, *_raised(method, request)
        )
    if spots:
        features = method_features(method, replace(request, hints=None), plain)
        ab = propagate(ab, request.lightness, spots, plain, features)
    ab = ab.astype(np.float32)
    lab = np.concatenate((request.lightness[..., None], ab), axis=-1)
    moved = lab_to_rgb(lab).moved / request.lightness.size
    field = replace(fit_field(request.lightness, ab), overlays=tuple(overlays))
    return Colouring(field, ab, confidence, moved)


def method_features(method: Method, request: Request, plain: np.ndarray) -> np.ndarray:
    """Return features that separate objects: the method's distribution, else its colours."""
    if method.info.centres:
        return features_of(distribution(method, request))
    return plain / COLOUR_OF_A_FEATURE


def _raised(method: Method, request: Request) -> tuple[float, ...]:
    """Return the factor by which a method's look raises colours like the hinted ones."""
    hints = request.hints
    if hints is None or not hints.mask.any() or "vividness" not in method.info.accepts:
        return ()
    return (method.info.look(request.vividness).saturation,)


def _predict_tile(
    method: Method, request: Request, size: WorkingSize, tile: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ab and confidence of a tile, at the working size, (h, w, n)."""
    part = (np.s_[:], slice(*tile)) if size.is_wide else (slice(*tile), np.s_[:])
    hints = request.hints and Hints(request.hints.ab[part], request.hints.mask[part])
    lightness = request.lightness[part]
    prediction: Prediction = method.predict(replace(request, lightness=lightness, hints=hints))
    prediction = checked(prediction, method.info.name)
    ab = resize(prediction.ab[0], *lightness.shape)
    confidence = prediction.confidence
    if confidence is not None:
        confidence = resize(confidence[..., None], *lightness.shape)
    return ab, confidence


def _blend(parts: list[np.ndarray], size: WorkingSize) -> np.ndarray:
    """Join overlapping tiles, each fading towards its ends."""
    if len(parts) == 1:
        return parts[0]
    axis = 1 if size.is_wide else 0
    total = np.zeros((size.height, size.width, parts[0].shape[-1]))
    weights = np.zeros((size.width if size.is_wide else size.height, 1))
    for part, (start, stop) in zip(parts, size.tiles, strict=True):
        length = stop - start
        fade = np.minimum(np.arange(length) + 1, np.arange(length, 0, -1))[:, None] / length
        weights[start:stop] += fade
        if axis:
            total[:, start:stop] += part * fade
        else:
            total[start:stop] += part * fade[:, None]
    shares = weights if axis else weights[:, None]
    return (total / shares).astype(np.float32)
