"""Colour the key frames of a film, keep them steady, and render every frame's chroma."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from photochrom.engine.conditioning import condition
from photochrom.engine.guidance import Guidance
from photochrom.engine.guided import fit_field
from photochrom.engine.optical_flow import grid_size
from photochrom.engine.page_colouring import PageColorizer
from photochrom.engine.prediction import predict_colours
from photochrom.engine.shots import SmallFrame, linked
from photochrom.engine.steady_colours import (
    KEY_EVERY,
    Between,
    Key,
    Memory,
    agreed,
    between,
    blended,
    keys,
    remembered,
    smoothed,
)
from photochrom.engine.video_guidance import ShotPlan
from photochrom.options.hint import Hint
from photochrom.photo.resize import resize
from photochrom.photo.video import VideoFacts
from photochrom.photo.video_codecs import Encoding
from photochrom.photo.video_decoding import Frame
from photochrom.photo.video_planes import chroma_planes, interlaced_chroma, stored_field
from photochrom.photo.video_segments import widened

HELD_BYTES = 130e6  # of frames that wait for the keys after them
OTHER_GROUPS = 3  # that are held beside those: the one drawn, its next, and the one being read
MOST_LATER, FEWEST_EVERY = 6, 4  # keys that are looked at ahead; frames between keys
RENDERERS = 2  # threads
MOST_ELONGATED = 6  # aspect ratio; Gance's Napoleon has 4


class FilmColouring:
    """How one film is coloured.

    Parameters
    ----------
    facts : VideoFacts
    encoding : Encoding
    colorizer : PageColorizer
    guidance : Guidance
        A reference or palette for the whole film.
    steady : bool
        Carry colours along the flow; else each frame is coloured alone.
    """

    def __init__(
        self,
        facts: VideoFacts,
        encoding: Encoding,
        colorizer: PageColorizer,
        guidance: Guidance,
        steady: bool,
    ) -> None:
        self.facts, self.encoding, self.colorizer = facts, encoding, colorizer
        self.guidance, self.steady = guidance, steady
        self.stored = replace(facts, plane=encoding.plane)
        width, height = facts.upright_size
        self.size = colorizer.working_size(*limited_aspect(height, width))
        self.grid = grid_size(self.size.height, self.size.width)
        self.plans: list[ShotPlan] = []
        self.every, self.later = self._within_memory() if steady else (1, 0)

    def _within_memory(self) -> tuple[int, int]:
        """Return how many frames lie between keys, and how many keys ahead are looked at."""
        luma = self.facts.width * self.facts.height * (1 if self.facts.plane.bits == 8 else 2)
        frame = luma + 4 * self.size.height * self.size.width + 60 * self.grid[0] * self.grid[1]
        held = HELD_BYTES / frame
        every = int(np.clip(held / (OTHER_GROUPS + 1), FEWEST_EVERY, KEY_EVERY))
        return every, int(np.clip(held / every - OTHER_GROUPS, 1, MOST_LATER))

    def groups(self, looks: Iterable[SmallFrame], memory: Memory | None) -> Iterator["Group"]:
        """Yield each key with its frames and steady planes, and those of the next key.

        Parameters
        ----------
        looks : iterable of SmallFrame
            The frames from a key on.
        memory : Memory, optional
            What is remembered at that key, where a run goes on.
        """
        waiting: deque[Known] = deque()
        held: Known | None = None  # the group whose next key's planes are not known yet
        before: Memory | None = None
        for key in keys(linked(looks), self.every):
            planes = self._planes(key)
            before = memory or remembered(planes, key, before)
            memory = None  # only the first key's, when a run goes on
            waiting.append(Known(key, planes, before))
            while len(waiting) > self.later or (waiting and key.is_last):
                known = waiting.popleft()
                known = known._replace(planes=self._steady(known, waiting))
                if held is not None:
                    yield Group(held, known)
                held = known
        if held is not None:
            yield Group(held, None)

    def _steady(self, known: "Known", later: "deque[Known]") -> np.ndarray:
        if not self.steady:
            return known.planes
        return smoothed(known.memory, [k.planes for k in later], [k.key for k in later])

    def _planes(self, key: Key) -> np.ndarray:
        """Return what is carried of a key frame, on the grid: (gh, gw, n).

        Its colours a and b, their chroma, and, in a film with hints, what hints change of a and b.
        """
        pts = key.step.frame.pts
        plan = self._plan_at(pts)
        guidance = plan.guidance if plan else self.guidance
        look = plan.look if plan else self.colorizer.look
        hints = plan.hints.get(pts, ()) if plan else ()
        lightness = key.step.lightness

        def coloured(guidance: Guidance, hints: tuple[Hint, ...]) -> np.ndarray:
            told = replace(guidance, hints=hints)
            method, size = self.colorizer.method, self.size
            asked = condition(method, lightness, self.facts.upright_size, told, look.vividness)
            found = predict_colours(method, asked.request, size, look.saturation, spots=asked.spots)
            return resize(found.ab, *self.grid)

        if "hints" in self.colorizer.info.requires:
            plain = wanted = coloured(guidance, hints)
        else:
            plain = wanted = coloured(replace(guidance, candidate=0), ())
            if hints or guidance.candidate:
                wanted = coloured(guidance, hints)
        carried = [plain, np.linalg.norm(plain, axis=-1, keepdims=True)]
        if self.plans or self.guidance.candidate:
            carried.append(wanted - plain)
        return np.concatenate(carried, axis=-1)

    def _plan_at(self, pts: int) -> ShotPlan | None:
        return next((plan for plan in self.plans if plan.first <= pts <= plan.last), None)

    def rendered(
        self, pool: ThreadPoolExecutor, group: "Group"
    ) -> Iterator[tuple[Frame, tuple[np.ndarray, np.ndarray]]]:
        """Yield a group's frames with their chroma planes, rendered side by side."""
        pending: deque[tuple[Frame, Future[tuple[np.ndarray, np.ndarray]]]] = deque()
        after = None if group.after is None else group.after.key
        same = after is not None and not after.is_first
        next_planes = group.after.planes if group.after is not None and same else None
        for frame in between(group.known.key, after if same else None):
            if len(pending) > 2 * RENDERERS:
                done, future = pending.popleft()
                yield done, future.result()
            work = pool.submit(self._chroma, frame, group.known.planes, next_planes)
            pending.append((frame.step.frame, work))
        while pending:
            done, future = pending.popleft()
            yield done, future.result()

    def _chroma(
        self, frame: Between, planes: np.ndarray, after: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return one frame's chroma planes."""
        found = blended(frame, planes, after)
        ab = agreed(found[..., :2], found[..., 2:3])
        if found.shape[-1] > 3:
            ab = ab + found[..., 3:]
        lightness = frame.step.lightness
        field = stored_field(
            fit_field(lightness, resize(ab, *lightness.shape)), self.facts.rotation
        )
        luma = widened(frame.step.frame.luma, self.facts, self.encoding)
        draw = interlaced_chroma if frame.step.frame.interlaced else chroma_planes
        return draw(luma, field, self.stored)


def limited_aspect(height: int, width: int) -> tuple[int, int]:
    """Return the size at which a frame is analysed, its aspect ratio limited to `MOST_ELONGATED`.

    A photograph of 160 : 1 is analysed in 16 tiles; on every key frame of a film that takes half a
    minute, and no camera films in that shape.
    """
    short, long = sorted((height, width))
    short = max(short, -(-long // MOST_ELONGATED))
    return (short, long) if width >= height else (long, short)


class Known(NamedTuple):
    """A key with its planes, and what is remembered at it."""

    key: Key
    planes: np.ndarray
    memory: Memory


class Group(NamedTuple):
    """A key with steady planes, and the next one; None at the film's end."""

    known: Known
    after: Known | None

    @property
    def may_end(self) -> bool:
        """Whether a segment may end after it: the next key shows what it is compared by."""
        return self.after is not None and not self.after.key.step.sight.is_flat

    def state(self) -> dict[str, np.ndarray]:
        """Return what a run needs to go on at the next key."""
        assert self.after is not None
        return {
            "next": np.array(self.after.key.step.frame.pts),
            "total": self.after.memory.total,
            "weight": self.after.memory.weight,
        }
