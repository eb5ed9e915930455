"""Convert the guidance for a photograph to a request to a method."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from photochrom.colorization.method import Hints, Method, Request
from photochrom.engine.guidance import Guidance, hint_planes, overlays_of
from photochrom.engine.hint_propagation import Spot, features_of
from photochrom.engine.reference import Reference, References
from photochrom.engine.suggestions import propose
from photochrom.engine.tiling import LONGEST, WorkingSize, working_size
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.palette import Palette
from photochrom.photo.rasterize import Overlay
from photochrom.photo.resize import repeated, resize


class Conditioning(NamedTuple):
    """A request, with the hints that are applied outside the method.

    Attributes
    ----------
    request : Request
        At the working size.
    overlays : tuple of Overlay
        Hinted places of the upright full-size picture.
    spots : tuple of Spot
        Hints whose colour stays on their object, and the change made by another candidate;
        the request has the other hints.
    """

    request: Request
    overlays: tuple[Overlay, ...]
    spots: tuple[Spot, ...] = ()


def condition(
    method: Method,
    lightness: np.ndarray,
    upright: tuple[int, int],
    guidance: Guidance,
    vividness: float | None,
) -> Conditioning:
    """Return the request for a guidance.

    Parameters
    ----------
    method : Method
    lightness : float32 array, (h, w)
        L* at the working size.
    upright : (width, height)
        Of the full-size picture.
    guidance : Guidance
    vividness : float, optional

    Raises
    ------
    InvalidValueError
        If the method cannot follow the guidance.
    """
    overlays = overlays_of(guidance.hints)
    # A method that requires hints spreads all of them itself.
    spreads = "hints" in method.info.requires
    wide = [h for h in guidance.hints if not h.keep and (spreads or h.reach == "whole")]
    near = [] if spreads else [h for h in guidance.hints if h.keep or h.reach != "whole"]
    request = replace(
        _colour_request(method, lightness, guidance),
        hints=hint_planes(overlays_of(wide), upright[::-1], lightness.shape),
        vividness=vividness,
        seed=guidance.seed,
    )
    spots = tuple(_spot(hint, upright[::-1], lightness.shape) for hint in near)
    if guidance.candidate:
        decided = [_spot(hint, upright[::-1], lightness.shape).mask for hint in guidance.hints]
        spots = (*_proposed(method, request, guidance, decided), *spots)
    return Conditioning(request, overlays, spots)


def _proposed(
    method: Method, request: Request, guidance: Guidance, decided: list[np.ndarray]
) -> tuple[Spot, ...]:
    """Return the change made by a candidate, unless a hint lies on that object."""
    logits = distribution(method, replace(request, hints=None))
    other = propose(
        logits,
        np.array(method.info.centres, np.float32),
        request.lightness,
        features_of(logits),
        guidance.candidate,
        guidance.seed,
    )
    if other is None or any((mask & other.thing).any() for mask in decided):
        return ()
    return (Spot(other.seed, other.ab, "thing"),)


def _spot(hint: Hint, size: tuple[int, int], working: tuple[int, ...]) -> Spot:
    """Draw one hint at the working size."""
    planes = hint_planes(overlays_of([hint]), size, (working[0], working[1]))
    assert planes is not None  # there is one hint
    reach = "region" if hint.shape == "region" else hint.reach
    return Spot(planes.mask > 0, None if hint.keep else hint.ab, reach)


def _colour_request(method: Method, lightness: np.ndarray, guidance: Guidance) -> Request:
    """Return a reference or palette in the form that the method accepts."""
    colour_source = guidance.reference or guidance.palette
    if colour_source is None:
        return Request(lightness)
    if isinstance(colour_source, References):
        colour_source = colour_source.choose(lightness, method)
    name, accepts = method.info.name, method.info.accepts
    if isinstance(colour_source, Reference) and "reference" in accepts:
        return Request(lightness, reference=colour_source.lab)
    if "histogram" not in accepts:
        what = "palette" if isinstance(colour_source, Palette) else "reference"
        raise InvalidValueError(f"The method '{name}' does not accept a {what}. Use 'photochrom'.")
    histogram, chroma = colour_source.histogram(np.array(method.info.centres, np.float32))
    return Request(lightness, histogram=histogram, chroma=chroma)


def distribution(method: Method, request: Request) -> np.ndarray:
    """Return a method's logits over its bins, (Q, h', w'), for a whole picture.

    A very long picture is squeezed to 3 : 1, without tiles.

    Raises
    ------
    InvalidValueError
        If the method predicts no distribution.
    """
    if not method.info.centres:
        raise InvalidValueError(
            f"The method '{method.info.name}' predicts only one colouring. Use "
            "'photochrom', which predicts others."
        )
    high, wide = request.lightness.shape
    if max(high, wide) > LONGEST * min(high, wide):
        side = int(LONGEST * min(high, wide))
        size = working_size(min(high, side), min(wide, side), min(high, wide), method.info.stride)
        request = _squeezed(request, size)
    logits = method.predict(replace(request, distribution=True)).distribution
    assert logits is not None  # a network with bins returns them
    return logits


def _squeezed(request: Request, size: WorkingSize) -> Request:
    lightness = resize(request.lightness[..., None], size.height, size.width)[..., 0]
    if request.hints is None:
        return replace(request, lightness=lightness)
    planes = (repeated(p, size.height, size.width) for p in (request.hints.ab, request.hints.mask))
    return replace(request, lightness=lightness, hints=Hints(*planes))
