import math

import numpy as np
import pytest
import torch

from photochrom.color.bins import annealed_mean, zhang_bins
from photochrom.color.difference import ciede2000
from photochrom.networks.deciding import Deciding, candidates, joined

BINS = 11
PLAIN = {"temperature": 1.0, "rebalance": 0.0, "contrast": 0.0, "reward": 0.0}


def made_of(centres=None):
    made = Deciding()
    made.register_bins(BINS)
    prior = torch.arange(1.0, BINS + 1) / sum(range(1, BINS + 1))
    made.fill_bins(
        torch.from_numpy(zhang_bins()[::28][:BINS]) if centres is None else centres, prior
    )
    return made


def decided(made, logits, **look):
    return made.decided(logits, *(torch.tensor([v]) for v in {**PLAIN, **look}.values())).ab


def costs_at(lightness, ab, centres):
    """CIEDE2000 of colours (n, 2) and bins (Q, 2) of one lightness, (n, Q)."""
    one, other = (np.insert(np.float64(v), 0, lightness, axis=-1) for v in (ab, centres))
    return ciede2000(one[:, None], other)


def test_candidates_lie_on_rings_that_share_out_a_disc():
    ab, areas = candidates()
    chroma = np.linalg.norm(ab, axis=-1)
    assert not ab[0].any()
    assert chroma.max() == pytest.approx(66)
    assert areas.sum() == pytest.approx(math.pi * 75**2)
    rings = np.unique(chroma.round(3))
    for ring, inner, outer in zip(rings[1:-1], rings, rings[2:], strict=False):
        here = np.isclose(chroma, ring, atol=1e-2)
        low, high = (inner + ring) / 2, (ring + outer) / 2
        assert areas[here].sum() == pytest.approx(math.pi * (high**2 - low**2), rel=1e-3)
        np.testing.assert_allclose(ab[here].mean(0), 0, atol=1e-4)


@pytest.mark.parametrize("lightness", [20.0, 75.0])
@pytest.mark.parametrize(("contrast", "reward"), [(0.0, 0.0), (0.2, 0.0), (1.0, 0.1)])
def test_colours_follow_the_definition(contrast, reward, lightness):
    made, logits = made_of(), torch.randn(2, BINS, 3, 4)
    ours = decided(made, logits, contrast=contrast, reward=reward)
    shares = torch.softmax(logits, 1)
    picture = shares.mean(dim=(2, 3), keepdim=True) + 1e-4
    shares = shares * (made.prior[:, None, None] / picture) ** contrast
    shares = (shares / shares.sum(1, keepdim=True)).permute(0, 2, 3, 1).double().numpy()
    ab, areas = candidates()
    costs = shares @ costs_at(lightness, ab, made.centres).T
    weights = areas * np.exp(-2 * (costs - reward * np.linalg.norm(ab, axis=-1)))
    expected = weights @ ab / weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(ours.permute(0, 2, 3, 1), expected, atol=2e-3)


def test_what_is_certain_is_decided_for():
    made = made_of()
    ab = decided(made, 40 * torch.eye(BINS)[None, :, None])[0, :, 0].T
    distance = torch.linalg.vector_norm(ab - made.centres, dim=1)
    within = torch.linalg.vector_norm(made.centres, dim=1) < 65
    assert (distance[within] < 6).all()
    assert within.sum() >= 4


@pytest.mark.parametrize("temperature", [1.0, 0.6, 0.38, 0.2])
def test_it_looks_wrong_less_than_the_annealed_mean(temperature):
    made, logits = made_of(), 2 * torch.randn(1, BINS, 20, 20)
    shares = torch.softmax(logits, 1)[0].flatten(1).T.numpy()
    means = annealed_mean(logits.permute(0, 2, 3, 1), made.centres, temperature)
    ours, theirs = (
        (costs_at(50.0, ab.reshape(-1, 2), made.centres) * shares).sum(-1)
        for ab in (decided(made, logits).permute(0, 2, 3, 1), means)
    )
    assert ours.mean() < theirs.mean() - 0.3


def test_a_reward_raises_chroma():
    made, logits = made_of(), torch.randn(1, BINS, 20, 20)
    chroma = [
        torch.linalg.vector_norm(decided(made, logits, reward=reward), dim=1).mean()
        for reward in (0.0, 0.05, 0.1, 0.2)
    ]
    assert (np.diff(chroma) > 1).all()


def test_contrast_finds_the_other_colour_where_a_place_says_less_of_the_common_one():
    centres = torch.zeros(BINS, 2)
    centres[0, 0], centres[1, 0] = 50.0, -50.0
    made = made_of(centres)
    made.prior.fill_(1 / BINS)
    logits = torch.full((1, BINS, 4, 4), -20.0)
    logits[:, 0], logits[:, 1] = 2.0, 0.0
    logits[:, 0, 0, 0] = 1.0  # still the likelier colour
    red, apart = decided(made, logits)[0, 0], decided(made, logits, contrast=0.6)[0, 0]
    assert red[0, 0] > 0 > apart[0, 0]
    assert (apart[1:] > 0).all()


def test_each_picture_of_a_batch_is_decided_by_itself():
    made, logits = made_of(), torch.randn(2, BINS, 3, 4)
    together, alone = (decided(made, part, contrast=0.5) for part in (logits, logits[:1]))
    torch.testing.assert_close(together[:1], alone)


def test_costs_follow_the_bins_that_are_loaded():
    one, other = made_of(), made_of(20 + made_of().centres)
    assert not torch.equal(one.costs, other.costs)
    one.load_state_dict(other.state_dict())
    assert torch.equal(one.costs, other.costs)
    assert list(one.state_dict()) == ["centres", "prior"]


def test_other_views_count_by_their_share_at_any_size():
    logits, others = torch.randn(2, BINS, 6, 8), torch.randn(2, BINS, 6, 8)
    half, none = torch.tensor([0.5]), torch.zeros(1)
    torch.testing.assert_close(joined(logits, others, half), (logits + others) / 2)
    assert torch.equal(joined(logits, others, none), logits)
    small = torch.randn(2, BINS, 1, 1)
    torch.testing.assert_close(joined(logits, small, half), (logits + small) / 2)
    ramp = torch.linspace(0, 1, 4)[None, None, None].expand(2, BINS, 3, 4)
    found = joined(torch.zeros_like(logits), ramp, torch.ones(1))
    assert found.shape == logits.shape
    assert (found.diff(dim=3) >= 0).all()
