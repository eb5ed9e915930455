import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom.colorization.method import Request
from photochrom.colorization.transfer import Transfer, colour_by_lightness, match_statistics


def colours(lightness, reference):
    request = Request(np.asarray(lightness, np.float32), reference=np.float32(reference))
    return Transfer().predict(request).ab[0]


def toned(lightness):
    """Return a picture whose colour is a function of its lightness."""
    return np.stack((lightness, 0.4 * lightness - 10, 20 * np.sin(lightness / 20)), axis=-1)


RAMP = np.linspace(10, 90, 60 * 50).reshape(60, 50)


@given(st.integers(0, 999), st.floats(0.1, 30), st.floats(0, 100))
@settings(deadline=None)
def test_mean_and_standard_deviation_become_the_wanted_ones(seed, deviation, mean):
    random = np.random.default_rng(seed)
    wanted = random.normal(mean, deviation, (5, 7))
    found = match_statistics(random.uniform(0, 100, (4, 9)), wanted)
    assert found.mean() == pytest.approx(wanted.mean())
    assert found.std() == pytest.approx(wanted.std())


@pytest.mark.parametrize(("own", "theirs"), [((0, 0), (3, 5)), ((3, 5), (7, 7)), ((2, 2), (1, 1))])
def test_where_one_is_constant_only_the_mean_is_matched(own, theirs):
    found = match_statistics(np.array(own), np.array(theirs))
    assert found.mean() == np.mean(theirs)
    assert np.ptp(found) == np.ptp(own)


def test_a_toned_picture_gets_its_own_tone_back():
    np.testing.assert_allclose(colours(RAMP, toned(RAMP)), toned(RAMP)[..., 1:], atol=1.5)
    inner = (RAMP > 16) & (RAMP < 84)
    error = np.abs(colours(RAMP, toned(RAMP)) - toned(RAMP)[..., 1:])
    assert error[inner].max() < 0.2


def test_brightness_and_contrast_of_the_picture_do_not_matter():
    flatter = 0.3 * RAMP + 25
    np.testing.assert_allclose(colours(flatter, toned(RAMP)), colours(RAMP, toned(RAMP)), atol=1e-3)


def test_where_things_lie_in_the_reference_does_not_matter():
    reference = toned(RAMP)
    mixed = np.random.default_rng(0).permutation(reference.reshape(-1, 3)).reshape(50, 60, 3)
    np.testing.assert_allclose(colours(RAMP, reference), colours(RAMP, mixed), atol=1e-3)


def test_two_things_of_one_lightness_get_their_mean_colour():
    reference = np.full((10, 10, 3), 50.0)
    reference[:5, :, 1:], reference[5:, :, 1:] = (40, 0), (-20, 30)
    np.testing.assert_allclose(colours(np.full((4, 4), 80), reference)[0, 0], (10, 15), atol=1e-4)


def test_lightnesses_that_the_reference_lacks_take_the_nearest_it_has():
    reference = np.zeros((2, 40, 3))
    reference[0], reference[1] = (20, 10, -10), (60, 30, 5)
    curve = colour_by_lightness(reference)
    np.testing.assert_allclose(curve[[0, 20, 60, 100]], [[10, -10]] * 2 + [[30, 5]] * 2, atol=0.01)
    assert (np.diff(curve, axis=0) >= -1e-9).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (90, 2)])
@pytest.mark.parametrize("other", [(1, 1), (3, 50)])
def test_sizes_of_picture_and_reference_are_free(shape, other):
    random = np.random.default_rng(0)
    reference = random.uniform((0, -40, -40), (100, 40, 40), (*other, 3))
    found = colours(random.uniform(0, 100, shape), reference)
    assert found.shape == (*shape, 2)
    assert found.dtype == np.float32
    low, high = reference[..., 1:].min((0, 1)), reference[..., 1:].max((0, 1))
    assert ((found >= low - 1e-4) & (found <= high + 1e-4)).all()


@pytest.mark.parametrize(
    ("name", "reference", "error"),
    [("astronaut", "coffee", 18.67), ("chelsea", "astronaut", 11.31), ("coffee", "chelsea", 17.81)],
)
def test_expected_error_on_small_pictures(name, reference, error, ab_error, small_pictures):
    found = ab_error(Transfer(), name, reference=small_pictures[reference])
    assert found == pytest.approx(error, rel=0.01)
