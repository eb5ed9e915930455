"""The schedule of a run: the phase of a step, the pictures before it, and the learning rate."""

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

from photochrom.errors import CheckpointError, RecipeError
from photochrom.workbench.training.checkpoint import State
from photochrom.workbench.training.recipe import Phase, Recipe

FOUND_AT_ITS_BEGINNING = ("classes", "encoder", "encoder_weights")  # of a network's configuration
# What a resumed run may change: how long it goes on, and how its rates fall.
SCHEDULE = ("phases", "optimizer", "validate_every", "checkpoint_minutes", "patience")


def phase_at(recipe: Recipe, step: int) -> Phase:
    """Return the phase of a step."""
    for phase in recipe.phases:
        if step < steps_in(phase):
            return phase
        step -= steps_in(phase)
    return recipe.phases[-1]


def steps_in(phase: Phase) -> int:
    """Return the number of steps of a phase."""
    return math.ceil(phase.pictures / phase.batch)


def total_steps(recipe: Recipe) -> int:
    """Return the number of steps of all phases."""
    return sum(steps_in(phase) for phase in recipe.phases)


def check_shares(recipe: Recipe, processes: int) -> None:
    """Raise RecipeError if the processes cannot share a batch equally."""
    for number, phase in enumerate(recipe.phases):
        if phase.batch % processes:
            nearest = max(1, round(phase.batch / processes)) * processes
            raise RecipeError(
                f"Phase {number} has batches of {phase.batch} pictures, which {processes} "
                "processes cannot share equally. Choose another size: "
                f"--set phases.{number}.batch={nearest}"
            )


def pictures_before(recipe: Recipe, step: int) -> int:
    """Return the number of pictures seen before a step."""
    seen = 0
    for phase in recipe.phases:
        taken = min(step, steps_in(phase))
        seen += taken * phase.batch
        step -= taken
    return seen


def rate_at(recipe: Recipe, seen: int) -> float:
    """Return the share of the full learning rate after some pictures: warm-up, plateau, decay."""
    rising = min(1.0, (seen + 1) / max(1, recipe.optimizer.warmup))
    left = (recipe.pictures - seen) / max(1.0, recipe.optimizer.decay_share * recipe.pictures)
    return rising * (0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, left))))


def for_epochs(recipe: Recipe, step: int, pictures: int) -> Recipe:
    """Return a recipe of this many more pictures: the scaled rest, or its last phase."""
    seen = pictures_before(recipe, step)
    done, rest, left = [], [], seen
    for phase in recipe.phases:
        taken = min(left, steps_in(phase) * phase.batch)
        if taken:
            done.append(replace(phase, pictures=taken))
        if taken < phase.pictures:
            rest.append(replace(phase, pictures=phase.pictures - taken))
        left -= taken
    rest = rest or [done[-1]]
    share = pictures / sum(phase.pictures for phase in rest)
    rest = [replace(p, pictures=max(1, round(share * p.pictures))) for p in rest]
    return replace(recipe, phases=(*done, *rest))


def continued(state: State, begun: Recipe, given: Recipe, folder: Path) -> Recipe:
    """Return the recipe with which a resumed run continues.

    `state` is the run's last checkpoint, `begun` its recipe; `given` may differ from that in its
    schedule alone. Raise CheckpointError if more differs.
    """
    found = {name: begun.config[name] for name in FOUND_AT_ITS_BEGINNING if name in begun.config}
    given = replace(given, config={**given.config, **found})
    differing = [
        f.name
        for f in dataclasses.fields(Recipe)
        if f.name not in SCHEDULE and getattr(begun, f.name) != getattr(given, f.name)
    ]
    if differing:
        raise CheckpointError(
            f"{folder}: was started with another recipe ({', '.join(differing)} differ). "
            "Only the schedule may change; start another run, or give the run's own recipe."
        )
    asked = begun.phases  # of the recipe that the run was given, before epochs were counted
    if "asked" in state:
        asked = tuple(Phase(**phase) for phase in state["asked"])
    if given.phases != asked:
        return given
    if given.phases != begun.phases:  # epochs are being counted: each is judged
        given = replace(given, validate_every=begun.validate_every)
    return replace(given, phases=begun.phases)
