"""One function per metric, one picture at a time.

Sources: CIEDE2000 as in `photochrom.color.difference`; Wang, Bovik, Sheikh, Simoncelli, "Image
Quality Assessment: From Error Visibility to Structural Similarity", 2004 (SSIM); Hasler,
Süsstrunk, "Measuring Colourfulness in Natural Images", 2003; Kang et al., "DDColor", ICCV 2023,
whose published code takes the absolute opponent channels; Nazeri, Ng, Ebrahimi, "Image Colorization
using Generative Adversarial Networks", 2018 (RGB error, share of pixels that are right); Zhang,
Isola, Efros, "Colorful Image Colorization", ECCV 2016, section 3.1 (area under the curve).
Left gray, concentration and neon are this project's own (docs/judging.md): what a mean error hides
and a person minds.

Errors of ab, the areas under the curve and `ciede2000_unbounded` are those of the floats that a
method returned. All others are those of the picture that a person gets: inside the gamut, rounded
to 8 bits. The gamut helps: it takes back impossible chroma, so that CIEDE2000 falls (by 6 % for
`oracle-mean`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photochrom.color.difference import chroma, ciede2000
from photochrom.errors import ShapeError
from photochrom.extras import require

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]

SSIM_WINDOW_PX = 11
LARGEST_THRESHOLD = 150.0  # ab units, at which the curve of Zhang et al. ends

# Truly coloured: this chroma or more, averaged over a window of this share of the short side
# (7 x 7 pixels of 256, for a single pixel's chroma is noise), at a lightness that can show it.
COLOURED_CHROMA, COLOURED_WINDOW, COLOURED_LIGHTNESS = 12.0, 7 / 256, (12.0, 97.0)
GRAY_CHROMA = 5.0  # below it a pixel looks gray
MOST_COLOURFUL = 0.2  # share of the pixels
LEAST_MEAN_CHROMA = 0.1  # a picture with less holds rounding, not colour
NEON_FACTOR, NEON_FLOOR = 1.25, 25.0  # over this factor of the truth's chroma, or of the floor


def _check_pair(picture: NDArray[Any], truth: NDArray[Any], channels: int) -> None:
    if picture.shape != truth.shape or picture.ndim != 3 or picture.shape[2] != channels:
        raise ShapeError(
            f"picture and truth need one shape (h, w, {channels}); "
            f"they are {picture.shape} and {truth.shape}."
        )


def mean_ciede2000(lab: Floats, truth_lab: Floats) -> float:
    """Return the mean CIEDE2000 difference over the pixels.

    Parameters
    ----------
    lab, truth_lab : float array, (h, w, 3)
        CIE L*a*b* of the picture and of the truth.

    Returns
    -------
    float
        0 or more; about 1 is just noticeable.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    """
    _check_pair(lab, truth_lab, 3)
    return float(np.mean(ciede2000(lab, truth_lab), dtype=np.float64))


def mean_absolute_error(ab: Floats, truth_ab: Floats) -> float:
    """Return the mean absolute error over pixels, a and b together.

    Parameters
    ----------
    ab, truth_ab : float array, (h, w, 2)
        a and b of the method, before the gamut, and of the truth.

    Returns
    -------
    float
        In ab units.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 2).
    """
    _check_pair(ab, truth_ab, 2)
    return float(np.mean(np.abs(ab - truth_ab), dtype=np.float64))


def mean_squared_error(ab: Floats, truth_ab: Floats) -> float:
    """Return the mean squared error over pixels, a and b together.

    The RMSE of many pictures is the root of the mean of these, not the mean of their roots.

    Parameters
    ----------
    ab, truth_ab : float array, (h, w, 2)
        a and b of the method, before the gamut, and of the truth.

    Returns
    -------
    float
        In squared ab units.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 2).
    """
    _check_pair(ab, truth_ab, 2)
    return float(np.mean((ab - truth_ab) ** 2, dtype=np.float64))


def area_under_curve(ab: Floats, truth_ab: Floats, weights: Floats | None = None) -> float:
    """Give the area under the curve of pixels right within a threshold (AuC of Zhang et al. 2016).

    The curve is the share of pixels whose ab lies within a distance t of the truth, t from 0 to
    150; the area is divided by 150. A pixel at a distance d adds 1 - d/150 (or 0 beyond): that is
    the integral itself, where the paper's code adds up 151 steps.

    Parameters
    ----------
    ab, truth_ab : float array, (h, w, 2)
        a and b of the method, before the gamut, and of the truth.
    weights : float array, (h, w), optional
        Of the pixels; with those of `class_prior.ClassPrior.weights` it is the class-rebalanced
        area, to be divided by their mean over all photographs.

    Returns
    -------
    float
        From 0 to 1, which is equal; without weights. The mean of the weighted pixels with them.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 2).
    """
    _check_pair(ab, truth_ab, 2)
    a, b = (ab[..., i] - truth_ab[..., i] for i in range(2))
    under = (1 - np.sqrt(a * a + b * b) / LARGEST_THRESHOLD).clip(0)
    return float(np.mean(under if weights is None else under * weights, dtype=np.float64))


def mean_absolute_rgb_error(rgb: Bytes, truth_rgb: Bytes) -> float:
    """Return the mean absolute error over pixels and the three channels, as a share of 255.

    Parameters
    ----------
    rgb, truth_rgb : uint8 array, (h, w, 3)
        sRGB of the picture and of the truth.

    Returns
    -------
    float
        From 0 to 1; Nazeri et al. 2018 print it in percent.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    """
    _check_pair(rgb, truth_rgb, 3)
    return float(_levels_off(rgb, truth_rgb).mean(dtype=np.float64) / 255)


def share_within(rgb: Bytes, truth_rgb: Bytes, tolerance: float) -> float:
    """Return the share of pixels that are right: each of the three channels within a tolerance.

    Parameters
    ----------
    rgb, truth_rgb : uint8 array, (h, w, 3)
        sRGB of the picture and of the truth.
    tolerance : float
        As a share of 255: 0.02 allows 5 levels, 0.05 allows 12.

    Returns
    -------
    float
        From 0 to 1, which is all pixels.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    """
    _check_pair(rgb, truth_rgb, 3)
    right = _levels_off(rgb, truth_rgb) <= 255 * tolerance
    return float(np.mean(right[..., 0] & right[..., 1] & right[..., 2]))


def _levels_off(rgb: Bytes, truth_rgb: Bytes) -> Bytes:
    return np.maximum(rgb, truth_rgb) - np.minimum(rgb, truth_rgb)  # no level leaves uint8


def kolmogorov_smirnov(rgb: Bytes, truth_rgb: Bytes) -> tuple[float, float, float]:
    """Return the two-sample Kolmogorov-Smirnov statistic of each channel's levels.

    The largest gap between the two cumulative histograms: where a colour is does not count, only
    how much of it there is.

    Parameters
    ----------
    rgb, truth_rgb : uint8 array, (h, w, 3)
        sRGB of the picture and of the truth.

    Returns
    -------
    (float, float, float)
        Of red, green and blue, each from 0, the same levels, to 1, none in common.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    """
    _check_pair(rgb, truth_rgb, 3)
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
    """Return the peak signal-to-noise ratio of an 8-bit RGB picture.

    Parameters
    ----------
    rgb, truth_rgb : uint8 array, (h, w, 3)
        sRGB of the picture and of the truth.

    Returns
    -------
    float
        Decibels over all three channels, peak 255. Equal pictures give the PSNR of a single level
        of a single channel, not infinity, so that a mean over pictures stays a number.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    """
    _check_pair(rgb, truth_rgb, 3)
    squares = np.square(rgb.astype(np.int32) - truth_rgb).sum(dtype=np.int64)
    return float(10 * np.log10(255**2 * rgb.size / max(int(squares), 1)))


def ssim(rgb: Bytes, truth_rgb: Bytes) -> float:
    """Return the structural similarity of an 8-bit RGB picture, as its paper defines it.

    A Gaussian window of 11 x 11 pixels with a deviation of 1.5, population covariance, mean over
    the three channels.

    Parameters
    ----------
    rgb, truth_rgb : uint8 array, (h, w, 3)
        sRGB of the picture and of the truth, at least 11 pixels on each side.

    Returns
    -------
    float
        At most 1, which is equal.

    Raises
    ------
    ShapeError
        If the shapes differ, are not (h, w, 3), or are smaller than the window.
    MissingExtraError
        If scipy, which comes with the extra `evaluate`, is not installed.
    """
    _check_pair(rgb, truth_rgb, 3)
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


def colourfulness(rgb: Bytes) -> float:
    """Return the colourfulness of Hasler and Süsstrunk.

    Parameters
    ----------
    rgb : uint8 array, (h, w, 3)
        sRGB.

    Returns
    -------
    float
        0 for gray; about 15 is slightly, 45 averagely, 80 highly colourful.
    """
    return _spread_and_offset(*_opponents(rgb))


def colourfulness_ddcolor(rgb: Bytes) -> float:
    """Return the colourfulness that DDColor's code computes, for comparison with its tables.

    It takes |rg| and |yb| before the moments, which lowers the spread of pictures that have both
    of two opposite colours.

    Parameters
    ----------
    rgb : uint8 array, (h, w, 3)
        sRGB.

    Returns
    -------
    float
        0 for gray.
    """
    rg, yb = _opponents(rgb)
    return _spread_and_offset(np.abs(rg), np.abs(yb))


def _opponents(rgb: Bytes) -> tuple[Floats, Floats]:
    red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
    return red - green, 0.5 * (red + green) - blue


def _spread_and_offset(rg: Floats, yb: Floats) -> float:
    spread = np.hypot(rg.std(dtype=np.float64), yb.std(dtype=np.float64))
    offset = np.hypot(rg.mean(dtype=np.float64), yb.mean(dtype=np.float64))
    return float(spread + 0.3 * offset)


def left_gray(lab: Floats, truth_lab: Floats) -> float | None:
    """Return the share of the truly coloured pixels that are shown gray.

    Truly coloured: the true L* lies in 12 to 97, and the chroma of the true ab, averaged over a
    window of 7 x 7 pixels at a short side of 256 (in proportion at others), is 12 or more. Shown
    gray: the chroma of the picture's ab, averaged likewise, is under 5.

    Parameters
    ----------
    lab, truth_lab : float array, (h, w, 3)
        CIE L*a*b* of the picture and of the truth.

    Returns
    -------
    float or None
        From 0, all shown in colour, to 1; None if no pixel is truly coloured.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    MissingExtraError
        If scipy, which comes with the extra `evaluate`, is not installed.
    """
    _check_pair(lab, truth_lab, 3)
    true, shown = (chroma(_averaged(each[..., 1:])) for each in (truth_lab, lab))
    low, high = COLOURED_LIGHTNESS
    lightness = truth_lab[..., 0]
    coloured = (lightness >= low) & (lightness <= high) & (true >= COLOURED_CHROMA)
    if not coloured.any():
        return None
    return float(np.mean(shown[coloured] < GRAY_CHROMA))


def _averaged(ab: Floats) -> Floats:
    """Average ab (h, w, 2) over the window around each pixel; the border is mirrored."""
    require("evaluate", "Left gray", "scipy")
    from scipy.ndimage import uniform_filter

    across = 2 * round((COLOURED_WINDOW * min(ab.shape[:2]) - 1) / 2) + 1  # odd
    averaged: Floats = uniform_filter(ab, size=(across, across, 1), mode="reflect")
    return averaged


def concentration(lab: Floats) -> float | None:
    """Return the share of a picture's chroma that its most colourful fifth of pixels holds.

    Parameters
    ----------
    lab : float array, (h, w, 3)
        CIE L*a*b*.

    Returns
    -------
    float or None
        From 0.2, chroma is the same everywhere, to 1, four fifths of the picture are gray; None for
        a picture whose mean chroma is under 0.1, which has none to share out.

    Raises
    ------
    ShapeError
        If the shape is not (h, w, 3).
    """
    _check_pair(lab, lab, 3)
    chromas = np.sort(chroma(lab[..., 1:]).reshape(-1).astype(np.float64))[::-1]
    if chromas.mean() < LEAST_MEAN_CHROMA:
        return None
    whole, part = divmod(MOST_COLOURFUL * chromas.size, 1)  # the last pixel may count in part
    held = chromas[: int(whole)].sum() + part * chromas[int(whole)]
    return float(held / chromas.sum())


def neon(lab: Floats, truth_lab: Floats) -> float:
    """Return the share of pixels with much more chroma than the truth.

    Parameters
    ----------
    lab, truth_lab : float array, (h, w, 3)
        CIE L*a*b* of the picture and of the truth.

    Returns
    -------
    float
        Share of the pixels whose chroma is over 1.25 times that of the truth, and over 1.25 times
        25 where the truth has less than 25.

    Raises
    ------
    ShapeError
        If the shapes differ or are not (h, w, 3).
    """
    _check_pair(lab, truth_lab, 3)
    shown, true = (chroma(each[..., 1:]) for each in (lab, truth_lab))
    return float(np.mean(shown > NEON_FACTOR * np.maximum(true, NEON_FLOOR)))
