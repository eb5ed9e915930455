import copy

import pytest
import torch
from torch import nn

from photochrom.workbench.training.muon import Muon, is_matrix, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (64, 20), (20, 64)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(*shape)))
    assert 0.6 < values.min() < values.max() < 1.3


def test_singular_vectors_stay():
    torch.manual_seed(0)
    matrix = torch.randn(24, 16)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    diagonal = left.T @ orthogonal(matrix) @ right.T
    off = diagonal - torch.diag(torch.diagonal(diagonal))
    assert off.abs().max() < 1e-3


def test_only_what_mixes_many_channels_at_one_place_is_a_matrix():
    shapes = {(32, 64): True, (32, 64, 1, 1): True, (64, 64, 3, 3): False, (64,): False}
    shapes |= {(64, 1, 3, 3): False, (8, 64): False}
    assert {s: is_matrix(torch.zeros(s)) for s in shapes} == shapes


def test_what_is_no_matrix_takes_the_steps_of_adamw():
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(40))
    theirs = nn.Parameter(ours.detach().clone())
    options = {"lr": 1e-2, "weight_decay": 0.05, "betas": (0.9, 0.99)}
    one, other = Muon([{"params": [ours]}], **options), torch.optim.AdamW([theirs], **options)
    for _ in range(5):
        for parameter, optimizer in ((ours, one), (theirs, other)):
            optimizer.zero_grad()
            (parameter**4).sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_a_matrix_that_is_said_to_be_none_takes_the_steps_of_adamw():
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(20, 20))
    theirs = nn.Parameter(ours.detach().clone())
    one = Muon([{"params": [ours], "matrices": False}], lr=1e-2)
    other = torch.optim.AdamW([theirs], lr=1e-2)
    for parameter, optimizer in ((ours, one), (theirs, other)):
        (parameter**2).sum().backward()
        optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_it_learns_a_linear_map():
    torch.manual_seed(0)
    wanted, inputs = torch.randn(24, 24), torch.randn(256, 24)
    layer = nn.Linear(24, 24)
    optimizer = Muon([{"params": layer.parameters()}], lr=5e-2, weight_decay=0.0)
    losses = []
    for _ in range(200):
        loss = ((layer(inputs) - inputs @ wanted.T) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_it_goes_on_from_its_state_as_if_it_had_not_stopped():
    torch.manual_seed(0)
    whole = nn.Linear(20, 20)

    def steps(layer, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            (layer(torch.ones(1, 20)) ** 2).sum().backward()
            optimizer.step()

    first = Muon([{"params": whole.parameters()}])
    steps(whole, first, 3)
    again = copy.deepcopy(whole)
    second = Muon([{"params": again.parameters()}])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(whole, first, 3)
    steps(again, second, 3)
    torch.testing.assert_close(whole.weight, again.weight, rtol=0, atol=0)
