from dataclasses import replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import drawn_picture, encoded

from photochrom.errors import DataError
from photochrom.workbench.datasets.batches import Batches, DataRecipe
from photochrom.workbench.training.checkpoint import read_checkpoint
from photochrom.workbench.training.loop import train
from photochrom.workbench.training.recipe import Loss, Phase, Recipe
from photochrom.workbench.training.streamed_training import StreamedBatches, sample_pixels

RECIPE = Recipe(
    name="streamed",
    network="unet",
    phases=(Phase(16, 32, 4),),
    config={"channels": (8, 8)},
    data=DataRecipe(hold_out=0.25, smallest_crop=1.0, aspect_jitter=0.0),
    loss=Loss(kind="regression"),
    pretrained=False,
    precision="32-true",
)


def png(seed):
    return encoded(drawn_picture(seed, 40, 48), "PNG")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for shard in range(4):
        numbers = range(4 * shard, 4 * shard + 4)
        rows = {"image": [png(n) for n in numbers], "key": [f"k{n}" for n in numbers]}
        pq.write_table(pa.table(rows | {"label": ["disc"] * 4}), folder / f"{shard}.parquet")
    return folder


def test_a_sample_holds_the_first_pictures_of_the_stream(shards):
    sample = sample_pixels(shards, lambda line: None)
    assert sorted(sample.keys) == sorted(f"k{n}" for n in range(16))
    number = int(np.flatnonzero(sample.keys == "k5")[0])
    np.testing.assert_array_equal(sample[number], drawn_picture(5, 40, 48))


def test_held_out_pictures_never_come(shards):
    sample = sample_pixels(shards, lambda line: None)
    held = frozenset(f"k{n}" for n in range(15))
    batches = Batches(sample, DataRecipe(smallest_crop=1.0), 1, held)
    source = StreamedBatches(shards, batches, held, lambda step: RECIPE.phases[0], 0, 0, 1)
    alone = Batches(sample, DataRecipe(smallest_crop=1.0), 1, frozenset()).cache
    mean = alone[int(np.flatnonzero(alone.keys == "k15")[0])].mean()
    for batch in islice(source, 3):
        assert batch.ab.shape == (4, 32, 32, 2)
        assert batch.label.tolist() == [0] * 4
        assert np.ptp(batch.lightness.mean((1, 2))) < 12  # one picture, cropped and mirrored
    assert mean > 0


def test_the_ranks_of_a_stream_read_different_pictures(shards):
    sample = sample_pixels(shards, lambda line: None)
    batches = Batches(sample, DataRecipe(), 1, frozenset())
    shares = []
    for rank in range(2):
        source = StreamedBatches(
            shards, batches, frozenset(), lambda s: RECIPE.phases[0], 0, rank, 2
        )
        shares.append(
            {round(float(plane.mean()), 1) for b in islice(source, 2) for plane in b.lightness}
        )
    assert shares[0] != shares[1]


@pytest.mark.slow
def test_a_network_trains_on_a_stream_and_goes_on(shards, tmp_path):
    options = {"stream": True, "accelerator": "cpu", "devices": 1}
    train(RECIPE, shards, tmp_path / "run", stop_after=2, **options)
    last = train(RECIPE, shards, tmp_path / "run", resume=True, **options)
    assert read_checkpoint(last)["step"] == 4
    assert (tmp_path / "run" / "validation.csv").exists()
    assert len((tmp_path / "run" / "validation-keys.txt").read_text().split()) == 4


def test_a_stream_without_pictures_is_an_error(tmp_path):
    table = pa.table({"image": pa.array([], pa.binary()), "key": pa.array([], pa.string())})
    pq.write_table(table, tmp_path / "empty.parquet")
    with pytest.raises(DataError, match="no picture"):
        train(replace(RECIPE), tmp_path, tmp_path / "run", stream=True)
