import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.errors import InvalidValueError
from photochrom.workbench.evaluation.revealed_hints import COUNTS, PATCH_PX, paint, reveal, spread

AB = np.random.default_rng(0).normal(size=(30, 40, 2)).astype(np.float32)


@pytest.mark.slow
@given(st.integers(0, 100), st.integers(0, 100))
def test_places_are_nested(few, many):
    few, many = sorted((few, many))
    first, second = reveal(AB, few, "a"), reveal(AB, many, "a")
    np.testing.assert_array_equal(first.corners, second.corners[:few])
    np.testing.assert_array_equal(first.ab, second.ab[:few])


def test_each_picture_and_seed_has_places_of_its_own():
    places = [
        reveal(AB, 5, key, seed).corners.tolist() for key, seed in (("a", 0), ("b", 0), ("a", 1))
    ]
    assert places[0] != places[1] != places[2] != places[0]


def test_places_reach_every_corner_and_stay_inside():
    corners = reveal(AB[:8, :9], 500, "a").corners
    assert set(corners[:, 0]) == {0, 1, 2}
    assert set(corners[:, 1]) == {0, 1, 2, 3}


def test_a_patch_shows_the_mean_true_colour_where_it_lies():
    patches = reveal(AB, 1, "a")
    ab, mask = paint(patches, (30, 40))
    y, x = patches.corners[0]
    np.testing.assert_allclose(patches.ab[0], AB[y : y + 6, x : x + 6].mean((0, 1)), atol=1e-6)
    assert mask.sum() == PATCH_PX**2
    assert (ab[mask == 1] == patches.ab[0]).all()
    assert (ab[mask == 0] == 0).all()
    assert ab.dtype == mask.dtype == np.float32


def test_painting_more_patches_never_changes_one_that_was_there():
    before, mask = paint(reveal(AB, 20, "a"), (30, 40))
    after, _ = paint(reveal(AB, 100, "a"), (30, 40))
    np.testing.assert_array_equal(before[mask == 1], after[mask == 1])


def test_no_patches_leave_gray():
    patches = reveal(AB, 0, "a")
    assert not paint(patches, (30, 40))[1].any()
    assert not spread(patches, np.full((30, 40), 50.0)).any()


def test_one_colour_is_spread_everywhere():
    patches = reveal(np.full((30, 40, 2), 7.0), 1, "a")
    np.testing.assert_allclose(spread(patches, np.full((30, 40), 50.0)), 7, atol=1e-5)


def test_colours_stay_with_their_lightness_and_their_side():
    truth = np.zeros((40, 40, 2), np.float32)
    lightness = np.full((40, 40), 20.0, np.float32)
    truth[:, 20:], lightness[:, 20:] = 30, 80
    patches = reveal(truth, 20, "a")
    result = spread(patches, lightness)
    assert result.shape == (40, 40, 2)
    assert result.dtype == np.float32
    assert result[:, :20].mean() < 8
    assert result[:, 20:].mean() > 22
    error = [np.abs(spread(reveal(truth, n, "a"), lightness) - truth).mean() for n in COUNTS]
    assert error[-1] < error[0] / 4


@pytest.mark.parametrize(("shape", "count"), [((5, 40, 2), 1), ((40, 40, 2), -1)])
def test_what_cannot_be_revealed_is_refused(shape, count):
    with pytest.raises(InvalidValueError, match="at least 6 x 6"):
        reveal(np.zeros(shape), count, "a")
