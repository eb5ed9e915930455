"""The start of a run: its folder, pictures and initial weights."""

import json
from pathlib import Path

import torch
from lightning_fabric import Fabric

from photochrom.workbench.datasets.batches import Batches
from photochrom.workbench.datasets.decoded_cache import PixelCache, open_cache
from photochrom.workbench.networks.annealed_mean import AnnealedMeanNetwork
from photochrom.workbench.training.agreement import Asked
from photochrom.workbench.training.checkpoint import (
    State,
    initial_weights,
    read_checkpoint,
    table_of,
)
from photochrom.workbench.training.held_out import colourless_keys, judged_on
from photochrom.workbench.training.machines import Machines
from photochrom.workbench.training.progress import Progress
from photochrom.workbench.training.recipe import Recipe
from photochrom.workbench.training.run_log import write_environment, write_text
from photochrom.workbench.training.run_state import Run
from photochrom.workbench.training.step import choose_bins, prior_of
from photochrom.workbench.training.stored_files import read_keys
from photochrom.workbench.training.streamed_training import sample_pixels

PALETTE_SAMPLE = 400  # pictures that a palette is fitted to
LAST, KEYS_FILE = "last.pt", "validation-keys.txt"  # in a run's folder; what it is judged on


def read_stored(
    folder: Path, resume: bool, fabric: Fabric
) -> tuple[State | None, frozenset[str] | None]:
    """Return the checkpoint and the validation keys of a resumed run.

    The first process reads them for all: only its machine needs the run's folder.
    """
    found: tuple[State | None, frozenset[str] | None] = None, None
    if not fabric.global_rank:
        folder.mkdir(parents=True, exist_ok=True)
        if resume:
            keys = folder / KEYS_FILE
            kept = frozenset(read_keys(keys)) - {""} if keys.exists() else None
            found = read_checkpoint(folder / LAST), kept
    return fabric.broadcast(found) if resume else found


def open_pictures(
    recipe: Recipe, asked: Asked, fabric: Fabric, machines: Machines, told: Progress
) -> PixelCache:
    """Return the decoded pictures; one process per machine decodes, and all wait for it."""
    if asked.stream:
        pixels = sample_pixels(asked.data, told)
    else:
        if fabric.local_rank:
            machines.wait("decoding", fabric.global_rank - fabric.local_rank)
        pixels = open_cache(Path(asked.data), asked.cache, recipe.data.short_side_px, told)
    machines.done("decoding")
    machines.wait("decoding")
    return pixels


def choose_held_out(
    pixels: PixelCache,
    recipe: Recipe,
    asked: Asked,
    stays: frozenset[str] | None,
    fabric: Fabric,
    machines: Machines,
    told: Progress,
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the validation keys, and all that are not trained on; the first process decides."""
    keys: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()
    if not fabric.global_rank:
        judged = stays
        if judged is None:
            judged = judged_on(pixels, recipe, asked.validation_keys, told)
        keys = judged, judged | colourless_keys(pixels, recipe, told)
        machines.done("splitting")
    machines.wait("splitting", 0)
    return fabric.broadcast(keys)


def write_beginning(
    run: Run, asked: Asked, validation_keys: frozenset[str], batches: Batches, is_new: bool
) -> None:
    """Write the files that a run's folder holds from the start."""
    run.log.begin(run.step)
    if is_new:
        keys = "".join(f"{key}\n" for key in sorted(validation_keys))
        write_text(run.folder / KEYS_FILE, keys)
    write_text(run.folder / "recipe.json", json.dumps(table_of(run.recipe), indent=2))
    asked_for = {"precision": asked.computing.name, "precision_asked": asked.precision}
    write_environment(
        run.folder, asked.data, asked.stream, asked.init, batches, run.fabric, asked_for
    )


def begin_run(
    recipe: Recipe,
    folder: Path,
    fabric: Fabric,
    state: State | None,
    init: Path | None,
    batches: Batches,
) -> Run:
    """Return a run with its initial weights, or the state of a checkpoint."""
    run = Run(recipe, folder, fabric, recipe.pretrained and state is None and init is None)
    is_whole = state is not None or (init is not None and initial_weights(run.network, init))
    if not is_whole and isinstance(run.network, AnnealedMeanNetwork):
        _give_colours(run, batches)
    run.prepare()
    if state is not None:
        run.load(state)
    return run


def _give_colours(run: Run, batches: Batches) -> None:
    """Choose the colours of a new network: bins, or a palette of the pictures."""
    if run.recipe.palette:
        from photochrom.workbench.datasets.ab_palette import fit_palette

        sample = (batches.cache[int(i)] for i in batches.draw(PALETTE_SAMPLE))
        found, _ = fit_palette(sample, run.recipe.palette, run.recipe.seed)
        centres = torch.from_numpy(found).float()
        prior = prior_of(centres, batches)
    else:
        centres, prior = choose_bins(batches, run.network.centres.shape[0])
    run.network.fill_bins(centres, prior)
