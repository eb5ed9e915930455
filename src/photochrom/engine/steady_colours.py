"""Colours that stay steady within a shot.

The network colours key frames. Their colours, and beside them their chroma, are carried along the
flow from key to key, in both directions, and averaged with weights that fall with distance and with
distrust; so a place keeps its colours as long as it is seen. A frame between two keys takes from
both, as far as each is trusted. Where keys disagree, the mean colour has less chroma than the keys,
which tells it from one that all of them gave; see `agreed`.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from photochrom.engine.optical_flow import FlowMap, composed, identity, sample, seen_alike
from photochrom.engine.shots import Step

KEY_EVERY, KEY_AFTER = 12, 3  # frames between keys: at most, and at least if flow fails
MOST_PASSING = 2  # times as many frames follow a key where they show nothing, as in long black
LOST, LOST_SHARE = 0.3, 0.25  # trust below which a place is lost; share of lost places for a key
REMEMBERS = 0.9  # of a key's weight is left at the next key, where flow is sure
TRACE = 1e-3  # weight of places that no key shows
AGREEMENT = 2.0  # power of the agreement of keys by which their mean colour is reduced


class Key(NamedTuple):
    """A key frame.

    Attributes
    ----------
    step : Step
    steps : tuple of Step
        The frames after it, up to the next key, exclusive.
    back, ahead : FlowMap
        From this key to the one before it, and from that one to this.
    is_first, is_last : bool
        Of its shot.
    """

    step: Step
    steps: tuple[Step, ...]
    back: FlowMap
    ahead: FlowMap
    is_first: bool
    is_last: bool


@dataclass
class _Open:
    """A key whose frames are being collected."""

    step: Step
    back: FlowMap
    ahead: FlowMap
    is_first: bool
    steps: list[Step] = field(default_factory=list)
    reached: FlowMap = field(init=False)  # from the newest frame back to the key
    ahead_from: FlowMap = field(init=False)  # from the key to the newest frame

    def __post_init__(self) -> None:
        self.reached = self.ahead_from = identity(self.step.sight.small.shape)

    def add(self, step: Step) -> None:
        self.steps.append(step)
        if step.is_passing:
            return
        self.reached = composed(step.back, self.reached)
        self.ahead_from = composed(self.ahead_from, step.ahead)

    @property
    def lost_share(self) -> float:
        return float((self.reached.trust < LOST).mean())

    def closed(self, is_last: bool) -> Key:
        return Key(self.step, tuple(self.steps), self.back, self.ahead, self.is_first, is_last)


def keys(steps: Iterable[Step], every: int = KEY_EVERY) -> Iterator[Key]:
    """Group frames by key frames.

    Parameters
    ----------
    steps : iterable of Step
    every : int
        Frames from one key to the next at most.

    Yields
    ------
    Key
        A shot's last frame is a key as well, if it is not the first.
    """
    current: _Open | None = None
    for step in steps:
        if current is None or step.is_first:
            if current is not None:
                yield from _ended(current)
            still = identity(step.sight.small.shape)
            current = _Open(step, still, still, is_first=True)
            continue
        current.add(step)
        count = len(current.steps)
        lost = count >= KEY_AFTER and current.lost_share > LOST_SHARE
        if count >= MOST_PASSING * every or (not step.is_passing and (count >= every or lost)):
            current.steps.pop()
            opened = _next(current, step)
            yield current.closed(is_last=False)
            current = opened
    if current is not None:
        yield from _ended(current)


def _next(current: _Open, step: Step) -> _Open:
    """Return the key at a step that has just been added to the one before it."""
    if step.is_passing:  # it shows nothing: it lies where the frame before it lies
        return _Open(step, current.reached, current.ahead_from, is_first=False)
    back = seen_alike(current.reached, step.sight, current.step.sight)
    ahead = seen_alike(current.ahead_from, current.step.sight, step.sight)
    return _Open(step, back, ahead, is_first=False)


def _ended(current: _Open) -> Iterator[Key]:
    """Yield a shot's last keys: its last frame that counts becomes one."""
    steps = list(current.steps)
    at = max((n for n, step in enumerate(steps) if not step.is_passing), default=None)
    if at is None:
        yield current.closed(is_last=True)
        return
    tail = _Open(current.step, current.back, current.ahead, current.is_first)
    for step in steps[: at + 1]:
        tail.add(step)
    last = _next(tail, steps[at])
    tail.steps.pop()
    yield tail.closed(is_last=False)
    last.steps = steps[at + 1 :]
    yield last.closed(is_last=True)


class Memory(NamedTuple):
    """What is remembered at a key of the keys before it, its own planes included.

    Attributes
    ----------
    total : float32 array, (gh, gw, n)
        Weighted sum of planes.
    weight : float32 array, (gh, gw)
    """

    total: np.ndarray
    weight: np.ndarray


def remembered(planes: np.ndarray, key: Key, before: Memory | None) -> Memory:
    """Add a key's planes, (gh, gw, n), to what the key before it remembers."""
    own = _own_weight(key)
    here = Memory(planes.astype(np.float32) * own, np.full(planes.shape[:2], own, np.float32))
    if before is None or key.is_first:
        return here
    carried = _carried(before, key.back)
    return Memory(here.total + carried.total, here.weight + carried.weight)


def _own_weight(key: Key) -> float:
    """Return how much a key's own planes count: hardly, if it shows nothing."""
    return TRACE if key.step.is_passing else 1.0


def _carried(memory: Memory, path: FlowMap) -> Memory:
    """Return a memory as it is seen along a path, with the weight that is left."""
    both = np.concatenate((memory.total, memory.weight[..., None]), axis=-1)
    moved = sample(both, path) * (REMEMBERS * path.trust)[..., None]
    return Memory(moved[..., :-1], moved[..., -1])


def smoothed(memory: Memory, planes: Sequence[np.ndarray], later: Sequence[Key]) -> np.ndarray:
    """Return a key's planes, averaged over the keys before and after it.

    Parameters
    ----------
    memory : Memory
        At the key.
    planes : sequence of float32 arrays, (gh, gw, n)
        Of the keys that follow.
    later : sequence of Key
        The keys that follow in its shot, nearest first.

    Returns
    -------
    float32 array, (gh, gw, n)
    """
    ahead: Memory | None = None
    for key, own in zip(reversed(later), reversed(planes), strict=True):
        share = _own_weight(key)
        weight = np.full(own.shape[:2], share, np.float32)
        total = own * share
        if ahead is not None:
            total, weight = total + ahead.total, weight + ahead.weight
        ahead = _carried(Memory(total, weight), key.ahead)
    if ahead is None:
        return np.asarray(memory.total / memory.weight[..., None])
    return np.asarray((memory.total + ahead.total) / (memory.weight + ahead.weight)[..., None])


class Between(NamedTuple):
    """A frame's paths to the keys on both of its sides.

    Attributes
    ----------
    step : Step
    back : FlowMap
        To the key before it, or which it is.
    ahead : FlowMap or None
        To the key after it; None if its shot has no more.
    share : float
        How far it is from the first key to the second, from 0 to 1.
    """

    step: Step
    back: FlowMap
    ahead: FlowMap | None
    share: float


def between(key: Key, after: Key | None) -> list[Between]:
    """Return a key's frame and those that follow it, with their paths to this and the next key.

    Parameters
    ----------
    key : Key
    after : Key, optional
        The next one of the same shot.
    """
    reached = identity(key.step.sight.small.shape)
    backs = [reached]
    for step in key.steps:
        if step.is_passing:  # it lies where the frame before it lies
            backs.append(reached)
            continue
        reached = composed(step.back, reached)
        backs.append(seen_alike(reached, step.sight, key.step.sight))
    frames = (key.step, *key.steps)
    aheads: list[FlowMap | None] = [None] * len(frames)
    if after is not None:
        aheads = _ahead(frames, after)
    count = len(frames)
    return [Between(step, backs[n], aheads[n], n / count) for n, step in enumerate(frames)]


def _ahead(frames: Sequence[Step], after: Key) -> list[FlowMap | None]:
    """Return each frame's path to the next key."""
    reached = identity(after.step.sight.small.shape)
    link = after.step.ahead  # from the last frame that counts to the newest one
    paths: deque[FlowMap | None] = deque()
    pending = 0
    for step in reversed(frames):
        if step.is_passing:
            pending += 1  # it lies where the frame before it lies
            continue
        reached = composed(link, reached)
        path = seen_alike(reached, step.sight, after.step.sight)
        paths.extendleft([path] * (pending + 1))
        pending, link = 0, step.ahead
    paths.extendleft([reached] * pending)
    return list(paths)


def blended(frame: Between, planes: np.ndarray, after: np.ndarray | None) -> np.ndarray:
    """Return a frame's planes from those of the keys on both of its sides, (gh, gw, n)."""
    first = sample(planes, frame.back)
    if frame.ahead is None or after is None:
        return first
    second = sample(after, frame.ahead)
    here = ((1 - frame.share) * (frame.back.trust + TRACE))[..., None]
    there = (frame.share * (frame.ahead.trust + TRACE))[..., None]
    return np.asarray((first * here + second * there) / (here + there))


def agreed(mean: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Return mean colours, paler where those that they are means of disagree.

    Parameters
    ----------
    mean : float32 array, (gh, gw, 2)
        ab units.
    chroma : float32 array, (gh, gw, 1)
        Mean chroma of the same colours, ab units.

    Returns
    -------
    float32 array, (gh, gw, 2)
    """
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    agreement = np.minimum(length / np.maximum(chroma, np.float32(1e-3)), 1)
    return np.asarray(mean * agreement ** np.float32(AGREEMENT))
