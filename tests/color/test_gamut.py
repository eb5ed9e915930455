import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photochrom.color.gamut import bound_chroma, lab_to_rgb
from photochrom.color.lab import (
    lightness_to_luminance,
    linear_to_luminance,
    rgb_to_lab,
    srgb_to_linear,
)
from photochrom.errors import ShapeError

LABS = hnp.arrays(
    np.float64,
    (5, 3),
    elements=st.floats(-1, 1),
).map(lambda unit: np.stack([50 + 50 * unit[:, 0], 128 * unit[:, 1], 128 * unit[:, 2]], -1))


@given(LABS)
def test_the_result_is_inside_srgb_and_has_the_lightness_asked_for(lab):
    rgb = lab_to_rgb(lab).rgb
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    luminance = linear_to_luminance(srgb_to_linear(rgb))
    np.testing.assert_allclose(luminance, lightness_to_luminance(lab[:, 0]), atol=1e-8)


@given(LABS)
def test_bounding_twice_is_bounding_once(lab):
    linear = srgb_to_linear(lab_to_rgb(lab).rgb)
    again = bound_chroma(linear)
    np.testing.assert_allclose(again.rgb, linear, atol=1e-9)
    assert again.moved == 0


def test_a_colour_inside_is_untouched_and_one_outside_is_counted():
    inside = np.random.default_rng(0).random((100, 3))
    result = lab_to_rgb(rgb_to_lab(inside))
    np.testing.assert_allclose(result.rgb, inside, atol=1e-9)
    assert result.moved == 0
    assert lab_to_rgb(np.array([[50.0, 0, 0], [50.0, 120, 0], [50.0, -120, 60]])).moved == 2


def test_float32_gives_back_every_sampled_8_bit_colour():
    levels = np.arange(0, 256, 15)
    rgb = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    result = lab_to_rgb(rgb_to_lab((rgb / 255).astype(np.float32)))
    assert result.rgb.dtype == np.float32
    np.testing.assert_array_equal(np.rint(result.rgb * 255), rgb)


def test_only_as_much_chroma_is_given_up_as_needed():
    linear = np.array([[1.5, 0.2, 0.1]]) * 0.8
    bounded = bound_chroma(linear).rgb
    assert bounded.max() == pytest.approx(1.0)
    y = linear_to_luminance(linear)[:, None]
    shares = (bounded - y) / (linear - y)
    np.testing.assert_allclose(shares, shares[0, 0])


def test_black_and_white_have_no_colour():
    rgb = lab_to_rgb(np.array([[0.0, 80, 80], [100.0, -80, 80]])).rgb
    np.testing.assert_allclose(rgb, [[0, 0, 0], [1, 1, 1]], atol=1e-12)


def test_a_wrong_shape_is_refused():
    with pytest.raises(ShapeError, match=r"its shape is \(4, 2\)"):
        lab_to_rgb(np.zeros((4, 2)))


def test_nan_stays_in_its_own_pixel_and_is_not_counted():
    lab = np.full((2, 3), 40.0)
    lab[0, 1] = np.nan
    result = lab_to_rgb(lab)
    assert np.isnan(result.rgb[0]).any()
    assert np.isfinite(result.rgb[1]).all()
    assert result.moved == 0


def test_torch_and_numpy_agree():
    torch = pytest.importorskip("torch")
    lab = np.random.default_rng(2).uniform([0, -100, -100], [100, 100, 100], (200, 3))
    ours, theirs = lab_to_rgb(lab), lab_to_rgb(torch.from_numpy(lab))
    np.testing.assert_allclose(theirs.rgb.numpy(), ours.rgb, atol=1e-9)
    assert theirs.moved == ours.moved
