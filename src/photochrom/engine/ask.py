"""Turn what the owner wishes of a photograph into what a method is asked."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from photochrom.engine.hint_propagation import Spot, features_of
from photochrom.engine.likely import propose
from photochrom.engine.palette import Palette
from photochrom.engine.reference import Reference, References
from photochrom.engine.wishes import Wishes, hint_planes, touches_of
from photochrom.engine.working import LONGEST, WorkingSize, working_size
from photochrom.errors import InvalidValueError
from photochrom.methods.hint import Hint
from photochrom.methods.method import Hints, Method, Request
from photochrom.photo.resize import resize
from photochrom.photo.touch import Touch


class Asked(NamedTuple):
    """A request, and what goes beside it.

    Attributes
    ----------
    request : Request
        At the working size.
    touches : tuple of Touch
        Decided places of the upright full-size picture.
    spots : tuple of Spot
        Decided places whose colour stays on their thing, and what another candidate decides
        differently; the request's hints are the others.
    """

    request: Request
    touches: tuple[Touch, ...]
    spots: tuple[Spot, ...] = ()


def ask(
    method: Method,
    lightness: np.ndarray,
    upright: tuple[int, int],
    wishes: Wishes,
    vividness: float | None,
) -> Asked:
    """Ask a method for what is wished.

    Parameters
    ----------
    method : Method
    lightness : float32 array, (h, w)
        L* at the working size.
    upright : (width, height)
        Of the full-size picture.
    wishes : Wishes
    vividness : float, optional

    Returns
    -------
    Asked

    Raises
    ------
    InvalidValueError
        If the method cannot do what is wished.
    """
    touches = touches_of(wishes.hints)
    # A method that lives on hints spreads all of them itself.
    spreads = "hints" in method.info.requires
    wide = [h for h in wishes.hints if not h.keep and (spreads or h.reach == "whole")]
    near = [] if spreads else [h for h in wishes.hints if h.keep or h.reach != "whole"]
    request = replace(
        _of_colours(method, lightness, wishes),
        hints=hint_planes(touches_of(wide), upright[::-1], lightness.shape),
        vividness=vividness,
        seed=wishes.seed,
    )
    spots = tuple(_spot(hint, upright[::-1], lightness.shape) for hint in near)
    if wishes.candidate:
        decided = [_spot(hint, upright[::-1], lightness.shape).mask for hint in wishes.hints]
        spots = (*_proposed(method, request, wishes, decided), *spots)
    return Asked(request, touches, spots)


def _proposed(
    method: Method, request: Request, wishes: Wishes, decided: list[np.ndarray]
) -> tuple[Spot, ...]:
    """Give what a candidate decides differently, unless a hint lies on that thing."""
    logits = distribution(method, replace(request, hints=None))
    other = propose(
        logits,
        np.array(method.info.centres, np.float32),
        request.lightness,
        features_of(logits),
        wishes.candidate,
        wishes.seed,
    )
    if other is None or any((mask & other.thing).any() for mask in decided):
        return ()
    return (Spot(other.seed, other.ab, "thing"),)


def _spot(hint: Hint, size: tuple[int, int], working: tuple[int, ...]) -> Spot:
    """Draw one hint at the working size."""
    planes = hint_planes(touches_of([replace(hint, keep=False)]), size, (working[0], working[1]))
    assert planes is not None  # there is one hint
    reach = "region" if hint.shape == "region" else hint.reach
    return Spot(planes.mask > 0, None if hint.keep else hint.ab, reach)


def _of_colours(method: Method, lightness: np.ndarray, wishes: Wishes) -> Request:
    """Hand over a reference or palette in the form that the method takes."""
    lender = wishes.reference or wishes.palette
    if lender is None:
        return Request(lightness)
    if isinstance(lender, References):
        lender = lender.choose(lightness, method)
    name, accepts = method.info.name, method.info.accepts
    if isinstance(lender, Reference) and "reference" in accepts:
        return Request(lightness, reference=lender.lab)
    if "histogram" not in accepts:
        what = "palette" if isinstance(lender, Palette) else "reference"
        raise InvalidValueError(f"The method '{name}' takes no {what}; 'photochrom' does.")
    histogram, chroma = lender.histogram(np.array(method.info.centres, np.float32))
    return Request(lightness, histogram=histogram, chroma=chroma)


def distribution(method: Method, request: Request) -> np.ndarray:
    """Give a method's logits over its bins, (Q, h', w'), for a whole picture.

    A very long picture is seen squeezed to 3 : 1, without tiles.

    Raises
    ------
    InvalidValueError
        If the method has one opinion only.
    """
    if not method.info.centres:
        raise InvalidValueError(
            f"The method '{method.info.name}' has one opinion of a picture; "
            "'photochrom' knows other likely colours."
        )
    high, wide = request.lightness.shape
    if max(high, wide) > LONGEST * min(high, wide):
        side = int(LONGEST * min(high, wide))
        size = working_size(min(high, side), min(wide, side), min(high, wide), method.info.stride)
        request = _squeezed(request, size)
    logits = method.predict(replace(request, distribution=True)).distribution
    assert logits is not None  # a network with bins gives them
    return logits


def _squeezed(request: Request, size: WorkingSize) -> Request:
    lightness = resize(request.lightness[..., None], size.height, size.width)[..., 0]
    if request.hints is None:
        return replace(request, lightness=lightness)
    rows = np.arange(size.height) * request.lightness.shape[0] // size.height
    columns = np.arange(size.width) * request.lightness.shape[1] // size.width
    hints = Hints(request.hints.ab[rows][:, columns], request.hints.mask[rows][:, columns])
    return replace(request, lightness=lightness, hints=hints)
