"""The options that decide about one photograph: hints, reference, palette, candidates, sidecar."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.numbers import check_digits
from photochrom.errors import InvalidValueError
from photochrom.options.ranges import CANDIDATES, SEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from photochrom.engine.batch import Task
    from photochrom.engine.guidance import Guidance
    from photochrom.engine.sidecar import Sidecar


@Parameter(name="*")
@dataclass(frozen=True)
class GuidanceOptions:
    """What is decided about the photographs.

    Attributes
    ----------
    hint : list of str
        A colour for a spot: X,Y,#rrggbb or X,Y,#rrggbb,RADIUS in pixels of the upright photograph;
        the word gray instead of #rrggbb keeps it gray, the word keep leaves it as it is without
        hints. May be given many times.
    reach : str
        How far the colours of --hint spread: near, over the thing that they lie on, whole for all
        of the picture, or a distance on the thing, 0.02 to 2 longer sides of the picture.
    hints : Path
        A JSON file with a list of hints, strokes and regions among them.
    reference : Path
        A colour photograph that lends its colours, or a folder: the one that shows the like.
    palette : str
        Wanted colours, '#c0622d,#d99a2b', or a mood such as autumn, seaside or pastel.
    candidates : int
        Write so many plausible colourings, FILE-color-1 and on.
    seed : int
        Of what is drawn at random.
    recipe : Path
        A sidecar: colour as it says, method and look included.
    sidecar : bool
        Write FILE-color.json, which repeats the result by --recipe.
    """

    hint: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    reach: Literal["near", "thing", "whole"] | float = "near"
    hints: Path | None = None
    reference: Path | None = None
    palette: str | None = None
    candidates: Annotated[int, Parameter(validator=Number(**CANDIDATES.words))] = 1
    seed: Annotated[int, Parameter(validator=Number(**SEED.words))] = 0
    recipe: Path | None = None
    sidecar: Annotated[bool, Parameter(negative=())] = False

    def guidance(self) -> "Guidance":
        """Read them.

        Raises
        ------
        InvalidValueError
            If a hint, the hints' file, the reference or the palette is none.
        """
        from photochrom.engine.guidance import Guidance

        spots = [{**read_hint(text), "reach": self.reach} for text in self.hint]
        return Guidance.of(
            [*_read_hints(self.hints), *spots], self.reference, self.palette, 0, self.seed
        )

    def read_recipe(self) -> "Sidecar | None":
        """Read the sidecar that decides instead of everything else.

        Raises
        ------
        InvalidValueError
            If it is no sidecar, or other wishes stand beside it.
        """
        if self.recipe is None:
            return None
        from photochrom.engine.sidecar import read_sidecar

        if replace(self, recipe=None, sidecar=False) != GuidanceOptions():
            raise InvalidValueError(
                "--recipe decides everything: leave out hints, reference, palette and candidates."
            )
        return read_sidecar(self.recipe)

    def tasks(
        self, tasks: "list[Task]", recipe: "Sidecar | None", fit: "Callable[[Path], Guidance]"
    ) -> "list[Task]":
        """Fit tasks to the sidecar that decides, or make the candidates that are wanted of each.

        `fit` gives the sidecar's wishes for a photograph.
        """
        if recipe is None:
            return _candidates_of(tasks, self.candidates)
        if not recipe.guidance.hints:  # they fit every photograph
            return [replace(task, guidance=recipe.guidance) for task in tasks]
        return [_fitted(task, fit) for task in tasks]


def read_hint(text: str) -> dict[str, Any]:
    """Read X,Y,COLOUR or X,Y,COLOUR,RADIUS as a hint's table.

    Raises
    ------
    InvalidValueError
        If it is neither.
    """
    try:
        x, y, colour, *radius = text.split(",")
        table: dict[str, Any] = {
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
            "A hint is X,Y,#rrggbb or X,Y,#rrggbb,RADIUS (or gray, or keep, for the colour); "
            f"it is '{text}'."
        ) from error
    return table


def _number(text: str) -> float:
    check_digits(text)
    return float(text)


def _read_hints(path: Path | None) -> list[Any]:
    if path is None:
        return []
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidValueError(f"{path}: hints cannot be read ({error}).") from error
    if not isinstance(content, list):
        raise InvalidValueError(f"{path}: needs a JSON list of hints.")
    return content


def _fitted(task: "Task", fit: "Callable[[Path], Guidance]") -> "Task":
    """Fit a sidecar's wishes to a task's photograph."""
    from photochrom.engine.batch import reason_of

    if task.settled:
        return task
    try:
        return replace(task, guidance=fit(task.source))
    except Exception as error:  # whatever is wrong with one photograph, the others go on
        return replace(task, settled=("failed", reason_of(error, task.source)))


def _candidates_of(tasks: "list[Task]", count: int) -> "list[Task]":
    """Make several tasks of each: FILE-color-1, FILE-color-2, ..."""
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
