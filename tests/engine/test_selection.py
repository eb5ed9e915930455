import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from photochrom.engine.colorize import Colorizer
from photochrom.engine.selection import MOST_CORNERS, connected, outline, thing_at
from photochrom.errors import InvalidValueError
from photochrom.photo.rasterize import Overlay


def filled(points, height, width):
    return Overlay(points, 0.0, np.zeros(2), closed=True).coverage(0, 0, width, height) >= 1


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(0.3, 0.9))
def test_a_piece_is_the_one_that_labelling_finds(seed, share):
    mask = np.random.default_rng(seed).random((12, 17)) < share
    mask[5, 6] = True
    labels, _ = ndimage.label(mask)
    np.testing.assert_array_equal(connected(mask, 5, 6), labels == labels[5, 6])


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_an_outline_filled_again_is_nearly_the_piece_without_its_holes(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((40, 50)), 4)
    mask = noise > np.median(noise)
    row, column = np.argwhere(mask)[0]
    piece = ndimage.binary_fill_holes(connected(mask, row, column))
    points = outline(piece)
    assert len(points) >= 3
    wrong = filled(points, 40, 50) != piece
    rim = ndimage.binary_dilation(piece, iterations=2) & ~ndimage.binary_erosion(
        piece, iterations=2
    )
    assert not wrong[~rim].any()


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.65, 0.8])
def test_a_ragged_outline_has_no_more_corners_than_a_hint_may_have(share):
    mask = np.random.default_rng(0).random((320, 480)) < share
    mask[160] = True
    points = outline(connected(mask, 160, 240))
    assert 3 <= len(points) <= MOST_CORNERS


def test_an_outline_of_a_long_thin_thing_ends():
    mask = np.zeros((900, 900), bool)
    steps = np.arange(899)
    mask[steps, steps] = mask[steps, steps + 1] = True
    assert 3 <= len(outline(mask)) <= MOST_CORNERS


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (6, 4)])
def test_a_rectangle_has_its_own_corners(size):
    mask = np.zeros((12, 16), bool)
    mask[3 : 3 + size[0], 5 : 5 + size[1]] = True
    corners = {(5, 3), (5 + size[1], 3), (5, 3 + size[0]), (5 + size[1], 3 + size[0])}
    assert {tuple(point) for point in outline(mask)} == corners


def test_a_thing_ends_at_its_rim():
    lightness = np.full((64, 96), 80.0, np.float32)
    thing = np.zeros((64, 96), bool)
    thing[20:50, 30:70] = True
    lightness[thing] = 30
    features = np.where(thing[..., None], (0.9, 0.0), (0.0, 0.9)).astype(np.float32)
    found = thing_at(lightness, features, 35, 50)
    assert (found & thing).sum() / (found | thing).sum() > 0.85


@pytest.mark.slow
def test_a_click_on_a_photograph_gives_an_outline_in_its_pixels():
    picture = np.full((300, 400), 200, np.uint8)
    picture[100:220, 120:260] = 60
    points = np.array(Colorizer().outline(picture, 180, 160))
    low, high = points.min(0), points.max(0)
    assert (np.abs(low - (120, 100)) < 25).all()
    assert (np.abs(high - (260, 220)) < 25).all()


def test_a_click_outside_is_refused():
    with pytest.raises(InvalidValueError, match="outside"):
        Colorizer("gray").outline(np.zeros((20, 30), np.uint8), 31, 5)
