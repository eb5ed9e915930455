import io

import numpy as np
import pytest
from PIL import Image
from skimage import data
from tests.conftest import drawn_picture

from photochrom.errors import InvalidValueError
from photochrom.workbench.datasets.picture_files import Encoded, decode
from photochrom.workbench.datasets.standardize import Row, Standard, encode, fit_to, standardise


def encoded(rgb: np.ndarray, format: str = "PNG") -> Encoded:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, format)
    return Encoded(out.getvalue(), "set", "bird", "17")


def flat(*rgb: int, height: int = 40, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), rgb, np.uint8)


@pytest.mark.parametrize(
    ("fit", "size", "expected"),
    [("keep", 48, (48, 64)), ("crop", 48, (48, 48)), ("stretch", 48, (48, 48))]
    + [("keep", 0, (72, 96)), ("keep", 200, (72, 96)), ("stretch", 100, (100, 100))],
)
def test_a_picture_is_fitted(fit, size, expected):
    assert fit_to(drawn_picture(0), size, fit).shape == (*expected, 3)


def test_cropping_keeps_the_middle_and_stretching_the_edges():
    picture = flat(200, 0, 0, height=32, width=96)
    picture[:, 32:64] = (0, 0, 200)
    assert fit_to(picture, 32, "crop")[16, :, 2].min() > 150
    assert fit_to(picture, 32, "stretch")[16, 0, 0] > 150


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (Encoded(b"no picture", "", "", ""), "unreadable"),
        (Encoded(b"", "", "", ""), "unreadable"),
        (encoded(data.astronaut()[:31]), "too small"),
        (encoded(flat(90, 90, 90)), "gray"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refused_picture_says_why(picture, reason):
    assert standardise(picture, Standard()) == reason


@pytest.mark.parametrize(
    ("standard", "below"),
    [
        (Standard(224, "crop"), 224),
        (Standard(224, "keep"), 32),
        (Standard(16), 16),
        (Standard(0), 32),
        (Standard(256, "stretch", 32), 32),
    ],
)
def test_squares_are_not_enlarged_unless_asked(standard, below):
    assert standard.refused_below_px == below


@pytest.mark.parametrize("format", ["PNG", "JPEG", "AVIF"])
def test_bytes_of_a_picture_that_needs_no_change_are_kept(format):
    picture = encoded(drawn_picture(1), format)
    row = standardise(picture, Standard())
    assert isinstance(row, Row)
    assert row.image == picture.image
    assert (row.height, row.width, row.key, row.label) == (72, 96, "17", "bird")


@pytest.mark.parametrize(("size", "format"), [(48, "PNG"), (68, "AVIF")])
def test_small_pictures_become_png_and_larger_ones_avif(size, format):
    row = standardise(encoded(drawn_picture(1), "BMP"), Standard(size, "crop"))
    assert Image.open(io.BytesIO(row.image)).format == format


@pytest.mark.parametrize("format", ["png", "avif", "webp", "jpeg"])
def test_each_format_gives_the_picture_back(format):
    picture = data.chelsea()[:96, :96]
    error = np.abs(decode(encode(picture, format)).astype(int) - picture).mean()
    assert error == 0 if format == "png" else error < 4


def test_mean_hue_goes_round_the_circle():
    picture = flat(0, 0, 0)
    picture[:20], picture[20:] = (220, 40, 90), (220, 60, 30)  # about 10 and 45 degrees
    either = [standardise(encoded(flat(*c)), Standard(gray_rule="none")) for c in picture[::39, 0]]
    both = standardise(encoded(picture), Standard(gray_rule="none"))
    low, high = sorted(row.mean_hue for row in either)
    assert low < both.mean_hue < high
    purple = flat(200, 40, 140)  # above 330 degrees: with orange the mean is near 0, not 180
    purple[20:] = (220, 100, 30)
    around = standardise(encoded(purple), Standard()).mean_hue
    assert min(around, 360 - around) < 40


def test_chroma_and_spread_describe_the_colours():
    row = standardise(encoded(flat(255, 0, 0)), Standard())
    assert row.chroma == pytest.approx(104.55, abs=0.1)  # sRGB red in Lab
    assert row.mean_hue == pytest.approx(40.0, abs=0.1)
    assert row.spread == 255


def test_pca_reduces_the_picture_and_counts_components():
    picture = encoded(data.astronaut()[::4, ::4])
    row = standardise(picture, Standard(128, pca=0.9, format="png"))
    assert 0 < row.components < 64
    assert not np.array_equal(decode(row.image), decode(picture.image))
    assert row.sha256 == standardise(picture, Standard(128)).sha256


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size_px": -1}, "size"),
        ({"fit": "pad"}, "keep, crop, stretch"),
        ({"gray_rule": "grey"}, "Unknown gray rule 'grey'"),
        ({"quality": 101}, "quality"),
        ({"pca": 1.0}, "variance"),
        ({"size_px": 0, "fit": "crop"}, "size above 0"),
    ],
)
def test_options_without_meaning_are_refused(options, named):
    with pytest.raises(InvalidValueError, match=named):
        Standard(**options)
