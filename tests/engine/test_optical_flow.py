"""Flow leads to where a drawn thing was, and is trusted only where it does."""

from itertools import pairwise

import numpy as np
import pytest
from tests.films import disc_centre, ground, scene

from photochrom.engine.optical_flow import (
    FlowEstimator,
    FlowMap,
    composed,
    grid_size,
    identity,
    sample,
    sight,
    similarity,
)


def sights(pictures):
    return [sight((picture * 100).astype(np.float32)) for picture in pictures]


def test_a_pan_of_known_speed_is_measured():
    pictures = [ground(1, 72, 99)[:, :96], ground(1, 72, 99)[:, 3:]]
    before, after = sights(pictures)
    back, ahead = FlowEstimator().paths(before, after)
    rows, columns = before.small.shape
    inner = np.s_[8:-8, 12:-12]
    here = identity((rows, columns)).places
    moved = 3.0 * columns / 96
    assert (back.places - here)[inner][..., 0] == pytest.approx(moved, abs=0.5)
    assert (ahead.places - here)[inner][..., 0] == pytest.approx(-moved, abs=0.5)
    assert (back.places - here)[inner][..., 1] == pytest.approx(0, abs=0.5)
    assert back.trust[inner].mean() > 0.8


def test_a_moving_disc_is_followed_over_many_frames():
    pictures = scene(12, speed=2.0)
    flow = FlowEstimator()
    found = sights(pictures)
    path = identity(found[0].small.shape)
    for before, after in pairwise(found):
        back, _ = flow.paths(before, after)
        path = composed(back, path)
    scale = found[0].small.shape[1] / 96
    x, y = (value * scale for value in disc_centre(11, speed=2.0))
    there = path.places[round(y), round(x)] / scale
    assert there == pytest.approx(disc_centre(0, speed=2.0), abs=2.5)


def test_what_comes_into_the_picture_or_is_hidden_is_not_trusted():
    pictures = [ground(1, 72, 126)[:, :96], ground(1, 72, 126)[:, 30:]]
    back, _ = FlowEstimator().paths(*sights(pictures))
    columns = back.trust.shape[1]
    assert back.trust[:, -columns // 5 :].mean() < 0.2
    other = FlowEstimator().paths(*sights([ground(1), ground(2)]))[0]
    assert other.trust.mean() < 0.4


def test_brightness_and_contrast_do_not_look_like_motion():
    picture = ground(1)
    before, after = sights([picture, picture * 0.5 + 0.2])
    back, _ = FlowEstimator().paths(before, after)
    assert np.abs(back.places - identity(back.trust.shape).places).mean() < 0.1
    assert back.trust.mean() > 0.7
    assert similarity(back, after, before) > 0.9


def test_a_picture_is_unlike_another():
    one, other = sights([ground(1), ground(2)])
    still = identity(one.small.shape)
    assert similarity(still, one, one) == pytest.approx(1)
    assert abs(similarity(still, one, other)) < 0.45


def test_black_and_white_show_nothing():
    for level in (0.0, 0.5, 1.0):
        assert sight(np.full((72, 96), level * 100, np.float32)).is_flat
    assert not sight((ground(0) * 100).astype(np.float32)).is_flat


@pytest.mark.parametrize("planes", [1, 2, 3, 4, 5, 9])
def test_planes_of_any_number_are_sampled_along_a_path(planes):
    random = np.random.default_rng(0)
    values = random.normal(size=(20, 30, planes)).astype(np.float32)
    assert np.allclose(sample(values, identity((20, 30))), values, atol=1e-5)
    right = identity((20, 30)).places + np.array([1, 0], np.float32)
    moved = sample(values, FlowMap(right, np.ones((20, 30), np.float32)))
    assert np.allclose(moved[:, :-1], values[:, 1:], atol=1e-5)
    assert sample(values[..., 0], identity((20, 30))).shape == (20, 30)


@pytest.mark.parametrize("size", [(192, 256), (256, 192), (64, 64), (32, 512)])
def test_the_grid_has_the_picture_s_shape(size):
    rows, columns = grid_size(*size)
    assert min(rows, columns) == 80
    assert rows / columns == pytest.approx(size[0] / size[1], rel=0.02)
