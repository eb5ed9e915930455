"""A study on disk: pictures with neutral names, and study.json, which alone knows what they are."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from photochrom.errors import DataError

DESCRIPTION = "study.json"
FORMAT = 1
NEUTRAL = re.compile(r"[0-9a-f]{16}\.png")
RAINBOW = "rainbow"  # the 'method' of an attention check
TRUTH = "truth"  # what a photograph's own colours are called beside methods
Task = Literal["real", "prefer"]
REAL: Task = "real"  # which is the photograph?
PREFER: Task = "prefer"  # which would you rather keep?


@dataclass(frozen=True)
class Scene:
    """One photograph of a study.

    Attributes
    ----------
    key : str
        What the data set calls it.
    truth : str
        The file with its true colours; '' in a study of preferences, where they may be one of the
        colourings, under the name of TRUTH.
    coloured : mapping of str to str
        Method -> file.
    """

    key: str
    truth: str
    coloured: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """What participants see.

    Attributes
    ----------
    seed, size_px : int
        Of all that is drawn; of the square pictures.
    methods : tuple of str
        What is judged.
    practice, scenes, checks : tuple of Scene
        Shown first with feedback; judged, each once by each participant; mixed in, grossly wrong.
    task : str
        'real' (which is the photograph?) or 'prefer' (which would you rather keep?).
    id : str
        A hash of the description, so that one database may hold many studies.
    folder : Path
        Where the pictures lie.
    """

    seed: int
    size_px: int
    methods: tuple[str, ...]
    practice: tuple[Scene, ...]
    scenes: tuple[Scene, ...]
    checks: tuple[Scene, ...]
    task: Task = "real"
    id: str = ""
    folder: Path = Path()

    @property
    def trials(self) -> int:
        """How many pairs each participant is shown."""
        return len(self.practice + self.scenes + self.checks)

    def to_json(self) -> str:
        """Describe it."""
        table: dict[str, Any] = {"photochrom-study": FORMAT}
        table |= {k: v for k, v in asdict(self).items() if k not in ("id", "folder")}
        return json.dumps(table, indent=1) + "\n"


def read_study(folder: Path) -> Study:
    """Read a study.

    Raise DataError if it is no study, or a picture is missing.

    Parameters
    ----------
    folder : Path
        As `photochrom study prepare` made it.
    """
    description = folder / DESCRIPTION
    try:
        content = description.read_bytes()
        table = json.loads(content)
    except OSError as error:
        raise DataError(
            f"{description}: cannot be read ({error.strerror}). "
            f"Make the study first: photochrom study prepare --data FILE -o {folder}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{description}: is not JSON ({error}). Prepare the study anew.") from error
    try:
        study = _study_of(table, hashlib.sha256(content).hexdigest()[:16], folder)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{description}: not a study that this version reads ({error!r}). Prepare it anew."
        ) from error
    _check_files(study)
    return study


def _study_of(table: dict[str, Any], id: str, folder: Path) -> Study:
    if table["photochrom-study"] != FORMAT:
        raise ValueError(f"format {table['photochrom-study']}, where {FORMAT} is known")
    methods = tuple(str(name) for name in table["methods"])
    practice, scenes, checks = (
        tuple(Scene(str(s["key"]), s["truth"], dict(s["coloured"])) for s in table[part])
        for part in ("practice", "scenes", "checks")
    )
    task = table.get("task", REAL)
    if task not in (REAL, PREFER):
        raise ValueError(f"task {task!r}, where {REAL!r} and {PREFER!r} are known")
    if not scenes or not methods or any(set(s.coloured) != set(methods) for s in scenes):
        raise ValueError("every method needs a picture of every scene")
    if task == PREFER and len(methods) < 2:
        raise ValueError("a preference needs two methods")
    shown = 1 if task == REAL else 2
    if any(len(s.coloured) != shown for s in practice + checks):
        raise ValueError(f"practice and checks need {shown} coloured pictures each")
    seed, size_px = int(table["seed"]), int(table["size_px"])
    return Study(seed, size_px, methods, practice, scenes, checks, task, id, folder)


def _check_files(study: Study) -> None:
    for scene in study.practice + study.scenes + study.checks:
        truth = (scene.truth,) if study.task == REAL else ()
        for name in (*truth, *scene.coloured.values()):
            # A study may come from elsewhere: its names lead nowhere but into its folder.
            if not isinstance(name, str) or not NEUTRAL.fullmatch(name):
                raise DataError(
                    f"{study.folder / DESCRIPTION}: {name!r} is no name of a picture of a study."
                )
            if not (study.folder / name).is_file():
                raise DataError(f"{study.folder / name}: is missing. Prepare the study anew.")
