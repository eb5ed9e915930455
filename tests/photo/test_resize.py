import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import transform

from photochrom.photo.resize import resize

SIDE = st.integers(1, 40)


def planes(height, width, seed=0):
    return np.random.default_rng(seed).uniform(-50, 50, (height, width, 2))


def column(values):
    return np.array(values, float)[:, None, None]


def test_shrinking_to_a_whole_share_is_scikit_images_local_mean():
    picture = planes(24, 36)
    expected = transform.downscale_local_mean(picture, (4, 3, 1))
    np.testing.assert_allclose(resize(picture, 6, 12), expected, atol=1e-10)


def test_shrinking_to_any_share_is_scipys_mean_over_each_pixels_area():
    # Each of 7 rows repeated 5 times, then means of 7: the area rule without any fraction.
    picture = planes(7, 3)
    expected = picture.repeat(5, axis=0).reshape(5, 7, 3, 2).mean(1)
    np.testing.assert_allclose(resize(picture, 5, 3), expected, atol=1e-10)


def test_enlarging_is_scikit_images_linear_interpolation():
    picture = planes(6, 9)
    expected = transform.resize(picture, (24, 45, 2), order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(resize(picture, 24, 45), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([0, 4], [0, 1, 3, 4]),
        ([0, 6], [0, 3, 6]),
        ([1, 3, 5, 7], [2, 6]),
        ([0, 3, 6], [1, 5]),
        ([8], [8, 8, 8]),
    ],
)
def test_values_known_by_hand(before, after):
    np.testing.assert_allclose(resize(column(before), len(after), 1), column(after), atol=1e-12)


@given(SIDE, SIDE, SIDE, SIDE)
def test_constants_stay_constant(height, width, new_height, new_width):
    constant = np.full((height, width, 1), 37.5, np.float32)
    resized = resize(constant, new_height, new_width)
    assert resized.shape == (new_height, new_width, 1)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, 37.5, rtol=1e-5)


@given(SIDE, SIDE, st.data())
def test_shrinking_keeps_the_mean(height, width, data):
    picture = planes(height, width)
    smaller = resize(picture, data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    np.testing.assert_allclose(smaller.mean((0, 1)), picture.mean((0, 1)), atol=1e-9)


@given(SIDE, SIDE, SIDE, SIDE)
def test_nothing_leaves_the_range_of_what_was_there(height, width, new_height, new_width):
    picture = planes(height, width)
    resized = resize(picture, new_height, new_width)
    assert resized.min() >= picture.min() - 1e-9
    assert resized.max() <= picture.max() + 1e-9


@given(SIDE, SIDE, SIDE, SIDE)
def test_a_mirrored_picture_is_resized_to_the_mirrored_result(height, width, new_height, new_width):
    picture = planes(height, width)
    np.testing.assert_allclose(
        resize(picture[::-1, ::-1], new_height, new_width),
        resize(picture, new_height, new_width)[::-1, ::-1],
        atol=1e-9,
    )


def test_the_same_size_is_the_same_picture():
    picture = planes(5, 8)
    np.testing.assert_array_equal(resize(picture, 5, 8), picture)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(dtype):
    assert resize(planes(5, 8).astype(dtype), 3, 16).dtype == dtype


def test_a_long_float32_picture_is_shrunk_without_losing_digits():
    long = np.full((1, 200_000, 1), 99.9, np.float32)
    long[0, ::2] = 0.1
    np.testing.assert_allclose(resize(long, 1, 100), 50.0, rtol=1e-6)
