"""One function per metric, one picture at a time.

Sources: CIEDE2000 as in `photochrom.color.difference`; Wang, Bovik, Sheikh, Simoncelli, "Image
Quality Assessment: From Error Visibility to Structural Similarity", 2004 (SSIM); Hasler,
Süsstrunk, "Measuring Colourfulness in Natural Images", 2003; Kang et al., "DDColor", ICCV 2023,
whose published code takes the absolute opponent channels.

Errors of ab, and `ciede2000_unbounded`, are those of the floats that a method returned. All others
are those of the picture that a person gets: inside the gamut, rounded to 8 bits. The gamut helps:
it takes back impossible chroma, so that CIEDE2000 falls (by 6 % for `oracle-mean`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photochrom.color.difference import ciede2000
from photochrom.errors import MissingExtraError, ShapeError

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]

SSIM_WINDOW_PX = 11


def _check_pair(picture: NDArray[Any], truth: NDArray[Any], channels: int) -> None:
    if picture.shape != truth.shape or picture.ndim != 3 or picture.shape[2] != channels:
        raise ShapeError(
            f"picture and truth need one shape (h, w, {channels}); "
            f"they are {picture.shape} and {truth.shape}."
        )


def mean_ciede2000(lab: Floats, truth_lab: Floats) -> float:
    """Give the mean CIEDE2000 difference over the pixels.

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
    """Give the mean absolute error over pixels, a and b together.

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
    """Give the mean squared error over pixels, a and b together.

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


def psnr(rgb: Bytes, truth_rgb: Bytes) -> float:
    """Give the peak signal-to-noise ratio of an 8-bit RGB picture.

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
    """Give the structural similarity of an 8-bit RGB picture, as its paper defines it.

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
        If scikit-image is not installed.
    """
    _check_pair(rgb, truth_rgb, 3)
    if min(rgb.shape[:2]) < SSIM_WINDOW_PX:
        raise ShapeError(
            f"SSIM needs at least {SSIM_WINDOW_PX} pixels on each side; the shape is {rgb.shape}."
        )
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise MissingExtraError(
            "SSIM needs scikit-image, which is not installed. "
            "Run: pip install 'photochrom[evaluate]'"
        ) from error
    measure: Any = structural_similarity  # it is untyped
    return float(
        measure(
            rgb,
            truth_rgb,
            channel_axis=-1,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def colourfulness(rgb: Bytes) -> float:
    """Give the colourfulness of Hasler and Süsstrunk.

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
    """Give the colourfulness that DDColor's code computes, for comparison with its tables.

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
