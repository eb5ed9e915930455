"""What the tests of both flagships give to their networks."""

import copy

import torch

from photochrom.color.bins import zhang_bins

BINS = 20


def filled(made):
    """Give a network of BINS bins some of Zhang's, and a prior."""
    prior = torch.rand(BINS) + 0.05
    made.fill_bins(torch.from_numpy(zhang_bins()[::16][:BINS]), prior / prior.sum())
    return made.eval()


def stir(fresh):
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
