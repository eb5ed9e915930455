import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data
from skimage.color import rgb2gray

from photochrom.color.gray_conversions import GRAYS, bt601, bt709, lightness, orthochromatic
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import ShapeError

EVERY = pytest.mark.parametrize("gray", GRAYS.values(), ids=GRAYS)


@pytest.fixture(scope="module")
def photo():
    return data.coffee()[::8, ::8] / 255


def test_bt601_is_what_pillow_makes_of_a_photograph(photo):
    pillow = Image.fromarray(np.rint(photo * 255).astype(np.uint8)).convert("L")
    np.testing.assert_allclose(bt601(photo) * 255, np.asarray(pillow), atol=1.001)


def test_bt709_is_what_scikit_image_makes_of_a_photograph(photo):
    np.testing.assert_allclose(bt709(photo), rgb2gray(photo), atol=3e-4)  # it has 0.2125, 0.0721


def test_lightness_keeps_the_lightness_of_every_colour(photo):
    gray = np.repeat(lightness(photo)[..., None], 3, axis=-1)
    np.testing.assert_allclose(rgb_to_lab(gray)[..., 0], rgb_to_lab(photo)[..., 0], atol=1e-9)


def test_films_see_colours_as_their_time_did():
    red, blue = np.array([0.8, 0.1, 0.1]), np.array([0.3, 0.5, 0.9])
    assert orthochromatic(red) < 0.6 * lightness(red)
    for film in (orthochromatic, GRAYS["panchromatic"]):
        assert film(blue) > lightness(blue)
    assert GRAYS["panchromatic"](red) > lightness(red) * 0.9


@EVERY
@given(st.floats(0, 1))
def test_a_gray_keeps_its_value(gray, value):
    assert gray(np.full(3, value)) == pytest.approx(value, abs=1e-7)  # the curve steps by 3e-8


@EVERY
@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_the_result_lies_between_the_darkest_and_the_lightest_channel(gray, rgb):
    result = gray(np.array(rgb))
    assert min(rgb) - 1e-7 <= result <= max(rgb) + 1e-7
    assert 0 <= result <= 1


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_and_dtype_are_kept(gray, dtype):
    result = gray(np.full((4, 5, 3), 0.25, dtype))
    assert result.shape == (4, 5)
    assert result.dtype == dtype


@EVERY
def test_a_wrong_last_axis_is_refused(gray):
    with pytest.raises(ShapeError, match=r"its shape is \(4, 4\)"):
        gray(np.zeros((4, 4)))


@EVERY
def test_nan_stays_in_its_own_pixel(gray):
    rgb = np.full((2, 3), 0.5)
    rgb[0, 0] = np.nan
    assert np.isnan(gray(rgb)).tolist() == [True, False]


@EVERY
def test_torch_and_numpy_agree(gray, photo):
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(gray(torch.from_numpy(photo)).numpy(), gray(photo), atol=1e-9)
