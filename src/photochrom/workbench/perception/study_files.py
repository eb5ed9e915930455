"""A study on disk: pictures with neutral names, and study.json, which says what they are."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from photochrom.errors import DataError
from photochrom.photo.given_files import read_given
from photochrom.workbench.checked_tables import checked

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

    key : what the data set calls it
    truth : the file with its true colours; '' in a study of preferences, where they may be one of
        the colourings, under the name of TRUTH
    coloured : method -> file
    """

    key: str
    truth: str
    coloured: Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """The contents of a study.

    seed, size_px : of all that is drawn; of the square pictures
    methods : what is judged
    practice, scenes, checks : shown first with feedback; judged, each once by each participant;
        mixed in, grossly wrong
    task : 'real' (which is the photograph?) or 'prefer' (which would you rather keep?)
    id : a hash of the description, so that one database may hold many studies
    folder : where the pictures lie
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

    def __post_init__(self) -> None:
        shown = 1 if self.task == REAL else 2
        if not self.scenes or any({*s.coloured} != {*self.methods} for s in self.scenes):
            raise ValueError("every method needs a picture of every scene.")
        if len(self.methods) < shown:
            raise ValueError(f"a study of the task {self.task} needs {shown} or more methods.")
        if any(len(s.coloured) != shown for s in self.practice + self.checks):
            raise ValueError(f"practice and checks need {shown} coloured pictures each.")

    @property
    def trials(self) -> int:
        """The number of pairs for each participant."""
        return len(self.practice + self.scenes + self.checks)

    def to_json(self) -> str:
        """Return the study as JSON."""
        table: dict[str, object] = {"photochrom-study": FORMAT}
        table |= {k: v for k, v in asdict(self).items() if k not in ("id", "folder")}
        return json.dumps(table, indent=1) + "\n"


def read_study(folder: Path) -> Study:
    """Read a study from the folder that `photochrom study prepare` made.

    Raise DataError if it is no study, or a picture is missing.
    """
    description = folder / DESCRIPTION
    try:
        content = read_given(description)
        table = json.loads(content)
    except OSError as error:
        raise DataError(
            f"{description}: cannot be read ({error.strerror}). "
            f"Create the study first: photochrom study prepare --data FILE -o {folder}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{description}: is not JSON ({error}). Prepare the study again."
        ) from error
    version = table.pop("photochrom-study", None) if isinstance(table, dict) else None
    if version != FORMAT:
        raise DataError(
            f"{description}: has format {version}, not {FORMAT}. Prepare the study again."
        )
    study = checked(Study, table, str(description), DataError)
    study = replace(study, id=hashlib.sha256(content).hexdigest()[:16], folder=folder)
    _check_files(study)
    return study


def _check_files(study: Study) -> None:
    for scene in study.practice + study.scenes + study.checks:
        truth = (scene.truth,) if study.task == REAL else ()
        for name in (*truth, *scene.coloured.values()):
            # A study may come from elsewhere: its names lead nowhere but into its folder.
            if not NEUTRAL.fullmatch(name):
                raise DataError(
                    f"{study.folder / DESCRIPTION}: {name!r} is not a picture of a study."
                )
            if not (study.folder / name).is_file():
                raise DataError(f"{study.folder / name}: is missing. Prepare the study again.")
