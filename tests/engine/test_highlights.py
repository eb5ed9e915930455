import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom import Colorizer
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.highlights import KNEE, toned_down
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.options.ranges import WHITE_LIGHTNESS

WHITES = st.floats(WHITE_LIGHTNESS.low, WHITE_LIGHTNESS.high)


@given(WHITES)
def test_white_becomes_what_is_asked_and_dark_tones_stay(white):
    assert toned_down(np.array(100.0), white) == pytest.approx(white)
    dark = np.linspace(0, 100 - KNEE * (100 - white), 50)
    np.testing.assert_array_equal(toned_down(dark, white), dark)


@given(WHITES)
def test_no_tones_merge_and_none_grows_lighter(white):
    tones = np.linspace(0, 100, 2001)
    lowered = toned_down(tones, white)
    steps = np.diff(lowered) / np.diff(tones)
    assert steps.min() >= 0.5 - 1e-9
    assert steps.max() <= 1 + 1e-9
    assert np.abs(np.diff(steps)).max() < 0.02  # no edge where it begins
    assert (lowered <= tones).all()


@pytest.mark.parametrize("white", [84.9, 99.1, float("nan")])
def test_a_white_out_of_range_is_refused(white):
    with pytest.raises(InvalidValueError, match="85 to 99"):
        Look(white_lightness=white)
    with pytest.raises(InvalidValueError, match="85 to 99"):
        toned_down(np.zeros(3), white)


def test_a_hint_on_white_shows_once_white_is_toned_down():
    gray = np.full((60, 80), 128, np.uint8)
    gray[:, 40:] = 255
    hint = Hint.point(60, 30, "#2c5fa8", 8)

    def chroma(**look):
        result = Colorizer("gray", **look).run(gray, hints=[hint])
        lab = rgb_to_lab(result.image[30, 60] / 255)
        return float(np.hypot(*lab[1:])), float(lab[0]), result.notes

    before, lightness, said = chroma()
    assert before < 1
    assert lightness > 99
    assert not said
    after, lightness, said = chroma(white_lightness=92)
    assert after > 8
    assert lightness == pytest.approx(92, abs=0.6)
    assert said == ("white toned down to L* 92: the lightness is changed",)


def test_the_marker_tells_a_toned_white_and_is_as_before_without():
    plain, toned = Colorizer("gray"), Colorizer("gray", white_lightness=92)
    assert plain.marker().recipe != toned.marker().recipe
    assert "white_lightness" not in Look().to_table()
    assert Look(**toned.look.to_table()) == toned.look
