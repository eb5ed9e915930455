"""The training loop: one for every network, from the first picture to the last checkpoint.

Read from top to bottom: `train` builds or resumes a `Run`, then takes steps until the recipe's
pictures are seen. What a step sees is a pure function of the seed and the step's number, and a
checkpoint holds the rest, so a stopped run continues as if it had not been stopped.
"""

import dataclasses
import math
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader, Dataset

from photochrom.errors import CheckpointError, InvalidValueError, TrainingDivergedError
from photochrom.workbench.datasets.batches import Batch, Batches
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.training.agreement import Asked, facts_of_pictures, facts_of_run
from photochrom.workbench.training.beginning import (
    LAST,
    begin_run,
    choose_held_out,
    open_pictures,
    read_stored,
    write_beginning,
)
from photochrom.workbench.training.checkpoint import (
    recipe_of,
    with_encoder,
)
from photochrom.workbench.training.interruption import StopRequest, ending_at_once, shared
from photochrom.workbench.training.loader_processes import (
    PREFETCH,
    keep_memory,
    start_worker,
    workers,
)
from photochrom.workbench.training.loss_plot import plot_log
from photochrom.workbench.training.machines import LOST_AFTER_S, Machines
from photochrom.workbench.training.precision import AUTOMATIC
from photochrom.workbench.training.processes import as_started, open_fabric
from photochrom.workbench.training.progress import Progress
from photochrom.workbench.training.recipe import Phase, Recipe
from photochrom.workbench.training.run_log import (
    LOG,
    asked_precision,
    intention,
    log_every,
    progress_line,
)
from photochrom.workbench.training.run_state import Run
from photochrom.workbench.training.schedule import (
    check_shares,
    continued,
    for_epochs,
    phase_at,
    pictures_before,
    rate_at,
    total_steps,
)
from photochrom.workbench.training.step import Tensors
from photochrom.workbench.training.streamed_training import StreamedBatches
from photochrom.workbench.training.training_gallery import draw_gallery
from photochrom.workbench.training.validation import Validation


class Steps(Dataset[Batch]):
    """The batches of a run by step number; each process sees its own share."""

    def __init__(self, batches: Batches, recipe: Recipe, ranks: int, rank: int) -> None:
        self.batches, self.recipe, self.ranks, self.rank = batches, recipe, ranks, rank

    def __getitem__(self, step: int) -> Batch:
        """Return this process's part of a step's batch; together all parts are the whole batch."""
        phase = phase_at(self.recipe, step)
        share = phase.batch // self.ranks
        first = pictures_before(self.recipe, step) + self.rank * share
        return self.batches.batch(first, phase.size_px, share)


class TrainOptions(TypedDict, total=False):
    """Options of `train` that all folds of a cross-validation share."""

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
    """Train a network from a recipe; the other options are those of `photochrom train`.

    Parameters
    ----------
    data : Path or str
        A Parquet file, or a folder of Parquet files or of pictures; streamed, also addresses.
    folder : Path
        The run's folder: recipe, log, plot and checkpoints.
    validation_keys : frozenset of str
        Pictures for validation, never trained on; a resumed run keeps its own.
    resume : bool
        Continue the folder's run, exactly; the recipe may change its schedule only.
    lost_after : float
        Seconds to wait for a process that does not connect, or no longer answers.
    report : callable
        Receives lines about the progress, some from another thread: first the precision, then at
        least one every few seconds.
    stop_after : int, optional
        Stop after this many steps of this call; the run can be resumed.

    Returns
    -------
    Path
        The last checkpoint.

    Raises
    ------
    CheckpointError
        If there is nothing to resume, or the folder contains another run.
    DataError
        If no picture is left to train on.
    TrainingDivergedError
        If the loss is not finite; the batch is saved beside the checkpoints.
    RecipeError
        If the network or the critic cannot take the size of a phase.
    InvalidValueError
        If a number is outside its range, or the processes of a training have different settings.
    LostProcessError
        If another process does not connect, or ends.
    KeyboardInterrupt
        After SIGINT or SIGTERM, once the step is finished and the run saved.
    """
    keep_memory()
    if (folder / LAST).exists() and not resume:
        raise CheckpointError(
            f"{folder}: already contains a run. Resume it (--resume), or name another folder."
        )
    if epochs is not None and epochs < 1:
        raise InvalidValueError(f"epochs must be 1 or more; got {epochs}.")
    if not resume:
        recipe, init = with_encoder(recipe, init)
    elif precision == AUTOMATIC:
        precision = asked_precision(folder)
    nodes, devices = as_started(nodes, devices)
    fabric, computing = open_fabric(
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
    """Train in this process, together with the others if there are any."""
    told = Progress((lambda line: None) if fabric.global_rank else report)
    told(f"Training {recipe.name} in {asked.computing}.")
    told.begin("getting ready")
    phases = recipe.phases
    with ending_at_once(), machines.working(), told.alive():
        machines.agree("version, command and recipe", facts_of_run(recipe, asked, resume))
        check_shares(recipe, fabric.world_size)
        state, stays = read_stored(folder, resume, fabric)
        begun = recipe
        if state is not None:
            begun = recipe_of(state, folder / LAST)
            recipe = continued(state, begun, recipe, folder)
        pixels = open_pictures(recipe, asked, fabric, machines, told)
        validation_keys, held = choose_held_out(
            pixels, recipe, asked, stays, fabric, machines, told
        )
        batches = Batches(pixels, recipe.data, recipe.seed, held)
        machines.agree("pictures", facts_of_pictures(batches))
        if recipe.config.get("classes") == 0:
            recipe = replace(recipe, config={**recipe.config, "classes": len(batches.classes)})
        if asked.epochs is not None:
            step = 0 if state is None else state["step"]
            recipe = replace(recipe, phases=begun.phases)  # whatever came before, it was these
            count = len(batches.indices)  # of an epoch; each is judged
            recipe = for_epochs(recipe, step, asked.epochs * count)
            recipe = replace(recipe, validate_every=count)
        run = begin_run(recipe, folder, fabric, state, asked.init, batches)
        run.asked = phases
        if state is not None:
            told(f"Resumed {folder} at step {run.step}.")
            if run.step >= total_steps(recipe):
                told("It is finished. Use --epochs N to train for N more epochs.")
        if not fabric.global_rank:
            write_beginning(run, asked, validation_keys, batches, is_new=stays is None)
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
        told(f"Stopped at step {run.step} of {last}; --resume continues.")
        raise KeyboardInterrupt


def _step(run: Run, batch: Batch, phase: Phase) -> dict[str, torch.Tensor]:
    """Take one optimizer step for the network, the critic or both; return the loss terms."""
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
        f"The {what} is {value.item()} at step {run.step}; the batch is saved in {file}. "
        "Try a lower rate, or resume the last checkpoint."
    )


def _validate(run: Run, validation: Validation, seen: int, epoch: int, report: Report) -> None:
    """Validate the moving average, and keep the best."""
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
    """Return the position of a run: the first columns of its logs."""
    return {"step": run.step, "pictures": seen, "epochs": seen / epoch}
