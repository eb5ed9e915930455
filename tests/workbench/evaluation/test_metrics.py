import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from skimage import data
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import ShapeError
from photochrom.workbench.evaluation import chroma_metrics, metrics


@pytest.fixture(scope="module")
def pair():
    truth = np.ascontiguousarray(data.astronaut()[100:148, 200:240])
    noise = np.random.default_rng(0).integers(-20, 20, truth.shape)
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth


def test_ciede2000_is_scikit_images_mean():
    one, two = np.random.default_rng(1).uniform([0, -80, -80], [100, 80, 80], (2, 9, 7, 3))
    expected = deltaE_ciede2000(one, two).mean()
    assert metrics.mean_ciede2000(one, two) == pytest.approx(expected, abs=1e-9)
    as_float32 = metrics.mean_ciede2000(one.astype(np.float32), two.astype(np.float32))
    assert as_float32 == pytest.approx(expected, abs=1e-3)


def test_psnr_is_scikit_images(pair):
    assert metrics.psnr(*pair) == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0]), abs=1e-9)


def test_the_psnr_of_equal_pictures_is_that_of_one_level(pair):
    almost = pair[1].copy()
    almost[0, 0, 0] += 1
    assert metrics.psnr(pair[1], pair[1]) == pytest.approx(metrics.psnr(almost, pair[1]))


def test_ssim_is_the_papers(pair):
    expected = np.mean(
        [
            structural_similarity(
                pair[0][..., i], pair[1][..., i], data_range=255, gaussian_weights=True,
                sigma=1.5, use_sample_covariance=False, win_size=11,
            )
            for i in range(3)
        ]
    )  # fmt: skip
    assert metrics.ssim(*pair) == pytest.approx(expected, abs=1e-9)
    assert metrics.ssim(pair[1], pair[1]) == 1


def test_ab_errors_meet_values_counted_by_hand():
    truth = np.zeros((1, 2, 2))
    ab = np.array([[[1.0, -3.0], [0.0, 2.0]]])
    assert metrics.mean_absolute_error(ab, truth) == 6 / 4
    assert metrics.mean_squared_error(ab, truth) == 14 / 4


def test_colourfulness_meets_a_value_counted_by_hand():
    # Half red, half green: rg is +255 and -255, yb is 127.5 throughout.
    rgb = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    assert chroma_metrics.colourfulness(rgb) == pytest.approx(255 + 0.3 * 127.5)
    # |rg| is 255 throughout: no spread is left.
    assert chroma_metrics.colourfulness_ddcolor(rgb) == pytest.approx(0.3 * np.hypot(255, 127.5))


@given(st.integers(0, 255))
def test_gray_is_not_colourful(level):
    rgb = np.full((3, 3, 3), level, np.uint8)
    assert chroma_metrics.colourfulness(rgb) == chroma_metrics.colourfulness_ddcolor(rgb) == 0


@pytest.mark.parametrize(
    "metric",
    [
        metrics.mean_ciede2000,
        metrics.psnr,
        metrics.ssim,
        metrics.mean_absolute_error,
        metrics.area_under_curve,
        metrics.mean_absolute_rgb_error,
        metrics.kolmogorov_smirnov,
        lambda one, two: metrics.share_within(one, two, 0.02),
        chroma_metrics.left_gray,
        chroma_metrics.neon,
    ],
)
def test_pictures_of_two_sizes_are_refused(metric):
    with pytest.raises(ShapeError, match=r"\(12, 12, 3\) and \(12, 13, 3\)"):
        metric(np.zeros((12, 12, 3), np.uint8), np.zeros((12, 13, 3), np.uint8))


def test_ssim_refuses_pictures_smaller_than_its_window():
    small = np.zeros((10, 40, 3), np.uint8)
    with pytest.raises(ShapeError, match="at least 11 pixels"):
        metrics.ssim(small, small)


def test_rgb_error_and_right_pixels_meet_values_counted_by_hand():
    truth = np.full((1, 4, 3), 100, np.uint8)
    rgb = truth.copy()
    rgb[0, 1] = (105, 95, 100)  # 2 % of 255 is 5.1 levels
    rgb[0, 2] = (106, 100, 100)
    rgb[0, 3] = (100, 100, 113)  # 5 % is 12.75
    assert metrics.mean_absolute_rgb_error(rgb, truth) == pytest.approx((10 + 6 + 13) / 12 / 255)
    assert metrics.share_within(rgb, truth, 0.02) == 0.5
    assert metrics.share_within(rgb, truth, 0.05) == 0.75
    assert metrics.share_within(truth, rgb, 0.02) == 0.5


def test_the_area_under_the_curve_is_that_of_zhangs_thresholds():
    random = np.random.default_rng(3)
    truth, ab = random.normal(0, 40, (2, 30, 20, 2))
    distance = np.hypot(*np.moveaxis(ab - truth, -1, 0))
    thresholds = np.linspace(0, 150, 3001)
    curve = [(distance <= t).mean() for t in thresholds]
    expected = np.trapezoid(curve, thresholds) / 150
    assert metrics.area_under_curve(ab, truth) == pytest.approx(expected, abs=1e-4)
    steps = np.mean([(distance <= t).mean() for t in range(151)])  # as the paper's code adds up
    assert metrics.area_under_curve(ab, truth) == pytest.approx(steps, abs=4e-3)


def test_a_pixel_adds_to_the_area_what_its_distance_leaves_of_150():
    truth = np.zeros((1, 3, 2))
    ab = np.array([[[0.0, 0.0], [45.0, 60.0], [0.0, 170.0]]])  # distances 0, 75, 170
    assert metrics.area_under_curve(ab, truth) == pytest.approx((1 + 0.5 + 0) / 3)
    weights = np.array([[0.0, 2.0, 1.0]])
    assert metrics.area_under_curve(ab, truth, weights) == pytest.approx(2 * 0.5 / 3)
    assert metrics.area_under_curve(truth, truth) == 1


def test_kolmogorov_smirnov_is_scipys(pair):
    expected = [ks_2samp(pair[0][..., i].ravel(), pair[1][..., i].ravel()) for i in range(3)]
    assert metrics.kolmogorov_smirnov(*pair) == pytest.approx([each.statistic for each in expected])


@given(st.integers(0, 254), st.integers(1, 255))
def test_kolmogorov_smirnov_lies_between_the_same_levels_and_none_in_common(level, step):
    truth = np.full((3, 4, 3), level, np.uint8)
    other = np.full((3, 4, 3), min(255, level + step), np.uint8)
    assert metrics.kolmogorov_smirnov(truth, truth) == (0, 0, 0)
    assert metrics.kolmogorov_smirnov(other, truth) == (1, 1, 1)
    other[0] = level
    assert metrics.kolmogorov_smirnov(truth, other) == pytest.approx((2 / 3,) * 3)


@given(st.integers(0, 2**31))
def test_shares_and_areas_lie_between_0_and_1(seed):
    random = np.random.default_rng(seed)
    one, two = random.integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    ab, truth = random.normal(0, 90, (2, 4, 5, 2))
    few, many = (metrics.share_within(one, two, t) for t in (0.02, 0.05))
    assert 0 <= few <= many <= 1
    assert 0 <= metrics.area_under_curve(ab, truth) <= 1
    assert 0 <= metrics.mean_absolute_rgb_error(one, two) <= 1


def lab_of(a, lightness=50.0, b=None):
    """Give L*a*b* (h, w, 3) of one lightness, with the a (and b) of a table."""
    a = np.asarray(a, float)
    return np.stack([np.full_like(a, lightness), a, np.zeros_like(a) if b is None else b], -1)


def test_left_gray_meets_shares_counted_by_hand():
    # So small a picture is not averaged: the window of 256 pixels' 7 is a single pixel.
    truth = lab_of([[12.0, 11.9, 30.0, 40.0], [-12.0, 0.0, -30.0, 20.0]])
    shown = lab_of([[4.9, 0.0, 5.0, 0.0], [30.0, 40.0, -4.0, 20.0]])
    # Six are truly coloured; of them 12, 40 and -30 are shown with less than 5.
    assert chroma_metrics.left_gray(shown, truth) == 3 / 6


def test_only_lightness_that_can_show_colour_counts_as_left_gray():
    truth = lab_of(np.full((1, 6), 20.0))
    truth[0, :, 0] = [11.9, 12, 50, 97, 97.1, 100]
    shown = truth.copy()
    shown[0, [0, 2, 4, 5], 1] = 0
    assert chroma_metrics.left_gray(shown, truth) == 1 / 3


def test_a_truth_without_true_colour_has_nothing_to_leave_gray():
    assert chroma_metrics.left_gray(lab_of(np.zeros((9, 9))), lab_of(np.full((9, 9), 11.0))) is None


def test_both_are_averaged_so_that_noise_is_neither_true_colour_nor_shown():
    noise = np.where(np.indices((256, 256)).sum(0) % 2, 40.0, -40.0)
    assert chroma_metrics.left_gray(lab_of(noise), lab_of(noise)) is None
    assert chroma_metrics.left_gray(lab_of(noise), lab_of(np.full_like(noise, 20.0))) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("short_side_px", "across"), [(256, 7), (192, 5), (512, 13), (32, 1)])
def test_left_gray_is_that_of_windows_cut_out_one_by_one(short_side_px, across):
    random = np.random.default_rng(short_side_px)
    height, width = short_side_px, short_side_px + 9
    coarse = random.normal(0, 25, (2, height // 8 + 2, width // 8 + 2, 2))
    fields = np.repeat(np.repeat(coarse, 8, 1), 8, 2)[:, :height, :width]
    truth_ab, ab = fields + random.normal(0, 8, fields.shape)
    ab = ab * random.choice([0.1, 1], (height, width, 1))
    lightness = random.uniform(0, 100, (height, width, 1))
    truth, shown = (np.concatenate([lightness, each], -1) for each in (truth_ab, ab))
    reach = across // 2
    wide = [
        np.pad(x, ((reach, reach), (reach, reach), (0, 0)), "symmetric") for x in (truth, shown)
    ]
    whole = [np.moveaxis(x[..., 1:], -1, 0) for x in wide]
    means = [
        np.lib.stride_tricks.sliding_window_view(x, (across, across), (1, 2)).mean((-2, -1))
        for x in whole
    ]
    true, own = (np.hypot(*mean) for mean in means)
    able = (lightness[..., 0] >= 12) & (lightness[..., 0] <= 97) & (true >= 12)
    assert chroma_metrics.left_gray(shown, truth) == pytest.approx(
        (own[able] < 5).mean(), abs=1e-12
    )


def test_concentration_meets_shares_counted_by_hand():
    assert chroma_metrics.concentration(lab_of([[1.0, 2.0, 3.0, -4.0, 0.0]])) == pytest.approx(
        4 / 10
    )
    # Of seven pixels a fifth is 1.4: all of the most colourful and two fifths of the next.
    held = (10 + 0.4 * 5) / 20
    assert chroma_metrics.concentration(lab_of([[1.0, 1, 1, 10, 1, -5, 1]])) == pytest.approx(held)
    assert chroma_metrics.concentration(lab_of([[3.0, 0, 0, 0, 0]], b=np.full((1, 5), 4.0))) == (
        pytest.approx(5 / 21)
    )


def test_a_gray_picture_has_no_concentration():
    gray = rgb_to_lab(np.repeat(np.linspace(0, 1, 60), 3).reshape(6, 10, 3).astype(np.float32))
    assert chroma_metrics.concentration(gray) is None


@given(st.integers(0, 2**31), st.floats(0.1, 9))
def test_concentration_lies_between_a_fifth_and_1_and_knows_no_saturation(seed, saturation):
    random = np.random.default_rng(seed)
    lab = lab_of(*random.gamma(0.3, 40, (1, 4, 9)), b=random.normal(0, 9, (4, 9)))
    found = chroma_metrics.concentration(lab)
    assert 0.2 <= found <= 1
    assert chroma_metrics.concentration(lab * [1, saturation, saturation]) == pytest.approx(found)
    shuffled = random.permutation(lab.reshape(-1, 3)).reshape(lab.shape)
    assert chroma_metrics.concentration(shuffled) == pytest.approx(found)
    assert chroma_metrics.concentration(lab_of(np.full((4, 9), saturation))) == pytest.approx(0.2)


def test_neon_meets_shares_counted_by_hand():
    truth = lab_of([[0.0, 24.0, 40.0, 40.0, -80.0]])
    shown = lab_of([[31.25, 31.3, 50.0, -50.1, 99.0]])
    # Allowed are 31.25, 31.25, 50, 50 and 100.
    assert chroma_metrics.neon(shown, truth) == 2 / 5


@given(st.integers(0, 2**31))
def test_the_truth_and_gray_are_never_neon_and_the_truth_leaves_nothing_gray(seed):
    random = np.random.default_rng(seed)
    truth = lab_of(random.normal(0, 40, (6, 7)), b=random.normal(0, 40, (6, 7)))
    gray = truth * [1, 0, 0]
    assert chroma_metrics.neon(truth, truth) == chroma_metrics.neon(gray, truth) == 0
    if chroma_metrics.left_gray(truth, truth) is not None:
        assert chroma_metrics.left_gray(truth, truth) == 0
        assert chroma_metrics.left_gray(gray, truth) == 1


@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(1, 4))
def test_more_saturation_leaves_less_gray_and_makes_more_neon(seed, calm, factor):
    random = np.random.default_rng(seed)
    truth = lab_of(random.normal(0, 40, (6, 7)), b=random.normal(0, 40, (6, 7)))
    shown = [truth * [1, s, s] for s in (calm, calm * factor)]
    neon = [chroma_metrics.neon(each, truth) for each in shown]
    left = [chroma_metrics.left_gray(each, truth) or 0 for each in shown]
    assert neon[0] <= neon[1]
    assert left[0] >= left[1]
