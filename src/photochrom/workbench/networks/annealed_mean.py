"""From a distribution over colour bins to colours: the annealed mean.

Zhang et al. 2016, "Colorful Image Colorization", section 2.3, with rebalancing at use instead of
in training: shares are proportional to softmax(logits) x prior^-gamma, sharpened by a temperature,
and their expectation is the colour. It is part of every network that classifies, so that one
exported graph holds all of it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from photochrom.workbench.networks.outputs import ColourNetwork


class Colours(NamedTuple):
    """The outputs of the exported graph; h and w are the network's own, often H/4 and W/4."""

    ab: Tensor  # (N, 2, h, w), ab units
    confidence: Tensor  # (N, 1, h, w), in [0, 1]
    logits: Tensor  # (N, Q, h, w), neither rebalanced nor annealed


class AnnealedMeanNetwork(ColourNetwork):
    """Base of the networks that predict a distribution over ab bins.

    Attributes
    ----------
    centres : float tensor, (Q, 2)
        Bin centres in ab units; zeros until training fills them.
    prior : float tensor, (Q,)
        Share of each bin in the training pictures; sums to 1. Uniform until training fills it.
    """

    centres: Tensor
    prior: Tensor

    def register_bins(self, bins: int) -> None:
        """Add the buffers `centres` and `prior` for so many bins."""
        self.register_buffer("centres", torch.zeros(bins, 2))
        self.register_buffer("prior", torch.full((bins,), 1 / bins))

    def fill_bins(self, centres: Tensor, prior: Tensor) -> None:
        """Set what the bins are, (Q, 2) in ab units, and how often pictures use them, (Q,)."""
        self.centres.copy_(centres)
        self.prior.copy_(prior)

    def colours(
        self,
        logits: Tensor,
        temperature: Tensor,
        rebalance: Tensor,
    ) -> Colours:
        """Turn a distribution into colours.

        Parameters
        ----------
        logits : tensor, (N, Q, h, w)
        temperature : tensor, (1,)
            Of the annealed mean: 1 is the mean, towards 0 the mode.
        rebalance : tensor, (1,)
            The power gamma of prior^-gamma: 0 leaves the distribution, more prefers rare colours.
        """
        rare = -torch.log(self.prior)
        last = bins_last(logits)
        weighed = last + rebalance * rare
        shares = torch.softmax(weighed / temperature, dim=-1)
        ab = (shares @ self.centres).permute(0, 3, 1, 2)
        return Colours(ab, self.confidence(logits), logits)

    def confidence(self, logits: Tensor) -> Tensor:
        """Return the share of the distribution within about 15 ab units of its mean."""
        squares = (self.centres**2).sum(1, keepdim=True)
        moments = torch.softmax(bins_last(logits), dim=-1) @ torch.cat((self.centres, squares), 1)
        spread = (moments[..., 2] - (moments[..., :2] ** 2).sum(-1)).clamp(min=0.0)
        return torch.exp(-spread / (2 * 15.0**2))[:, None]


def bins_last(logits: Tensor) -> Tensor:
    """(N, Q, h, w) -> (N, h, w, Q): ONNX Runtime would transpose for every sum over the bins."""
    return logits.permute(0, 2, 3, 1)


class Classifier(AnnealedMeanNetwork):
    """Base of the networks that predict a distribution from lightness only.

    Attributes
    ----------
    vividness_path : tuple of (vividness, temperature, rebalance, saturation)
        From the mean over Zhang et al.'s annealed mean to the likeliest colour, none rebalanced.
    """

    vividness_path = ((0.0, 1.0, 0.0, 1.0), (0.5, 0.38, 0.0, 1.0), (1.0, 0.01, 0.0, 1.0))

    def distribution(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> logits (N, Q, h, w)."""
        raise NotImplementedError

    def forward(self, lightness: Tensor, temperature: Tensor, rebalance: Tensor) -> Colours:
        """Lightness (N, 1, H, W) in [0, 100] -> colours; see `colours` for the look."""
        return self.colours(self.distribution(lightness), temperature, rebalance)
