"""Every recipe of the workbench, small: trained, stopped, resumed, exported, and used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from tests.conftest import drawn_picture

import photochrom
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.networks import network
from photochrom.workbench.training import beginning
from photochrom.workbench.training.adversary import Adversary
from photochrom.workbench.training.checkpoint import read_checkpoint
from photochrom.workbench.training.export import export
from photochrom.workbench.training.loop import train
from photochrom.workbench.training.recipe import build_network
from photochrom.workbench.training.recipe_files import CHECKOUT, read_recipe
from photochrom.workbench.training.schedule import total_steps

STEPS, BATCH = 9, 2
# Sizes that learn in seconds, by network; sides are multiples of the network's stride.
SMALL = {
    "fusion": ({"width": 0.05, "global_px": 32, "classes": 0}, 32),
    "resnet18": ({"stages": 2}, 32),
    "resnet18-classifier": ({"stages": 2, "bins": 20}, 32),
    "resnet50-regression": ({"width": 0.125, "layers": (1, 1, 1, 1)}, 32),
    "resnet50-palette": ({"width": 0.125, "layers": (1, 1, 1, 1), "bins": 5}, 32),
    "mobilenet-fusion": ({"probabilities_px": 32, "decoder": (16, 16, 16, 16), "bins": 20}, 32),
    "pix2pix": ({"channels": (8, 8, 8, 8)}, 32),
    "unet": ({"channels": (8, 8, 8)}, 32),
    "dcgan": ({"channels": (8, 8, 8)}, 32),
    "nogan": ({"widths": (16, 16, 16, 8)}, 32),
}
CRITICS = {
    "patch-critic": {"channels": (8, 8, 8, 8)},
    "dcgan-critic": {"channels": (8, 8, 8, 8), "dense": 8},
    "nogan-critic": {"channels": (8, 8)},
}
RECIPES = sorted(CHECKOUT.glob("*.toml"))
VARIANTS = [("resnet18-regression", p) for p in ("deeper", "cross-entropy", "balanced")]
VARIANTS += [(file.stem, "here") for file in RECIPES if not file.stem.startswith("photochrom")]
VARIANTS += [("fusion", "colour-only")]
LARGE = {
    (name, "here") for name in ("resnet50-palette", "fusion", "mobilenet-fusion", "nogan", "unet")
}
LARGE |= {("resnet18-regression", p) for p in ("deeper", "balanced", "cross-entropy")}
LARGE |= {("fusion", "colour-only")}
CASES = [pytest.param(*v, marks=pytest.mark.long if v in LARGE else ()) for v in VARIANTS]
# One that paints and one that classifies; that each network's export gives what torch gives is
# tested in tests/workbench/networks.
EXPORTED = {("unet", "here"), ("resnet50-palette", "here")}


def small(name, profile):
    """Give a recipe with its own losses and phases, but small and without downloads."""
    recipe = read_recipe(CHECKOUT / f"{name}.toml", profile)
    config, size_px = SMALL[recipe.network]
    critic = recipe.critic and replace(recipe.critic, config=CRITICS[recipe.critic.network])
    steps = -(-STEPS // len(recipe.phases))
    phases = [
        replace(p, pictures=steps * BATCH, batch=BATCH, size_px=size_px) for p in recipe.phases
    ]
    return replace(
        recipe,
        config=config,
        critic=critic,
        palette=min(recipe.palette, 5),
        phases=tuple(phases),
        pretrained=False,
        precision="32-true",
        validate_every=6 * BATCH,
        data=replace(recipe.data, validation_keys="", leave_out=(), hold_out=0.3),
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "profile"), CASES)
def test_a_recipe_trains_and_resumes_and_what_it_made_colours_a_file(
    name, profile, picture_folder, cache, tmp_path, monkeypatch
):
    monkeypatch.setattr(beginning, "PALETTE_SAMPLE", 20)
    recipe, options = small(name, profile), {"cache": cache, "accelerator": "cpu", "devices": 1}
    assert total_steps(recipe) >= STEPS
    straight = train(recipe, picture_folder, tmp_path / "straight", **options)
    for stop_after in (5, None):
        last = train(
            recipe,
            picture_folder,
            tmp_path / "run",
            resume=stop_after is None,
            stop_after=stop_after,
            **options,
        )
    once, twice = read_checkpoint(straight), read_checkpoint(last)
    assert once["step"] == twice["step"] == total_steps(recipe)
    for key in ("network", "average"):
        assert [n for n, v in once[key].items() if not torch.equal(v, twice[key][n])] == []
    if recipe.critic is not None:
        ours, theirs = (state["critic"]["network"] for state in (once, twice))
        assert [n for n, v in ours.items() if not torch.equal(v, theirs[n])] == []
    assert (tmp_path / "run" / "gallery.png").exists()
    if (name, profile) in EXPORTED:
        colours_a_file(last, tmp_path)


def colours_a_file(last, tmp_path):
    described = export(last, tmp_path / "network.onnx")
    photo = tmp_path / "photo.png"
    Image.fromarray(drawn_picture(3, 90, 130)).convert("L").save(photo)
    photochrom.colorize(photo, method=str(tmp_path / "network.onnx"), threads=1)
    with Image.open(tmp_path / "photo-color.png") as coloured:
        assert coloured.size == (130, 90)
        assert np.ptp(np.asarray(coloured.convert("RGB")).astype(int), axis=-1).max() > 0
    assert described.stride % 8 == 0 or described.stride == 4


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_every_profile_of_a_recipe_builds(file):
    text = file.read_text()
    profiles = ["", "here", "paper"] if "[profiles." in text else [""]
    for profile in profiles:
        recipe = read_recipe(file, profile)
        kind = network(recipe.network)
        assert checked(kind.config, recipe.config, file.name) is not None
        assert recipe.pictures > 0
        keys = recipe.data.validation_keys
        assert not keys or (file.parent / keys).exists()


def test_each_recipe_of_the_workbench_has_both_profiles():
    missing = [
        (file.stem, profile)
        for file in RECIPES
        for profile in ("here", "paper")
        if not file.stem.startswith("photochrom")
        and f"[profiles.{profile}]" not in file.read_text()
    ]
    assert missing == []
    assert Path(RECIPES[0]).name == "dcgan.toml"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "profile"),
    [("dcgan", "here"), ("pix2pix", "here"), ("nogan", "here"), ("nogan", "cifar")],
)
def test_a_critic_of_a_recipe_can_judge_what_its_phases_show_it(name, profile):
    recipe = read_recipe(CHECKOUT / f"{name}.toml", profile)
    fabric = Fabric(accelerator="cpu", devices=1)
    painter = build_network(recipe.network, recipe.config, False, name)
    Adversary(recipe, fabric).check_sizes(painter)
