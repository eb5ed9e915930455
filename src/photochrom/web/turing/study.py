"""A study on disk: pictures with neutral names, and study.json, which alone knows what they are."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from photochrom.errors import DataError

DESCRIPTION = "study.json"
FORMAT = 1
NEUTRAL = re.compile(r"[0-9a-f]{16}\.png")
RAINBOW = "rainbow"  # the 'method' of an attention check


@dataclass(frozen=True)
class Scene:
    """One photograph of a study.

    Attributes
    ----------
    key : str
        What the data set calls it.
    truth : str
        The file with its true colours.
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

    Parameters
    ----------
    folder : Path
        As `photochrom study prepare` made it.

    Returns
    -------
    Study

    Raises
    ------
    DataError
        If it is no study, or a picture is missing.
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
    except ValueError as error:
        raise DataError(f"{description}: is not JSON ({error}). Prepare the study anew.") from error
    try:
        study = _study_of(table, hashlib.sha256(content).hexdigest()[:16], folder)
    except (KeyError, TypeError, ValueError) as error:
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
    if not scenes or not methods or any(set(s.coloured) != set(methods) for s in scenes):
        raise ValueError("every method needs a picture of every scene")
    if any(len(s.coloured) != 1 for s in practice + checks):
        raise ValueError("practice and checks need one coloured picture each")
    seed, size_px = int(table["seed"]), int(table["size_px"])
    return Study(seed, size_px, methods, practice, scenes, checks, id, folder)


def _check_files(study: Study) -> None:
    for scene in study.practice + study.scenes + study.checks:
        for name in (scene.truth, *scene.coloured.values()):
            # A study may come from elsewhere: its names lead nowhere but into its folder.
            if not isinstance(name, str) or not NEUTRAL.fullmatch(name):
                raise DataError(
                    f"{study.folder / DESCRIPTION}: {name!r} is no name of a picture of a study."
                )
            if not (study.folder / name).is_file():
                raise DataError(f"{study.folder / name}: is missing. Prepare the study anew.")
