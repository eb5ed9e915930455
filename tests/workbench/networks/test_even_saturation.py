import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from photochrom.color.bins import annealed_mean, zhang_bins
from photochrom.workbench.networks.even_saturation import Reading, joined

BINS = 11
PLAIN = {"temperature": 1.0, "rebalance": 0.0, "evenness": 0.0}


def made_of(centres=None):
    made = Reading()
    made.register_bins(BINS if centres is None else len(centres))
    prior = torch.arange(1.0, len(made.prior) + 1)
    chosen = torch.from_numpy(zhang_bins()[::28][:BINS]) if centres is None else centres
    made.fill_bins(chosen, prior / prior.sum())
    return made


def read(made, logits, **look):
    return made.read(logits, *(torch.tensor([v]) for v in {**PLAIN, **look}.values())).ab


@pytest.mark.parametrize("temperature", [1.0, 0.6, 0.38])
def test_without_evenness_it_is_the_annealed_mean(temperature):
    made, logits = made_of(), torch.randn(2, BINS, 3, 4)
    ours = read(made, logits, temperature=temperature).permute(0, 2, 3, 1)
    theirs = annealed_mean(logits.permute(0, 2, 3, 1), made.centres, temperature)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("evenness", [0.3, 0.5, 1.0])
def test_colours_follow_the_definition(evenness):
    made, logits = made_of(), torch.randn(2, BINS, 3, 4)
    ours = read(made, logits, temperature=0.5, rebalance=0.2, evenness=evenness)
    weighed = logits.double().numpy() - 0.2 * np.log(made.prior.numpy())[:, None, None]
    shares = np.exp(weighed / 0.5)
    shares = np.moveaxis(shares / shares.sum(1, keepdims=True), 1, -1)
    centres = made.centres.double().numpy()
    mean, chroma = shares @ centres, shares @ np.linalg.norm(centres, axis=1)
    length = np.linalg.norm(mean, axis=-1)
    expected = mean * ((chroma / length) ** evenness)[..., None]
    np.testing.assert_allclose(ours.permute(0, 2, 3, 1), expected, atol=1e-3)


def test_a_place_that_is_red_or_blue_for_certain_is_not_left_gray():
    made = made_of(torch.tensor([[60.0, 20.0], [-35.0, -45.0]]))
    logits = torch.tensor([[0.3, 0.0]]).reshape(1, 2, 1, 1)
    lengths = [
        float(torch.linalg.vector_norm(read(made, logits, evenness=e), dim=1)) for e in (0, 0.5, 1)
    ]
    assert lengths[0] < 25 < lengths[1] < lengths[2]
    assert lengths[2] == pytest.approx(60, abs=4)


@pytest.mark.slow
@given(st.floats(0.1, 2.0), st.floats(0, 1), st.integers(0, 2**31))
def test_no_colour_is_more_colourful_than_the_mean_chroma_of_its_bins(t, evenness, seed):
    torch.manual_seed(seed)
    made, logits = made_of(), 3 * torch.randn(1, BINS, 4, 4)
    ab = read(made, logits, temperature=t, evenness=evenness)
    shares = torch.softmax(logits / t, 1)
    most = (shares * torch.linalg.vector_norm(made.centres, dim=1)[:, None, None]).sum(1)
    assert (torch.linalg.vector_norm(ab, dim=1) <= most + 0.11).all()


def test_what_is_certain_stays():
    made = made_of()
    logits = 60 * torch.eye(BINS)[None, :, None]
    ab = read(made, logits, evenness=0.5)[0, :, 0].T
    torch.testing.assert_close(ab, made.centres, atol=1e-2, rtol=0)


def test_gray_stays_gray():
    made = made_of(torch.tensor([[0.0, 0.0], [50.0, 0.0]]))
    ab = read(made, torch.tensor([40.0, 0.0]).reshape(1, 2, 1, 1), evenness=1.0)
    assert ab.abs().max() < 1e-6


def test_other_views_are_averaged_in_by_their_share():
    logits, others = torch.randn(1, BINS, 4, 6), torch.randn(1, BINS, 4, 6)
    half = joined(logits, others, torch.tensor([0.5]))
    torch.testing.assert_close(half, (logits + others) / 2)
    torch.testing.assert_close(joined(logits, others, torch.zeros(1)), logits)


def test_a_view_of_another_size_is_interpolated():
    constant = torch.full((1, BINS, 2, 3), math.pi)
    whole = joined(torch.zeros(1, BINS, 4, 6), constant, torch.ones(1))
    torch.testing.assert_close(whole, torch.full_like(whole, math.pi))
