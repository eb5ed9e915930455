"""The owner's say in a film: hints, references, palettes and looks at a time, each for its shot.

A hint lies on a thing at one time. It follows the flow from key frame to key frame, forwards and
backwards, as long as the flow can be trusted at its place; at every key it is what it would be in a
photograph. References, palettes and looks hold for the whole shot that they fall into.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from photochrom.engine.guidance import Guidance
from photochrom.engine.optical_flow import FlowMap, identity, sample
from photochrom.engine.picture_types import GuidanceOptions
from photochrom.engine.reference import Reference
from photochrom.engine.steady_colours import Key, between
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.photo.given_files import read_given_text

FOLLOWED = 0.3  # mean trust at a hint's place, below which its thing is out of sight
ROUNDING = 0.006  # seconds: times are written to the hundredth
_TIME = re.compile(r"(?:(?:([0-9]+):)?([0-9]+):)?([0-9]+(?:\.[0-9]+)?)")
# Each field of a shot, as JSON gives it: its types, and what a message calls them.
SHOT_FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "reference": ((str, Reference), "a text"),
    "palette": ((str, list), "a text or a list"),
    "vividness": ((int, float), "a number"),
    "saturation": ((int, float), "a number"),
    "candidate": ((int,), "a whole number"),
    "seed": ((int,), "a whole number"),
}


Shot = dict[str, object]


class Cue(NamedTuple):
    """What the owner says at a time.

    Attributes
    ----------
    at : float
        Seconds from the film's beginning.
    hint : Hint or None
    shot : dict
        Fields of `SHOT_FIELDS` for the shot.
    """

    at: float
    hint: Hint | None
    shot: Shot


@dataclass(frozen=True)
class ShotPlan:
    """What holds for one shot.

    Attributes
    ----------
    first, last : int
        Timestamps of its first and last key frames.
    guidance : Guidance
        Without hints.
    look : Look
    hints : dict
        Timestamp of a key frame -> its hints.
    """

    first: int
    last: int
    guidance: Guidance
    look: Look
    hints: dict[int, tuple[Hint, ...]] = field(default_factory=dict)


def parse_time(text: object) -> float:
    """Return the seconds of a time such as '1:23.4', '1:02:03' or 83.4.

    Raises
    ------
    InvalidValueError
        If it is not a time.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if not 0 <= text < 1e7:
            raise InvalidValueError(f"A time must be 0 seconds or later; got {text}.")
        return float(text)
    found = _TIME.fullmatch(str(text).strip())
    if found is None:
        raise InvalidValueError(
            f"A time must be like 83.4, 1:23.4 or 1:02:03, from the film's start; got '{text}'."
        )
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def read_cues(path: str | Path) -> list[Cue]:
    """Read a film's hints file.

    Parameters
    ----------
    path : str or Path
        JSON: {"hints": [{"at": "1:23.4", "shape": "point", ...}], "shots": [{"at": "2:00",
        "reference": "photo.jpg", "vividness": 0.7}]}, or the list of hints alone. Paths are
        relative to the file.

    Returns
    -------
    list of Cue

    Raises
    ------
    InvalidValueError
        If the file is missing or not valid; the message names the entry.
    """
    path = Path(path)
    try:
        table = json.loads(read_given_text(path))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidValueError(f"{path}: cannot read the film's hints ({reason}).") from error
    return cues_of(table, path)


def cues_of(table: object, path: Path) -> list[Cue]:
    """Return the cues of a parsed hints file; see `read_cues`.

    Parameters
    ----------
    table : dict or list
        As JSON gives it; a shot's reference may have been read already.
    path : Path
        What messages call it; paths in it are relative to its folder.

    Raises
    ------
    InvalidValueError
        If it is not valid; the message names the entry.
    """
    if isinstance(table, list):
        table = {"hints": table}
    if not isinstance(table, dict) or not set(table) <= {"hints", "shots"}:
        raise InvalidValueError(f"{path}: may have only 'hints' and 'shots'.")
    cues = [_hint_cue(entry, f"{path}: hint {n}") for n, entry in _entries(table, "hints", path)]
    shots = _entries(table, "shots", path)
    return cues + [_shot_cue(entry, f"{path}: shot {n}", path.parent) for n, entry in shots]


def _entries(table: Shot, name: str, path: Path) -> list[tuple[int, Shot]]:
    entries = table.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidValueError(f"{path}: '{name}' must be a list of objects.")
    return list(enumerate(entries, start=1))


def _hint_cue(entry: Shot, where: str) -> Cue:
    if "at" not in entry:
        raise InvalidValueError(f'{where} needs a time: "at": "1:23.4".')
    rest = {key: value for key, value in entry.items() if key != "at"}
    try:
        return Cue(parse_time(entry["at"]), Hint.from_table(rest), {})
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error}") from error


def _shot_cue(entry: Shot, where: str, folder: Path) -> Cue:
    unknown = set(entry) - {"at", *SHOT_FIELDS}
    if unknown or "at" not in entry:
        raise InvalidValueError(f"{where} needs 'at', and may have {', '.join(SHOT_FIELDS)}.")
    shot = {key: value for key, value in entry.items() if key != "at"}
    for name, value in shot.items():
        kinds, said = SHOT_FIELDS[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            raise InvalidValueError(f"{where}: {name} must be {said}; got {value!r}.")
    if isinstance(reference := shot.get("reference"), str):
        shot["reference"] = folder / reference
    try:
        at = parse_time(entry["at"])
        _guidance_of(shot, Guidance())
        _look_of(shot, Look())
    except (InvalidValueError, TypeError) as error:
        raise InvalidValueError(f"{where}: {error}") from error
    return Cue(at, None, shot)


def _guidance_of(shot: Shot, otherwise: Guidance) -> Guidance:
    given = {k: v for k, v in shot.items() if k not in ("vividness", "saturation")}
    if not given:
        return otherwise
    given = {"candidate": otherwise.candidate, "seed": otherwise.seed} | given
    if "reference" not in given and "palette" not in given:
        given |= {"reference": otherwise.reference, "palette": otherwise.palette}
    return Guidance.of(**cast(GuidanceOptions, given))


def _look_of(shot: Shot, otherwise: Look) -> Look:
    given = {name: shot[name] for name in ("vividness", "saturation") if name in shot}
    if given.get("saturation", 1) is None:
        del given["saturation"]
    return replace(otherwise, **given)  # type: ignore[arg-type]


class _Passed(NamedTuple):
    """What is kept of a key: its flow in half precision, and its hints with those after it."""

    pts: int
    back: FlowMap
    ahead: FlowMap
    placed: list[tuple[Cue, Hint]]


class ShotPlans:
    """Plans of the shots that cues fall into.

    Parameters
    ----------
    cues : iterable of Cue
    seconds_of : callable
        From a timestamp to seconds from the film's beginning.
    size : (width, height)
        Of the upright frames, pixels.
    guidance, look :
        What holds otherwise.

    Attributes
    ----------
    unused : list of Cue
        Those that fall into no frame, or whose hint lies on nothing that can be followed.
    """

    def __init__(
        self,
        cues: Iterable[Cue],
        seconds_of: Callable[[int], float],
        size: tuple[int, int],
        guidance: Guidance,
        look: Look,
    ) -> None:
        self.waiting = deque(sorted(cues, key=lambda cue: cue.at))
        self.seconds_of, self.size, self.guidance, self.look = seconds_of, size, guidance, look
        self.unused: list[Cue] = []

    def of(self, keys: Iterable[Key]) -> Iterator[ShotPlan]:
        """Yield the plans; the keys are read until the last cue's shot has ended.

        A cue holds for the shot that is shown at its time: until the next one's first frame, less
        what a written time is rounded by.
        """
        shot: list[_Passed] = []
        here: list[Cue] = []
        incoming = iter(keys)
        key = next(incoming, None)
        while key is not None and (self.waiting or here):
            following = next(incoming, None)
            found = self._up_to(key, following)
            here += found
            shot.append(self._passed(key, found))
            if key.is_last and here:
                yield self._plan(shot, here)
            if key.is_last:
                shot, here = [], []
            key = following
        self.unused += self.waiting

    def _up_to(self, key: Key, following: Key | None) -> list[Cue]:
        """Take the cues that fall on a key's frames."""
        frames = (key.step.frame, *(step.frame for step in key.steps))
        if following is not None:
            end = self.seconds_of(following.step.frame.pts) - ROUNDING
        else:
            last = frames[-1]
            end = self.seconds_of(last.pts + max(last.duration, 0)) + ROUNDING
        found = []
        while self.waiting and self.waiting[0].at < end:
            found.append(self.waiting.popleft())
        return found

    def _passed(self, key: Key, cues: Sequence[Cue]) -> _Passed:
        placed = []
        frames = between(key, None) if cues else []
        for cue in cues:
            if cue.hint is None:
                continue
            nearest = min(
                frames, key=lambda frame: abs(self.seconds_of(frame.step.frame.pts) - cue.at)
            )
            there = moved(cue.hint, nearest.back, self.size)
            if there is None:
                self.unused.append(cue)
            else:
                placed.append((cue, there))
        return _Passed(key.step.frame.pts, _halved(key.back), _halved(key.ahead), placed)

    def _plan(self, shot: Sequence[_Passed], cues: Sequence[Cue]) -> ShotPlan:
        guidance, look = self.guidance, self.look
        hints: dict[int, tuple[Hint, ...]] = {}
        for cue in cues:
            guidance, look = _guidance_of(cue.shot, guidance), _look_of(cue.shot, look)
        for number, passed in enumerate(shot):
            for _, hint in passed.placed:
                for pts, there in self._followed(shot, number, hint):
                    hints[pts] = (*hints.get(pts, ()), there)
        return ShotPlan(shot[0].pts, shot[-1].pts, replace(guidance, hints=()), look, hints)

    def _followed(
        self, shot: Sequence[_Passed], start: int, hint: Hint
    ) -> Iterator[tuple[int, Hint]]:
        """Yield (timestamp, hint) for each key of a shot at which a hint's thing is in sight."""
        yield shot[start].pts, hint
        current: Hint | None = hint
        for passed in shot[start + 1 :]:
            if (
                current is None
                or (current := moved(current, _whole(passed.ahead), self.size)) is None
            ):
                break
            yield passed.pts, current
        current = hint
        for number in range(start, 0, -1):
            back = _whole(shot[number].back)
            if current is None or (current := moved(current, back, self.size)) is None:
                break
            yield shot[number - 1].pts, current


def _halved(path: FlowMap) -> FlowMap:
    """Return a path as motion in half precision."""
    motion = path.places - identity(path.trust.shape).places
    return FlowMap(motion.astype(np.float16), path.trust.astype(np.float16))


def _whole(path: FlowMap) -> FlowMap:
    """Return a path of `_halved` as it was."""
    trust = path.trust.astype(np.float32)
    return FlowMap(path.places + identity(trust.shape).places, trust)


def moved(hint: Hint, path: FlowMap, size: tuple[int, int]) -> Hint | None:
    """Return a hint where a path leads its place; None if that is out of sight.

    Parameters
    ----------
    hint : Hint
        In pixels of the upright frames.
    path : Path
        From the hint's frame to another.
    size : (width, height)
        Of the frames.
    """
    rows, columns = path.trust.shape
    scale = np.array([columns / size[0], rows / size[1]])
    places = (np.asarray(hint.points) * scale - 0.5).astype(np.float32)
    at = FlowMap(places[None], path.trust)
    trust = float(sample(path.trust, at).mean())
    if trust < FOLLOWED:
        return None
    motion = np.median(sample(path.places, at)[0] - places, axis=0) / scale
    points = tuple((x + float(motion[0]), y + float(motion[1])) for x, y in hint.points)
    middle = np.mean(points, axis=0)
    if not (0 <= middle[0] < size[0] and 0 <= middle[1] < size[1]):
        return None
    return replace(hint, points=points)
