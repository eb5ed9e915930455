"""The training loop: one for every network, from the first picture to the last checkpoint.

Read from top to bottom: `train` builds or resumes a `Run`, then takes steps until the recipe's
pictures are seen. What a step sees is a pure function of the seed and the step's number, and a
checkpoint holds the rest, so a run that was stopped anywhere continues as if it had not been.
"""

import dataclasses
import json
import logging
import math
import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.utils.data import DataLoader, Dataset

from photochrom.errors import CheckpointError, InvalidValueError, TrainingDivergedError
from photochrom.workbench.datasets.batches import Batch, Batches
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.training.checkpoint import (
    initial_weights,
    read_checkpoint,
    recipe_of,
    table_of,
    with_encoder,
)
from photochrom.workbench.training.held_out import Report, colourless_keys, judged_on
from photochrom.workbench.training.interruption import StopRequest, is_stopped
from photochrom.workbench.training.loader_processes import (
    PREFETCH,
    keep_memory,
    start_worker,
    workers,
)
from photochrom.workbench.training.loss_plot import plot_log
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
KEYS_FILE = "validation-keys.txt"  # in a run's folder: what it is judged on to its end


class Steps(Dataset[Batch]):
    """The batches of a run by step number; this rank's share of each."""

    def __init__(self, batches: Batches, recipe: Recipe, ranks: int, rank: int) -> None:
        self.batches, self.recipe, self.ranks, self.rank = batches, recipe, ranks, rank

    def __getitem__(self, step: int) -> Batch:
        """Make the batch of a step; ranks draw from disjoint numbers."""
        phase = phase_at(self.recipe, step)
        number = step * self.ranks + self.rank
        return self.batches.batch(number, phase.size_px, phase.batch // self.ranks)


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
    asked = recipe.phases
    if state is None:
        recipe, init = with_encoder(recipe, init)
        begun = recipe
    else:
        if precision == AUTOMATIC:
            precision = asked_precision(folder)
        begun = recipe_of(state, last)
        recipe = continued(state, begun, recipe, folder)
    if epochs is not None and epochs < 1:
        raise InvalidValueError(f"epochs must be 1 or more; it is {epochs}.")
    folder.mkdir(parents=True, exist_ok=True)
    fabric, computing = _fabric(accelerator, devices, nodes, recipe.precision, precision)
    fabric.launch()
    told = Progress((lambda line: None) if fabric.global_rank else report)
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
            recipe = in_epochs(recipe, step, epochs, len(batches.indices))
        run = _begin(recipe, folder, fabric, state, init, batches)
        run.asked = asked
        if state is not None:
            told(f"Resumed {folder} at step {run.step}.")
            if run.step >= total_steps(recipe):
                told("It is finished: --epochs N goes on for N epochs more.")
        if not fabric.global_rank:
            run.log.begin(run.step)
            if not stays.exists() or state is None:
                write_text(stays, "".join(f"{key}\n" for key in sorted(validation_keys)))
            write_text(folder / "recipe.json", json.dumps(table_of(recipe), indent=2))
            asked_for = {"precision": computing.name, "precision_asked": precision}
            write_environment(folder, data, stream, init, batches, fabric, asked_for)
        validation = Validation.of(batches, validation_keys, recipe)
    source: Dataset[Batch] = Steps(batches, recipe, fabric.world_size, fabric.global_rank)
    if stream:
        of_step = partial(phase_at, recipe)
        ranks = fabric.global_rank, fabric.world_size
        source = StreamedBatches(data, batches, held, of_step, run.step, *ranks)
    _take_steps(run, source, len(batches.indices), validation, told, stop_after)
    if not len(validation) and (folder / LOG).exists() and not fabric.global_rank:
        plot_log(folder)
    return last


def _fabric(
    accelerator: str, devices: int | str, nodes: int, preferred: str, asked: str
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
            many = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
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
    state: dict[str, Any] | None,
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
            terms = _step(run, batch, phase)
            for name, term in terms.items():
                total, times = run.sums.get(name, (0.0, 0))
                run.sums[name] = total + float(term.detach()), times + 1
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
                _validate(run, validation, seen, epoch, told)
                run.worse = run.fabric.broadcast(run.worse)  # all stop, or none
                if recipe.patience and run.worse >= recipe.patience:
                    told(f"No better score in {run.worse} validations: the run ends early.")
                    break
            if now - saved > 60 * recipe.checkpoint_minutes:
                run.save("last")
                saved = now
            if halted := is_stopped(run.fabric, bool(stopped)):
                break
            told.begin(f"step {run.step + 1:,} of {last:,}")
    run.save("last")
    if halted and not run.fabric.global_rank:
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
