import json
import math

import jsonschema
import numpy as np
import pytest

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import InvalidValueError
from photochrom.options.hint import HINT_SCHEMA, MOST_POINTS, Hint, parse_colour

HINTS = [
    Hint.point(10, 20.5, "#c08040", 12),
    Hint.stroke([(0, 0), (5, 9)], (1, 2, 3), width=6),
    Hint.region([(0, 0), (9, 0), (9, 9)]),
    Hint.point(3, 4, None),
    Hint.point(3, 4, "#c08040", reach="thing"),
    Hint.stroke([(0, 0), (5, 9)], "#c08040", reach=0.25),
]


@pytest.mark.parametrize("hint", HINTS, ids=lambda h: h.shape)
def test_a_hint_survives_json_and_fits_the_schema(hint):
    table = json.loads(json.dumps(hint.to_table()))
    jsonschema.validate(table, HINT_SCHEMA)
    assert Hint.from_table(table) == hint


def test_a_hint_knows_its_colour_in_ab_units():
    expected = rgb_to_lab(np.array([0xC0, 0x80, 0x40]) / 255)[1:]
    assert Hint.point(0, 0, "#c08040").ab == pytest.approx(expected, abs=1e-4)
    assert not Hint.point(0, 0, None).ab.any()


def test_a_hint_scales_with_its_photo():
    assert Hint.point(10, 20, None, 4).scaled(0.5) == Hint.point(5, 10, None, 2)


@pytest.mark.parametrize("colour", ["#010203", "010203", (1, 2, 3), [1.0, 2.0, 3.0]])
def test_a_colour_is_read_however_it_is_written(colour):
    assert parse_colour(colour) == (1, 2, 3)


@pytest.mark.parametrize("colour", ["", "#12345", "red", (1, 2), "#gg0000", 7, ("a", "b", "c")])
def test_what_is_no_colour_is_refused(colour):
    with pytest.raises(InvalidValueError, match="#rrggbb"):
        parse_colour(colour)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("text", "shape and points"),
        ({"shape": "point"}, "shape and points"),
        ({"shape": "point", "points": [[1, 2]], "size": 3}, "shape and points"),
        ({"shape": "dot", "points": [[1, 2]]}, "'dot'"),
        ({"shape": "point", "points": [[1, 2], [3, 4]]}, "1 to 1 points"),
        ({"shape": "region", "points": [[1, 2], [3, 4]]}, "3 to"),
        ({"shape": "stroke", "points": [[1, 2]] * (MOST_POINTS + 1)}, f"1 to {MOST_POINTS}"),
        ({"shape": "point", "points": [[1, math.nan]]}, "finite"),
        ({"shape": "point", "points": [["x", 2]]}, "Cannot read"),
        ({"shape": "point", "points": [[1, 2]], "radius": 0}, "radius"),
        ({"shape": "point", "points": [[1, 2]], "reach": "far"}, "'far'"),
        ({"shape": "point", "points": [[1, 2]], "reach": 0.01}, "0.02 to 2"),
        ({"shape": "point", "points": [[1, 2]], "reach": 2.1}, "0.02 to 2"),
        ({"shape": "point", "points": [[1, 2]], "reach": math.nan}, "nan"),
        ({"shape": "point", "points": [[1, 2]], "reach": True}, "True"),
        ({"shape": "point", "points": [[1, 2]], "reach": "0.5"}, "'0.5'"),
        ({"shape": "point", "points": [[1, 2]], "radius": None}, "Cannot read"),
        ({"shape": "point", "points": [[1, 2]], "colour": "red"}, "#rrggbb"),
    ],
)
def test_a_table_that_is_no_hint_is_refused_and_says_why(table, says):
    with pytest.raises(InvalidValueError, match=says):
        Hint.from_table(table)


def test_a_colour_outside_its_range_is_refused():
    with pytest.raises(InvalidValueError, match="0 to 255"):
        Hint.point(1, 1, (0, 0, 256))
