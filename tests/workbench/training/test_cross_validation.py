import json
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest

from photochrom.errors import CheckpointError, InvalidValueError
from photochrom.workbench.datasets.batches import DataRecipe
from photochrom.workbench.training.checkpoint import read_checkpoint
from photochrom.workbench.training.cross_validation import train_folds
from photochrom.workbench.training.recipe import Loss, Optimizer, Phase, Recipe

RECIPE = Recipe(
    name="small",
    network="unet",
    phases=(Phase(1000, 32, 2),),
    config={"channels": (8, 8, 8)},
    optimizer=Optimizer(warmup=4),
    loss=Loss("regression"),
    precision="32-true",
)
FOLDS = 3


@pytest.fixture(scope="module")
def cross_validate(picture_folder, tmp_path_factory):
    options = {"cache": tmp_path_factory.mktemp("cache"), "accelerator": "cpu", "devices": 1}

    def run(folder, folds=FOLDS, recipe=RECIPE, data=picture_folder, **more):
        return train_folds(recipe, data, folder, folds, **options, **more)

    return run


@pytest.fixture(scope="module")
def folder(cross_validate, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    cross_validate(folder, epochs=1)
    return folder


def steps(folder):
    return [read_checkpoint(folder / f"fold-{n}" / "last.pt")["step"] for n in range(FOLDS)]


@pytest.mark.slow
def test_the_parts_share_no_picture_and_hold_them_all(folder, picture_folder):
    files = [folder / f"fold-{number}" / "validation-keys.txt" for number in range(FOLDS)]
    parts = [file.read_text().splitlines() for file in files]
    assert sorted(len(part) for part in parts) == [3, 3, 4]
    assert sorted(key for part in parts for key in part) == sorted(
        p.relative_to(picture_folder).as_posix() for p in picture_folder.rglob("*.png")
    )


@pytest.mark.slow
def test_near_duplicates_share_a_fold(twin_folder, tmp_path):
    recipe = replace(RECIPE, phases=(Phase(2, 32, 2),))
    options = {"cache": tmp_path / "cache", "accelerator": "cpu", "devices": 1}
    train_folds(recipe, twin_folder, tmp_path, 2, **options)
    for number in range(2):
        keys = (tmp_path / f"fold-{number}" / "validation-keys.txt").read_text().splitlines()
        names = [Path(key).stem.split("-")[0] for key in keys]
        assert len(names) == 6
        assert len(set(names)) == 3


def test_the_scores_have_their_mean_and_spread(folder):
    table = json.loads((folder / "folds.json").read_text())
    best = [read_checkpoint(folder / f"fold-{n}" / "best.pt")["best"] for n in range(FOLDS)]
    assert table["name"] == "rmse"
    assert table["folds"] == best
    assert (table["mean"], table["spread"]) == pytest.approx((mean(best), stdev(best)))
    assert len(set(best)) == FOLDS


@pytest.mark.slow
def test_what_is_done_is_not_done_again(folder, cross_validate):
    before, table = steps(folder), (folder / "folds.json").read_text()
    assert before == [3, 4, 4]  # one epoch of 6, 7 and 7 pictures, two a step
    cross_validate(folder, epochs=1)
    assert steps(folder) == before
    assert (folder / "folds.json").read_text() == table


def test_another_recipe_does_not_go_on_with_these_folds(folder, cross_validate):
    with pytest.raises(CheckpointError, match=r"started with another recipe \(loss differ\)"):
        cross_validate(folder, recipe=replace(RECIPE, loss=Loss("regression", distance="l1")))


@pytest.mark.slow
def test_pictures_of_a_source_left_out_are_in_no_part(picture_folder, cross_validate, tmp_path):
    data = tmp_path / "data"
    for label in ("discs", "dots"):  # as parts of a set: pictures-train and pictures-test
        part = "train" if label == "discs" else "test"
        shutil.copytree(picture_folder / label, data / part / label)
    recipe = replace(RECIPE, phases=(Phase(2, 32, 2),), data=DataRecipe(leave_out=("data-test",)))
    cross_validate(tmp_path / "run", folds=2, recipe=recipe, data=data)
    files = [tmp_path / "run" / f"fold-{number}" / "validation-keys.txt" for number in range(2)]
    keys = [key for file in files for key in file.read_text().splitlines()]
    assert len(keys) == 6
    assert all("discs" in key for key in keys)


@pytest.mark.parametrize("folds", [-1, 0, 1, 11])
def test_a_number_of_folds_that_cannot_be_is_refused(cross_validate, tmp_path, folds):
    with pytest.raises(InvalidValueError, match=rf"between 2 and .* 10; got {folds}\."):
        cross_validate(tmp_path, folds=folds)
