from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from photochrom.workbench.training.loop import train
from photochrom.workbench.training.recipe import Loss, Optimizer, Phase, Recipe
from photochrom.workbench.training.training_gallery import MOMENTS

RECIPE = Recipe(
    name="small",
    network="unet",
    phases=(Phase(24, 32, 2),),
    config={"channels": (8, 8, 8)},
    optimizer=Optimizer(warmup=1),
    loss=Loss("regression"),
    precision="32-true",
    validate_every=8,
)
JUDGED = 3


@pytest.fixture(scope="module")
def run(picture_folder, tmp_path_factory):
    files = sorted(picture_folder.rglob("*.png"))[:JUDGED]
    keys = frozenset(file.relative_to(picture_folder).as_posix() for file in files)
    options = {"cache": tmp_path_factory.mktemp("cache"), "accelerator": "cpu", "devices": 1}

    def run(recipe, folder, **more):
        train(recipe, picture_folder, folder, validation_keys=keys, **options, **more)
        return columns(folder / "gallery.png", recipe.phases[0].size_px)

    return run


def columns(path, size_px):
    with Image.open(path) as picture:
        assert picture.height == JUDGED * size_px
        pixels = np.asarray(picture).astype(int)
    return [pixels[:, left : left + size_px] for left in range(0, pixels.shape[1], size_px)]


@pytest.mark.slow
def test_moments_stand_between_gray_and_truth(run, tmp_path):
    gray, *moments, truth = run(RECIPE, tmp_path / "run")
    names = sorted(file.name for file in (tmp_path / "run" / "gallery").iterdir())
    assert names == ["000000008.png", "000000016.png", "000000024.png"]
    assert len(moments) == 3
    assert np.ptp(gray, axis=-1).max() == 0
    assert np.ptp(truth, axis=-1).max() > 50
    assert not np.array_equal(moments[0], moments[1])


@pytest.mark.slow
def test_a_long_run_shows_its_first_and_last_and_some_between(run, tmp_path):
    often = replace(RECIPE, validate_every=2)
    shown = run(often, tmp_path / "run")
    assert len(shown) == MOMENTS + 2
    files = sorted((tmp_path / "run" / "gallery").iterdir())
    assert len(files) == 12
    assert np.array_equal(shown[1], columns(files[0], 32)[0])
    assert np.array_equal(shown[-2], columns(files[-1], 32)[0])


@pytest.mark.slow
def test_a_run_resumed_at_another_size_shows_that_one(run, tmp_path):
    run(RECIPE, tmp_path / "run", stop_after=5)
    larger = replace(RECIPE, phases=(Phase(24, 64, 2),))
    _, *moments, _ = run(larger, tmp_path / "run", resume=True)
    assert [moment.shape for moment in moments] == [(JUDGED * 64, 64, 3)] * 2
