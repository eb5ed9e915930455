"""Split a film into shots, and link each frame with the one before it.

A cut is where the frame before, moved along the flow, does not resemble the next one. Brightness is
made alike first, so fades are not cuts. A flash, a scratch or a jump of the film that lasts a frame
or two is not one either: the frame after it resembles the frame before it. What such a frame shows
is not followed; it takes the colours of its place.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from photochrom.engine.optical_flow import (
    FlowEstimator,
    FlowMap,
    Sight,
    identity,
    sight,
    similarity,
)
from photochrom.photo.video_decoding import Frame

RESEMBLES = 0.45  # correlation of two frames of one shot at least
PASSING = 2  # frames that a flash or a jump lasts at most
DOUBT = 0.3  # trust in a frame that is not followed


class SmallFrame(NamedTuple):
    """A frame as it comes: the caller's own, and its lightness.

    Attributes
    ----------
    frame : object
        Passed through.
    lightness : float32 array, (h, w)
        L* at the working size.
    """

    frame: Frame
    lightness: np.ndarray


class Step(NamedTuple):
    """A frame, linked with the one before it.

    Attributes
    ----------
    frame : object
    lightness : float32 array, (h, w)
    sight : Sight
    back, ahead : FlowMap
        From this frame to the one before it, and from that one to this.
    is_first : bool
        Whether a shot begins here; then the paths mean nothing.
    is_passing : bool
        Whether it is a flash or a jump, whose own colours do not count.
    """

    frame: Frame
    lightness: np.ndarray
    sight: Sight
    back: FlowMap
    ahead: FlowMap
    is_first: bool
    is_passing: bool


class _Seen(NamedTuple):
    look: SmallFrame
    sight: Sight


def linked(looks: Iterable[SmallFrame]) -> Iterator[Step]:
    """Yield each frame with its links; reads `PASSING` frames ahead.

    Parameters
    ----------
    looks : iterable of SmallFrame
        In order; all of one size.

    Yields
    ------
    Step
    """
    flow = FlowEstimator()
    incoming = iter(looks)
    waiting: deque[_Seen] = deque()
    before: _Seen | None = None  # the last frame that shows something
    last: _Seen | None = None
    while True:
        while len(waiting) <= PASSING and (look := next(incoming, None)) is not None:
            waiting.append(_Seen(look, sight(look.lightness)))
        if not waiting:
            return
        this = waiting.popleft()
        step, follows = _step(flow, before, last, this, waiting)
        if follows:
            before = this
        last = this
        yield step


def _step(
    flow: FlowEstimator, before: _Seen | None, last: _Seen | None, this: _Seen, ahead: deque[_Seen]
) -> tuple[Step, bool]:
    """Return a frame's step, and whether later frames are compared with it."""
    still = identity(this.sight.small.shape, DOUBT)
    if before is None:
        return _made(this, still, still, is_first=last is None), not this.sight.is_flat
    if this.sight.is_flat:
        return _made(this, still, still, is_passing=True), False
    paths = flow.paths(before.sight, this.sight)
    if similarity(paths[0], this.sight, before.sight) >= RESEMBLES:
        return _made(this, *paths), True
    if _returns(flow, before, ahead):
        return _made(this, still, still, is_passing=True), False
    return _made(this, still, still, is_first=True), True


def _returns(flow: FlowEstimator, before: _Seen, ahead: deque[_Seen]) -> bool:
    """Return whether one of the next frames resembles the last one again."""
    for later in ahead:
        if later.sight.is_flat:
            continue
        back, _ = flow.paths(before.sight, later.sight)
        if similarity(back, later.sight, before.sight) >= RESEMBLES:
            return True
    return False


def _made(
    this: _Seen, back: FlowMap, ahead: FlowMap, *, is_first: bool = False, is_passing: bool = False
) -> Step:
    return Step(this.look.frame, this.look.lightness, this.sight, back, ahead, is_first, is_passing)
