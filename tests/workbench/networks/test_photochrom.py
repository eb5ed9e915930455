import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tests.workbench.networks.flagship_inputs import BINS, filled, inputs, plain, stir

from photochrom.errors import UnknownMethodError
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.networks import network
from photochrom.workbench.networks.photochrom import (
    Config,
    Mixer,
    Photochrom,
    halve_hints,
    stride_4_hints,
    wanted,
)
from photochrom.workbench.training.recipe_files import read_recipe

SMALL = Config(bins=BINS, context=16, context_layers=1, decoder=(16, 16, 16))
GROWN = Config(bins=BINS, context=16, context_layers=1, decoder=(64, 16, 16), mixers=2)
RECIPES = Path(__file__).parents[3] / "recipes"
ONE, ZERO = torch.ones(1), torch.zeros(1)


@pytest.fixture(scope="module")
def fresh():
    torch.manual_seed(0)
    return filled(Photochrom(SMALL))


@pytest.fixture(scope="module")
def stirred(fresh):
    return stir(fresh)


@torch.no_grad()
def colours(made, given, *look):
    """Colour what has no other views, by a look of temperature, rebalance, evenness."""
    alone = torch.zeros(len(given[0]), BINS, 1, 1), torch.zeros(1)
    look = (*look, *(1.0, 0.0, 0.0)[len(look) :])
    return made(*given, *alone, *(torch.tensor([value]) for value in look))


@pytest.mark.parametrize("name", sorted(p.name for p in RECIPES.glob("photochrom*.toml")))
def test_the_network_of_its_recipes_has_at_most_eight_million_parameters(name):
    recipe = read_recipe(RECIPES / name)
    kind = network(recipe.network)
    made = kind.build(checked(kind.config, recipe.config, name), pretrained=False)
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
    logits = made.distribution(*inputs(64, 64))
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


@given(st.floats(-110, 110), st.floats(-110, 110))
def test_a_constant_hint_stays_constant_at_every_size(a, b):
    ab = torch.tensor([a, b]).reshape(1, 2, 1, 1).expand(1, 2, 32, 32)
    planes = stride_4_hints(ab, torch.ones(1, 1, 32, 32))
    for _ in range(4):
        expected = torch.tensor([a / 50, b / 50, 1.0]).reshape(1, 3, 1, 1)
        torch.testing.assert_close(planes, expected.expand_as(planes), atol=1e-4, rtol=0)
        planes = halve_hints(planes) if planes.shape[-1] > 1 else planes


def test_without_hints_there_are_zeros_and_never_nan():
    planes = stride_4_hints(torch.full((1, 2, 32, 32), 70.0), torch.zeros(1, 1, 32, 32))
    for _ in range(4):
        assert not planes.any()
        planes = halve_hints(planes) if planes.shape[-1] > 1 else planes


def test_one_hinted_pixel_keeps_its_colour_and_is_there_at_every_size():
    ab, mask = torch.full((1, 2, 32, 32), -90.0), torch.zeros(1, 1, 32, 32)
    ab[:, :, 5, 6], mask[:, :, 5, 6] = torch.tensor([40.0, 20.0]), 1
    planes = stride_4_hints(ab, mask)
    for _ in range(3):
        spot = planes[0, :, planes[0, 2] > 0]
        torch.testing.assert_close(spot[:, 0], torch.tensor([0.8, 0.4, 0.25]))
        assert spot.shape[1] == 1
        planes = halve_hints(planes)


def test_a_quarter_of_a_cell_counts_as_fully_hinted():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, :] = 1
    assert float(stride_4_hints(torch.zeros(1, 2, 4, 4), mask)[0, 2]) == 1


def test_what_is_not_wished_is_not_seen():
    histogram = torch.tensor([[0.25, 0.75, 20.0]])
    unseen = wanted(histogram, torch.tensor([[0.0, 0.0]]))
    assert not unseen.any()
    both = wanted(histogram, torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(both, torch.tensor([[0.5, 0.75**0.5, 0.4, 1, 1]]))


def test_an_unknown_network_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownMethodError, match="Did you mean 'photochrom'"):
        network("photocrom")
    with pytest.raises(UnknownMethodError, match=r"'welsh'\. All: photochrom"):
        network("welsh")


@pytest.fixture(scope="module")
def grown():
    torch.manual_seed(3)
    return Photochrom(GROWN).eval()


def test_attention_starts_by_adding_nothing(grown):
    smaller = Photochrom(replace(GROWN, mixers=0)).eval()
    smaller.load_state_dict(
        {k: v for k, v in grown.state_dict().items() if not k.startswith(Photochrom.grows)}
    )
    given = inputs(64, 96)
    with torch.no_grad():
        torch.testing.assert_close(grown.distribution(*given), smaller.distribution(*given))


def test_attention_is_that_of_the_fused_kernel():
    torch.manual_seed(4)
    mixer = Mixer(64)
    torch.nn.init.normal_(mixer.answered.weight, std=0.1)
    planes = torch.randn(2, 64, 3, 5)
    asked = mixer.asked(mixer.norm(planes)).reshape(2, 3, 2, 32, 15).transpose(3, 4)
    met = F.scaled_dot_product_attention(*asked.unbind(1)).transpose(2, 3).reshape(2, 64, 3, 5)
    torch.testing.assert_close(mixer(planes), planes + mixer.answered(met))


def test_attention_brings_the_colour_of_a_hint_to_the_far_end(grown):
    made = copy.deepcopy(grown)
    for parameter in made.up16.hints.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    given, others = inputs(32, 320, 1), plain(32, 320, 1)
    far = np.s_[..., -8:]
    for answers in (False, True):
        if answers:
            for mixer in made.mixers:
                torch.nn.init.normal_(mixer.answered.weight, std=0.5)
        with torch.no_grad():
            with_hint = made.distribution(others[0], *given[1:3], *others[3:])
            without = made.distribution(others[0], *others[1:])
        assert torch.equal(with_hint[far], without[far]) is not answers
