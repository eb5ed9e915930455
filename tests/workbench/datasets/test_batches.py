from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import drawn_picture

from photochrom.errors import DataError
from photochrom.workbench.datasets.batches import (
    Batches,
    DataRecipe,
    random_crop,
    validation_picture,
)
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.datasets.degradation import old_lightness
from photochrom.workbench.datasets.simulated_hints import reveal_patches, simulate_hints

FULL = DataRecipe(
    hint_share=0.5, old_share=0.5, hue_turn_share=0.5, histogram_share=0.5, chroma_share=0.5
)


@pytest.fixture(scope="module")
def cache(picture_folder, tmp_path_factory):
    found = open_cache(picture_folder, tmp_path_factory.mktemp("cache"))
    return replace(found, sources=found.labels)


def test_a_batch_is_a_function_of_seed_and_step(cache):
    one, two = (Batches(cache, FULL, 7, frozenset()) for _ in range(2))
    for name in ("lightness", "ab", "hint_ab", "hint_mask", "global_mask", "label"):
        assert np.array_equal(
            getattr(one.batch(5, 32, 4), name), getattr(two.batch(5, 32, 4), name)
        )
    assert not np.array_equal(one.batch(5, 32, 4).ab, one.batch(6, 32, 4).ab)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_no_picture_comes_twice_in_an_epoch_however_many_ranks_share_it(cache, ranks):
    batches, share = Batches(cache, FULL, 7, frozenset({"discs/0.png", "dots/9.png"})), 4 // ranks
    drawn = np.concatenate(
        [
            batches.numbered(4 * step + rank * share, share)
            for step in range(6)
            for rank in range(ranks)
        ]
    )
    epochs = drawn.reshape(3, 8)
    for epoch in epochs:
        assert sorted(epoch) == list(range(1, 9))
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_sources_that_are_drawn_more_often_come_as_often_as_that_asks(cache):
    recipe = DataRecipe(source_power=0.0, source_weights={"dots": 3.0})
    times = np.stack(
        [
            np.bincount(Batches(cache, recipe, seed, frozenset()).numbered(0, 10), minlength=10)
            for seed in range(200)
        ]
    )
    expected = np.array([2.5 / 6] * 6 + [7.5 / 4] * 4)
    assert (abs(times - expected) < 1).all()  # in each epoch: rounded up or down
    assert times.mean(0) == pytest.approx(expected, abs=0.12)


def test_ranks_make_the_rows_that_one_would_make(cache):
    batches = Batches(cache, FULL, 7, frozenset())
    whole, parts = batches.batch(8, 32, 4), [batches.batch(n, 32, 2) for n in (8, 10)]
    for name in ("lightness", "ab", "hint_ab", "hint_mask", "global_mask", "label"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(getattr(whole, name), joined)


def test_a_batch_has_its_shapes_and_ranges(cache):
    batch = Batches(cache, FULL, 1, frozenset()).batch(0, 32, 8)
    assert batch.lightness.shape == (8, 32, 32)
    assert batch.ab.shape == batch.hint_ab.shape == (8, 32, 32, 2)
    assert batch.hint_mask.shape == (8, 32, 32)
    assert all(getattr(batch, n).dtype == np.float32 for n in ("lightness", "ab", "global_mask"))
    assert batch.lightness.min() >= 0
    assert batch.lightness.max() <= 100


def test_validation_pictures_and_left_out_sources_are_never_drawn(cache):
    keys = frozenset(str(k) for k in cache.keys[:3])
    batches = Batches(cache, DataRecipe(leave_out=("dots",)), 1, keys)
    assert set(batches.draw(200)) == {3, 4, 5}


def test_nothing_left_to_train_on_is_an_error(cache):
    with pytest.raises(DataError, match="discs, dots"):
        Batches(cache, DataRecipe(leave_out=("discs", "dots")), 1, frozenset())


def test_sources_are_drawn_by_power_and_weight(cache):
    even = Batches(cache, DataRecipe(source_power=0.0), 1, frozenset()).draw(4000)
    assert np.mean(even < 6) == pytest.approx(0.5, abs=0.05)
    weighted = DataRecipe(source_power=0.0, source_weights={"dots": 3.0})
    assert np.mean(Batches(cache, weighted, 1, frozenset()).draw(4000) < 6) == pytest.approx(
        0.25, abs=0.05
    )


def test_a_crop_keeps_the_asked_share_of_the_picture():
    gradient = np.repeat(np.arange(96, dtype=np.uint8)[None, :, None], 72, 0).repeat(3, 2)
    for seed in range(20):
        crop = random_crop(gradient, 32, 0.6, np.random.default_rng(seed))
        assert crop.shape == (32, 32, 3)
        assert int(crop.max()) - int(crop.min()) > 0.55 * 96


def test_old_lightness_stays_in_range_and_keeps_clean_pictures_possible():
    lightness, ab = validation_picture(drawn_picture(1), 32)
    linear = np.random.default_rng(0).random((32, 32, 3), np.float32)
    results = [old_lightness(linear, lightness, np.random.default_rng(s)) for s in range(30)]
    assert all(r.min() >= 0 and r.max() <= 100 and r.dtype == np.float32 for r in results)
    assert not np.array_equal(results[0], results[1])
    assert np.abs(ab).max() > 5


def test_simulated_hints_reveal_few_places_most_of_the_time_and_many_sometimes():
    _, ab = validation_picture(drawn_picture(2), 64)
    random = np.random.default_rng(0)
    shown = np.array([simulate_hints(ab, random)[1].mean() for _ in range(400)])
    assert shown.min() > 0
    assert np.median(shown) < 0.05
    assert np.mean(shown > 0.15) > 0.02


def test_hints_are_given_as_often_as_the_recipe_says(cache):
    for share in (0.0, 0.4, 1.0):
        batches = Batches(cache, DataRecipe(hint_share=share), 1, frozenset())
        hinted = batches.batch(0, 64, 60).hint_mask.any(axis=(1, 2)).mean()
        assert hinted == pytest.approx(share, abs=0.2)


def test_a_revealed_patch_shows_its_mean_colour_and_nothing_else():
    _, ab = validation_picture(drawn_picture(3), 64)
    hint_ab, mask = np.zeros_like(ab), np.zeros((64, 64), np.float32)
    reveal_patches(ab, hint_ab, mask, 1, np.random.default_rng(4))
    assert np.allclose(hint_ab[mask == 1], ab[mask == 1].mean(axis=0), atol=1e-4)
    assert not hint_ab[mask == 0].any()


@pytest.mark.parametrize(("never", "label"), [("discs", 1), ("dots", 0)])
def test_a_pictures_label_is_the_number_of_its_class(cache, never, label):
    recipe = DataRecipe(source_weights={never: 0.0})  # its class is known and not drawn
    batches = Batches(cache, recipe, 1, frozenset())
    assert list(batches.classes) == ["discs", "dots"]
    given = batches.batch(0, 32, 6).label
    assert given.dtype == np.int64
    assert list(given) == [label] * 6


def test_classes_are_those_of_the_pictures_trained_on(cache):
    batches = Batches(cache, DataRecipe(leave_out=("discs",)), 1, frozenset())
    assert list(batches.classes) == ["dots"]
    assert set(batches.batch(0, 32, 6).label) == {0}


def test_a_picture_without_a_label_has_no_class(cache):
    half = np.where(cache.sources == "dots", "", cache.labels)
    batches = Batches(replace(cache, labels=half), DataRecipe(), 1, frozenset())
    assert list(batches.classes) == ["discs"]
    assert set(batches.batch(0, 32, 30).label) == {-1, 0}
