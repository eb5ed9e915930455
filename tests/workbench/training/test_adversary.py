import math
from copy import deepcopy

import pytest
import torch
from lightning_fabric import Fabric

from photochrom.workbench.training.adversary import Adversary
from photochrom.workbench.training.recipe import Critic, Phase, Recipe

LIGHTNESS = torch.linspace(0, 100, 4 * 32 * 32).reshape(4, 1, 32, 32)
REAL, PAINTED = (value * torch.ones(4, 2, 32, 32) for value in (0.5, -0.5))


def adversary(**settings):
    torch.manual_seed(0)
    critic = Critic("patch-critic", config={"channels": (8, 8)}, **{"rate": 1e-2, **settings})
    recipe = Recipe("small", "pix2pix", (Phase(1),), critic=critic)
    return Adversary(recipe, Fabric(accelerator="cpu", devices=1, precision="32-true"))


def learnt(critic, steps):
    return [float(critic.learn(LIGHTNESS, PAINTED, REAL, 1.0)) for _ in range(steps)]


def weights_of(critic):
    return {name: weight.clone() for name, weight in critic.network.state_dict().items()}


def test_a_judgement_teaches_the_painter_and_not_the_critic():
    critic = adversary(weight=3.0)
    painted = PAINTED.clone().requires_grad_(True)
    loss = critic.judge(LIGHTNESS, painted)
    loss.backward()
    assert painted.grad.abs().max() > 0
    assert all(p.grad is None and p.requires_grad for p in critic.network.parameters())
    single = adversary(weight=1.0).judge(LIGHTNESS, PAINTED)
    assert float(loss.detach()) == pytest.approx(3 * float(single.detach()), rel=1e-5)


@pytest.mark.slow
def test_a_critic_learns_to_tell_what_can_be_told():
    critic = adversary()
    losses = learnt(critic, 30)
    assert losses[0] == pytest.approx(math.log(2), abs=0.3)
    assert losses[-1] < 0.1
    assert losses[-1] < critic.running_loss < losses[0]
    painted, real = (float(critic.judge(LIGHTNESS, ab).detach()) for ab in (PAINTED, REAL))
    assert real < 0.2 < 1 < painted


def test_without_a_rate_nothing_is_learnt():
    critic = adversary()
    before = dict(critic.network.named_parameters())
    before = {name: p.detach().clone() for name, p in before.items()}
    critic.learn(LIGHTNESS, PAINTED, REAL, 0.0)
    assert all(torch.equal(p, before[n]) for n, p in critic.network.named_parameters())


@pytest.mark.slow
def test_who_smooths_its_labels_is_never_sure_of_what_is_real():
    sure, smooth = adversary(), adversary(real=0.7)
    for critic in (sure, smooth):
        learnt(critic, 40)
    # The entropy of a coin that falls on one side seven times of ten.
    least = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3)) / 2
    assert learnt(sure, 1)[0] < 0.1 < least <= learnt(smooth, 1)[0] < least + 0.1


@pytest.mark.slow
def test_the_painter_waits_until_the_critic_is_good_enough():
    critic = adversary(stay_below=0.5)
    assert not critic.ready
    learnt(critic, 30)
    assert critic.ready
    assert adversary().ready  # infinity by default: nobody waits


def test_a_critic_continues_from_its_state():
    first, second = adversary(), adversary()
    learnt(first, 3)
    second.load(deepcopy(first.state()))
    assert second.running_loss == first.running_loss
    assert learnt(first, 3) == learnt(second, 3)
    ours, theirs = weights_of(first), weights_of(second)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert learnt(adversary(), 3) != learnt(second, 3)
