"""Moments, and what is shown of them, are together what an exported graph gives."""

import numpy as np
import pytest

from photochrom.colorization.catalogue import load_method
from photochrom.colorization.method import Request, Setting
from photochrom.colorization.moments import moments, shown


@pytest.mark.slow
@pytest.mark.parametrize("vividness", [0.0, 0.5, 1.0])
def test_both_steps_give_what_the_graph_gives(small_pictures, vividness):
    method = load_method("photochrom", threads=1)
    setting = method.info.look(vividness)
    assert not setting.rebalance
    lightness = small_pictures["astronaut"][:64, :64, 0]
    answer = method.predict(Request(lightness, vividness=vividness, distribution=True))
    found = moments(answer.distribution, np.array(method.info.centres, np.float32), setting)
    assert np.abs(shown(found, setting) - answer.ab[0]).max() < 0.05


def test_moments_are_linear_in_the_distribution_and_bounded():
    random = np.random.default_rng(0)
    centres = random.uniform(-80, 80, (9, 2)).astype(np.float32)
    one, other = random.normal(0, 2, (2, 9, 4, 5))
    setting = Setting(1.0, 0.0, 1.0)
    shares = [np.exp(x) / np.exp(x).sum(axis=0) for x in (one, other)]
    mixed = moments(np.log((shares[0] + shares[1]) / 2), centres, setting)
    apart = (moments(one, centres, setting) + moments(other, centres, setting)) / 2
    assert np.allclose(mixed, apart, atol=1e-3)
    assert (np.linalg.norm(mixed[..., :2], axis=-1) <= mixed[..., 2] + 1e-4).all()
    assert (shown(np.zeros((2, 2, 3), np.float32), setting) == 0).all()
