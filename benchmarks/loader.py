#!/usr/bin/env python3
"""Does the loader keep up? Steps a second with real pictures, and on one batch again and again.

    python benchmarks/loader.py RECIPE --data PICTURES [--profile here] [--steps 40]

Wanted: at least 0.9. The rate of a recipe is worth knowing before a long run, too.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric
from torch.utils.data import DataLoader

from photochrom.workbench.datasets.batches import Batch, Batches
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.training import loop
from photochrom.workbench.training.loader_processes import (
    PREFETCH,
    keep_memory,
    start_worker,
    workers,
)
from photochrom.workbench.training.recipe import Recipe
from photochrom.workbench.training.recipe_files import find_recipe, read_recipe
from photochrom.workbench.training.run_state import Run

WARM = 5  # steps that are not timed


def seconds(run: Run, batches: list[Batch] | DataLoader, steps: int) -> float:
    """Time steps of a run's first phase."""
    phase = run.recipe.phases[0]
    run.enter(phase)
    for number, batch in enumerate(batches):
        if number == WARM:
            begun = time.perf_counter()
        loop._step(run, batch, phase)
        run.step += 1
        run.update_average(phase.batch)
        if number == WARM + steps:
            break
    return time.perf_counter() - begun


def measure(recipe: Recipe, data: Path, steps: int) -> None:
    """Print both rates and their ratio."""
    keep_memory()
    batches = Batches(open_cache(data), recipe.data, recipe.seed, frozenset())
    if recipe.config.get("classes") == 0:
        recipe = replace(recipe, config={**recipe.config, "classes": len(batches.classes)})
    with tempfile.TemporaryDirectory() as folder:
        run = Run(recipe, Path(folder), Fabric(precision=recipe.precision), recipe.pretrained)
        run.prepare()
        phase, count = recipe.phases[0], WARM + steps + 1
        again = [batches.batch(0, phase.size_px, phase.batch)] * count
        cached = seconds(run, again, steps)
        loader = DataLoader(
            loop.Steps(batches, recipe, 1, 0),
            batch_size=None,
            sampler=range(count),
            num_workers=workers(),
            prefetch_factor=PREFETCH,
            worker_init_fn=start_worker,
        )
        real = seconds(run, loader, steps)
    rate = phase.batch * steps / real
    print(
        f"{recipe.name}: {rate:.0f} pictures/s with real pictures, {steps / real:.2f} steps/s "
        f"against {steps / cached:.2f} on one batch: {cached / real:.2f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--profile", default="")
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    measure(read_recipe(find_recipe(given.recipe), given.profile), given.data, given.steps)
