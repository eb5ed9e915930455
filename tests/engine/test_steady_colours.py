"""Colours hold still within a shot, and end with it."""

from itertools import chain, pairwise

import numpy as np
import pytest
from tests.engine.noisy import frame
from tests.films import scene

from photochrom.engine.shots import SmallFrame, linked
from photochrom.engine.steady_colours import (
    KEY_EVERY,
    MOST_PASSING,
    agreed,
    between,
    blended,
    keys,
    remembered,
    smoothed,
)


def keys_of(pictures, every=KEY_EVERY):
    looks = (SmallFrame(frame(n), (p * 100).astype(np.float32)) for n, p in enumerate(pictures))
    return list(keys(linked(looks), every))


def numbers(key):
    return [key.step.frame.pts, *(step.frame.pts for step in key.steps)]


@pytest.mark.parametrize("count", [1, 2, 3, 12, 13, 14, 25])
def test_every_frame_has_one_key(count):
    found = keys_of(scene(count))
    assert list(chain.from_iterable(map(numbers, found))) == list(range(count))
    assert [key.is_first for key in found] == [True] + [False] * (len(found) - 1)
    assert [key.is_last for key in found] == [False] * (len(found) - 1) + [True]
    assert all(len(numbers(key)) <= KEY_EVERY for key in found)
    assert numbers(found[-1]) == [count - 1]


def test_keys_end_with_their_shot():
    found = keys_of([*scene(15), *scene(15, 1)])
    assert [key.step.frame.pts for key in found if key.is_first] == [0, 15]
    assert [numbers(key)[-1] for key in found if key.is_last] == [14, 29]


def test_keys_follow_more_often_where_flow_fails():
    random = np.random.default_rng(0)
    wild = [np.clip(p + random.normal(0, 0.16, p.shape), 0, 1) for p in scene(24)]
    assert len(keys_of(wild)) > len(keys_of(scene(24)))


def test_long_black_holds_no_more_frames_than_a_few():
    pictures = [*scene(10), *[np.zeros((72, 96))] * 90, *scene(20)[10:]]
    found = keys_of(pictures)
    assert list(chain.from_iterable(map(numbers, found))) == list(range(110))
    assert max(len(numbers(key)) for key in found) <= MOST_PASSING * KEY_EVERY


def test_what_is_remembered_is_what_was_seen_before_black():
    pictures = [*scene(10, speed=0.0), *[np.zeros((72, 96))] * 40, *scene(10, speed=0.0)]
    found = keys_of(pictures)
    shape = found[0].step.sight.small.shape
    memory = None
    for key in found:
        value = 50.0 if key.step.sight.is_flat else 10.0  # what the method says of black is wrong
        memory = remembered(np.full((*shape, 2), value, np.float32), key, memory)
        said = memory.total / memory.weight[..., None]
        assert np.median(said) == pytest.approx(10, abs=1.0)


def test_noise_of_keys_is_averaged_away_in_both_directions():
    found = keys_of(scene(80, speed=0.5), every=4)
    random = np.random.default_rng(0)
    shape = found[0].step.sight.small.shape
    planes = [np.full((*shape, 2), random.normal(0, 10), np.float32) for _ in found]
    memory, memories = None, []
    for key, own in zip(found, planes, strict=True):
        memory = remembered(own, key, memory)
        memories.append(memory)
    steady = [
        smoothed(memory, planes[n + 1 : n + 7], found[n + 1 : n + 7])
        for n, memory in enumerate(memories)
    ]
    change = [np.abs(b - a).mean() for a, b in pairwise(steady)]
    alone = [np.abs(b - a).mean() for a, b in pairwise(planes)]
    assert np.mean(change) < np.mean(alone) / 3


def test_a_shot_remembers_nothing_of_the_one_before():
    found = keys_of([*scene(8), *scene(8, 1)])
    shape = found[0].step.sight.small.shape
    memory = None
    for key in found:
        value = 10.0 if numbers(key)[0] < 8 else -70.0
        memory = remembered(np.full((*shape, 2), value, np.float32), key, memory)
        assert np.allclose(memory.total / memory.weight[..., None], value, atol=1e-3)


def test_a_frame_between_takes_from_both_sides_by_its_distance():
    found = keys_of(scene(13, speed=0.0))
    first, last = (np.full((*found[0].step.sight.small.shape, 2), v, np.float32) for v in (0, 12))
    frames = between(found[0], found[1])
    values = [float(np.median(blended(frame, first, last))) for frame in frames]
    assert values == pytest.approx(list(range(12)), abs=0.5)
    assert float(np.median(blended(frames[6], first, None))) == 0


def test_a_flash_takes_the_colours_of_its_place():
    pictures = scene(13, speed=0.0)
    pictures[6] = np.ones_like(pictures[6])
    found = keys_of(pictures)
    first, last = (np.full((*found[0].step.sight.small.shape, 2), v, np.float32) for v in (5, 5))
    for frame_ in between(found[0], found[1]):
        assert np.allclose(blended(frame_, first, last), 5, atol=1e-3)


def test_where_keys_disagree_colours_become_paler_but_pale_ones_stay():
    green, red, pale = (np.full((4, 6, 2), v, np.float32) for v in ((-20, 0), (20, 0), (0, 3)))

    def together(*colours):
        chroma = [np.linalg.norm(ab, axis=-1, keepdims=True) for ab in colours]
        return agreed(np.mean(colours, axis=0), np.mean(chroma, axis=0))

    assert np.allclose(together(green, green), green)
    assert np.allclose(together(pale, pale), pale)
    assert np.allclose(together(green, red), 0)
    mixed = np.linalg.norm(together(green, green, green, red), axis=-1)
    assert (mixed < 10).all()  # their mean has 10
    assert (mixed > 1).all()
    assert np.allclose(together(np.zeros_like(pale)), 0)
