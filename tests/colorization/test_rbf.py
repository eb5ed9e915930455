import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom.colorization.method import Hints, Request
from photochrom.colorization.rbf import MOST_CENTRES, Centres, Rbf, gather, spread
from photochrom.workbench.evaluation.revealed_hints import PATCH_PX, Patches, paint
from photochrom.workbench.evaluation.revealed_hints import spread as spread_patches


def colours(lightness, ab, mask):
    hints = Hints(np.asarray(ab, np.float32), np.asarray(mask, np.float32))
    return Rbf().predict(Request(np.asarray(lightness, np.float32), hints=hints)).ab[0]


def test_each_pixel_is_the_weighted_mean_of_the_definition():
    random = np.random.default_rng(0)
    lightness = random.uniform(0, 100, (9, 14)).astype(np.float32)
    places = random.uniform(0, 9, (3, 2))
    centres = Centres(places, random.normal(0, 30, (3, 2)), np.array([20.0, 50, 70]), np.ones(3))
    found = spread(centres, lightness)
    for y, x in ((0, 0), (4, 7), (8, 13)):
        away = ((places - (y, x)) ** 2).sum(-1) / 14**2
        away += ((lightness[y, x] - centres.lightness) / 43) ** 2 + 0.0015
        weight = away**-1.5
        np.testing.assert_allclose(found[y, x], weight @ centres.ab / weight.sum(), rtol=1e-4)


def test_the_method_spreads_patches_as_the_baseline_of_the_hint_curve_does():
    random = np.random.default_rng(1)
    lightness = random.uniform(0, 100, (8, 10)).astype(np.float32).repeat(6, 0).repeat(6, 1)
    corners = np.array([[0, 0], [12, 30], [36, 6], [42, 54]])
    patches = Patches(corners, random.uniform(-50, 50, (4, 2)).astype(np.float32))
    np.testing.assert_allclose(
        colours(lightness, *paint(patches, lightness.shape)),
        spread_patches(patches, lightness),
        atol=1e-3,
    )


def test_a_patch_across_cells_counts_as_one_within_them_nearly():
    lightness = np.full((60, 60), 50.0, np.float32)
    patches = Patches(np.array([[9, 9], [33, 46]]), np.array([[50.0, 0], [-50, 20]], np.float32))
    found = colours(lightness, *paint(patches, (60, 60)))
    assert np.abs(found - spread_patches(patches, lightness)).max() < 1


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
@settings(deadline=None)
def test_centres_hold_every_hinted_pixel_and_lie_where_they_lie(height, width, seed):
    random = np.random.default_rng(seed)
    mask = (random.random((height, width)) < 0.3).astype(np.float32)
    ab = random.normal(0, 30, (height, width, 2)).astype(np.float32)
    centres = gather(Hints(ab, mask), random.uniform(0, 100, (height, width)))
    pixels = centres.shares * PATCH_PX**2
    np.testing.assert_allclose(pixels.sum(), mask.sum())
    np.testing.assert_allclose(pixels @ centres.ab, ab[mask > 0].sum(0), atol=1e-3)
    np.testing.assert_allclose(pixels @ centres.places, np.argwhere(mask).sum(0), atol=1e-3)


def test_a_picture_full_of_hints_is_gathered_into_few_centres():
    mask = np.ones((200, 170), np.float32)
    ab = np.random.default_rng(0).normal(0, 30, (200, 170, 2)).astype(np.float32)
    centres = gather(Hints(ab, mask), np.full(mask.shape, 50.0))
    assert 100 < len(centres.places) <= MOST_CENTRES
    np.testing.assert_allclose(centres.shares.max(), 1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (300, 2), (7, 5)])
def test_one_colour_goes_everywhere_and_none_leaves_gray(shape):
    mask = np.zeros(shape)
    ab = np.full((*shape, 2), [30.0, -10.0])
    assert not colours(np.full(shape, 50), ab, mask).any()
    mask[-1, -1] = 1
    found = colours(np.full(shape, 50), ab, mask)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.float32(ab), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "error"), [("astronaut", 8.365), ("chelsea", 3.936), ("coffee", 8.865)]
)
def test_expected_error_on_small_pictures_with_twenty_patches(name, error, ab_error, revealed):
    assert ab_error(Rbf(), name, hints=revealed(name)) == pytest.approx(error, rel=0.01)
