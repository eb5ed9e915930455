"""The training loop: one for every network, from the first picture to the last checkpoint.

Read from top to bottom: `train` builds or resumes a `Run`, then takes steps until the recipe's
pictures are seen. What a step sees is a pure function of the seed and the step's number, and a
checkpoint holds the rest, so a run that was stopped anywhere continues as if it had not been.
"""

import csv
import ctypes
import dataclasses
import json
import logging
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.utils.data import DataLoader, Dataset

from photochrom.errors import (
    CheckpointError,
    InvalidValueError,
    TrainingDivergedError,
)
from photochrom.photo.atomic import atomic_target
from photochrom.workbench.datasets.batches import Batch, Batches
from photochrom.workbench.datasets.decoded_cache import PixelCache, open_cache
from photochrom.workbench.datasets.splits import (
    Described,
    colourless,
    describe,
    read_hold_out,
    split_by_ratios,
)
from photochrom.workbench.training.adversary import Adversary
from photochrom.workbench.training.checkpoint import (
    initial_weights,
    read_checkpoint,
    recipe_of,
    save_atomically,
    table_of,
    with_encoder,
)
from photochrom.workbench.training.loss_plot import plot_log
from photochrom.workbench.training.muon import Muon
from photochrom.workbench.training.objectives import check_fit, objective
from photochrom.workbench.training.precision import AUTOMATIC, Precision, choose_precision
from photochrom.workbench.training.progress import Progress, duration
from photochrom.workbench.training.recipe import Phase, Recipe, build_network
from photochrom.workbench.training.step import Tensors, choose_bins, prior_of
from photochrom.workbench.training.stored_files import (
    ENVIRONMENT,
    read_environment,
    read_keys,
    read_rows,
)
from photochrom.workbench.training.streamed_training import StreamedBatches, sample_pixels
from photochrom.workbench.training.training_gallery import draw_gallery
from photochrom.workbench.training.validation import Validation

Report = Callable[[str], None]
LOG_EVERY = 50  # steps
LEAST_ROWS = 10  # of the log of a short run
PREFETCH = 4  # batches that each of the loader's processes makes ahead
PALETTE_SAMPLE = 400  # pictures that a palette is fitted to
KEYS_FILE = "validation-keys.txt"  # in a run's folder: what it is judged on to its end
OTHERWISE_HELD_OUT = 0.1  # of data that has none of the recipe's validation pictures
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl
# What a resumed run may change: how long it goes on, and how its rates fall.
FOUND_AT_ITS_BEGINNING = ("classes", "encoder", "encoder_weights")  # of a network's configuration
LOGS = ("log.csv", "validation.csv")
SCHEDULE = ("phases", "optimizer", "validate_every", "checkpoint_minutes", "patience")
OPTIMIZERS: dict[str, Any] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "muon": Muon,
}


class Steps(Dataset[Batch]):
    """The batches of a run by step number; this rank's share of each."""

    def __init__(self, batches: Batches, recipe: Recipe, ranks: int, rank: int) -> None:
        self.batches, self.recipe, self.ranks, self.rank = batches, recipe, ranks, rank

    def __getitem__(self, step: int) -> Batch:
        """Make the batch of a step; ranks draw from disjoint numbers."""
        phase = phase_at(self.recipe, step)
        number = step * self.ranks + self.rank
        return self.batches.batch(number, phase.size_px, phase.batch // self.ranks)


def phase_at(recipe: Recipe, step: int) -> Phase:
    """Return the phase that a step belongs to."""
    for phase in recipe.phases:
        if step < steps_in(phase):
            return phase
        step -= steps_in(phase)
    return recipe.phases[-1]


def steps_in(phase: Phase) -> int:
    """Count the steps of a phase."""
    return math.ceil(phase.pictures / phase.batch)


def total_steps(recipe: Recipe) -> int:
    """Count the steps of all phases."""
    return sum(steps_in(phase) for phase in recipe.phases)


def pictures_before(recipe: Recipe, step: int) -> int:
    """Count the pictures seen before a step."""
    seen = 0
    for phase in recipe.phases:
        taken = min(step, steps_in(phase))
        seen += taken * phase.batch
        step -= taken
    return seen


def rate_at(recipe: Recipe, seen: int) -> float:
    """Return the share of the full learning rate after so many pictures: up, along, down."""
    rising = min(1.0, (seen + 1) / max(1, recipe.optimizer.warmup))
    left = (recipe.pictures - seen) / max(1.0, recipe.optimizer.decay_share * recipe.pictures)
    return rising * (0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, left))))


class Run:
    """A run's state: network, moving average, optimizer, step; and how they are saved."""

    def __init__(self, recipe: Recipe, folder: Path, fabric: Fabric, pretrained: bool) -> None:
        self.recipe, self.folder, self.fabric = recipe, folder, fabric
        torch.manual_seed(recipe.seed)
        where = f"recipe {recipe.name}, config"
        self.network: Any = build_network(recipe.network, recipe.config, pretrained, where)
        check_fit(recipe, self.network)
        self.objective = objective(recipe.loss)
        self.critic: Adversary | None = None
        self.board = None if fabric.global_rank else tensorboard(folder)
        self.step, self.seconds, self.best, self.worse = 0, 0.0, math.inf, 0
        self.sums: dict[str, tuple[float, int]] = {}  # of the terms since the last line of the log
        self.asked = recipe.phases  # before --epochs changed them

    def prepare(self) -> None:
        """Build optimizer and average, and hand the network to Fabric."""
        self.network.to(memory_format=torch.channels_last)
        settings = self.recipe.optimizer
        self.encoder = self.network.encoder_parameters()
        known = {id(p) for p in self.encoder}
        others = [p for p in self.network.parameters() if p.requires_grad and id(p) not in known]
        groups: list[dict[str, Any]] = [{"params": others, "rate": settings.rate}]
        if self.encoder:
            groups.append({"params": self.encoder, "rate": settings.encoder_rate})
        if settings.kind == "muon":
            groups = _parted(self.network, groups)
        options: dict[str, Any] = {"weight_decay": settings.weight_decay}
        if settings.kind.startswith("adam") or settings.kind == "muon":
            options["betas"] = (settings.betas[0], settings.betas[1])
        optimizer = OPTIMIZERS[settings.kind](groups, lr=settings.rate, **options)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.wrapped, self.optimizer = self.fabric.setup(self.network, optimizer)
        for method in ("distribution", "paint", "paint_and_classify"):
            if hasattr(self.network, method):
                self.wrapped.mark_forward_method(method)
        if self.recipe.critic is not None:
            self.critic = Adversary(self.recipe, self.fabric)
            self.critic.check_sizes(self.network)

    def enter(self, phase: Phase) -> None:
        """Let learn what learns in a phase."""
        self.network.train(phase.learns != "critic")
        for parameter in self.encoder:
            parameter.requires_grad_(not phase.frozen_encoder)

    def set_rate(self, share: float) -> None:
        """Set the learning rates to a share of the recipe's."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * share

    @torch.no_grad()
    def update_average(self, pictures: int) -> None:
        """Let the moving average follow the weights, faster at the start; statistics are copied."""
        longest = self.recipe.optimizer.ema_half_life
        half_life = max(1.0, min(longest, 0.2 * pictures * self.step))
        keep = 0.5 ** (pictures / half_life) if longest else 0.0
        learnt = {name for name, _ in self.network.named_parameters()}
        for name, weight in self.network.state_dict().items():
            if keep and name in learnt:
                self.average[name].lerp_(weight, 1 - keep)
            else:
                self.average[name].copy_(weight)

    def save(self, name: str) -> None:
        """Write a checkpoint into the run's folder, on the first rank."""
        if self.fabric.global_rank:
            return
        state = {
            "recipe": table_of(self.recipe),
            "network": self.network.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "worse": self.worse,
            "sums": self.sums,
            "asked": [dataclasses.asdict(phase) for phase in self.asked],
        }
        if name == "last":
            state["optimizer"] = self.optimizer.state_dict()
            if self.critic is not None:
                state["critic"] = self.critic.state()
        save_atomically(state, self.folder / f"{name}.pt")

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.network.load_state_dict(state["network"], strict=True)
        for name, weight in state["average"].items():
            self.average[name].copy_(weight)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.critic is not None:
            self.critic.load(state["critic"])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.worse, self.sums = state.get("worse", 0), state.get("sums", {})


def _parted(network: Any, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Part groups into what takes Muon's steps and what does not: pretrained, first, last."""
    ends = {
        id(p)
        for name, p in network.named_parameters()
        if name.startswith(getattr(network, "ends", ()))
    }
    parted = []
    for group in groups:
        inner = [p for p in group["params"] if id(p) not in ends]
        outer = [p for p in group["params"] if id(p) in ends]
        parted += [{**group, "params": inner, "matrices": True}]
        parted += [{**group, "params": outer, "matrices": False}] if outer else []
    return parted


def train(
    recipe: Recipe,
    data: Path | str,
    folder: Path,
    *,
    stream: bool = False,
    validation_keys: frozenset[str] = frozenset(),
    epochs: int | None = None,
    resume: bool = False,
    init: Path | None = None,
    cache: Path | None = None,
    accelerator: str = "auto",
    devices: int | str = "auto",
    nodes: int = 1,
    precision: str = AUTOMATIC,
    report: Report = lambda line: None,
    stop_after: int | None = None,
) -> Path:
    """Train a network as a recipe says.

    Parameters
    ----------
    recipe : Recipe
    data : Path or str
        A Parquet file, or a folder of Parquet files or of pictures; streamed, also addresses.
    folder : Path
        The run's folder: recipe, log, plot and checkpoints.
    stream : bool
        Read the pictures as they are needed instead of decoding all of them once.
    validation_keys : frozenset of str
        Pictures that are never trained on, and judged on instead; a resumed run keeps its own.
    epochs : int, optional
        So many times as many pictures as there are, whatever the recipe says, with a validation
        after each; in a resumed run so many more, whatever came before.
    resume : bool
        Continue the folder's run, exactly; the recipe may change its schedule only.
    init : Path, optional
        Start from the weights of a checkpoint, a safetensors file, an exported network, or, for
        what is built on a ResNet, from that ResNet's file.
    cache : Path, optional
        Where decoded pictures lie; see `open_cache`.
    accelerator, devices, nodes :
        As Lightning Fabric takes them.
    precision : str
        As Lightning Fabric names it; 'auto' takes the recipe's, and float32 in place of a bfloat16
        that the device would only emulate.
    report : callable
        Takes lines about the progress, some from another thread: the first says the precision,
        and then there is one at least every few seconds.
    stop_after : int, optional
        Stop, resumably, after so many steps of this call.

    Returns
    -------
    Path
        The last checkpoint.

    Raises
    ------
    CheckpointError
        If there is nothing to resume, or the folder holds another run.
    DataError
        If no picture is left to train on.
    TrainingDivergedError
        If the loss is not finite; the batch is saved beside the checkpoints.
    RecipeError
        If the network or the critic cannot take the size of a phase.
    KeyboardInterrupt
        After SIGINT or SIGTERM, once the step is finished and the run saved.
    """
    keep_memory()
    last = folder / "last.pt"
    if last.exists() and not resume:
        raise CheckpointError(f"{folder}: holds a run already. Resume it, or name another folder.")
    state = read_checkpoint(last) if resume else None
    if state is not None and precision == AUTOMATIC:
        precision = _asked_precision(folder)
    if state is None:
        recipe, init = with_encoder(recipe, init)
        begun, asked = recipe, recipe.phases
    else:
        begun = recipe_of(state, last)
        recipe, asked = _continued(begun, recipe, folder), recipe.phases
        if asked == _phases_asked(state, begun):  # else its schedule was changed since
            recipe = replace(recipe, phases=begun.phases)
            if asked != begun.phases:  # epochs are being counted: each is judged
                recipe = replace(recipe, validate_every=begun.validate_every)
    if epochs is not None and epochs < 1:
        raise InvalidValueError(f"epochs must be 1 or more; it is {epochs}.")
    folder.mkdir(parents=True, exist_ok=True)
    fabric, computing = _fabric(accelerator, devices, nodes, recipe.precision, precision)
    fabric.launch()
    told = Progress(_keep_silent if fabric.global_rank else report)
    told(f"Training {recipe.name} in {computing}.")
    told.begin("getting ready")
    with told.alive():
        if stream:
            pixels = sample_pixels(data, told)
        else:
            with fabric.rank_zero_first(local=True):  # one process decodes, the others find it done
                pixels = open_cache(Path(data), cache, recipe.data.short_side_px, told)
        stays = folder / KEYS_FILE
        if state is not None and stays.exists():
            validation_keys = frozenset(read_keys(stays)) - {""}
        else:
            validation_keys = judged_on(pixels, recipe, validation_keys, told)
        held = validation_keys | colourless_keys(pixels, recipe, told)
        batches = Batches(pixels, recipe.data, recipe.seed, held)
        if recipe.config.get("classes") == 0:
            recipe = replace(recipe, config={**recipe.config, "classes": len(batches.classes)})
        if epochs is not None:
            step = 0 if state is None else state["step"]
            recipe = replace(recipe, phases=begun.phases)  # whatever came before, it was these
            recipe = _in_epochs(recipe, step, epochs, len(batches.indices))
        run = Run(recipe, folder, fabric, recipe.pretrained and state is None and init is None)
        is_whole = state is not None or (init is not None and initial_weights(run.network, init))
        if not is_whole and hasattr(run.network, "centres"):
            _give_colours(run, batches)
        run.asked = asked
        run.prepare()
        if state is not None:
            run.load(state)
            told(f"Resumed {folder} at step {run.step}.")
            if run.step >= total_steps(recipe):
                told("It is finished: --epochs N goes on for N epochs more.")
        if not fabric.global_rank:
            for name in LOGS:  # what came after the checkpoint is done again
                _forget(folder / name, run.step)
            if not stays.exists() or state is None:
                _write(stays, "".join(f"{key}\n" for key in sorted(validation_keys)))
            _write(folder / "recipe.json", json.dumps(table_of(recipe), indent=2))
            asked_for = {"precision": computing.name, "precision_asked": precision}
            _write_environment(folder, data, stream, init, batches, fabric, asked_for)
        validation = Validation.of(batches, validation_keys, recipe)
    source: Dataset[Batch] = Steps(batches, recipe, fabric.world_size, fabric.global_rank)
    if stream:
        of_step = partial(phase_at, recipe)
        ranks = fabric.global_rank, fabric.world_size
        source = StreamedBatches(data, batches, held, of_step, run.step, *ranks)
    _take_steps(run, source, len(batches.indices), validation, told, stop_after)
    if not len(validation) and (folder / "log.csv").exists() and not fabric.global_rank:
        plot_log(folder)
    return last


def _fabric(
    accelerator: str, devices: int | str, nodes: int, wished: str, asked: str
) -> tuple[Fabric, Precision]:
    """Return one process, or many that share their gradients, and what they compute in.

    Of many each keeps its own statistics of normalisation, since the first alone judges, and a
    critic sees two batches before it learns; and what a phase freezes gets no gradient.
    """
    made: dict[str, Any] = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes}
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the precision is ours to say
    try:
        fabric = Fabric(**made)
        computing = choose_precision(wished, fabric.device.type, asked)
        precision: Any = computing.name
        if isinstance(fabric.strategy, DDPStrategy):
            many = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
            return Fabric(**made, precision=precision, strategy=many), computing
        return Fabric(**made, precision=precision), computing
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidValueError(
            f"No such accelerator, number of devices, or precision: {error}"
        ) from error


def _keep_silent(line: str) -> None:
    pass


def judged_on(
    cache: PixelCache, recipe: Recipe, named: frozenset[str], report: Report
) -> frozenset[str]:
    """Return the keys of the pictures that are judged on and never trained on.

    Those that are named; if none of them is in the data, or none is named, as many as the recipe
    holds out (of other data than the recipe's a tenth), the same for the same seed, and with them
    whatever is nearly the same.
    """
    if not named.isdisjoint(cache.keys.tolist()):
        return named
    share = recipe.data.hold_out or (OTHERWISE_HELD_OUT if named else 0.0)
    if not share:
        report("No picture is held out: nothing is validated, and there is no best.pt.")
        return named
    pictures, by_hue = described(cache, recipe, report), recipe.data.by_hue
    split = split_by_ratios(pictures, read_hold_out(share), recipe.seed, by_hue)
    drawn = frozenset(split.parts["validation"])
    if named:
        report(
            f"None of the {len(named):,} validation pictures that are named is in the data: "
            f"{len(drawn):,} pictures of it are judged on instead."
        )
    return named | drawn


def described(cache: PixelCache, recipe: Recipe, report: Report) -> Described:
    """Describe the pictures whose sources the recipe does not leave out, to be parted."""
    indices = _of_sources(cache, recipe)
    order = "in the order of their hues" if recipe.data.by_hue else "at random"
    report(f"Parting {len(indices):,} pictures {order}, those that are nearly the same together.")
    return describe(cache, indices, recipe.data.by_hue)


def colourless_keys(cache: PixelCache, recipe: Recipe, report: Report) -> frozenset[str]:
    """Return the keys of the gray pictures, of a recipe whose pictures are parted by their hues."""
    if not recipe.data.by_hue:
        return frozenset()
    indices = _of_sources(cache, recipe)
    keys = frozenset(cache.keys[indices[colourless(cache, indices)]].tolist())
    report(f"{len(keys):,} gray pictures of {len(indices):,}, whose hue means nothing, left out.")
    return keys


def _of_sources(cache: PixelCache, recipe: Recipe) -> np.ndarray:
    return np.flatnonzero(~np.isin(cache.sources, recipe.data.leave_out))


def _in_epochs(recipe: Recipe, step: int, epochs: int, pictures: int) -> Recipe:
    """Let a recipe end after so many epochs more, with a validation after each."""
    return replace(for_epochs(recipe, step, epochs * pictures), validate_every=pictures)


def for_epochs(recipe: Recipe, step: int, pictures: int) -> Recipe:
    """Let a recipe end after so many pictures more: what is left, scaled, or its last phase."""
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


def _give_colours(run: Run, batches: Batches) -> None:
    """Choose the colours that a new network tells apart: bins, or a palette of the pictures."""
    if run.recipe.palette:
        from photochrom.workbench.datasets.ab_palette import fit_palette

        sample = (batches.cache[int(i)] for i in batches.draw(PALETTE_SAMPLE))
        found, _ = fit_palette(sample, run.recipe.palette, run.recipe.seed)
        centres = torch.from_numpy(found).float()
        prior = prior_of(centres, batches)
    else:
        centres, prior = choose_bins(batches, run.network.centres.shape[0])
    run.network.fill_bins(centres, prior)


def _phases_asked(state: dict[str, Any], begun: Recipe) -> tuple[Phase, ...]:
    """Return the phases of the recipe that a run was given, before epochs were counted."""
    if "asked" not in state:
        return begun.phases
    return tuple(Phase(**phase) for phase in state["asked"])


def _continued(stored: Recipe, given: Recipe, folder: Path) -> Recipe:
    """Continue by the recipe given, which may differ from the stored one in its schedule alone."""
    found = {name: stored.config[name] for name in FOUND_AT_ITS_BEGINNING if name in stored.config}
    given = replace(given, config={**given.config, **found})
    differing = [
        f.name
        for f in dataclasses.fields(Recipe)
        if f.name not in SCHEDULE and getattr(stored, f.name) != getattr(given, f.name)
    ]
    if differing:
        raise CheckpointError(
            f"{folder}: was begun with another recipe ({', '.join(differing)} differ). "
            "Only the schedule may change; begin another run, or give the run's own recipe."
        )
    return given


def _take_steps(
    run: Run,
    source: Dataset[Batch],
    epoch: int,
    validation: Validation,
    told: Progress,
    stop_after: int | None,
) -> None:
    recipe, last, often = run.recipe, total_steps(run.recipe), _log_every(run.recipe)
    end = last
    if stop_after is not None:
        end = min(end, run.step + stop_after)
    loader = DataLoader(
        source,
        batch_size=None,
        sampler=range(run.step, end) if isinstance(source, Steps) else None,
        num_workers=workers(),
        prefetch_factor=PREFETCH,
        worker_init_fn=_start_worker,
    )
    begun = saved = time.monotonic()
    before, first = run.seconds, run.step
    halted = False
    if run.step < end:
        told(_intention(run, epoch, len(validation)))
    loaded = iter(loader)  # forks its processes, before there is a thread
    with _stop_request() as stopped, told.alive():
        told.begin(f"step {run.step + 1:,} of {last:,}")
        for batch in islice(loaded, max(0, end - run.step)):
            phase = phase_at(recipe, run.step)
            seen = pictures_before(recipe, run.step)
            run.set_rate(rate_at(recipe, seen) * phase.rate)
            run.enter(phase)
            terms = _step(run, batch, phase)
            for name, term in terms.items():
                total, times = run.sums.get(name, (0.0, 0))
                run.sums[name] = total + float(term.detach()), times + 1
            run.step += 1
            run.update_average(phase.batch)
            now = time.monotonic()
            run.seconds = before + now - begun
            means = {name: total / times for name, (total, times) in run.sums.items()}
            taken = seen + phase.batch - pictures_before(recipe, first)
            speed = taken / max(now - begun, 1e-6)
            if told.due or run.step in (first + 1, last):
                told(_line(recipe, seen + phase.batch, means, speed))
            if run.step % often == 0 or run.step == last:
                _log(run, seen + phase.batch, epoch, means, speed)
                run.sums = {}
            crossed = seen // recipe.validate_every < (seen + phase.batch) // recipe.validate_every
            if crossed or run.step == last:
                told.begin(f"judging {len(validation):,} validation pictures")
                _validate(run, validation, seen + phase.batch, epoch, told)
                run.worse = run.fabric.broadcast(run.worse)  # all stop, or none
                if recipe.patience and run.worse >= recipe.patience:
                    told(f"No better score in {run.worse} validations: the run ends early.")
                    break
            if now - saved > 60 * recipe.checkpoint_minutes:
                run.save("last")
                saved = now
            if halted := _is_stopped(run.fabric, bool(stopped)):
                break
            told.begin(f"step {run.step + 1:,} of {last:,}")
    run.save("last")
    if halted and not run.fabric.global_rank:
        told(f"Stopped at step {run.step} of {last}; --resume goes on.")
        raise KeyboardInterrupt


def _log_every(recipe: Recipe) -> int:
    """Return the steps between rows of the log: few in a short run, which is a curve as well."""
    return min(LOG_EVERY, max(1, total_steps(recipe) // LEAST_ROWS))


def _intention(run: Run, epoch: int, judged: int) -> str:
    """Say what is to be done, before the first step, which may take long."""
    recipe, phase = run.recipe, phase_at(run.recipe, run.step)
    left = total_steps(recipe) - run.step
    every = f", judged on {judged:,} others every {recipe.validate_every:,}" if judged else ""
    return (
        f"{left:,} steps of {phase.batch} pictures at {phase.size_px} px; "
        f"{epoch:,} pictures to learn from{every}."
    )


def _is_stopped(fabric: Fabric, here: bool) -> bool:
    """Return whether any process was asked to stop: all stop at the same step."""
    if fabric.world_size == 1:
        return here
    asked: Any = fabric.all_reduce(torch.tensor(float(here), device=fabric.device), reduce_op="sum")
    return bool(asked)


def _step(run: Run, batch: Batch, phase: Phase) -> dict[str, torch.Tensor]:
    """Take one optimizer step, of what learns in this phase; give the terms of the losses."""
    number = run.recipe.seed * 1_000_003 + run.step
    torch.manual_seed(number)  # dropout, the same in a resumed run
    random = torch.Generator().manual_seed(number)
    tensors = Tensors.of(batch, run.fabric.device)
    if phase.learns == "critic":
        with torch.no_grad():
            painted = run.wrapped.paint(tensors.lightness)
        return {"critic": _critic_step(run, painted, tensors, phase, batch)}
    with run.fabric.autocast():
        answer = run.objective(run.wrapped, tensors, run.recipe.loss, random)
    terms = answer.terms
    loss = terms["loss"]
    _refuse_infinite(run, loss, batch)
    if phase.learns == "both" and run.critic is not None and answer.painted is not None:
        terms["critic"] = _critic_step(run, answer.painted.detach(), tensors, phase, batch)
        if not run.critic.ready:
            return {"critic": terms["critic"]}
        terms["adversarial"] = run.critic.judge(tensors.lightness, answer.painted)
        loss = loss + terms["adversarial"]
        _refuse_infinite(run, loss, batch)
    run.optimizer.zero_grad()
    run.fabric.backward(loss)
    clip = run.recipe.optimizer.clip or math.inf  # then it is only measured
    norm: Any = run.fabric.clip_gradients(
        run.wrapped, run.optimizer, max_norm=clip, error_if_nonfinite=False
    )
    _refuse_infinite(run, norm, batch, "norm of the gradient")
    run.optimizer.step()
    return terms


def _critic_step(
    run: Run, painted: torch.Tensor, tensors: Tensors, phase: Phase, batch: Batch
) -> torch.Tensor:
    assert run.critic is not None
    real = run.network.scaled(tensors.lightness, tensors.ab)
    size = (painted.shape[-2], painted.shape[-1])
    real = torch.nn.functional.adaptive_avg_pool2d(real, size)
    check = partial(_refuse_infinite, run, batch=batch)
    rate = phase.critic_rate or phase.rate
    return run.critic.learn(tensors.lightness, painted, real, rate, check)


def _refuse_infinite(run: Run, value: torch.Tensor, batch: Batch, what: str = "loss") -> None:
    if torch.isfinite(value):
        return
    planes = {k: torch.from_numpy(v) for k, v in dataclasses.asdict(batch).items()}
    torch.save(planes, run.folder / "diverged-batch.pt")
    raise TrainingDivergedError(
        f"The {what} is {value.item()} at step {run.step}; the batch lies in "
        f"{run.folder / 'diverged-batch.pt'}. Try a lower rate, or resume the last checkpoint."
    )


def _validate(run: Run, validation: Validation, seen: int, epoch: int, report: Report) -> None:
    """Judge the moving average; keep the best."""
    if run.fabric.global_rank or not len(validation):
        return
    scores = validation.judge(run)
    begun = {"step": run.step, "pictures": seen, "epochs": seen / epoch}
    _append(run.folder / "validation.csv", {**begun, **scores})
    _show(run, "validation", scores, seen)
    report(f"  validation: {', '.join(f'{k} {v:.4f}' for k, v in scores.items())}")
    if phase_at(run.recipe, run.step - 1).learns != "critic":  # else nothing could be better
        run.worse += 1
    if scores[validation.score] < run.best:
        run.best, run.worse = scores[validation.score], 0
        run.save("best")
    plot_log(run.folder)
    draw_gallery(run, validation, seen)


def _log(run: Run, seen: int, epoch: int, means: dict[str, float], speed: float) -> None:
    if run.fabric.global_rank:
        return
    rates = {"rate": run.optimizer.param_groups[0]["lr"], "pictures_per_second": speed}
    begun = {"step": run.step, "pictures": seen, "epochs": seen / epoch}
    row = {**begun, "minutes": run.seconds / 60, **means, **rates}
    _append(run.folder / "log.csv", row)
    _show(run, "training", {**means, **rates}, seen)


def _line(recipe: Recipe, seen: int, means: dict[str, float], speed: float) -> str:
    """Say how far a run is; its last batch counts as a whole."""
    of = pictures_before(recipe, total_steps(recipe))
    terms = ", ".join(f"{k} {v:.3f}" for k, v in means.items())
    pace = f"{speed:.0f}/s" if speed >= 10 else f"{speed:.2g}/s"
    return f"{seen:,} of {of:,} pictures, {terms}, {pace}, {duration((of - seen) / speed)} left"


def tensorboard(folder: Path) -> Any:
    """Return a writer for TensorBoard, or None where that is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))


def _show(run: Run, part: str, values: dict[str, float], seen: int) -> None:
    if run.board is not None:
        for name, value in values.items():
            run.board.add_scalar(f"{name}/{part}", value, seen)
        run.board.flush()


def _append(path: Path, row: dict[str, Any]) -> None:
    """Append a row to a CSV file whose columns are those of its rows so far and of this one."""
    rows = read_rows(path)
    columns = list(dict.fromkeys(name for each in (*rows[:1], row) for name in each))
    if not rows or columns != list(rows[0]):
        _write_rows(path, columns, [*rows, row])
        return
    with path.open("a", newline="") as file:
        csv.DictWriter(file, columns, restval="").writerow(row)


def _forget(path: Path, step: int) -> None:
    """Drop the rows after a step."""
    rows = read_rows(path)
    kept = [row for row in rows if int(row["step"]) <= step]
    if len(kept) < len(rows):
        _write_rows(path, list(rows[0]), kept)


def _write_rows(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with atomic_target(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _write(path: Path, text: str) -> None:
    with atomic_target(path) as part:
        part.write_text(text)


def _asked_precision(folder: Path) -> str:
    """Return the precision that was insisted on when a run was begun; of older runs none was."""
    begun = read_environment(folder) if (folder / ENVIRONMENT).exists() else {}
    return str(begun.get("precision_asked", AUTOMATIC))


def _write_environment(
    folder: Path,
    data: Path | str,
    stream: bool,
    init: Path | None,
    batches: Batches,
    fabric: Fabric,
    asked_for: dict[str, str],
) -> None:
    """Store what a repetition needs beside the checkpoints."""
    file = folder / ENVIRONMENT
    begun = read_environment(folder) if file.exists() else {}  # a resumed run
    environment = {
        "photochrom": version("photochrom"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "device": fabric.device.type,
        **asked_for,
        "processes": fabric.world_size,
        "data": str(Path(data).resolve() if Path(data).exists() else data),
        "stream": stream,
        "init": begun.get("init") if init is None else str(init.resolve()),
        "pictures": len(batches.indices),
    }
    _write(file, json.dumps(environment, indent=2))


class _stop_request:  # noqa: N801 - used as a context manager
    """True once SIGINT or SIGTERM has asked to stop: the step is finished and the run saved."""

    def __enter__(self) -> "_stop_request":
        self.asked = False
        self.previous = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return self.asked

    def _ask(self, *_: object) -> None:
        self.asked = True


def workers() -> int:
    """Count the loader's processes: one where there are few cores, which the network needs."""
    return 1 if (os.cpu_count() or 1) < 8 else 6


def _start_worker(_: int) -> None:
    """Keep a loader's worker small; the parent alone answers Ctrl-C, and takes it along."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    keep_memory()


def keep_memory() -> None:
    """Ask glibc to keep freed memory: training allocates the same large blocks at every step.

    Measured on two cores: 73 pictures a second instead of 45, as fresh pages cost more than the
    arithmetic on them. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        trim, top_pad, mmap_threshold = -1, -2, -3
        libc.mallopt(trim, 2**31 - 1)
        libc.mallopt(top_pad, 64 * 2**20)
        libc.mallopt(mmap_threshold, 32 * 2**20)
