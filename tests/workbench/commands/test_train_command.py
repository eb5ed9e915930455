import json
import shutil
from pathlib import Path

import pytest
import torch

from photochrom.errors import CheckpointError, RecipeError
from photochrom.workbench.commands.train_command import run_name, train
from photochrom.workbench.training.checkpoint import read_checkpoint

RECIPE = """
name = "small"
network = "unet"
precision = "32-true"
config = { channels = [8, 8, 8] }
loss = { kind = "regression" }
phases = [{ pictures = 200, size_px = 32, batch = 2 }]
[data]
hold_out = 0.2
[profiles.here]
seed = 5
[profiles.other]
seed = 6
"""


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return {"cache": tmp_path_factory.mktemp("cache"), "accelerator": "cpu", "devices": "1"}


@pytest.fixture(scope="module")
def trained(picture_folder, options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "recipe.toml").write_text(RECIPE)
    run = folder / "run"
    train(folder / "recipe.toml", data=str(picture_folder), run=run, epochs=1, **options)
    return run


def differing(one, other):
    ours, theirs = (read_checkpoint(folder / "last.pt")["average"] for folder in (one, other))
    return [name for name in ours if not torch.equal(ours[name], theirs[name])]


@pytest.mark.slow
def test_a_run_is_repeated_from_its_folder_alone(trained, options, tmp_path):
    train(trained, run=tmp_path / "again", **options)
    assert differing(trained, tmp_path / "again") == []
    for name in ("recipe.json", "validation-keys.txt"):
        assert (tmp_path / "again" / name).read_text() == (trained / name).read_text()
    assert read_checkpoint(tmp_path / "again" / "last.pt")["step"] == 4  # 8 pictures, once


@pytest.mark.slow
def test_another_profile_gives_another_run(trained, picture_folder, options, tmp_path):
    file = trained.parent / "recipe.toml"
    given = {"data": str(picture_folder), "epochs": 1, **options}
    train(file, profile="other", run=tmp_path / "other", **given)
    assert json.loads((tmp_path / "other" / "recipe.json").read_text())["seed"] == 6
    assert differing(trained, tmp_path / "other") != []


@pytest.mark.slow
def test_some_epochs_more(trained, picture_folder, options, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    recipe = trained.parent / "recipe.toml"
    train(recipe, data=str(picture_folder), run=run, resume=True, epochs=2, **options)
    assert read_checkpoint(run / "last.pt")["step"] == 4 + 8


@pytest.mark.slow
def test_a_run_is_resumed_by_its_folder_and_has_one_profile(trained, options, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    train(run, resume=True, epochs=1, **options)
    assert read_checkpoint(run / "last.pt")["step"] == 8
    with pytest.raises(RecipeError, match="a run keeps its profile"):
        train(run, profile="other", **options)


@pytest.mark.slow
def test_folds_end_with_their_mean_score(trained, options, tmp_path, capsys):
    train(trained, run=tmp_path, folds=2, epochs=1, **options)
    table = json.loads((tmp_path / "folds.json").read_text())
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"rmse {table['mean']:.4f} +- {table['spread']:.4f} over 2 folds."


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("recipe.json", b"{"),
        ("recipe.json", b"[" * 100_000),
        ("recipe.json", b"[]"),
        ("recipe.json", b"{}"),
        ("recipe.json", b"\xff"),
        ("environment.json", b""),
        ("environment.json", b"[" * 100_000),
        ("environment.json", b'{"data": 5}'),
        ("environment.json", b'{"data": "x", "init": 5}'),
        ("environment.json", b'{"data": "x", "precision_asked": []}'),
        ("environment.json", None),
        ("validation-keys.txt", b"\xff"),
    ],
)
def test_a_damaged_file_of_a_run_is_named_and_not_repeated(
    trained, options, tmp_path, file, content
):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    with pytest.raises(RecipeError, match=file.replace(".", r"\.")):
        train(run, run=tmp_path / "again", **options)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("environment.json", b"{"),
        ("environment.json", b'{"precision_asked": 16}'),
        ("validation-keys.txt", b"\xff"),
        ("log.csv", b"\xff"),
        ("log.csv", b"loss\n1\n"),
        ("log.csv", b"step,loss\n1,2\nx,3\n"),
        ("validation.csv", b"step\n\x00\n"),
    ],
)
def test_a_damaged_file_of_a_run_is_named_and_it_is_not_resumed(
    trained, picture_folder, options, tmp_path, file, content
):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / file).write_bytes(content)
    before = {f: f.read_bytes() for f in run.iterdir() if f.is_file()}
    recipe = trained.parent / "recipe.toml"
    with pytest.raises(RecipeError, match=file.replace(".", r"\.")):
        train(recipe, data=str(picture_folder), run=run, resume=True, epochs=1, **options)
    assert {f: f.read_bytes() for f in before} == before


def test_a_run_is_not_overwritten_by_its_repetition(trained, options):
    with pytest.raises(CheckpointError, match="already contains a run"):
        train(trained, run=trained, **options)


@pytest.mark.parametrize(
    ("recipe", "profile", "name"),
    [
        ("unet", "", "unet"),
        ("unet", "here", "unet"),
        ("unet", "paper", "unet-paper"),
        ("resnet18-deeper", "deeper", "resnet18-deeper"),
    ],
)
def test_a_run_is_named_by_its_recipe_and_its_profile_once(recipe, profile, name):
    assert run_name(recipe, profile) == name


def test_without_pictures_the_line_to_run_is_named(options):
    with pytest.raises(RecipeError, match=r"'unet' needs pictures: --data FOLDER \(or builtin:t"):
        train(Path("unet"), **options)
