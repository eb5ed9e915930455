"""Cuts are found at their frame; fades, flashes, flicker, dust and pans are none."""

import numpy as np
import pytest
from tests.engine.noisy import frame
from tests.films import scene

from photochrom.engine.shots import SmallFrame, linked


def steps_of(pictures):
    return list(
        linked(SmallFrame(frame(n), (p * 100).astype(np.float32)) for n, p in enumerate(pictures))
    )


def cuts(pictures):
    return [n for n, step in enumerate(steps_of(pictures)) if step.is_first]


def test_a_cut_is_found_at_its_frame():
    assert cuts([*scene(9), *scene(7, 1), *scene(8, 2)]) == [0, 9, 16]


def test_a_cut_after_a_single_frame_or_at_the_last_one_is_found():
    assert cuts([*scene(8), *scene(1, 1)]) == [0, 8]
    assert cuts(scene(1)) == [0]
    assert cuts([]) == []


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_fade_to_black_or_white_and_back_is_no_cut(level):
    pictures = scene(30)
    shares = np.clip(np.abs(np.arange(30) - 15) / 10, 0, 1)
    faded = [level + (p - level) * share for p, share in zip(pictures, shares, strict=True)]
    assert cuts(faded) == [0]


def test_a_cut_behind_black_is_found_where_the_picture_comes():
    black = [np.zeros((72, 96))] * 5
    assert cuts([*scene(8), *black, *scene(8, 1)]) == [0, 13]
    assert cuts([*black, *scene(8)]) == [0]


@pytest.mark.parametrize("lasts", [1, 2])
@pytest.mark.parametrize("kind", ["white", "other", "bright"])
def test_a_flash_of_a_frame_or_two_is_no_cut_and_is_passing(lasts, kind):
    pictures = scene(20)
    flashed = {"white": np.ones((72, 96)), "other": scene(1, 7)[0]}
    for at in range(9, 9 + lasts):
        bright = np.clip(pictures[at] * 1.5 + 0.2, 0, 1)
        pictures[at] = flashed.get(kind, bright)
    found = steps_of(pictures)
    assert [n for n, step in enumerate(found) if step.is_first] == [0]
    if kind != "bright":
        passing = [n for n, step in enumerate(found) if step.is_passing]
        assert passing == list(range(9, 9 + lasts))


def test_flicker_and_dust_are_no_cuts():
    random = np.random.default_rng(0)
    flicker = [np.clip(p * random.uniform(0.6, 1.2), 0, 1) for p in scene(30)]
    assert cuts(flicker) == [0]
    dusty = scene(30)
    for picture in dusty:
        for _ in range(6):
            y, x = random.integers(0, 66), random.integers(0, 90)
            picture[y : y + 5, x : x + 5] = random.integers(0, 2)
        picture[:, random.integers(0, 95)] = 1
    assert cuts(dusty) == [0]


def test_a_pan_is_no_cut():
    assert cuts(scene(30, pan=2.0)) == [0]
    assert cuts(scene(20, pan=5.0, speed=3.0)) == [0]


def test_grain_is_no_cut():
    random = np.random.default_rng(0)
    assert cuts([np.clip(p + random.normal(0, 0.05, p.shape), 0, 1) for p in scene(20)]) == [0]
