import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from photochrom.color.bins import zhang_bins
from photochrom.errors import UnknownMethodError
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.networks import network
from photochrom.workbench.networks.photochrom2 import Attention, Config, ConvexUp, Photochrom2
from photochrom.workbench.training.recipe_files import find_recipe, read_recipe

BINS = 20
SMALL = Config("tf_efficientnet_lite0", BINS, channels=(32, 32, 16), mixers=(1, 1, 1))
ONE, ZERO = torch.ones(1), torch.zeros(1)


@pytest.fixture(scope="module")
def fresh():
    """Give a network some of Zhang's bins, and a prior."""
    torch.manual_seed(0)
    made = Photochrom2(SMALL)
    prior = torch.rand(BINS) + 0.05
    made.fill_bins(torch.from_numpy(zhang_bins()[::16][:BINS]), prior / prior.sum())
    return made.eval()


@pytest.fixture(scope="module")
def stirred(fresh):
    """Give the network as if the layers that start at zero had learnt something."""
    made = copy.deepcopy(fresh)
    torch.manual_seed(1)
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return made


def inputs(height=32, width=32, pictures=2):
    """Give lightness, a few hints and wishes."""
    torch.manual_seed(2)
    mask = torch.zeros(pictures, 1, height, width)
    mask[:, :, 8:14, 8:14] = 1
    return (
        torch.rand(pictures, 1, height, width) * 100,
        mask * torch.tensor([60.0, -30.0]).reshape(1, 2, 1, 1),
        mask,
        torch.cat((torch.full((pictures, BINS), 1 / BINS), torch.full((pictures, 1), 30.0)), 1),
        torch.ones(pictures, 2),
    )


def plain(height=32, width=32, pictures=2):
    """Give the same without hints and wishes."""
    first, *others = inputs(height, width, pictures)
    return (first, *(torch.zeros_like(t) for t in others))


@torch.no_grad()
def colours(made, given, *look):
    """Colour what has no other views, by a look of temperature, rebalance, evenness."""
    alone = torch.zeros(len(given[0]), BINS, 1, 1), torch.zeros(1)
    look = (*look, *(1.0, 0.0, 0.0)[len(look) :])
    return made(*given, *alone, *(torch.tensor([value]) for value in look))


def test_the_network_of_its_recipe_has_at_most_eight_million_parameters():
    recipe = read_recipe(find_recipe(Path("photochrom2")))
    kind = network(recipe.network)
    made = kind.build(checked(kind.config, recipe.config, recipe.name), pretrained=False)
    assert sum(p.numel() for p in made.parameters()) <= 8e6


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 96), (160, 32)])
def test_every_size_gives_a_quarter_of_it(stirred, height, width):
    ab, confidence, logits = colours(stirred, inputs(height, width))
    assert ab.shape == (2, 2, height // 4, width // 4)
    assert confidence.shape == (2, 1, height // 4, width // 4)
    assert logits.shape == (2, BINS, height // 4, width // 4)
    assert all(torch.isfinite(t).all() for t in (ab, confidence, logits))
    assert ab.dtype == confidence.dtype == logits.dtype == torch.float32


def test_at_the_start_hints_and_wishes_change_nothing(fresh):
    with_hints, without = colours(fresh, inputs()), colours(fresh, plain())
    assert all(torch.equal(a, b) for a, b in zip(with_hints, without, strict=True))


@pytest.mark.parametrize("given_alone", [1, 3])
def test_what_the_network_has_learnt_of_hints_and_wishes_changes_colours(stirred, given_alone):
    given, without = list(plain()), plain()
    given[given_alone : given_alone + 2] = inputs()[given_alone : given_alone + 2]
    difference = (colours(stirred, given, 0.05).ab - colours(stirred, without, 0.05).ab).abs()
    assert difference.max() > 0.1


def test_every_parameter_that_learns_gets_a_gradient(stirred):
    made = copy.deepcopy(stirred)
    logits = made.distribution(*inputs(64, 96))
    torch.log_softmax(logits, 1)[:, 3].mean().backward()
    learning = [(n, p) for n, p in made.named_parameters() if p.requires_grad]
    assert [n for n, p in learning if p.grad is None or not p.grad.any()] == []
    assert all(torch.isfinite(p.grad).all() for _, p in learning)
    frozen = {n for n, p in made.named_parameters() if not p.requires_grad}
    assert all(n.startswith("encoder.stages.0.") for n in frozen)


def test_a_picture_is_coloured_the_same_alone_and_in_a_batch(stirred):
    given = inputs()
    together = colours(stirred, given).ab
    alone = colours(stirred, [t[1:] for t in given]).ab
    torch.testing.assert_close(alone, together[1:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("look", [(1.0, 0.0, 0.0), (0.5, 0.2, 0.5)])
def test_colours_are_read_from_the_distribution(stirred, look):
    ab, _, logits = colours(stirred, inputs(), *look)
    expected = stirred.read(logits, *(torch.tensor([value]) for value in look)).ab
    torch.testing.assert_close(ab, expected)


def test_other_views_join_the_distribution(stirred):
    given, share = inputs(), torch.tensor([0.25])
    others = torch.randn(2, BINS, 8, 8)
    with torch.no_grad():
        own = stirred.distribution(*given)
        found = stirred(*given, others, share, ONE, ZERO, ZERO)
    torch.testing.assert_close(found.logits, 0.75 * own + 0.25 * others)
    assert (found.ab - colours(stirred, given).ab).abs().max() > 1


@pytest.mark.parametrize("rebalance", [0.0, 0.25, 1.0])
def test_rebalancing_divides_by_a_power_of_the_prior(fresh, rebalance):
    made = copy.deepcopy(fresh)
    with torch.no_grad():
        made.head.weight.zero_()
        made.head.bias.copy_(made.prior.log())  # every pixel is distributed as the prior
        ab = colours(made, plain(), 1.0, rebalance).ab
        made.head.bias.mul_(1 - rebalance)
        torch.testing.assert_close(ab, colours(made, plain()).ab, atol=1e-3, rtol=0)


@given(st.integers(0, 2**31), st.floats(0.1, 30))
def test_confidence_lies_between_0_and_1(fresh, seed, spread):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, BINS, 2, 2, generator=generator) * spread
    confidence = fresh.confidence(logits)
    assert confidence.min() >= 0
    assert confidence.max() <= 1


def test_certainty_is_full_confidence_and_ignorance_little(fresh):
    certain = torch.full((1, BINS, 1, 1), -100.0)
    certain[:, 4] = 100.0
    assert float(fresh.confidence(certain)) == pytest.approx(1, abs=1e-3)
    assert float(fresh.confidence(torch.zeros(1, BINS, 1, 1))) < 0.1


@torch.no_grad()
def test_the_convex_upsampling_takes_means_of_the_nine_places_around():
    torch.manual_seed(3)
    up = ConvexUp(5, 7, hidden=8)
    planes, fine = torch.randn(2, 5, 4, 6), torch.randn(2, 7, 8, 12)
    raised = up(planes, fine, torch.zeros(2, 3, 8, 12))
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    low, high = -F.max_pool2d(-padded, 3, 1), F.max_pool2d(padded, 3, 1)
    low, high = (p.repeat_interleave(2, 2).repeat_interleave(2, 3) for p in (low, high))
    assert raised.shape == (2, 5, 8, 12)
    assert ((raised >= low - 1e-5) & (raised <= high + 1e-5)).all()
    flat = up(torch.full_like(planes, 3.0), fine, torch.zeros(2, 3, 8, 12))
    torch.testing.assert_close(flat, torch.full_like(flat, 3.0))


@torch.no_grad()
def test_a_place_of_the_upsampling_is_the_one_it_came_from():
    up = ConvexUp(1, 2, hidden=4)
    for part in (up.coarse, up.fine):
        part.weight.zero_()
        part.bias.zero_()
    up.weights.weight.zero_()
    up.weights.bias.copy_(torch.tensor([0, 0, 0, 0, 50.0, 0, 0, 0, 0]).repeat(4))
    planes = torch.arange(12.0).reshape(1, 1, 3, 4)
    raised = up(planes, torch.zeros(1, 2, 6, 8), torch.zeros(1, 3, 6, 8))
    torch.testing.assert_close(raised, planes.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.slow
def test_it_learns_one_picture_by_heart(fresh):
    made = copy.deepcopy(fresh).train()
    given = plain(64, 64, 1)
    torch.manual_seed(4)
    truth = torch.randint(0, BINS, (1, 4, 4)).repeat_interleave(4, 1).repeat_interleave(4, 2)
    optimizer = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], 3e-3)
    for _ in range(80):
        loss = F.cross_entropy(made.distribution(*given), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5


def test_the_mixers_start_by_adding_nothing(fresh):
    without = Photochrom2(replace(SMALL, mixers=(0, 0, 0))).eval()
    weights = fresh.state_dict()
    without.load_state_dict({k: v for k, v in weights.items() if not k.startswith("mixers")})
    given = inputs(64, 96)
    with torch.no_grad():
        torch.testing.assert_close(fresh.distribution(*given), without.distribution(*given))


def test_attention_is_that_of_the_fused_kernel():
    torch.manual_seed(4)
    mixer = Attention(64)
    torch.nn.init.normal_(mixer.answered.weight, std=0.1)
    planes = torch.randn(2, 64, 3, 5)
    asked = mixer.asked(mixer.norm(planes)).reshape(2, 3, 2, 32, 15).transpose(3, 4)
    met = F.scaled_dot_product_attention(*asked.unbind(1)).transpose(2, 3).reshape(2, 64, 3, 5)
    torch.testing.assert_close(mixer(planes), planes + mixer.answered(met))


@pytest.mark.parametrize("mixers", ["mixers32", "mixers16"])
def test_attention_brings_the_colour_of_a_hint_to_the_far_end(fresh, mixers):
    made = copy.deepcopy(fresh)
    made.last_norm = torch.nn.Identity()  # which would bring its mean there as well
    for layer in (made.context_hints, made.up16.hints):
        torch.nn.init.normal_(layer.weight, std=0.5)
    given, others = inputs(32, 320, 1), plain(32, 320, 1)
    far = np.s_[..., -8:]
    for answers in (False, True):
        if answers:
            for attention, _ in getattr(made, mixers):
                torch.nn.init.normal_(attention.answered.weight, std=0.5)
        with torch.no_grad():
            with_hint = made.distribution(others[0], *given[1:3], *others[3:])
            without = made.distribution(*others)
        assert torch.equal(with_hint[far], without[far]) is not answers


def test_an_unknown_network_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownMethodError, match="Did you mean 'photochrom2'"):
        network("photocrom")
    with pytest.raises(UnknownMethodError, match=r"'welsh'\. All: photochrom2"):
        network("welsh")
