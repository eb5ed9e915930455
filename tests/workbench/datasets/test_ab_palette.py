import subprocess
import sys

import numpy as np
import pytest
from tests.conftest import drawn_picture

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.ab_palette import (
    fit_palette,
    palette_error,
    pixels_to_lab,
    recolour,
    sample_pixels,
)

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 40), (40, 60, 190)


def flags():
    """Give two pictures: six parts of red, three of green, one of blue."""
    first = np.full((10, 10, 3), RED, np.uint8)
    first[:2], first[2:3] = GREEN, BLUE
    second = np.full((10, 10, 3), RED, np.uint8)
    second[:4], second[4:5] = GREEN, BLUE
    return [first, second]


@pytest.mark.slow
def test_a_palette_holds_the_colours_with_their_shares_the_most_used_first():
    centres, shares = fit_palette(flags(), 3)
    truth = rgb_to_lab(np.array([RED, GREEN, BLUE]) / 255)[:, 1:]
    np.testing.assert_allclose(centres, truth, atol=0.01)
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=1e-6)
    assert centres.dtype == shares.dtype == np.float32


def test_a_palette_repeats_with_its_seed():
    pictures = [drawn_picture(seed) for seed in range(4)]
    one, two = (fit_palette(iter(pictures), 8, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.centres, two.centres)
    assert (np.diff(one.shares) <= 0).all()
    assert one.shares.sum() == pytest.approx(1, abs=1e-6)


def test_more_colours_lose_less_and_as_many_as_there_are_lose_nothing():
    lab = pixels_to_lab(np.concatenate([drawn_picture(s).reshape(-1, 3) for s in range(2)]))
    pictures = [drawn_picture(seed) for seed in range(2)]
    errors = [palette_error(lab, fit_palette(pictures, count).centres) for count in (2, 8, 32)]
    assert errors[0].ab > errors[1].ab > errors[2].ab
    assert errors[0].ciede2000 > errors[1].ciede2000 > errors[2].ciede2000
    exact = palette_error(pixels_to_lab(flags()[0].reshape(-1, 3)), fit_palette(flags(), 3).centres)
    assert exact.ab < 0.01


def test_a_recoloured_picture_keeps_its_lightness():
    picture = drawn_picture(1)
    coloured = recolour(picture, np.zeros((1, 2), np.float32))
    assert np.ptp(coloured, axis=-1).max() <= 1
    lightness = [rgb_to_lab(rgb / 255.0)[..., 0] for rgb in (picture, coloured)]
    assert np.abs(lightness[0] - lightness[1]).max() < 0.5


def test_all_pixels_are_taken_where_there_are_few():
    pixels = sample_pixels(flags(), 1000)
    assert len(pixels) == 200
    assert (pixels == BLUE).all(-1).sum() == 20


def test_each_pixel_is_as_likely_as_any_other_whatever_its_picture():
    pictures = [np.full((side, 100, 3), value, np.uint8) for value, side in enumerate([50] * 40)]
    drawn = [sample_pixels(iter(pictures), 400, seed)[:, 0] for seed in range(20)]
    assert all(len(one) == 400 for one in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=40)
    # 8,000 pixels from 40 pictures: 200 each, give or take 14 (a binomial's deviation).
    assert abs(counts - 200).max() < 5 * 14
    assert abs(counts[:20].sum() - 4000) < 5 * 45


def test_a_palette_of_more_colours_than_there_are_is_refused():
    with pytest.raises(DataError, match="these have 3"):
        fit_palette(flags(), 4)
    with pytest.raises(DataError, match="no picture"):
        fit_palette([], 4)
    with pytest.raises(InvalidValueError, match="0 were asked"):
        fit_palette(flags(), 0)


def test_without_scikit_learn_the_line_to_run_is_given():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import numpy as np\n"
        "from photochrom.workbench.datasets.ab_palette import fit_palette\n"
        "try: fit_palette([np.zeros((9, 9, 3), np.uint8)], 1)\n"
        "except ImportError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "pip install '.[train]'" in said
