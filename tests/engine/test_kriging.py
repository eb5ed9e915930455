import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.colorization.method import Hints
from photochrom.engine.kriging import MOST_CENTRES, Kriging


def mask_of(shape, *spots):
    mask = np.zeros(shape, np.float32)
    for row, column in spots:
        mask[row : row + 3, column : column + 3] = 1
    return mask


def kriging(mask, lightness=None, ab=None):
    lightness = np.full(mask.shape, 50.0) if lightness is None else lightness
    ab = np.zeros((*mask.shape, 2)) if ab is None else ab
    return Kriging(Hints(np.zeros((*mask.shape, 2)), mask), lightness, ab)


@pytest.fixture
def spot():
    return mask_of((48, 64), (20, 10))


def test_known_is_one_at_the_hints_and_falls_with_the_distance(spot):
    known = kriging(spot).known()[21, :, 0]
    assert known[11] > 0.9
    assert (np.diff(known[12:]) < 0).all()
    assert known[-1] < 0.2


@pytest.mark.parametrize("other", ["lightness", "colour"])
def test_what_looks_different_is_not_known(spot, other):
    lightness, ab = np.full(spot.shape, 50.0), np.zeros((*spot.shape, 2))
    if other == "lightness":
        lightness[:, 20:] = 95
    else:
        ab[:, 20:] = (50, -40)
    known = kriging(spot, lightness, ab).known()
    assert known[21, 14] > 0.5
    assert known[:, 20:].max() < 0.05


@pytest.mark.slow
@given(st.integers(0, 2**31))
def test_what_is_spread_lies_between_nothing_and_what_is_known(seed):
    random = np.random.default_rng(seed)
    shape = (int(random.integers(1, 20)), int(random.integers(1, 20)))
    mask = (random.random(shape) < 0.3).astype(np.float32)
    mask[0, 0] = 1
    values = random.uniform(-80, 80, (*shape, 2))
    field = kriging(mask, random.uniform(0, 100, shape), random.uniform(-50, 50, (*shape, 2)))
    spread, told = field.spread(values), values[mask == 1]
    assert (spread >= np.minimum(told.min(0), 0) - 1e-4).all()
    assert (spread <= np.maximum(told.max(0), 0) + 1e-4).all()


def test_many_hints_far_apart_speak_for_the_picture_and_several_in_one_place_do_not():
    corners = [(2, 2), (2, 58), (42, 2), (42, 58), (22, 30), (22, 58)]
    close = [(20 + 3 * row, 20 + 3 * column) for row in range(2) for column in range(3)]
    one, near, wide = (kriging(mask_of((48, 64), *s)) for s in (close[:1], close, corners))
    assert (one.told, wide.told) == (0, 1)
    assert near.told < 0.05
    assert wide.known().min() > one.known().min()


def test_known_places_are_met_and_two_neighbours_are_not_counted_twice():
    mask = mask_of((48, 64), (20, 9), (20, 12), (20, 50))
    values = np.zeros((48, 64, 2))
    values[:, :30], values[:, 30:] = (40, 0), (-40, 0)
    spread = kriging(mask).spread(values)
    assert spread[21, 11, 0] == pytest.approx(40, abs=3)
    assert spread[21, 51, 0] == pytest.approx(-40, abs=3)
    assert spread[21, 31, 0] == pytest.approx(0, abs=4)  # in the middle, although two stand left


def test_a_place_that_is_told_by_a_stroke_has_a_bounded_number_of_centres():
    field = kriging(np.ones((300, 400), np.float32))
    assert len(field._inverse) <= MOST_CENTRES
