import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import color as skimage_color
from skimage import data

from photochrom.color import lab
from photochrom.errors import ShapeError

# Bruce Lindbloom, brucelindbloom.com: "RGB/XYZ Matrices", sRGB, D65. His primaries are rounded
# differently, so that the fourth digit may differ from the standard's own matrix.
LINDBLOOM_RGB_TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
LINDBLOOM_XYZ_TO_RGB = [
    [3.2404542, -1.5371385, -0.4985314],
    [-0.9692660, 1.8760108, 0.0415560],
    [0.0556434, -0.2040259, 1.0572252],
]
# His CIE colour calculator: sRGB -> Lab, reference white D65, no adaptation.
LINDBLOOM_LAB = {
    (1, 1, 1): (100.0, 0.0, 0.0),
    (1, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 1, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 1): (32.2970, 79.1875, -107.8602),
    (0, 1, 1): (91.1132, -48.0875, -14.1312),
    (1, 0, 1): (60.3242, 98.2343, -60.8249),
    (1, 1, 0): (97.1393, -21.5537, 94.4780),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


def rgb_arrays(dtype=np.float64, shape=(7, 3)):
    width = np.dtype(dtype).itemsize * 8
    return hnp.arrays(dtype, shape, elements=st.floats(0, 1, width=width))


def test_the_matrix_is_lindblooms_to_his_rounding():
    np.testing.assert_allclose(lab.RGB_TO_XYZ, LINDBLOOM_RGB_TO_XYZ, atol=2.5e-4)
    np.testing.assert_allclose(lab.XYZ_TO_RGB, LINDBLOOM_XYZ_TO_RGB, atol=6e-4)


def test_the_inverse_matrix_is_the_inverse():
    np.testing.assert_allclose(np.array(lab.XYZ_TO_RGB) @ lab.RGB_TO_XYZ, np.eye(3), atol=1e-14)


@pytest.mark.parametrize(("rgb", "expected"), LINDBLOOM_LAB.items())
def test_the_corners_of_the_cube_are_lindblooms(rgb, expected):
    np.testing.assert_allclose(lab.rgb_to_lab(np.array(rgb, float)), expected, atol=0.02)


@pytest.mark.parametrize(
    ("encoded", "linear"), [(0.0, 0.0), (0.04, 0.04 / 12.92), (0.5, 0.2140411), (1.0, 1.0)]
)
def test_the_transfer_curve_follows_the_standard(encoded, linear):
    assert lab.srgb_to_linear(np.array([encoded]))[0] == pytest.approx(linear, abs=1e-7)
    assert lab.linear_to_srgb(np.array([linear]))[0] == pytest.approx(encoded, abs=1e-7)


@pytest.mark.parametrize(
    ("luminance", "lightness"), [(0.0, 0.0), (216 / 24389, 8.0), (0.18, 49.4961), (1.0, 100.0)]
)
def test_lightness_meets_the_published_points(luminance, lightness):
    assert lab.luminance_to_lightness(np.array([luminance]))[0] == pytest.approx(
        lightness, abs=1e-4
    )
    assert lab.lightness_to_luminance(np.array([lightness]))[0] == pytest.approx(
        luminance, abs=1e-6
    )


def test_a_photograph_is_as_scikit_image_converts_it():
    rgb = data.astronaut()[::8, ::8] / 255
    np.testing.assert_allclose(lab.rgb_to_lab(rgb), skimage_color.rgb2lab(rgb), atol=0.03)


@given(rgb_arrays())
def test_lab_and_back_is_the_same_colour(rgb):
    back = lab.linear_to_srgb(lab.lab_to_linear(lab.rgb_to_lab(rgb)))
    np.testing.assert_allclose(back, rgb, atol=1e-7)  # the standard's own curve steps by 3e-8


@given(rgb_arrays(np.float32))
def test_lab_and_back_keeps_float32_to_a_tenth_of_a_level(rgb):
    back = lab.linear_to_srgb(lab.lab_to_linear(lab.rgb_to_lab(rgb)))
    np.testing.assert_allclose(back, rgb, atol=0.1 / 255)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-9), (np.float32, 1e-4)])
def test_gray_stays_gray(dtype, bound):
    @given(st.floats(0, 1, width=32))
    def law(value):
        ab = lab.rgb_to_lab(np.full(3, value, dtype))[1:]
        assert np.abs(ab).max() < bound

    law()
    levels = np.repeat(np.linspace(0, 1, 65536, dtype=dtype)[:, None], 3, axis=1)
    assert np.abs(lab.rgb_to_lab(levels)[:, 1:]).max() < bound


@given(st.floats(0, 1))
def test_lightness_and_back_is_the_same_luminance(luminance):
    y = np.array([luminance])
    assert lab.lightness_to_luminance(lab.luminance_to_lightness(y)) == pytest.approx(y, abs=1e-12)


def test_lightness_is_that_of_the_luminance():
    rgb = np.random.default_rng(0).random((50, 3))
    luminance = lab.linear_to_luminance(lab.srgb_to_linear(rgb))
    np.testing.assert_allclose(
        lab.rgb_to_lab(rgb)[:, 0], lab.luminance_to_lightness(luminance), atol=1e-12
    )


@pytest.mark.parametrize("convert", [lab.rgb_to_lab, lab.lab_to_linear, lab.linear_to_luminance])
@pytest.mark.parametrize("shape", [(), (2,), (4, 4), (3, 1)])
def test_a_wrong_last_axis_is_refused_with_its_shape(convert, shape):
    with pytest.raises(ShapeError, match="needs 3 numbers on its last axis; its shape is"):
        convert(np.zeros(shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 3), (4, 5, 3), (0, 3)])
def test_shape_and_dtype_are_kept(dtype, shape):
    rgb = np.full(shape, 0.4, dtype)
    for result in (lab.rgb_to_lab(rgb), lab.lab_to_linear(rgb)):
        assert result.shape == shape
        assert result.dtype == dtype
    assert lab.linear_to_luminance(rgb).dtype == dtype


def test_nan_stays_in_its_own_pixel():
    rgb = np.full((2, 3), 0.5)
    rgb[0, 1] = np.nan
    result = lab.lab_to_linear(lab.rgb_to_lab(rgb))
    assert np.isnan(result[0]).all()
    assert np.isfinite(result[1]).all()


@pytest.mark.parametrize(
    "convert",
    [lab.rgb_to_lab, lab.lab_to_linear, lab.srgb_to_linear, lab.linear_to_srgb],
)
def test_torch_and_numpy_agree(convert):
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(1).random((20, 3))
    result = convert(torch.from_numpy(values))
    assert isinstance(result, torch.Tensor)
    np.testing.assert_allclose(result.numpy(), convert(values), atol=1e-9)
    assert convert(torch.from_numpy(values).float()).dtype == torch.float32
