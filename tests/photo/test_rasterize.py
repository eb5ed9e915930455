import numpy as np
import pytest

from photochrom.color.difference import ciede2000
from photochrom.color.lab import linear_to_luminance, rgb_to_lab, srgb_to_linear
from photochrom.photo.orientation import to_stored
from photochrom.photo.rasterize import Overlay, paint

AB = np.float32([20, -15])
SHAPES = {
    "point": Overlay(np.array([[30.0, 20.0]]), 8.0, AB),
    "stroke": Overlay(np.array([[10.0, 10.0], [50.0, 12.0], [52.0, 30.0]]), 3.0, AB),
    "region": Overlay(np.array([[10.0, 5.0], [55.0, 9.0], [30.0, 33.0]]), 0.0, AB, closed=True),
}
WIDTH, HEIGHT = 64, 40


def gray_rows(dtype=np.uint8):
    level = np.linspace(0.2, 0.8, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    top = np.iinfo(dtype).max
    rgb = np.repeat(np.round(level * top)[..., None], 3, -1).astype(dtype)
    return rgb, linear_to_luminance(srgb_to_linear(rgb / top))


def test_a_point_covers_a_disc():
    share = SHAPES["point"].coverage(0, 0, WIDTH, HEIGHT)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    distance = np.hypot(x - 30, y - 20)
    assert (share[distance <= 8] == 1).all()
    assert (share[distance >= 10] == 0).all()
    assert np.array_equal((share > 0) & (share < 1), (distance > 8) & (distance < 10))


def test_a_region_covers_its_polygon_and_no_corner_of_its_box():
    share = SHAPES["region"].coverage(0, 0, WIDTH, HEIGHT)
    assert share[15, 30] == 1
    assert share[30, 12] == share[30, 52] == 0


@pytest.mark.parametrize("name", SHAPES)
def test_a_window_shows_what_the_whole_shows(name):
    touch = SHAPES[name]
    whole = touch.coverage(0, 0, WIDTH, HEIGHT)
    np.testing.assert_array_equal(touch.coverage(13, 7, 21, 11), whole[7:18, 13:34])
    left, top, right, bottom = touch.window(WIDTH, HEIGHT)
    outside = whole.copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", SHAPES)
def test_a_touch_turns_as_the_picture_does(name, orientation):
    upright = SHAPES[name].coverage(0, 0, WIDTH, HEIGHT)
    expected = to_stored(upright, orientation)
    turned = SHAPES[name].stored(orientation, WIDTH, HEIGHT)
    shares = turned.coverage(0, 0, expected.shape[1], expected.shape[0])
    np.testing.assert_allclose(shares, expected, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", SHAPES)
def test_paint_shows_the_colour_inside_keeps_luminance_and_leaves_the_rest(name, dtype):
    rgb, luminance = gray_rows(dtype)
    before = rgb.copy()
    for top in (0, 13):  # in two strips
        part = slice(top, 13 if top == 0 else HEIGHT)
        paint([SHAPES[name]], rgb[part], luminance[part], top)
    share = SHAPES[name].coverage(0, 0, WIDTH, HEIGHT)
    lab = rgb_to_lab(rgb / np.iinfo(dtype).max)
    wanted = np.concatenate((lab[..., :1], np.broadcast_to(AB, (*share.shape, 2))), -1)
    assert ciede2000(lab[share == 1], wanted[share == 1]).mean() < 1.0
    assert np.array_equal(rgb[share == 0], before[share == 0])
    now = linear_to_luminance(srgb_to_linear(rgb / np.iinfo(dtype).max))
    assert np.abs(now - luminance).max() < (0.006 if dtype == np.uint8 else 3e-5)


def test_the_last_of_two_touches_lies_above():
    rgb, luminance = gray_rows()
    other = Overlay(SHAPES["point"].points, 4.0, np.float32([-30, 10]))
    paint([SHAPES["point"], other], rgb, luminance, 0)
    assert rgb_to_lab(rgb[20, 30] / 255)[1] < 0 < rgb_to_lab(rgb[20, 36] / 255)[1]


def test_a_touch_outside_the_picture_changes_nothing():
    rgb, luminance = gray_rows()
    before = rgb.copy()
    paint([Overlay(np.array([[-50.0, 500.0]]), 5.0, AB)], rgb, luminance, 0)
    assert np.array_equal(rgb, before)


def test_a_place_without_a_colour_shows_the_picture_below_the_places_before_it():
    random = np.random.default_rng(5)
    rgb = random.integers(60, 200, (40, 50, 3)).astype(np.uint8)
    luminance = srgb_to_linear(rgb / 255.0) @ (0.2126, 0.7152, 0.0722)
    square = np.array([[5, 5], [45, 5], [45, 35], [5, 35]], float)
    red = Overlay(square, 0, np.array([60, 30], np.float32), closed=True)
    kept = Overlay(np.array([[25.0, 20.0]]), 6, None)
    alone, whole = rgb.copy(), rgb.copy()
    paint([red], alone, luminance, 0)
    paint([red, kept], whole, luminance, 0)
    rows, columns = np.mgrid[:40, :50] + 0.5
    distance = np.hypot(rows - 20, columns - 25)
    assert np.array_equal(whole[distance < 5], rgb[distance < 5])
    assert np.array_equal(whole[distance > 9], alone[distance > 9])
    below = rgb.copy()
    paint([kept, red], below, luminance, 0)  # the later one is on top
    assert np.array_equal(below, alone)
