import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from photochrom.engine.guided import BOUND_RADIUS, RADIUS, apply_field, box_mean, fit_field
from photochrom.photo.resize import resize

RED, BLUE = np.array([60.0, 40.0]), np.array([-10.0, -50.0])


def step(height, width, edge):
    """Draw dark red left of a column, light blue right of it."""
    right = np.broadcast_to(np.arange(width) >= edge, (height, width))
    return np.where(right, 80.0, 30.0), np.where(right[..., None], BLUE, RED)


def noise(height, width, *channels):
    return np.random.default_rng(5).uniform(0, 100, (height, width, *channels))


@pytest.mark.parametrize("radius", [1, 3, 6])
def test_the_box_mean_is_scipys_away_from_the_borders(radius):
    planes = noise(30, 40, 3)
    expected = ndimage.uniform_filter(planes, (2 * radius + 1, 2 * radius + 1, 1))
    inside = np.s_[radius:-radius, radius:-radius]
    np.testing.assert_allclose(box_mean(planes, radius)[inside], expected[inside], atol=1e-9)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 15))
def test_at_the_borders_the_box_mean_is_over_what_there_is(height, width, radius):
    planes, row, column = noise(height, width, 1), height // 3, width - 1
    window = planes[
        max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1
    ]
    assert box_mean(planes, radius)[row, column, 0] == pytest.approx(window.mean())


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (24, 32)])
@pytest.mark.parametrize("larger", [1, 4])
def test_constant_colours_come_back_constant_on_any_picture(size, larger):
    height, width = size
    field = fit_field(noise(height, width), np.broadcast_to(RED, (height, width, 2)))
    ab = apply_field(field, noise(height * larger, width * larger))
    assert ab.dtype == np.float32
    np.testing.assert_allclose(ab, np.broadcast_to(RED, ab.shape), atol=1e-3)


def test_colours_that_follow_lightness_come_back_at_four_times_the_size():
    lightness = 20 + 60 * noise(24, 32) / 100
    ab = lightness[..., None] * [0.5, -0.25] + [3, 4]
    field = fit_field(lightness, ab)
    result = apply_field(field, lightness)
    assert np.abs(result - ab).max() < 0.5


def test_an_edge_stays_as_sharp_as_the_full_size_lightness():
    field = fit_field(*step(24, 48, 24))
    large, truth = step(96, 192, 96)
    wrong = np.abs(apply_field(field, large) - truth).max(-1) > 10
    columns = np.flatnonzero(wrong.any(axis=0))
    assert len(columns) == 0 or np.abs(columns - 95.5).max() <= 4  # one cell of the working size


def test_an_edge_between_the_cells_is_where_the_full_size_lightness_has_it():
    large, truth = step(96, 192, 98)  # in the middle of a cell
    field = fit_field(resize(large[..., None], 24, 48)[..., 0], resize(truth, 24, 48))
    result = apply_field(field, large)
    plain = resize(resize(truth, 24, 48), 96, 192)
    assert np.abs(result - truth).mean() < 0.5 * np.abs(plain - truth).mean()
    wrong = np.abs(result - truth).max(-1) > 20
    columns = np.flatnonzero(wrong.any(axis=0))
    assert len(columns) == 0 or np.abs(columns - 97.5).max() <= 4


@given(st.integers(0, 2**31))
def test_colours_stay_within_the_local_range(seed):
    random = np.random.default_rng(seed)
    lightness, ab = random.uniform(0, 100, (12, 16)), random.uniform(-90, 90, (12, 16, 2))
    result = apply_field(fit_field(lightness, ab), random.uniform(0, 100, (12, 16)))
    window = (2 * BOUND_RADIUS + 1, 2 * BOUND_RADIUS + 1, 1)
    assert (result >= ndimage.minimum_filter(ab, window, mode="nearest") - 1e-3).all()
    assert (result <= ndimage.maximum_filter(ab, window, mode="nearest") + 1e-3).all()


def test_far_from_a_change_nothing_changes():
    lightness, ab = noise(30, 60), np.tile(RED, (30, 60, 1))
    changed = ab.copy()
    changed[:, 40:] = BLUE
    reach = max(2 * RADIUS, BOUND_RADIUS)
    before = apply_field(fit_field(lightness, ab), lightness)
    after = apply_field(fit_field(lightness, changed), lightness)
    near = 40 - reach
    np.testing.assert_allclose(after[:, :near], before[:, :near], atol=1e-3)


def test_a_field_is_float32_and_taken_apart_unchanged():
    field = fit_field(noise(8, 9), noise(8, 9, 2) - 50)
    again = type(field).of(field.planes)
    for name in ("slope", "offset", "low", "high"):
        assert getattr(field, name).shape == (8, 9, 2)
        assert getattr(field, name).dtype == np.float32
        np.testing.assert_array_equal(getattr(again, name), getattr(field, name))
    assert (field.low <= field.high).all()
