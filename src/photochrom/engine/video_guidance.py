"""The owner's say in a film: hints, references, palettes and looks at a time, each for its shot.

A hint lies on a thing at one time. It follows the flow from key frame to key frame, forwards and
backwards, as long as the flow can be trusted at its place; at every key it is what it would be in a
photograph. References, palettes and looks hold for the whole shot that they fall into.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import numpy as np

from photochrom.engine.guidance import Guidance
from photochrom.engine.optical_flow import Path, sample
from photochrom.engine.steady_colours import Key, between
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.photo.given_files import read_given_text

FOLLOWED = 0.3  # mean trust at a hint's place, below which its thing is out of sight
_TIME = re.compile(r"(?:(?:([0-9]+):)?([0-9]{1,2}):)?([0-9]+(?:\.[0-9]+)?)")
SHOT_FIELDS = ("reference", "palette", "vividness", "saturation", "candidate", "seed")


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
    shot: dict[str, Any]


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


def parse_time(text: str | float) -> float:
    """Return the seconds of a time such as '1:23.4', '1:02:03' or 83.4.

    Raises
    ------
    InvalidValueError
        If it is none.
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


def read_cues(path: str | FilePath) -> list[Cue]:
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
    path = FilePath(path)
    try:
        table = json.loads(read_given_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidValueError(f"{path}: cannot read the film's hints ({error}).") from error
    return cues_of(table, path)


def cues_of(table: Any, path: FilePath) -> list[Cue]:
    """Return the cues of a parsed hints file; see `read_cues`.

    Parameters
    ----------
    table : dict or list
        As JSON gives it.
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
        raise InvalidValueError(f"{path}: must have 'hints' and 'shots' alone.")
    cues = [_hint_cue(entry, f"{path}: hint {n}") for n, entry in _entries(table, "hints", path)]
    shots = _entries(table, "shots", path)
    return cues + [_shot_cue(entry, f"{path}: shot {n}", path.parent) for n, entry in shots]


def _entries(table: dict[str, Any], name: str, path: FilePath) -> list[tuple[int, dict[str, Any]]]:
    entries = table.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidValueError(f"{path}: '{name}' must be a list of objects.")
    return list(enumerate(entries, start=1))


def _hint_cue(entry: dict[str, Any], where: str) -> Cue:
    if "at" not in entry:
        raise InvalidValueError(f'{where} needs a time: "at": "1:23.4".')
    rest = {key: value for key, value in entry.items() if key != "at"}
    try:
        return Cue(parse_time(entry["at"]), Hint.from_table(rest), {})
    except InvalidValueError as error:
        raise InvalidValueError(f"{where}: {error}") from error


def _shot_cue(entry: dict[str, Any], where: str, folder: FilePath) -> Cue:
    unknown = set(entry) - {"at", *SHOT_FIELDS}
    if unknown or "at" not in entry:
        raise InvalidValueError(f"{where} needs 'at', and may have {', '.join(SHOT_FIELDS)}.")
    shot = {key: value for key, value in entry.items() if key != "at"}
    if isinstance(shot.get("reference"), str):
        shot["reference"] = folder / shot["reference"]
    try:
        at = parse_time(entry["at"])
        _guidance_of(shot, Guidance())
        _look_of(shot, Look())
    except (InvalidValueError, TypeError) as error:
        raise InvalidValueError(f"{where}: {error}") from error
    return Cue(at, None, shot)


def _guidance_of(shot: dict[str, Any], otherwise: Guidance) -> Guidance:
    given = {k: v for k, v in shot.items() if k not in ("vividness", "saturation")}
    if not given:
        return otherwise
    if "reference" not in given and "palette" not in given:
        given |= {"reference": otherwise.reference, "palette": otherwise.palette}
    return Guidance.of(**given)


def _look_of(shot: dict[str, Any], otherwise: Look) -> Look:
    vividness = shot.get("vividness", otherwise.vividness)
    saturation = shot.get("saturation", otherwise.saturation)
    return replace(otherwise, vividness=vividness, saturation=saturation)


def plan_shots(
    keys: Iterable[Key],
    cues: Sequence[Cue],
    seconds_of: Callable[[int], float],
    size: tuple[int, int],
    guidance: Guidance,
    look: Look,
) -> Iterator[ShotPlan]:
    """Yield a plan for each shot that a cue falls into.

    Parameters
    ----------
    keys : iterable of Key
        Of the film from its beginning; read until the last cue's shot has ended.
    cues : sequence of Cue
    seconds_of : callable
        From a timestamp to seconds from the film's beginning.
    size : (width, height)
        Of the upright frames, pixels.
    guidance, look :
        What holds otherwise.
    """
    waiting = sorted(cues, key=lambda cue: cue.at)
    shot: list[Key] = []
    for key in keys:
        shot.append(_light(key))
        if not key.is_last:
            continue
        frames = [key.step.frame, *(step.frame for step in key.steps)]
        end = seconds_of(frames[-1].pts)
        here = [cue for cue in waiting if cue.at <= end]
        waiting = waiting[len(here) :]
        if here:
            yield _plan(shot, here, seconds_of, size, guidance, look)
        shot = []
        if not waiting:
            return
    if waiting and shot:
        yield _plan(shot, waiting, seconds_of, size, guidance, look)


def _light(key: Key) -> Key:
    """Return a key without pictures, which are not needed for its hints."""
    none = np.empty((0, 0), np.float32)

    def bare(step: Any) -> Any:
        return step._replace(frame=step.frame._replace(luma=none), lightness=none)

    return key._replace(step=bare(key.step), steps=tuple(map(bare, key.steps)))


def _plan(
    shot: Sequence[Key],
    cues: Sequence[Cue],
    seconds_of: Callable[[int], float],
    size: tuple[int, int],
    guidance: Guidance,
    look: Look,
) -> ShotPlan:
    hints: dict[int, tuple[Hint, ...]] = {}
    for cue in cues:
        guidance, look = _guidance_of(cue.shot, guidance), _look_of(cue.shot, look)
        if cue.hint is not None:
            for pts, hint in _followed(shot, cue.at, cue.hint, seconds_of, size):
                hints[pts] = (*hints.get(pts, ()), hint)
    first, last = shot[0].step.frame.pts, shot[-1].step.frame.pts
    return ShotPlan(first, last, replace(guidance, hints=()), look, hints)


def _followed(
    shot: Sequence[Key],
    at: float,
    hint: Hint,
    seconds_of: Callable[[int], float],
    size: tuple[int, int],
) -> Iterator[tuple[int, Hint]]:
    """Yield (timestamp, hint) for each key of a shot at which a hint's thing is in sight."""
    start = max(n for n, key in enumerate(shot) if n == 0 or seconds_of(key.step.frame.pts) <= at)
    frames = between(shot[start], None)
    nearest = min(frames, key=lambda frame: abs(seconds_of(frame.step.frame.pts) - at))
    there = moved(hint, nearest.back, size)
    if there is None:
        return
    yield shot[start].step.frame.pts, there
    current: Hint | None = there
    for key in shot[start + 1 :]:
        if current is None or (current := moved(current, key.ahead, size)) is None:
            break
        yield key.step.frame.pts, current
    current = there
    for number in range(start, 0, -1):
        if current is None or (current := moved(current, shot[number].back, size)) is None:
            break
        yield shot[number - 1].step.frame.pts, current


def moved(hint: Hint, path: Path, size: tuple[int, int]) -> Hint | None:
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
    at = Path(places[None], path.trust)
    trust = float(sample(path.trust, at).mean())
    if trust < FOLLOWED:
        return None
    motion = np.median(sample(path.places, at)[0] - places, axis=0) / scale
    points = tuple((x + float(motion[0]), y + float(motion[1])) for x, y in hint.points)
    middle = np.mean(points, axis=0)
    if not (0 <= middle[0] < size[0] and 0 <= middle[1] < size[1]):
        return None
    return replace(hint, points=points)
