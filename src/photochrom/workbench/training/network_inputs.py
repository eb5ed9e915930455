"""Inputs of networks by their names in the exported graph."""

import inspect

import torch
from torch import Tensor

from photochrom.workbench.networks.annealed_mean import AnnealedMeanNetwork
from photochrom.workbench.networks.outputs import ColourNetwork


def input_names(network: ColourNetwork) -> list[str]:
    """Return the names of a network's inputs, in the order of `forward` and the exported graph."""
    return list(inspect.signature(network.forward).parameters)


def neutral_inputs(network: ColourNetwork, lightness: Tensor) -> tuple[Tensor, ...]:
    """Return the inputs with which a network colours lightness (N, 1, H, W) without guidance.

    In `forward`'s order: the picture's own style, no hints, the plain mean.
    """
    pictures, _, height, width = lightness.shape
    bins = len(network.centres) if isinstance(network, AnnealedMeanNetwork) else 0
    neutral = {
        "lightness": lightness,
        "style": lightness,
        "hint_ab": torch.zeros(pictures, 2, height, width),
        "hint_mask": torch.zeros(pictures, 1, height, width),
        "histogram": torch.zeros(pictures, bins + 1),
        "global_mask": torch.zeros(pictures, 2),
        "temperature": torch.ones(1),
        "rebalance": torch.zeros(1),
        "evenness": torch.zeros(1),
        "others": torch.zeros(pictures, bins, 2, 3),
        "others_share": torch.zeros(1),
    }
    return tuple(neutral[name].to(lightness.device) for name in input_names(network))
