import dataclasses
import json
import re
from pathlib import Path

import pytest

from photochrom.errors import RecipeError
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.networks import network
from photochrom.workbench.training.recipe import (
    Recipe,
    build_network,
    recipe_from_table,
)
from photochrom.workbench.training.recipe_files import (
    CHECKOUT,
    find_recipe,
    list_recipes,
    read_recipe,
)

RECIPES = Path(__file__).parents[3] / "recipes"
LEAST = """
name = "small"
network = "photochrom2"
[[phases]]
pictures = 100
"""
FULL = """
name = "small"
network = "photochrom2"
pretrained = false
seed = 7
checkpoint_minutes = 1
[config]
bins = 20
channels = [16, 16, 16]
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
CRITIC = """
[critic]
network = "patch-critic"
betas = [0.5, 0.9]
config = { channels = [8, 8] }
"""
PROFILES = """
name = "small"
network = "photochrom2"
phases = [{ pictures = 100 }]
[config]
bins = 20
channels = [16, 16, 16]
[optimizer]
rate = 0.5
clip = 2.0
[profiles.here]
seed = 7
[profiles.here.config]
bins = 30
[profiles.wide]
base = "here"
name = "wide"
phases = [{ pictures = 10 }, { pictures = 20 }]
[profiles.wide.config]
channels = [32, 32]
[profiles.wide.optimizer]
rate = 0.25
[profiles.alone]
[profiles.one]
base = "two"
[profiles.two]
base = "one"
[profiles.lost]
base = "nowhere"
"""


def read(tmp_path, text, profile=""):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return read_recipe(path, profile)


def test_what_is_not_said_has_its_default(tmp_path):
    recipe = read(tmp_path, LEAST)
    assert dataclasses.replace(recipe, phases=()) == Recipe("small", "photochrom2", ())
    assert (recipe.phases[0].size_px, recipe.phases[0].batch) == (128, 32)


def test_what_is_said_arrives(tmp_path):
    recipe = read(tmp_path, FULL)
    assert (recipe.seed, recipe.pretrained, recipe.pictures) == (7, False, 150)
    assert [(p.size_px, p.batch) for p in recipe.phases] == [(64, 32), (128, 4)]
    assert (recipe.optimizer.rate, recipe.loss.huber) == (1.0, 0.5)
    assert isinstance(recipe.optimizer.rate, float)
    assert recipe.data.leave_out == ("bsds500",)
    assert recipe.data.source_weights == {"dots": 2}
    kind = network("photochrom2").config
    assert checked(kind, recipe.config, "config").channels == (16, 16, 16)


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
        ("seed = 7", "seed = 7.5", r"seed: should be a valid integer; got 7\.5"),
        ("seed = 7", "seed = true", r"seed: should be a valid integer; got True"),
        ("pretrained = false", "pretrained = 0", r"pretrained: should be a valid boolean; got 0"),
        (
            "pictures = 50",
            'pictures = "50"',
            r"phases 1, pictures: should be a valid integer; got '50'",
        ),
        ('["bsds500"]', '"bsds500"', r"leave_out: should be a valid array; got 'bsds500'"),
        ('["bsds500"]', "[500]", r"leave_out 0: should be a valid string; got 500"),
        (
            "dots = 2",
            'dots = "twice"',
            r"source_weights, dots: should be a valid number; got 'twice'",
        ),
        ("pictures = 50", "pictures = 0", r"phases 1, pictures: should be greater than 0; got 0"),
        ("batch = 4", "batch = 0", r"batch: should be greater than 0"),
        ("seed = 7", "seed = ", r"is not TOML"),
        (
            "huber",
            'kind = "regresion"\nhuber',
            r"loss, kind: should be 'distribution', .*; got 'regresion'",
        ),
        ("huber", 'distance = "l2"\nhuber', r"distance: should be 'mse' or 'l1'; got 'l2'"),
        ("rate = 1", 'kind = "sgd"', r"optimizer, kind: should be 'adamw', .*; got 'sgd'"),
        ("rate = 1", "betas = [0.9]", r"optimizer, betas 1: is missing"),
        (
            "batch = 4",
            'learns = "judge"',
            r"learns: should be 'network', 'critic' or 'both'; got 'j",
        ),
        ("batch = 4", 'learns = "critic"', r"a critic learns needs the table \[critic\]"),
        ("seed = 7", "validate_every = 0", r"validate_every: should be greater than 0; got 0"),
        ("seed = 7", "seed = -1", r"seed: should be greater than or equal to 0"),
        (
            "rate = 1",
            "rate = -1",
            r"optimizer, rate: should be greater than or equal to 0",
        ),
        (
            'leave_out = ["bsds500"]',
            "smallest_crop = 2",
            r"smallest_crop: should be less than or equal to 1; got 2",
        ),
        ("batch = 4", 'learns = "both"', r"a critic learns needs the table \[critic\]"),
    ],
)
def test_a_wrong_recipe_is_refused_by_key(tmp_path, before, after, message):
    assert before in FULL
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, FULL.replace(before, after))


def test_a_recipe_without_phases_is_refused():
    with pytest.raises(RecipeError, match="phases: should have at least 1 item"):
        recipe_from_table({"name": "x", "network": "photochrom2", "phases": []}, "x")


def test_a_wrong_network_configuration_is_refused_by_key(tmp_path):
    recipe = read(tmp_path, FULL.replace("bins = 20", "bin = 20"))
    with pytest.raises(RecipeError, match=r"recipe small, config: unknown key 'bin'.*'bins'"):
        checked(network("photochrom2").config, recipe.config, "recipe small, config")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml")


def test_a_phase_in_which_a_critic_learns_is_taken_with_a_critic(tmp_path):
    recipe = read(tmp_path, FULL.replace("batch = 4", 'learns = "both"') + CRITIC)
    assert recipe.critic.config == {"channels": [8, 8]}
    assert (recipe.critic.betas, recipe.critic.stay_below) == ((0.5, 0.9), float("inf"))
    table = json.loads(json.dumps(dataclasses.asdict(recipe)))
    assert recipe_from_table(table, "recipe.json") == recipe


def test_the_profile_here_is_meant_where_none_is_named(tmp_path):
    recipe = read(tmp_path, PROFILES)
    assert recipe == read(tmp_path, PROFILES, "here")
    assert (recipe.profile, recipe.seed, recipe.name) == ("here", 7, "small")


def test_a_file_without_profiles_is_what_it_says(tmp_path):
    assert read(tmp_path, FULL).profile == ""


def test_a_profile_lies_over_its_base_and_the_rest_key_by_key(tmp_path):
    recipe = read(tmp_path, PROFILES, "wide")
    assert (recipe.profile, recipe.name, recipe.seed) == ("wide", "wide", 7)
    assert recipe.config == {"bins": 30, "channels": [32, 32]}  # a list is replaced, not merged
    assert (recipe.optimizer.rate, recipe.optimizer.clip) == (0.25, 2.0)
    assert [phase.pictures for phase in recipe.phases] == [10, 20]
    alone = read(tmp_path, PROFILES, "alone")
    assert (alone.seed, alone.config["bins"], alone.optimizer.rate) == (1, 20, 0.5)


@pytest.mark.parametrize(
    ("text", "profile", "message"),
    [
        (PROFILES, "papper", r"has no profile 'papper'\. Its profiles: here, wide, alone, one"),
        (PROFILES, "lost", r"has no profile 'nowhere'\. Its profiles: here, wide"),
        (PROFILES, "one", r"another one as its base: one -> two -> one\."),
        (FULL, "paper", r"has no profile 'paper'\. Its profiles: none\."),
        (FULL + "[profiles.paper]\n", "", r"has no profile 'here'\. Its profiles: paper\."),
    ],
)
def test_a_profile_that_is_not_there_is_answered_with_those_that_are(
    tmp_path, text, profile, message
):
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, text, profile)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.name)
def test_a_bare_name_finds_photochroms_own_recipe(path):
    assert find_recipe(Path(path.stem)).samefile(path)


@pytest.mark.parametrize("given", ["unet.toml", "folder/unet", "folder/unet.toml"])
def test_a_file_is_taken_as_it_is(given):
    assert find_recipe(Path(given)) == Path(given)


def test_a_name_nearly_right_is_answered_with_the_right_one():
    with pytest.raises(
        RecipeError, match=r"No recipe 'unett'\. Did you mean 'unet'\? .*dcgan.*unet"
    ):
        find_recipe(Path("unett"))
    with pytest.raises(RecipeError, match=r"No recipe 'zzzzzz'\. photochrom's own: dcgan, "):
        find_recipe(Path("zzzzzz"))


def test_single_values_are_laid_over_a_profile():
    recipe = read_recipe(
        CHECKOUT / "nogan.toml",
        "here",
        [
            "loss.huber=0.1",
            "optimizer.betas=[0.5, 0.9]",
            "phases.1.learns=network",
            "phases.2.size_px = 64",
            "critic.config.channels=[8, 8]",
            "data.source_weights.bsds500=2",
            "pretrained=false",
            "name=it's mine",
        ],
    )
    plain = read_recipe(CHECKOUT / "nogan.toml", "here")
    assert (recipe.loss.huber, plain.loss.huber) == (0.1, 0.02)
    assert recipe.optimizer.betas == (0.5, 0.9)
    assert [p.learns for p in recipe.phases] == ["network", "network", "both"]
    assert [p.size_px for p in recipe.phases] == [128, 128, 64]
    assert recipe.critic.config == {"channels": [8, 8]}
    assert recipe.data.source_weights == {"bsds500": 2.0}
    assert (recipe.pretrained, recipe.name) == (False, "it's mine")
    assert recipe.phases[0] == plain.phases[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("loss.huber", "--set needs KEY=VALUE, such as loss.huber=0.1; got 'loss.huber'"),
        ("=1", "needs KEY=VALUE"),
        ("loss..huber=1", "needs KEY=VALUE"),
        ("loss.hubber=1", "unknown key 'hubber'. Did you mean 'huber'?"),
        ("loss.huber=much", "huber: should be a valid number; got 'much'"),
        ("loss.kind=1", "kind: should be 'distribution'"),
        ("loss.kind=other", "kind: should be 'distribution', "),
        ("name.deep=1", "'deep' is not in a table"),
        ("phases.3.batch=1", "needs a number from 0 to 2 in place of '3'"),
        ("phases.٠.batch=1", "needs a number from 0 to 2 in place of '٠'"),
        ("phases.batch=1", "needs a number from 0 to 2 in place of 'batch'"),
        ("phases.0.batch=0", "batch: should be greater than 0"),
    ],
)
def test_changes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(RecipeError, match=re.escape(message)):
        read_recipe(CHECKOUT / "nogan.toml", "here", [change])


def test_the_list_of_recipes_says_what_each_is_and_its_profiles():
    listed = {recipe.name: recipe for recipe in list_recipes()}
    assert listed.keys() == {file.stem for file in CHECKOUT.glob("*.toml")}
    assert listed["fusion"].profiles == ("here", "colour-only", "paper")
    assert listed["photochrom2"].profiles == ()
    assert all(
        len(recipe.what) > 20 and not recipe.what.startswith("#") for recipe in listed.values()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profiles = 3", "profiles: needs a table of tables; got 3"),
        ("[profiles]\nhere = 1", "needs a table of tables"),
        ("[profiles.here]\nbase = 1", "has no profile '1'"),
        ("[profiles.here]\nbase = ['a']", "has no profile '['a']'"),
        ("a = " + "[" * 5000 + "]" * 5000, "is not TOML"),
    ],
)
def test_profiles_of_another_shape_are_refused(text, message, tmp_path):
    (tmp_path / "odd.toml").write_text(f"{text}\n")
    with pytest.raises(RecipeError, match=re.escape(message)):
        read_recipe(tmp_path / "odd.toml")


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("unet", {"channels": [-1, 8, 8]}, "'unet' cannot be built with this configuration"),
        ("unet", {"channels": []}, "'unet' cannot be built with this configuration"),
        (
            "nogan-critic",
            {"channels": []},
            "'nogan-critic' cannot be built with this configuration",
        ),
        (
            "patch-critic",
            {"channels": [8]},
            "'patch-critic' cannot be built with this configuration",
        ),
        ("fusion", {"width": "wide"}, "width: should be a valid number"),
    ],
)
def test_a_configuration_of_which_nothing_can_be_built_is_refused(name, config, said):
    with pytest.raises(RecipeError, match=f"recipe odd, config.*{said}"):
        build_network(name, config, False, "recipe odd, config")
