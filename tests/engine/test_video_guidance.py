"""What the owner says at a time falls into the shot that is shown then."""

import json

import numpy as np
import pytest
from tests.engine.noisy import frame
from tests.films import disc_centre, scene

from photochrom.engine.guidance import Guidance
from photochrom.engine.optical_flow import identity
from photochrom.engine.shots import SmallFrame, linked
from photochrom.engine.steady_colours import keys
from photochrom.engine.video_guidance import (
    Cue,
    ShotPlans,
    _guidance_of,
    moved,
    parse_time,
    read_cues,
)
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.options.palette import Palette


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("83.4", 83.4),
        ("1:23.4", 83.4),
        ("1:02:03", 3723),
        ("0:60.00", 60),
        ("105:23.40", 6323.4),
        (5, 5),
        (0, 0),
    ],
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1", -1, "1:2:3:4", "1.2.3", True, float("nan")])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InvalidValueError, match="A time must be"):
        parse_time(text)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"hint": []}, "may have only 'hints' and 'shots'"),
        ({"hints": {}}, "'hints' must be a list of objects"),
        ([{"shape": "point"}], 'hint 1 needs a time: "at": "1:23.4"'),
        ([{"at": "0:01", "shape": "no"}], "hint 1: "),
        ({"shots": [{"saturation": 1}]}, "shot 1 needs 'at'"),
        ({"shots": [{"at": 1, "colour": 1}]}, "shot 1 needs 'at', and may have reference"),
        ({"shots": [{"at": 1, "vividness": 7}]}, "shot 1: "),
        ({"shots": [{"at": 1, "palette": ["#1"]}]}, "shot 1: "),
        ({"shots": [{"at": 1, "palette": 5}]}, "shot 1: palette must be a text or a list; got 5"),
        ({"shots": [{"at": 1, "vividness": "x"}]}, "vividness must be a number; got 'x'"),
        ({"shots": [{"at": 1, "seed": float("inf")}]}, "seed must be a whole number; got inf"),
        ({"shots": [{"at": 1, "reference": 5}]}, "reference must be a text; got 5"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, table, said):
    path = tmp_path / "hints.json"
    path.write_text(json.dumps(table))
    with pytest.raises(InvalidValueError, match="hints.json") as caught:
        read_cues(path)
    assert said in str(caught.value)


def test_null_leaves_the_look_of_a_shot_as_it_is(tmp_path):
    path = tmp_path / "hints.json"
    path.write_text(json.dumps({"shots": [{"at": 0, "saturation": None, "vividness": None}]}))
    (plan,), _ = plans_of(scene(8), *read_cues(path))
    assert plan.look == Look()


def test_a_file_that_is_missing_is_said_once(tmp_path):
    path = tmp_path / "hints.json"
    with pytest.raises(InvalidValueError) as caught:
        read_cues(path)
    assert str(caught.value) == f"{path}: cannot read the film's hints (No such file or directory)."


def test_a_file_of_hints_and_shots_is_read(tmp_path):
    path = tmp_path / "hints.json"
    hint = {"at": "0:01", "shape": "point", "x": 3, "y": 4, "colour": "#c02020", "radius": 5}
    hint |= {"points": [[3, 4]]}
    stored = {"at": "0:01", **Hint.point(3, 4, "#c02020", 5).to_table()}
    path.write_text(json.dumps({"hints": [stored], "shots": [{"at": 2, "saturation": 0.5}]}))
    first, second = read_cues(path)
    assert (first.at, first.hint) == (1.0, Hint.point(3, 4, "#c02020", 5))
    assert second == Cue(2.0, None, {"saturation": 0.5})


def plans_of(pictures, *cues, rate=10):
    looks = (SmallFrame(frame(n), (p * 100).astype(np.float32)) for n, p in enumerate(pictures))
    plans = ShotPlans(cues, lambda pts: pts / rate, (96, 72), Guidance(), Look())
    return list(plans.of(keys(linked(looks)))), plans.unused


def shot_at(at):
    return Cue(at, None, {"saturation": 0.5})


@pytest.mark.parametrize(
    ("at", "first"),
    [(0.0, 0), (0.79, 0), (0.796, 8), (0.8, 8), (1.5, 8), (1.59, 8), (1.71, None), (9, None)],
)
def test_a_time_falls_into_the_shot_that_is_shown(at, first):
    plans, unused = plans_of([*scene(8), *scene(8, 1)], shot_at(at))
    assert [plan.first for plan in plans] == ([] if first is None else [first])
    assert [cue.at for cue in unused] == ([at] if first is None else [])


def test_a_hint_follows_its_thing_both_ways():
    pictures = scene(30, speed=1.5)
    x, y = disc_centre(15, speed=1.5)
    (plan,), unused = plans_of(pictures, Cue(1.5, Hint.point(x, y, "#c02020", 5), {}))
    assert not unused
    assert 0 in plan.hints
    assert 29 in plan.hints
    for number, (hint,) in plan.hints.items():
        assert hint.points[0] == pytest.approx(disc_centre(number, speed=1.5), abs=4)


def test_later_words_for_a_shot_hold_and_others_are_kept():
    cues = (Cue(0.1, None, {"saturation": 0.5}), Cue(0.3, None, {"vividness": 0.9}))
    (plan,), _ = plans_of(scene(8), *cues)
    assert (plan.look.saturation, plan.look.vividness) == (0.5, 0.9)


def test_a_hint_out_of_sight_or_out_of_the_picture_is_given_up():
    hint = Hint.point(10, 10, "#c02020", 3)
    path = identity((80, 107))
    assert moved(hint, path, (96, 72)).points[0] == pytest.approx((10, 10), abs=0.05)
    assert moved(hint, identity((80, 107), 0.1), (96, 72)) is None
    away = path._replace(places=path.places - 40)
    assert moved(hint, away, (96, 72)) is None


def test_a_second_word_for_a_shot_leaves_the_candidate_and_the_seed_of_the_first():
    first = _guidance_of({"candidate": 2, "seed": 5}, Guidance())
    second = _guidance_of({"palette": "autumn"}, first)
    assert (second.candidate, second.seed) == (2, 5)
    assert second.palette == Palette.of("autumn")
