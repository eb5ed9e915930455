import csv
import errno
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.conftest import SMALL_FLAGSHIP, drawn_picture

from photochrom.errors import (
    CheckpointError,
    DataError,
    InvalidValueError,
    RecipeError,
    TrainingDivergedError,
    UnwritablePhotoError,
)
from photochrom.workbench.datasets.batches import Batches, DataRecipe
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.datasets.splits import describe
from photochrom.workbench.training import loop, run_log
from photochrom.workbench.training.checkpoint import network_of, read_checkpoint, table_of
from photochrom.workbench.training.held_out import judged_on
from photochrom.workbench.training.loop import train
from photochrom.workbench.training.progress import Progress
from photochrom.workbench.training.recipe import (
    Critic,
    Loss,
    Optimizer,
    Phase,
    Recipe,
    recipe_from_table,
)
from photochrom.workbench.training.schedule import (
    for_epochs,
    phase_at,
    pictures_before,
    rate_at,
    steps_in,
    total_steps,
)
from photochrom.workbench.training.step import Tensors, distribution_loss

WISHES = DataRecipe(hint_share=0.5, old_share=0.5, histogram_share=0.5, chroma_share=0.5)
RECIPE = Recipe(
    name="small",
    network="photochrom2",
    phases=(Phase(6, 32, 2), Phase(9, 64, 3)),
    config=SMALL_FLAGSHIP,
    data=WISHES,
    optimizer=Optimizer(warmup=4),
    pretrained=False,
    precision="32-true",
)
LEARNING = replace(  # one picture, learnt by heart
    RECIPE,
    phases=(Phase(200, 32, 2),),
    data=DataRecipe(smallest_crop=1.0),
    loss=Loss(sigma=1.0),  # so narrow that the truth itself costs nearly nothing
    optimizer=Optimizer(kind="muon", rate=3e-2, encoder_rate=1e-3, warmup=10, ema_half_life=10),
    validate_every=80,
)

PAINTER = Recipe(
    name="painter",
    network="dcgan",
    phases=(Phase(1000, 32, 2), Phase(3000, 32, 2, learns="both")),
    config={"channels": (8, 8, 8)},
    critic=Critic("dcgan-critic", config={"channels": (8, 8, 8), "dense": 8}),
    loss=Loss("regression", distance="l1"),
    optimizer=Optimizer(warmup=1),
    precision="32-true",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(picture_folder, cache):
    def run(recipe, folder, **options):
        options = {"cache": cache, "accelerator": "cpu", "devices": 1, **options}
        return read_checkpoint(train(recipe, picture_folder, folder, **options))

    return run


@pytest.fixture(scope="module")
def first(run, tmp_path_factory):
    """Take the first two of six steps."""
    folder = tmp_path_factory.mktemp("first") / "run"
    run(RECIPE, folder, stop_after=2)
    return folder


@pytest.fixture(scope="module")
def learnt(run, picture_folder, tmp_path_factory):
    """Learn one picture by heart; the nine others are judged on."""
    folder = tmp_path_factory.mktemp("learnt") / "run"
    keys = keys_of(picture_folder)
    run(LEARNING, folder, validation_keys=frozenset(keys[1:]))
    return folder


def keys_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def differing(one, other):
    """Name the tensors and numbers that differ between two nested tables."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return [f"{k}.{d}" for k in one for d in differing(one[k], other[k])]
    if isinstance(one, (list, tuple)):
        return [d for a, b in zip(one, other, strict=True) for d in differing(a, b)]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else ["here"]


def rows(path):
    with path.open() as lines:
        return list(csv.DictReader(lines))


PHASES = st.lists(st.builds(Phase, st.integers(1, 50), st.just(32), st.integers(1, 9)), min_size=1)


@given(PHASES)
def test_steps_walk_through_the_phases_and_count_the_pictures(phases):
    recipe = replace(RECIPE, phases=tuple(phases))
    walked = [phase_at(recipe, step) for step in range(total_steps(recipe))]
    assert walked == [phase for phase in phases for _ in range(steps_in(phase))]
    seen = [pictures_before(recipe, step) for step in range(total_steps(recipe) + 1)]
    assert seen[0] == 0
    assert [b - a for a, b in pairwise(seen)] == [phase.batch for phase in walked]
    assert recipe.pictures <= seen[-1] < recipe.pictures + sum(p.batch for p in phases)


@given(PHASES, st.integers(1, 3000))
def test_a_new_run_of_some_epochs_keeps_the_shares_of_its_phases(phases, pictures):
    recipe = replace(RECIPE, phases=tuple(phases))
    scaled = for_epochs(recipe, 0, pictures)
    assert abs(scaled.pictures - pictures) <= len(phases)
    for phase, ours in zip(phases, scaled.phases, strict=True):
        assert replace(ours, pictures=phase.pictures) == phase
        assert abs(ours.pictures / pictures - phase.pictures / recipe.pictures) <= 1 / pictures
    assert replace(scaled, phases=recipe.phases) == recipe


@given(PHASES, st.integers(1, 300), st.data())
def test_epochs_of_a_resumed_run_come_after_what_came_before(phases, pictures, data):
    recipe = replace(RECIPE, phases=tuple(phases))
    step = data.draw(st.integers(1, total_steps(recipe)))
    longer = for_epochs(recipe, step, pictures)
    assert pictures_before(longer, step) == pictures_before(recipe, step)
    for before in range(step):
        ours, theirs = phase_at(longer, before), phase_at(recipe, before)
        assert replace(ours, pictures=0) == replace(theirs, pictures=0)
    rest = longer.pictures - pictures_before(longer, step)
    assert abs(rest - pictures) <= len(phases)
    kinds = [replace(phase_at(recipe, s), pictures=0) for s in range(step, total_steps(recipe))]
    kinds = kinds or [replace(recipe.phases[-1], pictures=0)]  # all is done: the last one again
    left = [phase_at(longer, s) for s in range(step, total_steps(longer))]
    assert [k for k, _ in groupby(replace(p, pictures=0) for p in left)] == [
        k for k, _ in groupby(kinds)
    ]


def test_the_rate_rises_stays_and_falls_to_zero():
    optimizer = Optimizer(warmup=100, decay_share=0.4)
    recipe = replace(RECIPE, phases=(Phase(1000),), optimizer=optimizer)
    rates = [rate_at(recipe, seen) for seen in range(1001)]
    assert rates[0] == pytest.approx(1 / 100)
    assert all(later > earlier for earlier, later in pairwise(rates[:100]))
    assert set(rates[100:600]) == {1.0}
    assert rates[800] == pytest.approx(0.5)  # half way down a cosine
    assert all(later < earlier for earlier, later in pairwise(rates[601:]))
    assert rates[1000] == 0


@given(st.integers(0, 5000), st.integers(0, 3000), st.floats(0, 1))
def test_the_rate_is_a_share_whatever_the_recipe(seen, warmup, decay):
    optimizer = Optimizer(warmup=warmup, decay_share=decay)
    assert 0 <= rate_at(replace(RECIPE, phases=(Phase(1000),), optimizer=optimizer), seen) <= 1


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(run, first, tmp_path):
    straight = run(RECIPE, tmp_path / "straight")
    resumed = tmp_path / "resumed"
    resumed.mkdir()
    (resumed / "last.pt").write_bytes((first / "last.pt").read_bytes())
    states = [run(RECIPE, resumed, resume=True, stop_after=n) for n in (2, None)]
    assert (straight["step"], states[0]["step"], states[1]["step"]) == (6, 4, 6)
    assert differing({**straight, "seconds": 0}, {**states[1], "seconds": 0}) == []
    assert differing(straight["network"], states[0]["network"]) != []


@pytest.mark.slow
def test_a_step_moves_all_but_the_frozen_stem_and_the_bins(run, tmp_path):
    before = run(RECIPE, tmp_path / "run", stop_after=0)["network"]
    moved = run(RECIPE, tmp_path / "run", resume=True, stop_after=3)["network"]
    still = {name for name in moved if torch.equal(moved[name], before[name])}
    frozen = {n for n in moved if n.startswith("encoder.stages.0.")} | {"centres", "prior"}
    assert frozen <= still
    hardly_any = [n for n in still - frozen if "wish" not in n and "hints" not in n]
    assert hardly_any == []


def test_one_picture_is_learnt_by_heart(learnt, picture_folder, cache):
    keys = keys_of(picture_folder)
    batches = Batches(open_cache(picture_folder, cache), LEARNING.data, 9, frozenset(keys[1:]))
    tensors = Tensors.of(batches.batch(0, 32, 8), torch.device("cpu"))
    network, recipe = network_of(read_checkpoint(learnt / "last.pt"), learnt)
    with torch.no_grad():
        got = distribution_loss(network, tensors, recipe.loss, torch.Generator())
    assert float(got["cross_entropy"]) < 0.5 * math.log(20)


def test_a_run_s_folder_holds_what_its_judgement_and_repetition_need(learnt):
    logged = rows(learnt / "log.csv")
    assert [int(row["step"]) for row in logged] == list(range(10, 101, 10))
    assert [int(row["pictures"]) for row in logged] == list(range(20, 201, 20))
    assert float(logged[-1]["loss"]) < float(logged[0]["loss"]) < 1.5 * math.log(20)
    assert float(logged[-1]["rate"]) < float(logged[0]["rate"]) <= LEARNING.optimizer.rate
    judged = rows(learnt / "validation.csv")
    assert [row["pictures"] for row in judged] == ["80", "160", "200"]
    best = min(float(row["cross_entropy"]) for row in judged)
    assert read_checkpoint(learnt / "best.pt")["best"] == pytest.approx(best)
    assert (learnt / "loss.png").read_bytes()[:4] == b"\x89PNG"
    table = json.loads((learnt / "recipe.json").read_text())
    assert table == json.loads(json.dumps(table_of(recipe_from_table(table, "recipe.json"))))
    assert json.loads((learnt / "environment.json").read_text())["torch"] == torch.__version__
    assert not list(learnt.glob("*.part"))


@pytest.mark.slow
def test_a_network_starts_from_the_weights_given_and_keeps_their_bins(run, first, tmp_path):
    # Pretrained weights are not looked for when others are given.
    recipe = replace(RECIPE, pretrained=True, seed=5)
    state = run(recipe, tmp_path / "run", init=first / "last.pt", stop_after=0)
    given_weights = read_checkpoint(first / "last.pt")["average"]
    assert differing(state["network"], given_weights) == []
    assert differing(state["average"], given_weights) == []


def test_weights_that_do_not_fit_are_refused(run, first, tmp_path):
    wide = replace(RECIPE, config={**SMALL_FLAGSHIP, "channels": (24, 16, 16)})
    with pytest.raises(CheckpointError, match=r"context_in\.weight needs shape \(24, .* got \(16"):
        run(wide, tmp_path / "run", init=first / "last.pt")


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_batch(run, tmp_path):
    wild = replace(RECIPE, optimizer=Optimizer(rate=1e30, encoder_rate=1e30, warmup=1))
    with pytest.raises(TrainingDivergedError, match=r"step 1; .*diverged-batch\.pt"):
        run(wild, tmp_path / "run")
    batch = torch.load(tmp_path / "run" / "diverged-batch.pt", weights_only=True)
    assert batch["lightness"].shape == (2, 32, 32)
    assert batch["ab"].shape == (2, 32, 32, 2)


def test_a_critics_loss_that_is_not_finite_ends_the_run_too(run, tmp_path):
    wild = Critic("dcgan-critic", config={"channels": (8, 8, 8), "dense": 8}, rate=1e30)
    recipe = replace(PAINTER, phases=(Phase(8, 32, 2, learns="both"),), critic=wild)
    with pytest.raises(TrainingDivergedError, match=r"diverged-batch\.pt"):
        run(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "last.pt").exists()


@pytest.mark.slow
def test_tensorboard_shows_what_the_log_holds(run, one_key, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(RECIPE, tmp_path / "run", validation_keys=one_key)
    shown = EventAccumulator(str(tmp_path / "run")).Reload()
    last, row = shown.Scalars("loss/training")[-1], rows(tmp_path / "run" / "log.csv")[-1]
    assert last.step == int(row["pictures"])
    assert last.value == pytest.approx(float(row["loss"]), rel=1e-5)
    assert shown.Scalars("cross_entropy/validation")


@pytest.mark.slow
def test_a_gradient_that_is_not_finite_ends_the_run_too(run, tmp_path, monkeypatch):
    whole = distribution_loss

    def steep(network, *given):
        terms = whole(network, *given)
        learns = next(p for p in network.parameters() if p.requires_grad)
        steep = torch.sqrt(0.0 * learns.sum())  # at 0 a root has no slope
        return {**terms, "loss": terms["loss"] + 0.0 * steep}

    monkeypatch.setattr("photochrom.workbench.training.objectives.distribution_loss", steep)
    for clip in (0.0, 1.0):
        recipe = replace(RECIPE, optimizer=Optimizer(warmup=4, clip=clip))
        folder = tmp_path / f"{clip}"
        with pytest.raises(TrainingDivergedError, match=r"norm of the gradient is .* at step 0"):
            run(recipe, folder)
        assert (folder / "diverged-batch.pt").exists()


@pytest.mark.slow
def test_a_run_that_had_no_checkpoint_begins_a_new_log_and_plots_all_that_it_saw(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("log.csv", "validation.csv"):
        (folder / name).write_text("step,pictures,loss\n6,15,1.0\n")
    run(RECIPE, folder)
    logged = rows(folder / "log.csv")
    assert [row["step"] for row in logged] == list("123456")
    assert [int(row["pictures"]) for row in logged] == [2, 4, 6, 9, 12, 15]  # a curve, not a dot
    assert (folder / "loss.png").exists()
    assert rows(folder / "validation.csv") == []


@pytest.mark.slow
def test_a_finished_run_of_some_epochs_goes_on_only_by_another_schedule(run, tmp_path):
    run(PAINTER, tmp_path / "run", epochs=3)
    lines = []
    assert run(PAINTER, tmp_path / "run", resume=True, report=lines.append)["step"] == 15
    assert "It is finished. Use --epochs N to train for N more epochs." in lines
    longer = replace(PAINTER, phases=(Phase(6, 32, 2), Phase(40, 32, 2, learns="both")))
    assert run(longer, tmp_path / "run", resume=True)["step"] == 23


@pytest.mark.slow
def test_epochs_of_a_stopped_run_leave_out_no_phase(run, tmp_path):
    run(PAINTER, tmp_path / "run", epochs=2, stop_after=2)  # 4 of 5 pictures without the critic
    phases = run(PAINTER, tmp_path / "run", epochs=1, resume=True)["recipe"]["phases"]
    assert [(p["pictures"], p["learns"]) for p in phases] == [
        (4, "network"),
        (1, "network"),
        (9, "both"),
    ]


@pytest.mark.parametrize("epochs", [0, -3])
def test_epochs_are_one_or_more(run, tmp_path, epochs):
    with pytest.raises(InvalidValueError, match=f"1 or more; got {epochs}"):
        run(RECIPE, tmp_path / "run", epochs=epochs)


@pytest.mark.parametrize("options", [{"accelerator": "gpuu"}, {"devices": 0}, {"devices": "two"}])
def test_devices_that_are_none_are_refused(run, tmp_path, options):
    with pytest.raises(InvalidValueError, match="No such accelerator, number of devices"):
        run(RECIPE, tmp_path / "run", **options)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"phases": (Phase(6, 48, 2),)}, "multiple of 32; got 48"),
        ({"loss": Loss("regression")}, "'photochrom2' takes distribution; got 'regression'"),
        ({"loss": Loss("classification")}, "'photochrom2' takes distribution"),
    ],
)
def test_sizes_and_losses_that_a_network_does_not_take_are_refused(run, tmp_path, changed, said):
    with pytest.raises(RecipeError, match=said):
        run(replace(RECIPE, **changed), tmp_path / "run")


@pytest.mark.slow
def test_a_full_disk_at_resuming_leaves_the_folder_as_it_was(run, one_key, tmp_path, monkeypatch):
    run(RECIPE, tmp_path / "run", validation_keys=one_key, stop_after=2)
    before = {f.name: f.read_bytes() for f in (tmp_path / "run").iterdir() if f.is_file()}

    def full(self, text, *_, **__):
        with self.open("w") as file:
            file.write(text[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UnwritablePhotoError, match="No space left"):
        run(RECIPE, tmp_path / "run", resume=True)
    assert {f: (tmp_path / "run" / f).read_bytes() for f in before} == before


@pytest.mark.slow
def test_what_was_logged_after_the_checkpoint_is_forgotten(run, tmp_path):
    run(RECIPE, tmp_path / "run", stop_after=2)
    (tmp_path / "run" / "log.csv").write_text("step,pictures,loss\n2,4,1.0\n4,8,0.5\n")
    run(RECIPE, tmp_path / "run", resume=True)
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == list("23456")


def test_a_folder_that_holds_a_run_is_not_overwritten(run, first):
    before = (first / "last.pt").read_bytes()
    with pytest.raises(CheckpointError, match="already contains a run. Resume it"):
        run(RECIPE, first)
    assert (first / "last.pt").read_bytes() == before


@pytest.mark.slow
def test_only_the_schedule_of_a_run_may_change(run, first):
    with pytest.raises(CheckpointError, match=r"\(data, seed differ\)"):
        run(replace(RECIPE, seed=2, data=DataRecipe()), first, resume=True)
    longer = replace(RECIPE, phases=(*RECIPE.phases, Phase(6, 32, 2)), validate_every=5)
    assert run(longer, first, resume=True, stop_after=0)["step"] == 2


@pytest.mark.parametrize("content", [None, b"half a checkpo"])
def test_without_a_readable_checkpoint_there_is_nothing_to_resume(run, tmp_path, content):
    if content is not None:
        (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"last\.pt: "):
        run(RECIPE, tmp_path, resume=True)


def test_nothing_left_to_train_on_leaves_no_checkpoint(run, picture_folder, tmp_path):
    nothing = replace(RECIPE, data=DataRecipe(leave_out=(picture_folder.name,)))
    with pytest.raises(DataError, match=picture_folder.name):
        run(nothing, tmp_path / "run")
    assert not (tmp_path / "run" / "last.pt").exists()


LONG_RUN = """
import json, sys
from pathlib import Path
from photochrom.workbench.training.loop import train
from photochrom.workbench.training.recipe import recipe_from_table
recipe = recipe_from_table(json.loads(sys.argv[1]), "argument")
data, folder, cache = map(Path, sys.argv[2:])
train(recipe, data, folder, cache=cache, accelerator="cpu", devices=1)
"""


@pytest.mark.slow
def test_an_interrupt_ends_the_step_and_leaves_a_run_that_resumes(
    run, first, picture_folder, cache, tmp_path
):
    # A checkpoint after every step; many more steps than anybody waits for.
    recipe = replace(RECIPE, phases=(Phase(100_000, 32, 2),), checkpoint_minutes=0.0)
    table, last = json.dumps(table_of(recipe)), tmp_path / "run" / "last.pt"
    arguments = [table, str(picture_folder), str(tmp_path / "run"), str(cache)]
    process = subprocess.Popen([sys.executable, "-c", LONG_RUN, *arguments])
    try:
        deadline = time.monotonic() + 300
        while not last.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == -signal.SIGINT  # what comes after it in a script does not begin
    finally:
        process.kill()
        process.wait()
    stopped = read_checkpoint(last)["step"]
    assert 1 <= stopped < 50_000
    read = recipe_from_table(json.loads(table), "argument")
    assert run(read, tmp_path / "run", resume=True, stop_after=1)["step"] == stopped + 1


@pytest.mark.slow
def test_epochs_count_the_pictures_first_of_a_new_run_then_of_a_resumed_one(run, tmp_path):
    folder = tmp_path / "run"
    assert run(PAINTER, folder, epochs=2)["step"] == 11  # 5 and 15 pictures, two a step
    resumed = run(PAINTER, folder, epochs=1, resume=True)
    assert resumed["step"] == 16
    told = [(p["pictures"], p["learns"]) for p in resumed["recipe"]["phases"]]
    assert told == [(6, "network"), (16, "both"), (10, "both")]
    begun = run(PAINTER, tmp_path / "other", epochs=2, stop_after=8)
    assert begun["step"] == 8
    stopped = run(PAINTER, tmp_path / "other", epochs=1, resume=True)["recipe"]["phases"]
    assert [p["pictures"] for p in stopped] == [6, 10, 10]


@pytest.mark.slow
def test_painter_and_critic_resume_as_if_nothing_had_happened(run, tmp_path):
    straight = run(PAINTER, tmp_path / "straight", epochs=2)
    run(PAINTER, tmp_path / "resumed", epochs=2, stop_after=7)
    resumed = run(PAINTER, tmp_path / "resumed", resume=True)
    assert differing({**straight, "seconds": 0}, {**resumed, "seconds": 0}) == []


@pytest.mark.slow
@pytest.mark.parametrize("stay_below", [0.0, math.inf])
def test_the_painter_waits_for_its_critic(run, tmp_path, stay_below):
    critic = replace(PAINTER.critic, stay_below=stay_below)
    recipe = replace(PAINTER, critic=critic, phases=(Phase(8, 32, 2, learns="both"),))
    before = run(recipe, tmp_path / "run", stop_after=0)
    after = run(recipe, tmp_path / "run", resume=True)
    name = "head.weight"
    assert torch.equal(before["network"][name], after["network"][name]) == (stay_below == 0)
    assert differing(before["critic"]["network"], after["critic"]["network"]) != []


@pytest.mark.slow
def test_alone_a_critic_leaves_the_painter_as_it_is(run, tmp_path):
    recipe = replace(PAINTER, phases=(Phase(8, 32, 2, learns="critic"),))
    before = run(recipe, tmp_path / "run", stop_after=0)
    after = run(recipe, tmp_path / "run", resume=True)
    assert differing(before["network"], after["network"]) == []
    assert differing(before["critic"]["network"], after["critic"]["network"]) != []


@pytest.mark.slow
def test_the_log_gains_columns_and_keeps_those_it_had(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run_log, "LOG_EVERY", 2)
    monkeypatch.setattr(run_log, "LEAST_ROWS", 3)
    phases = tuple(Phase(4, 32, 2, learns=who) for who in ("network", "critic", "both"))
    run(replace(PAINTER, phases=phases), tmp_path / "run")
    first, second, third = rows(tmp_path / "run" / "log.csv")
    assert [row["pictures"] for row in (first, second, third)] == ["4", "8", "12"]
    assert float(first["epochs"]) == pytest.approx(4 / 10)
    assert first["loss"] and not first["critic"] and not first["adversarial"]
    assert second["critic"] and not second["loss"] and not second["adversarial"]
    assert third["loss"] and third["critic"] and third["adversarial"]
    assert all(row["rate"] and row["pictures_per_second"] for row in (first, second, third))


@pytest.fixture(scope="module")
def one_key(picture_folder):
    return frozenset(keys_of(picture_folder)[:1])


@pytest.mark.slow
def test_patience_ends_a_run_that_gets_no_better(run, one_key, tmp_path):
    still = Optimizer(rate=0.0, encoder_rate=0.0)
    phases = (Phase(40, 32, 2),)
    recipe = replace(RECIPE, phases=phases, optimizer=still, validate_every=4, patience=2)
    said = []
    ended = run(recipe, tmp_path / "run", validation_keys=one_key, report=said.append)
    assert (ended["step"], ended["worse"]) == (6, 2)
    assert said[-1].startswith("No better score in 2 validations")
    assert read_checkpoint(tmp_path / "run" / "best.pt")["step"] == 2


@pytest.mark.slow
def test_patience_does_not_count_while_the_critic_learns_alone(run, one_key, tmp_path):
    phases = (Phase(2, 32, 2), Phase(6, 32, 2, learns="critic"))
    recipe = replace(PAINTER, phases=phases, validate_every=2, patience=1)
    assert run(recipe, tmp_path / "run", validation_keys=one_key)["step"] == 4


def held_out(pixels, recipe):
    return judged_on(pixels, recipe, frozenset(), lambda line: None)


def test_the_pictures_held_out_are_a_share_that_the_seed_draws(picture_folder, cache):
    pixels = open_cache(picture_folder, cache)
    recipe = replace(RECIPE, data=DataRecipe(hold_out=0.3))
    keys = held_out(pixels, recipe)
    assert len(keys) == 3
    assert keys < set(pixels.keys)
    assert held_out(pixels, recipe) == keys
    assert len({held_out(pixels, replace(recipe, seed=seed)) for seed in range(9)}) > 3
    assert held_out(pixels, replace(recipe, data=DataRecipe())) == frozenset()


def test_near_duplicates_are_held_out_together(twin_folder, cache):
    recipe = replace(RECIPE, data=DataRecipe(hold_out=0.3))
    names = [Path(key).stem for key in held_out(open_cache(twin_folder, cache), recipe)]
    assert len(names) == 4
    assert {n for n in names if n.endswith("dark")} == {
        n.replace("light", "dark") for n in names if n.endswith("light")
    }


@pytest.mark.slow
def test_a_resumed_run_is_judged_on_what_it_was_begun_with(run, picture_folder, cache, tmp_path):
    keys = open_cache(picture_folder, cache).keys.tolist()
    recipe = replace(RECIPE, phases=(Phase(8, 32, 2),))
    run(recipe, tmp_path / "run", validation_keys=frozenset(keys[:2]), stop_after=2)
    run(recipe, tmp_path / "run", validation_keys=frozenset(keys[5:6]), resume=True)
    assert (tmp_path / "run" / "validation-keys.txt").read_text().splitlines() == sorted(keys[:2])


def test_of_other_data_than_the_recipes_a_tenth_is_judged_on_and_that_is_said(
    picture_folder, cache
):
    pixels, lines = open_cache(picture_folder, cache), []
    named = frozenset({"of another set"})
    keys = judged_on(pixels, RECIPE, named, lines.append)
    assert len(keys & set(pixels.keys)) == 1
    assert named < keys
    assert lines == [
        "Splitting 10 pictures at random; near-duplicates stay together.",
        "None of the 1 listed validation pictures is in the data; 1 others are used for "
        "validation instead.",
    ]
    assert judged_on(pixels, RECIPE, keys, lines.append) == keys
    assert len(lines) == 2


def test_that_nothing_is_validated_is_said(picture_folder, cache):
    lines = []
    assert judged_on(open_cache(picture_folder, cache), RECIPE, frozenset(), lines.append) == set()
    assert lines == ["No pictures are held out, so there is no validation and no best.pt."]


def test_nothing_is_held_out_of_a_source_left_out(picture_folder, cache):
    data = DataRecipe(hold_out=0.5, leave_out=("discs",))
    pixels = open_cache(picture_folder, cache)
    keys = held_out(replace(pixels, sources=pixels.labels), replace(RECIPE, data=data))
    assert len(keys) == 2
    assert all("dots" in key for key in keys)


@pytest.mark.slow
def test_the_pictures_held_out_are_judged_on_and_never_trained_on(run, tmp_path):
    recipe = replace(RECIPE, data=replace(WISHES, hold_out=0.3), phases=(Phase(2, 32, 2),))
    run(recipe, tmp_path / "run")
    assert len((tmp_path / "run" / "validation-keys.txt").read_text().splitlines()) == 3
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["pictures"] == 7
    assert len(rows(tmp_path / "run" / "validation.csv")) == 1


def lines_of(run, recipe, folder, **options):
    lines = []
    run(recipe, folder, report=lines.append, **options)
    return lines


@pytest.mark.slow
def test_the_first_line_says_the_precision_and_why(run, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "photochrom.workbench.training.precision._processor_has_bfloat16", lambda: False
    )
    wishing = replace(RECIPE, precision="bf16-mixed", phases=(Phase(2, 32, 2),))
    first, *_ = lines_of(run, wishing, tmp_path / "run")
    assert first == (
        "Training small in float32 (32-true), since this cpu has no bfloat16 and would emulate it "
        "slowly."
    )
    table = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert (table["precision"], table["precision_asked"]) == ("32-true", "auto")


@pytest.mark.slow
def test_a_resumed_run_keeps_the_precision_that_was_insisted_on(run, tmp_path):
    painting = replace(PAINTER, precision="bf16-mixed", phases=(Phase(8, 32, 2),))
    run(painting, tmp_path / "run", precision="32-true", stop_after=2)
    first, *_ = lines_of(run, painting, tmp_path / "run", resume=True)
    assert first == "Training painter in float32 (32-true), as asked."


@pytest.mark.slow
def test_before_the_first_step_it_is_said_what_comes_and_at_the_end_that_nothing_is_left(
    run, one_key, tmp_path
):
    recipe = replace(RECIPE, phases=(Phase(5, 32, 2),))  # the last batch is half a batch too large
    lines = lines_of(run, recipe, tmp_path / "run", validation_keys=one_key)
    told = [line for line in lines if line.endswith(" left")]
    before = lines[lines.index(told[0]) - 1]
    assert before.startswith("3 steps of 2 pictures at 32 px; 9 pictures to learn from, judged ")
    assert told[0].startswith("2 of 6 pictures, loss ")
    assert told[-1].startswith("6 of 6 pictures, loss ") and told[-1].endswith(", 0 s left")


@pytest.mark.slow
def test_a_step_that_takes_long_is_told_of_while_it_does(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Progress.__init__, "__defaults__", (0.05,))
    step = loop._step

    def slow(*given):
        time.sleep(0.4)
        return step(*given)

    monkeypatch.setattr(loop, "_step", slow)
    recipe = replace(PAINTER, phases=(Phase(4, 32, 2),))
    lines = lines_of(run, recipe, tmp_path / "run")
    assert any(line.startswith("... step 1 of 2: ") for line in lines)
    assert any(line.startswith("... step 2 of 2: ") for line in lines)


@pytest.mark.slow
def test_each_of_some_epochs_is_judged_also_when_resumed(run, one_key, tmp_path):
    recipe = replace(PAINTER, phases=(Phase(1000, 32, 3),))
    run(recipe, tmp_path / "run", epochs=4, validation_keys=one_key, stop_after=4)
    run(recipe, tmp_path / "run", resume=True)
    judged = [float(row["epochs"]) for row in rows(tmp_path / "run" / "validation.csv")]
    assert judged == [1.0, 2.0, 3.0, 4.0]  # of nine pictures, in batches of three


def test_a_critic_that_is_too_large_is_refused_before_anything_is_learnt(run, tmp_path):
    critic = Critic("nogan-critic", config={"channels": (8, 8, 8, 8)})
    phases = (Phase(4, 64, 2), Phase(4, 32, 2, learns="critic"))
    recipe = replace(PAINTER, critic=critic, phases=phases, network="unet")
    said = r"'nogan-critic' cannot judge pictures of 32 px: This critic needs 64 px a side; .*fewer"
    with pytest.raises(RecipeError, match=said):
        run(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "log.csv").exists()
    whole = replace(recipe, phases=(Phase(4, 64, 2), Phase(4, 64, 2, learns="critic")))
    assert run(whole, tmp_path / "whole", stop_after=0)["step"] == 0


@pytest.mark.slow
def test_a_run_parted_by_hue_judges_every_nth_and_leaves_gray_pictures_out(
    picture_folder, cache, tmp_path
):
    folder = tmp_path / "pictures"
    shutil.copytree(picture_folder, folder)
    for number in range(2):
        gray = Image.fromarray(drawn_picture(20 + number)).convert("L").convert("RGB")
        gray.save(folder / "dots" / f"gray-{number}.png")
    recipe = replace(PAINTER, phases=(Phase(4, 32, 2),), data=DataRecipe(hold_out=0.3, by_hue=True))
    lines, options = [], {"cache": cache, "accelerator": "cpu", "devices": 1}
    train(recipe, folder, tmp_path / "run", report=lines.append, **options)
    assert "Left out 2 gray pictures of 12: their hue is meaningless." in lines
    pixels = open_cache(folder, cache)
    parted = describe(pixels, np.arange(12), by_hue=True)
    hues = dict(zip(parted.keys.tolist(), parted.mean_hue.tolist(), strict=True))
    by_hue = sorted((key for key in hues if "gray" not in key), key=hues.__getitem__)
    judged = (tmp_path / "run" / "validation-keys.txt").read_text().split()
    assert set(judged) == {by_hue[i] for i in (0, 4, 7)}
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["pictures"] == 7
