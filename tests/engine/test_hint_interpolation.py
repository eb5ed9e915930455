import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.colorization.method import Hints
from photochrom.engine import hint_interpolation

WISH = np.array([55.0, -35.0])


def interpolate_hints(ab, hints, lightness, **look):
    """Obey hints of which the method itself sees nothing."""
    return hint_interpolation.interpolate_hints(ab, ab, hints, lightness, **look)


def hint(height, width, *spots, colour=WISH):
    """Return hints of 4 x 4 pixels at (row, column) spots."""
    ab, mask = np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32)
    for row, column in spots:
        ab[row : row + 4, column : column + 4] = colour
        mask[row : row + 4, column : column + 4] = 1
    return Hints(ab, mask)


@pytest.fixture
def flat():
    return np.full((64, 96), 50.0, np.float32)


@given(st.integers(0, 2**31))
def test_hinted_pixels_have_exactly_the_hints_colour(seed):
    random = np.random.default_rng(seed)
    mask = (random.random((13, 22)) < 0.2).astype(np.float32)
    hints = Hints(random.uniform(-90, 90, (13, 22, 2)).astype(np.float32), mask)
    lightness = random.uniform(0, 100, (13, 22)).astype(np.float32)
    result = interpolate_hints(random.uniform(-90, 90, (13, 22, 2)), hints, lightness)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result[mask == 1], hints.ab[mask == 1], atol=1e-6)


@given(st.integers(0, 2**31))
def test_a_correction_is_never_larger_than_the_largest_miss(seed):
    random = np.random.default_rng(seed)
    mask = (random.random((24, 24)) < 0.1).astype(np.float32)
    hints = Hints(random.uniform(-90, 90, (24, 24, 2)), mask)
    ab = random.uniform(-90, 90, (24, 24, 2))
    change = np.abs(interpolate_hints(ab, hints, random.uniform(0, 100, (24, 24))) - ab)
    missed = np.abs((hints.ab - ab) * mask[..., None])
    assert (change <= missed.max((0, 1)) + 1e-6).all()


def test_near_pixels_of_the_same_lightness_follow(flat):
    result = interpolate_hints(np.zeros((64, 96, 2)), hint(64, 96, (30, 40)), flat)
    shares = result[30:34, 45] / WISH
    assert shares.min() > 0.75
    np.testing.assert_allclose(shares[:, 0], shares[:, 1])  # the hint's own hue


def test_far_pixels_nearly_keep_the_methods_colours(flat):
    ab = np.tile([12.0, 7.0], (64, 96, 1))
    change = np.abs(interpolate_hints(ab, hint(64, 96, (30, 40)), flat) - ab)
    assert change[:, 76:].mean() < 2
    assert change[:, :8].mean() < 2


def test_what_looks_different_keeps_the_methods_colours(flat):
    """Another lightness, or another colour of the method's own: another thing."""
    ab = np.tile([12.0, 7.0], (64, 96, 1))
    ab[:, 76:] = (-45, 40)
    lightness = flat.copy()
    lightness[:, :8] = 90
    change = np.abs(interpolate_hints(ab, hint(64, 96, (30, 40)), lightness) - ab)
    assert change[:, 76:].mean() < 2
    assert change[:, :8].mean() < 2


def test_what_the_method_makes_of_hints_is_believed_near_them(flat):
    """Of a change everywhere, far and different places follow by two units."""
    plain = np.zeros((64, 96, 2))
    changed = np.tile([20.0, 0.0], (64, 96, 1))
    lightness = flat.copy()
    lightness[:, 76:] = 95
    spots = hint(64, 96, (30, 40), colour=(20.0, 0.0))
    result = hint_interpolation.interpolate_hints(plain, changed, spots, lightness)
    assert result[32, 46, 0] > 10
    assert np.abs(result[:, 80:]).max() < 2.5


def test_what_is_told_needs_no_raised_saturation(flat):
    ab = np.tile([20.0, 0.0], (64, 96, 1))
    ab[:, 60:] = (30, 0)
    obeyed = hint(64, 96, (30, 40), colour=ab[30, 40])
    raised, calm = (interpolate_hints(ab, obeyed, flat, saturation=s) for s in (1.2, 0.8))
    np.testing.assert_allclose(calm, ab, atol=1e-5)
    assert raised[32, 62, 0] < calm[32, 62, 0] - 0.3


def test_many_hints_calm_what_they_do_not_reach_and_one_does_not():
    lightness = np.full((64, 96), 20.0, np.float32)
    lightness[28:36, 44:52] = 90  # unlike all that is hinted
    ab = np.tile([20.0, 0.0], (64, 96, 1))
    corners = [(2, 2), (2, 88), (56, 2), (56, 88), (10, 48), (50, 48)]
    one, many = (
        interpolate_hints(ab, hint(64, 96, *spots, colour=ab[0, 0]), lightness, saturation=1.6)[
            32, 48, 0
        ]
        for spots in (corners[:1], corners)
    )
    assert one == pytest.approx(20, abs=0.2)
    assert many == pytest.approx(20 * hint_interpolation.TOLD_SATURATION / 1.6, abs=0.5)


def test_the_correction_fades_with_distance(flat):
    result = interpolate_hints(np.zeros((64, 96, 2)), hint(64, 96, (30, 40)), flat)
    along = result[32, 44:80, 0]
    assert (np.diff(along) <= 1e-9).all()
    assert along[0] > 0.75 * WISH[0]
    assert along[-1] < 0.05 * WISH[0]


def test_the_correction_stops_at_an_edge_of_lightness(flat):
    lightness = flat.copy()
    lightness[:, 46:] = 95
    result = interpolate_hints(np.zeros((64, 96, 2)), hint(64, 96, (30, 40)), lightness)
    assert np.abs(result[:, 46:]).max() < 0.04 * WISH[0]
    assert result[31, 45, 0] > 0.75 * WISH[0]


def test_two_hints_each_hold_their_neighbourhood(flat):
    red, green = hint(64, 96, (30, 20)), hint(64, 96, (30, 70), colour=(-60.0, 40.0))
    both = Hints(red.ab + green.ab, red.mask + green.mask)
    result = interpolate_hints(np.zeros((64, 96, 2)), both, flat)
    for column, wish in ((25, WISH), (75, np.array([-60, 40]))):
        assert (result[32, column] / wish).min() > 0.75


def test_a_hint_that_the_method_obeyed_already_changes_nothing(flat):
    ab = np.tile(WISH, (64, 96, 1))
    np.testing.assert_allclose(interpolate_hints(ab, hint(64, 96, (30, 40)), flat), ab, atol=1e-6)


def test_without_hints_nothing_changes(flat):
    ab = np.random.default_rng(0).uniform(-50, 50, (64, 96, 2))
    np.testing.assert_array_equal(interpolate_hints(ab, hint(64, 96), flat), ab)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 2)])
@pytest.mark.parametrize("level", [0.0, 100.0])
def test_the_smallest_pictures_and_the_ends_of_lightness_are_served(size, level):
    hints = Hints(np.full((*size, 2), 20.0), np.ones(size))
    result = interpolate_hints(np.zeros((*size, 2)), hints, np.full(size, level))
    np.testing.assert_array_equal(result, hints.ab)
