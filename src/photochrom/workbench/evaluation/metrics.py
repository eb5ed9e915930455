"""Errors of a picture: one function per metric, one picture at a time.

Sources: CIEDE2000 as in `photochrom.color.difference`; Wang, Bovik, Sheikh, Simoncelli, "Image
Quality Assessment: From Error Visibility to Structural Similarity", 2004 (SSIM); Nazeri, Ng,
Ebrahimi, "Image Colorization using Generative Adversarial Networks", 2018 (RGB error, share of
pixels that are right); Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, section 3.1
(area under the curve). What measures the colour itself is in `chroma_metrics`.

Errors of ab, the areas under the curve and `ciede2000_unbounded` are those of the floats that a
method returned. All others are those of the picture that a person gets: inside the gamut, rounded
to 8 bits. The gamut helps: it takes back impossible chroma, so that CIEDE2000 falls (by 6 % for
`oracle-mean`).

Each takes a picture and its truth of one size, (h, w, channels), and raises ShapeError if they
differ: `lab` in CIE L*a*b*, `ab` the a and b of the method before the gamut, `rgb` sRGB in uint8.
"""

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.difference import ciede2000
from photochrom.errors import ShapeError
from photochrom.extras import require

SSIM_WINDOW_PX = 11
LARGEST_THRESHOLD = 150.0  # ab units, at which the curve of Zhang et al. ends


def check_pair(picture: np.ndarray, truth: np.ndarray, channels: int) -> None:
    """Raise ShapeError if a picture and its truth differ in shape, or have other channels."""
    if picture.shape != truth.shape or picture.ndim != 3 or picture.shape[2] != channels:
        raise ShapeError(
            f"picture and truth need one shape (h, w, {channels}); "
            f"they are {picture.shape} and {truth.shape}."
        )


def mean_ciede2000(lab: Floats, truth_lab: Floats) -> float:
    """Return the mean CIEDE2000 difference over the pixels; about 1 is just noticeable."""
    check_pair(lab, truth_lab, 3)
    return float(np.mean(ciede2000(lab, truth_lab), dtype=np.float64))


def mean_absolute_error(ab: Floats, truth_ab: Floats) -> float:
    """Return the mean absolute error over pixels, a and b together, in ab units."""
    check_pair(ab, truth_ab, 2)
    return float(np.mean(np.abs(ab - truth_ab), dtype=np.float64))


def mean_squared_error(ab: Floats, truth_ab: Floats) -> float:
    """Return the mean squared error over pixels, a and b together, in squared ab units.

    The RMSE of many pictures is the root of the mean of these, not the mean of their roots.
    """
    check_pair(ab, truth_ab, 2)
    return float(np.mean((ab - truth_ab) ** 2, dtype=np.float64))


def area_under_curve(ab: Floats, truth_ab: Floats, weights: Floats | None = None) -> float:
    """Return the area under the curve of pixels right within a threshold (Zhang et al. 2016).

    The curve is the share of pixels whose ab lies within a distance t of the truth, t from 0 to
    150; the area is divided by 150. A pixel at a distance d adds 1 - d/150 (or 0 beyond): that is
    the integral itself, where the paper's code adds up 151 steps.

    With weights (h, w), those of `class_prior.ClassPrior.weights`, it is the mean of the weighted
    pixels: the class-rebalanced area, to be divided by the mean of the weights over all
    photographs.
    """
    check_pair(ab, truth_ab, 2)
    a, b = (ab[..., i] - truth_ab[..., i] for i in range(2))
    under = (1 - np.sqrt(a * a + b * b) / LARGEST_THRESHOLD).clip(0)
    return float(np.mean(under if weights is None else under * weights, dtype=np.float64))


def mean_absolute_rgb_error(rgb: Bytes, truth_rgb: Bytes) -> float:
    """Return the mean absolute error over pixels and the three channels, as a share of 255.

    Nazeri et al. 2018 print it in percent.
    """
    check_pair(rgb, truth_rgb, 3)
    return float(_levels_off(rgb, truth_rgb).mean(dtype=np.float64) / 255)


def share_within(rgb: Bytes, truth_rgb: Bytes, tolerance: float) -> float:
    """Return the share of correct pixels: each of the three channels within a tolerance.

    The tolerance is a share of 255: 0.02 allows 5 levels, 0.05 allows 12.
    """
    check_pair(rgb, truth_rgb, 3)
    right = _levels_off(rgb, truth_rgb) <= 255 * tolerance
    return float(np.mean(right[..., 0] & right[..., 1] & right[..., 2]))


def _levels_off(rgb: Bytes, truth_rgb: Bytes) -> Bytes:
    return np.maximum(rgb, truth_rgb) - np.minimum(rgb, truth_rgb)  # no level leaves uint8


def kolmogorov_smirnov(rgb: Bytes, truth_rgb: Bytes) -> tuple[float, float, float]:
    """Return the two-sample Kolmogorov-Smirnov statistic of the levels of red, green and blue.

    The largest gap between the two cumulative histograms, from 0, the same levels, to 1, none in
    common: where a colour is does not count, only how much of it there is.
    """
    check_pair(rgb, truth_rgb, 3)
    pixels = rgb.shape[0] * rgb.shape[1]
    gaps = []
    for channel in range(3):
        ours, theirs = (
            np.bincount(picture[..., channel].reshape(-1), minlength=256)
            for picture in (rgb, truth_rgb)
        )
        gaps.append(float(np.abs(np.cumsum(ours - theirs)).max() / pixels))
    return gaps[0], gaps[1], gaps[2]


def psnr(rgb: Bytes, truth_rgb: Bytes) -> float:
    """Return the peak signal-to-noise ratio of an 8-bit RGB picture in decibels, peak 255.

    Equal pictures give the PSNR of a single level of a single channel, not infinity, so that a mean
    over pictures stays a number.
    """
    check_pair(rgb, truth_rgb, 3)
    squares = np.square(rgb.astype(np.int32) - truth_rgb).sum(dtype=np.int64)
    return float(10 * np.log10(255**2 * rgb.size / max(int(squares), 1)))


def ssim(rgb: Bytes, truth_rgb: Bytes) -> float:
    """Return the structural similarity of an 8-bit RGB picture by its paper; 1 is equal.

    A Gaussian window of 11 x 11 pixels with a deviation of 1.5, population covariance, mean over
    the three channels. Each side needs 11 pixels.
    """
    check_pair(rgb, truth_rgb, 3)
    if min(rgb.shape[:2]) < SSIM_WINDOW_PX:
        raise ShapeError(
            f"SSIM needs at least {SSIM_WINDOW_PX} pixels on each side; the shape is {rgb.shape}."
        )
    x, y = (np.moveaxis(each, -1, 0).astype(np.float64) for each in (rgb, truth_rgb))
    mean_x, mean_y, xx, yy, xy = _window_means(np.stack([x, y, x * x, y * y, x * y]))
    variance_x, variance_y = xx - mean_x * mean_x, yy - mean_y * mean_y
    covariance = xy - mean_x * mean_y
    luminance, contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # C1 and C2 of the paper
    above = (2 * mean_x * mean_y + luminance) * (2 * covariance + contrast)
    below = (mean_x * mean_x + mean_y * mean_y + luminance) * (variance_x + variance_y + contrast)
    return float(np.mean(above / below))


def _window_means(planes: Floats) -> Floats:
    """Average planes (..., h, w) over the window, where it lies wholly inside the picture.

    All planes in one call: scikit-image's SSIM, which gives the same number, filters each plane of
    each channel by itself, and took half the time of judging a small picture.
    """
    require("evaluate", "SSIM", "scipy")
    from scipy.ndimage import gaussian_filter

    reach = SSIM_WINDOW_PX // 2
    means: Floats = gaussian_filter(planes, sigma=1.5, radius=reach, axes=(-2, -1))
    return means[..., reach:-reach, reach:-reach]
