"""K-fold cross-validation: one run per fold; mean and spread of their best scores."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Unpack

from photochrom.errors import InvalidValueError
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.datasets.splits import split_in_folds
from photochrom.workbench.training.checkpoint import read_checkpoint, recipe_of
from photochrom.workbench.training.held_out import described
from photochrom.workbench.training.loop import TrainOptions, train
from photochrom.workbench.training.recipe import Recipe
from photochrom.workbench.training.validation import score_name


@dataclass(frozen=True)
class Scores:
    """The folds' best validation scores.

    name : of the score; less is better
    mean, spread : mean and standard deviation over the folds
    """

    name: str
    folds: tuple[float, ...]
    mean: float
    spread: float


def train_folds(
    recipe: Recipe, data: Path, folder: Path, folds: int, **options: Unpack[TrainOptions]
) -> Scores:
    """Train once per fold, validated on that fold; near-duplicates share a fold.

    Parameters
    ----------
    recipe, data, options :
        See `train`. A fold whose folder already contains a run continues with that run's epochs, or
        is resumed if `resume` is set.
    folder : Path
        Receives a folder `fold-0` ... for each run, and `folds.json`.
    folds : int
        At least 2, at most the number of pictures.

    Raises
    ------
    InvalidValueError
        If there are fewer than 2 folds, or fewer pictures than folds.
    DataError
        If a fold would be empty, since near-duplicates stay together.
    """
    report = options.get("report", lambda line: None)
    pixels = open_cache(data, options.get("cache"), report=report)
    pictures = described(pixels, recipe, report)
    if not 2 <= folds <= len(pictures.keys):
        raise InvalidValueError(
            f"The number of folds must be between 2 and the number of pictures, "
            f"{len(pictures.keys)}; got {folds}."
        )
    parts = split_in_folds(pictures, folds, recipe.seed, recipe.data.by_hue).parts
    best = []
    for number in range(folds):
        run, part = folder / f"fold-{number}", frozenset(parts[f"fold-{number}"])
        begun, how = _as_begun(recipe, run / "last.pt", options)
        train(begun, data, run, validation_keys=part, **how)
        best.append(float(read_checkpoint(run / "best.pt")["best"]))
    scores = Scores(score_name(recipe), tuple(best), mean(best), stdev(best))
    (folder / "folds.json").write_text(json.dumps(asdict(scores), indent=2))
    return scores


def _as_begun(recipe: Recipe, last: Path, options: TrainOptions) -> tuple[Recipe, TrainOptions]:
    """Return recipe and options of a fold's run: a new one, or the one that was stopped."""
    if not last.exists() or options.get("resume"):
        return recipe, {**options, "resume": last.exists()}
    phases = recipe_of(read_checkpoint(last), last).phases  # no epochs more than were asked
    return replace(recipe, phases=phases), {**options, "resume": True, "epochs": None}
