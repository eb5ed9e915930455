import dataclasses
import json
from pathlib import Path

import pytest

from photochrom.errors import RecipeError
from photochrom.networks import network
from photochrom.training.recipe import Recipe, network_config, read_recipe, recipe_from_table

RECIPES = Path(__file__).parents[2] / "recipes"
LEAST = """
name = "small"
network = "photochrom"
[[phases]]
pictures = 100
"""
FULL = """
name = "small"
network = "photochrom"
pretrained = false
seed = 7
checkpoint_minutes = 1
[config]
bins = 20
decoder = [16, 16, 16]
[[phases]]
pictures = 100
size_px = 64
[[phases]]
pictures = 50
batch = 4
[optimizer]
rate = 1
[loss]
huber = 0.5
[data]
leave_out = ["bsds500"]
hint_share = 0.5
[data.source_weights]
dots = 2
"""


def read(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return read_recipe(path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.name)
def test_every_recipe_of_the_repository_loads_and_fits_its_network(path):
    recipe = read_recipe(path)
    assert recipe.pictures > 0
    assert network_config(network(recipe.network).config, recipe.config, "x").bins > 0
    assert not recipe.data.validation_keys or (path.parent / recipe.data.validation_keys).exists()


def test_what_is_not_said_has_its_default(tmp_path):
    recipe = read(tmp_path, LEAST)
    assert dataclasses.replace(recipe, phases=()) == Recipe("small", "photochrom", ())
    assert (recipe.phases[0].size_px, recipe.phases[0].batch) == (128, 32)


def test_what_is_said_arrives(tmp_path):
    recipe = read(tmp_path, FULL)
    assert (recipe.seed, recipe.pretrained, recipe.pictures) == (7, False, 150)
    assert [(p.size_px, p.batch) for p in recipe.phases] == [(64, 32), (128, 4)]
    assert (recipe.optimizer.rate, recipe.loss.huber) == (1.0, 0.5)
    assert isinstance(recipe.optimizer.rate, float)
    assert recipe.data.leave_out == ("bsds500",)
    assert recipe.data.source_weights == {"dots": 2}
    assert network_config(network("photochrom").config, recipe.config, "recipe small, config").decoder == (16, 16, 16)


def test_a_recipe_survives_the_way_through_json(tmp_path):
    recipe = read(tmp_path, FULL)
    table = json.loads(json.dumps(dataclasses.asdict(recipe)))
    assert recipe_from_table(table, "recipe.json") == recipe


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("seed = 7", "sead = 7", r"unknown key 'sead'\. Did you mean 'seed'\?"),
        ("huber", "hubr", r"recipe\.toml, loss: unknown key 'hubr'\. Did you mean 'huber'\?"),
        ("size_px = 64", "sizepx = 64", r"phases 0: unknown key 'sizepx'"),
        ('name = "small"', "", r"needs the key 'name'"),
        ("seed = 7", "seed = 7.5", r"seed: needs int; it is 7\.5"),
        ("seed = 7", "seed = true", r"seed: needs int; it is True"),
        ("pretrained = false", "pretrained = 0", r"pretrained: needs bool; it is 0"),
        ("pictures = 50", 'pictures = "50"', r"phases 1, pictures: needs int; it is '50'"),
        ('["bsds500"]', '"bsds500"', r"leave_out: needs tuple; it is 'bsds500'"),
        ('["bsds500"]', "[500]", r"leave_out 0: needs str; it is 500"),
        ("dots = 2", 'dots = "twice"', r"source_weights dots: needs float; it is 'twice'"),
        ("pictures = 50", "pictures = 0", r"above 0"),
        ("batch = 4", "batch = 0", r"above 0"),
        ("seed = 7", "seed = ", r"is not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_by_key(tmp_path, before, after, message):
    assert before in FULL
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, FULL.replace(before, after))


def test_a_recipe_without_phases_is_refused():
    with pytest.raises(RecipeError, match="at least one phase"):
        recipe_from_table({"name": "x", "network": "photochrom", "phases": []}, "x")


def test_a_wrong_network_configuration_is_refused_by_key(tmp_path):
    recipe = read(tmp_path, FULL.replace("bins = 20", "bin = 20"))
    with pytest.raises(RecipeError, match=r"recipe small, config: unknown key 'bin'.*'bins'"):
        network_config(network("photochrom").config, recipe.config, "recipe small, config")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")
