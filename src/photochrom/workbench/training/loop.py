"""The training loop: one for every network, from the first picture to the last checkpoint.

Read from top to bottom: `train` builds or resumes a `Run`, then takes steps until the recipe's
pictures are seen. What a step sees is a pure function of the seed and the step's number, and a
checkpoint holds the rest, so a run that was stopped anywhere continues as if it had not been.
"""

import dataclasses
import inspect
import json
import logging
import math
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from photochrom.errors import CheckpointError, InvalidValueError, TrainingDivergedError
from photochrom.workbench.datasets.batches import Batch, Batches
from photochrom.workbench.datasets.decoded_cache import PixelCache, open_cache
from photochrom.workbench.training.agreement import Asked, facts_of_pictures, facts_of_run
from photochrom.workbench.training.checkpoint import (
    State,
    initial_weights,
    read_checkpoint,
    recipe_of,
    table_of,
    with_encoder,
)
from photochrom.workbench.training.held_out import Report, colourless_keys, judged_on
from photochrom.workbench.training.interruption import StopRequest, ending_at_once, shared
from photochrom.workbench.training.loader_processes import (
    PREFETCH,
    keep_memory,
    start_worker,
    workers,
)
from photochrom.workbench.training.loss_plot import plot_log
from photochrom.workbench.training.machines import LOST_AFTER_S, Machines, started_by_torchrun
from photochrom.workbench.training.precision import AUTOMATIC, Precision, choose_precision
from photochrom.workbench.training.progress import Progress
from photochrom.workbench.training.recipe import Phase, Recipe
from photochrom.workbench.training.run import Run
from photochrom.workbench.training.run_log import (
    LOG,
    asked_precision,
    intention,
    log_every,
    progress_line,
    write_environment,
    write_text,
)
from photochrom.workbench.training.schedule import (
    check_shares,
    continued,
    in_epochs,
    phase_at,
    pictures_before,
    rate_at,
    total_steps,
)
from photochrom.workbench.training.step import Tensors, choose_bins, prior_of
from photochrom.workbench.training.stored_files import read_keys
from photochrom.workbench.training.streamed_training import StreamedBatches, sample_pixels
from photochrom.workbench.training.training_gallery import draw_gallery
from photochrom.workbench.training.validation import Validation

PALETTE_SAMPLE = 400  # pictures that a palette is fitted to
LAST, KEYS_FILE = "last.pt", "validation-keys.txt"  # in a run's folder; what it is judged on


class Steps(Dataset[Batch]):
    """The batches of a run by step number; this rank's share of each."""

    def __init__(self, batches: Batches, recipe: Recipe, ranks: int, rank: int) -> None:
        self.batches, self.recipe, self.ranks, self.rank = batches, recipe, ranks, rank

    def __getitem__(self, step: int) -> Batch:
        """Make this rank's part of a step's batch: together the ranks see what one would."""
        phase = phase_at(self.recipe, step)
        share = phase.batch // self.ranks
        first = pictures_before(self.recipe, step) + self.rank * share
        return self.batches.batch(first, phase.size_px, share)


class TrainOptions(TypedDict, total=False):
    """Options of `train` that every fold of a cross-validation takes alike."""

    epochs: int | None
    resume: bool
    init: Path | None
    cache: Path | None
    accelerator: str
    devices: int | str
    nodes: int
    lost_after: float
    precision: str
    report: Report
    stop_after: int | None


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
    lost_after: float = LOST_AFTER_S,
    precision: str = AUTOMATIC,
    report: Report = lambda line: None,
    stop_after: int | None = None,
) -> Path:
    """Train a network as a recipe says; the other options are those of `photochrom train`.

    Parameters
    ----------
    data : Path or str
        A Parquet file, or a folder of Parquet files or of pictures; streamed, also addresses.
    folder : Path
        The run's folder: recipe, log, plot and checkpoints.
    validation_keys : frozenset of str
        Pictures that are never trained on, and judged on instead; a resumed run keeps its own.
    resume : bool
        Continue the folder's run, exactly; the recipe may change its schedule only.
    lost_after : float
        Seconds that processes wait for one that does not come, or no longer answers.
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
    InvalidValueError
        If a number is outside its range, or processes of a training differ in what they are given.
    LostProcessError
        If another process does not come, or ends.
    KeyboardInterrupt
        After SIGINT or SIGTERM, once the step is finished and the run saved.
    """
    keep_memory()
    if (folder / LAST).exists() and not resume:
        raise CheckpointError(f"{folder}: holds a run already. Resume it, or name another folder.")
    if epochs is not None and epochs < 1:
        raise InvalidValueError(f"epochs must be 1 or more; it is {epochs}.")
    if not resume:
        recipe, init = with_encoder(recipe, init)
    elif precision == AUTOMATIC:
        precision = asked_precision(folder)
    nodes, devices = _as_started(nodes, devices)
    fabric, computing = _fabric(
        accelerator, devices, nodes, recipe.precision, precision, lost_after
    )
    machines = Machines.join(fabric, nodes, lost_after, report)
    asked = Asked(data, stream, epochs, init, cache, precision, computing, validation_keys)
    with machines.together():
        return _train(recipe, folder, fabric, machines, asked, resume, report, stop_after)


def _train(
    recipe: Recipe,
    folder: Path,
    fabric: Fabric,
    machines: Machines,
    asked: Asked,
    resume: bool,
    report: Report,
    stop_after: int | None,
) -> Path:
    """Train in this process, beside the others if there are more."""
    told = Progress((lambda line: None) if fabric.global_rank else report)
    told(f"Training {recipe.name} in {asked.computing}.")
    told.begin("getting ready")
    phases = recipe.phases
    with ending_at_once(), machines.working(), told.alive():
        machines.agree("version, command and recipe", facts_of_run(recipe, asked, resume))
        check_shares(recipe, fabric.world_size)
        state, stays = _stored(folder, resume, fabric)
        begun = recipe
        if state is not None:
            begun = recipe_of(state, folder / LAST)
            recipe = continued(state, begun, recipe, folder)
        pixels = _open_pictures(recipe, asked, fabric, machines, told)
        validation_keys, held = _held_out(pixels, recipe, asked, stays, fabric, machines, told)
        batches = Batches(pixels, recipe.data, recipe.seed, held)
        machines.agree("pictures", facts_of_pictures(batches))
        if recipe.config.get("classes") == 0:
            recipe = replace(recipe, config={**recipe.config, "classes": len(batches.classes)})
        if asked.epochs is not None:
            step = 0 if state is None else state["step"]
            recipe = replace(recipe, phases=begun.phases)  # whatever came before, it was these
            recipe = in_epochs(recipe, step, asked.epochs, len(batches.indices))
        run = _begin(recipe, folder, fabric, state, asked.init, batches)
        run.asked = phases
        if state is not None:
            told(f"Resumed {folder} at step {run.step}.")
            if run.step >= total_steps(recipe):
                told("It is finished: --epochs N goes on for N epochs more.")
        if not fabric.global_rank:
            _write_beginning(run, asked, validation_keys, batches, is_new=stays is None)
        validation = Validation.of(batches, validation_keys, recipe)
    source: Dataset[Batch] = Steps(batches, recipe, fabric.world_size, fabric.global_rank)
    if asked.stream:
        of_step = partial(phase_at, recipe)
        ranks = fabric.global_rank, fabric.world_size
        source = StreamedBatches(asked.data, batches, held, of_step, run.step, *ranks)
    _take_steps(run, source, len(batches.indices), validation, machines, told, stop_after)
    if not len(validation) and (folder / LOG).exists() and not fabric.global_rank:
        plot_log(folder)
    return folder / LAST


def _as_started(nodes: int, devices: int | str) -> tuple[int, int | str]:
    """Return how many machines, and processes of each: torchrun has begun as many as it was told.

    Raise InvalidValueError if something else is asked for.
    """
    begun = started_by_torchrun()
    if begun is None:
        return nodes, devices
    if nodes not in (1, begun[0]) or devices not in ("auto", begun[1]):
        raise InvalidValueError(
            f"torchrun started {begun[1]} processes on each of {begun[0]} machines, but --nodes is "
            f"{nodes} and --devices {devices}. Leave both out, torchrun decides."
        )
    return begun


def _stored(
    folder: Path, resume: bool, fabric: Fabric
) -> tuple[State | None, frozenset[str] | None]:
    """Return the checkpoint and the validation keys of a run that is resumed.

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


def _open_pictures(
    recipe: Recipe, asked: Asked, fabric: Fabric, machines: Machines, told: Progress
) -> PixelCache:
    """Return the decoded pictures; of each machine one process decodes, and all wait for all."""
    if asked.stream:
        pixels = sample_pixels(asked.data, told)
    else:
        if fabric.local_rank:
            machines.wait("decoding", fabric.global_rank - fabric.local_rank)
        pixels = open_cache(Path(asked.data), asked.cache, recipe.data.short_side_px, told)
    machines.done("decoding")
    machines.wait("decoding")
    return pixels


def _held_out(
    pixels: PixelCache,
    recipe: Recipe,
    asked: Asked,
    stays: frozenset[str] | None,
    fabric: Fabric,
    machines: Machines,
    told: Progress,
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the keys that are judged on, and all that are not trained on; the first decides."""
    keys: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()
    if not fabric.global_rank:
        judged = stays
        if judged is None:
            judged = judged_on(pixels, recipe, asked.validation_keys, told)
        keys = judged, judged | colourless_keys(pixels, recipe, told)
        machines.done("parting")
    machines.wait("parting", 0)
    return fabric.broadcast(keys)


def _write_beginning(
    run: Run, asked: Asked, validation_keys: frozenset[str], batches: Batches, is_new: bool
) -> None:
    """Write what a run's folder holds from its beginning."""
    run.log.begin(run.step)
    if is_new:
        keys = "".join(f"{key}\n" for key in sorted(validation_keys))
        write_text(run.folder / KEYS_FILE, keys)
    write_text(run.folder / "recipe.json", json.dumps(table_of(run.recipe), indent=2))
    asked_for = {"precision": asked.computing.name, "precision_asked": asked.precision}
    write_environment(
        run.folder, asked.data, asked.stream, asked.init, batches, run.fabric, asked_for
    )


def _fabric(
    accelerator: str, devices: int | str, nodes: int, preferred: str, asked: str, lost_after: float
) -> tuple[Fabric, Precision]:
    """Return one process, or many that share their gradients, and what they compute in.

    Of many each keeps its own statistics of normalisation, since the first alone judges, and a
    critic sees two batches before it learns; and what a phase freezes gets no gradient.
    """
    made: dict[str, Any] = {"accelerator": accelerator, "devices": devices, "num_nodes": nodes}
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the precision is ours to say
    try:
        fabric = Fabric(**made)
        computing = choose_precision(preferred, fabric.device.type, asked)
        precision: Any = computing.name
        if isinstance(fabric.strategy, DDPStrategy):
            known = inspect.signature(DistributedDataParallel).parameters
            newer = "forward_sync_buffers" in known
            options: dict[str, Any] = {
                "find_unused_parameters": True,
                "forward_sync_buffers" if newer else "broadcast_buffers": False,
            }
            many = DDPStrategy(timeout=timedelta(seconds=lost_after), **options)
            return Fabric(**made, precision=precision, strategy=many), computing
        return Fabric(**made, precision=precision), computing
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidValueError(
            f"No such accelerator, number of devices, or precision: {error}"
        ) from error


def _begin(
    recipe: Recipe,
    folder: Path,
    fabric: Fabric,
    state: State | None,
    init: Path | None,
    batches: Batches,
) -> Run:
    """Return a run with the weights that it starts from, or as a checkpoint left it."""
    run = Run(recipe, folder, fabric, recipe.pretrained and state is None and init is None)
    is_whole = state is not None or (init is not None and initial_weights(run.network, init))
    if not is_whole and hasattr(run.network, "centres"):
        _give_colours(run, batches)
    run.prepare()
    if state is not None:
        run.load(state)
    return run


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


def _loader(source: Dataset[Batch], steps: range) -> DataLoader[Batch]:
    return DataLoader(
        source,
        batch_size=None,
        sampler=steps if isinstance(source, Steps) else None,
        num_workers=workers(),
        prefetch_factor=PREFETCH,
        worker_init_fn=start_worker,
    )


def _take_steps(
    run: Run,
    source: Dataset[Batch],
    epoch: int,
    validation: Validation,
    machines: Machines,
    told: Progress,
    stop_after: int | None,
) -> None:
    recipe, last, often = run.recipe, total_steps(run.recipe), log_every(run.recipe)
    end = last if stop_after is None else min(last, run.step + stop_after)
    loader = _loader(source, range(run.step, end))
    begun = saved = time.monotonic()
    earlier, first, halted = run.seconds, run.step, False
    if run.step < end:
        told(intention(recipe, run.step, epoch, len(validation)))
    loaded = iter(loader)  # forks its processes, before there is a thread
    with StopRequest() as stopped, told.alive():
        told.begin(f"step {run.step + 1:,} of {last:,}")
        for batch in islice(loaded, max(0, end - run.step)):
            phase = phase_at(recipe, run.step)
            before = pictures_before(recipe, run.step)
            seen = before + phase.batch  # after this step
            run.set_rate(rate_at(recipe, before) * phase.rate)
            run.enter(phase)
            terms, halted = shared(run.fabric, _step(run, batch, phase), bool(stopped))
            for name, term in terms.items():
                total, times = run.sums.get(name, (0.0, 0))
                run.sums[name] = total + term, times + 1
            run.step += 1
            run.update_average(phase.batch)
            now = time.monotonic()
            run.seconds = earlier + now - begun
            means = {name: total / times for name, (total, times) in run.sums.items()}
            taken = seen - pictures_before(recipe, first)
            speed = taken / max(now - begun, 1e-6)
            if told.due or run.step in (first + 1, last):
                told(progress_line(recipe, seen, means, speed))
            if run.step % often == 0 or run.step == last:
                rates = {"rate": run.optimizer.param_groups[0]["lr"], "pictures_per_second": speed}
                here = _position(run, seen, epoch)
                run.log.add_training(here, run.seconds / 60, means, rates)
                run.sums = {}
            crossed = before // recipe.validate_every < seen // recipe.validate_every
            if crossed or run.step == last:
                told.begin(f"judging {len(validation):,} validation pictures")
                with machines.working():
                    _validate(run, validation, seen, epoch, told)
                machines.done(f"validation {run.step}")
                machines.wait(f"validation {run.step}", 0)
                run.worse = run.fabric.broadcast(run.worse)  # all stop, or none
                if recipe.patience and run.worse >= recipe.patience:
                    told(f"No better score in {run.worse} validations: the run ends early.")
                    break
            if now - saved > 60 * recipe.checkpoint_minutes:
                run.save("last")
                saved = now
            if halted:
                break
            told.begin(f"step {run.step + 1:,} of {last:,}")
    run.save("last")
    if halted and not run.fabric.local_rank:  # its children's end would end it too soon
        told(f"Stopped at step {run.step} of {last}; --resume goes on.")
        raise KeyboardInterrupt


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
    rank = run.fabric.global_rank
    file = run.folder / (f"diverged-batch-{rank}.pt" if rank else "diverged-batch.pt")
    file.parent.mkdir(parents=True, exist_ok=True)  # on another machine it may not be there
    torch.save(planes, file)
    raise TrainingDivergedError(
        f"The {what} is {value.item()} at step {run.step}; the batch lies in {file}. "
        "Try a lower rate, or resume the last checkpoint."
    )


def _validate(run: Run, validation: Validation, seen: int, epoch: int, report: Report) -> None:
    """Judge the moving average; keep the best."""
    if run.fabric.global_rank or not len(validation):
        return
    scores = validation.judge(run)
    run.log.add_validation(_position(run, seen, epoch), scores)
    report(f"  validation: {', '.join(f'{k} {v:.4f}' for k, v in scores.items())}")
    if phase_at(run.recipe, run.step - 1).learns != "critic":  # else nothing could be better
        run.worse += 1
    if scores[validation.score] < run.best:
        run.best, run.worse = scores[validation.score], 0
        run.save("best")
    plot_log(run.folder)
    draw_gallery(run, validation, seen)


def _position(run: Run, seen: int, epoch: int) -> dict[str, float]:
    """Return how far a run is: the first columns of its logs."""
    return {"step": run.step, "pictures": seen, "epochs": seen / epoch}
