import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.color import deltaE_ciede2000

from photochrom.color.difference import chroma, ciede2000, hue
from photochrom.errors import ShapeError

# Sharma, Wu, Dalal 2005, table 1: L a b, L a b, CIEDE2000.
SHARMA = np.array(
    [
        [50.0, 2.6772, -79.7751, 50.0, 0.0, -82.7485, 2.0425],
        [50.0, 3.1571, -77.2803, 50.0, 0.0, -82.7485, 2.8615],
        [50.0, 2.8361, -74.02, 50.0, 0.0, -82.7485, 3.4412],
        [50.0, -1.3802, -84.2814, 50.0, 0.0, -82.7485, 1.0],
        [50.0, -1.1848, -84.8006, 50.0, 0.0, -82.7485, 1.0],
        [50.0, -0.9009, -85.5211, 50.0, 0.0, -82.7485, 1.0],
        [50.0, 0.0, 0.0, 50.0, -1.0, 2.0, 2.3669],
        [50.0, -1.0, 2.0, 50.0, 0.0, 0.0, 2.3669],
        [50.0, 2.49, -0.001, 50.0, -2.49, 0.0009, 7.1792],
        [50.0, 2.49, -0.001, 50.0, -2.49, 0.001, 7.1792],
        [50.0, 2.49, -0.001, 50.0, -2.49, 0.0011, 7.2195],
        [50.0, 2.49, -0.001, 50.0, -2.49, 0.0012, 7.2195],
        [50.0, -0.001, 2.49, 50.0, 0.0009, -2.49, 4.8045],
        [50.0, -0.001, 2.49, 50.0, 0.001, -2.49, 4.8045],
        [50.0, -0.001, 2.49, 50.0, 0.0011, -2.49, 4.7461],
        [50.0, 2.5, 0.0, 50.0, 0.0, -2.5, 4.3065],
        [50.0, 2.5, 0.0, 73.0, 25.0, -18.0, 27.1492],
        [50.0, 2.5, 0.0, 61.0, -5.0, 29.0, 22.8977],
        [50.0, 2.5, 0.0, 56.0, -27.0, -3.0, 31.903],
        [50.0, 2.5, 0.0, 58.0, 24.0, 15.0, 19.4535],
        [50.0, 2.5, 0.0, 50.0, 3.1736, 0.5854, 1.0],
        [50.0, 2.5, 0.0, 50.0, 3.2972, 0.0, 1.0],
        [50.0, 2.5, 0.0, 50.0, 1.8634, 0.5757, 1.0],
        [50.0, 2.5, 0.0, 50.0, 3.2592, 0.335, 1.0],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.263],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.248, -4.962, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.694, 23.0331, 14.973, -42.5619, 2.0373],
        [36.4612, 47.858, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.441, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.135, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)
LAB = st.tuples(st.floats(0, 100), st.floats(-110, 110), st.floats(-110, 110)).map(np.array)


def random_labs(count, dtype=np.float64):
    random = np.random.default_rng(count)
    return random.uniform([0, -100, -100], [100, 100, 100], (2, count, 3)).astype(dtype)


def test_sharmas_34_pairs_are_met_both_ways():
    assert len(SHARMA) == 34
    one, two, expected = SHARMA[:, :3], SHARMA[:, 3:6], SHARMA[:, 6]
    np.testing.assert_allclose(ciede2000(one, two), expected, atol=1e-4)
    np.testing.assert_allclose(ciede2000(two, one), expected, atol=1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_random_colours_differ_as_scikit_image_says(dtype, tolerance):
    one, two = random_labs(2000, dtype)
    expected = deltaE_ciede2000(one.astype(np.float64), two.astype(np.float64))
    np.testing.assert_allclose(ciede2000(one, two), expected, atol=tolerance)


@given(LAB, LAB)
def test_the_difference_is_symmetric_never_negative_and_zero_to_itself(one, two):
    forward = ciede2000(one, two)
    assert forward >= 0
    assert ciede2000(one, one) == 0
    opposite = np.cos(np.radians(hue(one[1:]) - hue(two[1:]))) < -1 + 1e-9
    if not opposite:  # where hues are opposite the mean hue jumps: Sharma, section 3.2
        assert ciede2000(two, one) == pytest.approx(forward, abs=1e-6)


@given(hnp.arrays(np.float64, 2, elements=st.floats(-110, 110)))
def test_chroma_and_hue_are_the_polar_form_of_ab(ab):
    angle = np.radians(hue(ab))
    assert 0 <= hue(ab) < 360
    polar = chroma(ab) * np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(polar, ab, atol=1e-9)


@pytest.mark.parametrize(
    ("ab", "degrees"), [((0, 0), 0), ((5, 0), 0), ((0, 5), 90), ((-5, 0), 180), ((0, -5), 270)]
)
def test_hue_turns_from_red_over_yellow(ab, degrees):
    assert hue(np.array(ab, float)) == pytest.approx(degrees)


def test_shapes_broadcast_and_dtype_is_kept():
    one, two = random_labs(6, np.float32)
    result = ciede2000(one.reshape(2, 3, 3), two[:1])
    assert result.shape == (2, 3)
    assert result.dtype == np.float32
    assert chroma(one[:, 1:]).dtype == hue(one[:, 1:]).dtype == np.float32


@pytest.mark.parametrize("shape", [(), (2,), (4, 4)])
def test_a_wrong_last_axis_is_refused(shape):
    right, wrong = np.zeros((4, 3)), np.zeros(shape)
    for one, two in ((right, wrong), (wrong, right)):
        with pytest.raises(ShapeError, match="needs 3 numbers"):
            ciede2000(one, two)
    for function in (chroma, hue):
        with pytest.raises(ShapeError, match="needs 2 numbers"):
            function(right)


def test_nan_stays_in_its_own_pixel():
    one, two = random_labs(3)
    one[1, 2] = np.nan
    assert np.isnan(ciede2000(one, two)).tolist() == [False, True, False]
    assert np.isnan(chroma(one[:, 1:])).tolist() == [False, True, False]


def test_torch_and_numpy_agree():
    torch = pytest.importorskip("torch")
    one, two = random_labs(500)
    result = ciede2000(torch.from_numpy(one), torch.from_numpy(two))
    np.testing.assert_allclose(result.numpy(), ciede2000(one, two), atol=1e-9)
    for function in (chroma, hue):
        ab = one[:, 1:]
        np.testing.assert_allclose(function(torch.from_numpy(ab)).numpy(), function(ab), atol=1e-9)
