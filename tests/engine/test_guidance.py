import numpy as np
import pytest
from tests.conftest import drawn_picture

from photochrom.engine.guidance import Guidance, hint_planes, overlays_of
from photochrom.engine.reference import Reference
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.palette import MOODS, Palette


def test_planes_show_hints_at_the_working_size():
    hints = [Hint.point(100, 50, "#ff0000", 20), Hint.region([(150, 0), (200, 0), (200, 100)])]
    planes = hint_planes(overlays_of(hints), (100, 200), (20, 40))
    assert planes.mask[10, 20] == 1
    assert planes.ab[10, 20] == pytest.approx(hints[0].ab)
    assert planes.mask[2, 38] == 1
    assert not planes.ab[2, 38].any()
    assert planes.mask[15, 5] == 0
    assert planes.mask.sum() == pytest.approx(np.pi * 4**2 + 0.5 * 10 * 20, rel=0.25)


def test_the_smallest_hint_is_still_seen():
    planes = hint_planes(
        overlays_of([Hint.point(1001, 3003, "#ff0000", 1)]), (4000, 6000), (32, 48)
    )
    assert 1 <= planes.mask.sum() <= 4


def test_later_hints_lie_above_and_none_are_no_planes():
    hints = [Hint.point(10, 10, "#ff0000", 5), Hint.point(10, 10, "#0000ff", 5)]
    planes = hint_planes(overlays_of(hints), (20, 20), (20, 20))
    assert planes.ab[10, 10] == pytest.approx(hints[1].ab)
    assert hint_planes((), (20, 20), (20, 20)) is None


def test_a_hint_outside_the_picture_is_no_error():
    planes = hint_planes(overlays_of([Hint.point(-90, 10, "#ff0000", 5)]), (20, 20), (20, 20))
    assert not planes.mask.any()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"candidate": 99}, "candidate"),
        ({"seed": -1}, "seed"),
        ({"hints": [Hint.point(1, 1, None)] * 1001}, "At most 1000"),
        ({"palette": "warm", "reference": drawn_picture(1)}, "not both"),
        ({"palette": "nosuchmood"}, "a mood: warm"),
        ({"palette": ["#112233"] * 13}, "1 to 12"),
        ({"reference": np.full((40, 50, 3), 90, np.uint8)}, "no|none"),
    ],
)
def test_wishes_that_cannot_be_fulfilled_say_why(options, says):
    with pytest.raises(InvalidValueError, match=says):
        Guidance.of(**options)


@pytest.mark.parametrize("mood", MOODS)
def test_a_palette_becomes_a_histogram_around_its_colours(mood, centres):
    palette = Palette.of(mood)
    shares, chroma = palette.histogram(centres)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert shares.min() >= 0
    mean = shares @ centres
    assert np.hypot(*(mean - 0.5 * palette.ab.mean(axis=0))) < 8
    assert 0 < chroma < np.hypot(*palette.ab.T).max()


def test_a_palette_of_one_colour_points_that_way(centres):
    shares, _ = Palette.of("#3050d0").histogram(centres)
    assert (shares @ centres)[1] < -20


def test_a_reference_gives_its_own_histogram(centres):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32] = (200, 60, 60)
    picture[:, 32:] = (60, 90, 200)
    shares, chroma = Reference.of(picture).histogram(centres)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert np.sort(shares)[-2:] == pytest.approx([0.5, 0.5], abs=0.05)
    assert chroma > 40
