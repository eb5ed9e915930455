"""The guidance options of a photograph: hints, reference, palette, candidates, sidecar."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.numbers import check_digits
from photochrom.cli.place_arguments import place
from photochrom.errors import InvalidValueError
from photochrom.options.ranges import CANDIDATES, SEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from photochrom.engine.batch import Task
    from photochrom.engine.guidance import Guidance
    from photochrom.engine.picture_types import HintTable
    from photochrom.engine.sidecar import Sidecar

PlaceOption = Annotated[Path | str | None, Parameter(converter=place)]


@Parameter(name="*")
@dataclass(frozen=True)
class GuidanceOptions:
    """Guidance for the photographs.

    Attributes
    ----------
    hint : list of str
        The colour of a spot: X,Y,#rrggbb or X,Y,#rrggbb,RADIUS in pixels of the upright photograph.
        The word gray instead of #rrggbb keeps the spot gray; keep leaves the colour that it has
        without hints. Can be repeated.
    reach : str
        How far the colours of --hint spread: near, thing (over the object they are on), whole
        (over the whole picture), or a distance on the object, 0.02 to 2 times the picture's
        longer side.
    hints : Path or str
        A JSON file with a list of hints: points, strokes and regions.
    reference : Path or str
        A colour photograph to take colours from, or a folder, whose most similar photo is used.
    palette : str
        Colours to use, such as '#c0622d,#d99a2b', or a mood such as autumn, seaside or pastel.
    candidates : int
        Number of plausible colourings to write: FILE-color-1, FILE-color-2 and so on.
    seed : int
        Seed of the random choices.
    recipe : Path or str
        A sidecar whose decisions are applied, including method and look.
    sidecar : bool
        Also write FILE-color.json, from which --recipe can repeat the result.
    """

    hint: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    reach: Literal["near", "thing", "whole"] | float = "near"
    hints: PlaceOption = None
    reference: PlaceOption = None
    palette: str | None = None
    candidates: Annotated[int, Parameter(validator=Number(**CANDIDATES.words))] = 1
    seed: Annotated[int, Parameter(validator=Number(**SEED.words))] = 0
    recipe: PlaceOption = None
    sidecar: Annotated[bool, Parameter(negative=())] = False

    def guidance(self) -> "Guidance":
        """Return the guidance that the options describe.

        Raises
        ------
        InvalidValueError
            If a hint, the file of hints, the reference or the palette is not valid.
        """
        from photochrom.engine.guidance import Guidance

        spots = [{**read_hint(text), "reach": self.reach} for text in self.hint]
        return Guidance.of(
            [*_read_hints(self.hints), *spots], self.reference, self.palette, 0, self.seed
        )

    def read_recipe(self) -> "Sidecar | None":
        """Read the sidecar of --recipe, which replaces all other guidance.

        Raises
        ------
        InvalidValueError
            If the file is not a sidecar, or other guidance was given too.
        """
        if self.recipe is None:
            return None
        from photochrom.engine.sidecar import read_sidecar

        if replace(self, recipe=None, sidecar=False) != GuidanceOptions():
            raise InvalidValueError(
                "--recipe cannot be combined with hints, reference, palette or candidates. "
                "Leave them out."
            )
        return read_sidecar(self.recipe)

    def tasks(
        self, tasks: "list[Task]", recipe: "Sidecar | None", fit: "Callable[[Path], Guidance]"
    ) -> "list[Task]":
        """Return the tasks with the sidecar's guidance, or with one task for each candidate.

        `fit` returns the sidecar's guidance for a photograph.
        """
        if recipe is None:
            return _candidates_of(tasks, self.candidates)
        if not recipe.guidance.hints:  # valid for a photograph of any size
            return [replace(task, guidance=recipe.guidance) for task in tasks]
        return [_fitted(task, fit) for task in tasks]


def read_hint(text: str) -> dict[str, object]:
    """Parse X,Y,COLOUR or X,Y,COLOUR,RADIUS to the table of a hint.

    Raises
    ------
    InvalidValueError
        If the text has another form.
    """
    try:
        x, y, colour, *radius = text.split(",")
        table: dict[str, object] = {
            "shape": "point",
            "points": [[_number(x), _number(y)]],
            "colour": None if colour.strip() in ("gray", "keep") else colour.strip(),
        }
        if colour.strip() == "keep":
            table["keep"] = True
        if radius:
            (table["radius"],) = map(_number, radius)
    except ValueError as error:
        raise InvalidValueError(
            "A hint needs X,Y,#rrggbb or X,Y,#rrggbb,RADIUS (gray or keep can replace #rrggbb); "
            f"got '{text}'."
        ) from error
    return table


def _number(text: str) -> float:
    check_digits(text)
    return float(text)


def _read_hints(source: Path | str | None) -> "list[HintTable]":
    if source is None:
        return []
    from photochrom.photo.given_files import MOST_BYTES, read_given_text
    from photochrom.photo.storage import cleaned, local_copy

    name = cleaned(str(source))
    with local_copy(source, MOST_BYTES) as path:
        try:
            content = json.loads(read_given_text(path))
        except (OSError, ValueError, RecursionError) as error:
            raise InvalidValueError(f"{name}: cannot read hints ({error}).") from error
    if not isinstance(content, list):
        raise InvalidValueError(f"{name}: must contain a JSON list of hints.")
    return content


def _fitted(task: "Task", fit: "Callable[[Path], Guidance]") -> "Task":
    """Fit a sidecar's guidance to the photograph of a task."""
    from photochrom.engine.batch import reason_of

    if task.settled:
        return task
    try:
        return replace(task, guidance=fit(task.source))
    except Exception as error:  # one bad photograph does not stop the others
        return replace(task, settled=("failed", reason_of(error, task.source)))


def _candidates_of(tasks: "list[Task]", count: int) -> "list[Task]":
    """Return one task for each candidate: FILE-color-1, FILE-color-2, ..."""
    if count == 1:
        return tasks
    return [
        replace(
            task,
            target=task.target.with_stem(f"{task.target.stem}-{number + 1}"),
            guidance=replace(task.guidance, candidate=number),
        )
        for task in tasks
        for number in range(1 if task.settled else count)
    ]
