"""From a distribution over colour bins to the colour that is least likely to look wrong.

A Bayes decision: of some candidates, the one whose expected CIEDE2000 difference from the true
colour, less a reward for its chroma, is least; softly, so that neighbouring places agree. The mean
minimises squared distances in ab, where blue counts three times what the eye sees; the mode counts
no distance at all. What an eye would mind is what CIEDE2000 was made to say.

Two things are photochrom's own. A contrast: what a picture has more of than pictures in general
counts less in each of its places, so that things differ from each other instead of all being tinted
alike. And other views: what the network thought of the same picture smaller or mirrored is averaged
in before it is decided, not after.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photochrom.color.difference import ciede2000
from photochrom.networks.annealed import Annealed, Colours, bins_last

RAREST = 1e-4  # of a picture's mean share of a colour: below it says nothing
# Chroma of the candidates, in ab units: closer where the eye tells more apart.
RINGS = (0.0, 3.0, 6.5, 11.0, 17.0, 25.0, 35.0, 48.0, 66.0)
HUES = 24
SHARPNESS = 2.0  # of the soft choice, for each unit of CIEDE2000
ANY_LIGHTNESS = 50.0  # of colours of one lightness the difference does not depend on it


def candidates() -> tuple[np.ndarray, np.ndarray]:
    """Give the colours that can be decided for.

    Returns
    -------
    ab : float32 array, (K, 2)
        Gray, and rings of `HUES` colours.
    areas : float32 array, (K,)
        Of the ab plane that each stands for, in squared ab units.
    """
    turns = 2 * math.pi * np.arange(HUES) / HUES
    hues = np.stack((np.cos(turns), np.sin(turns)), axis=-1)
    ab = np.concatenate((np.zeros((1, 2)), *(chroma * hues for chroma in RINGS[1:])))
    edges = np.add(RINGS[1:], RINGS[:-1]) / 2
    edges = np.append(edges, 2 * RINGS[-1] - edges[-1])
    discs = math.pi * np.append(edges[0], edges[1:]) ** 2
    each = np.diff(discs) / HUES
    return ab.astype(np.float32), np.append(discs[0], each.repeat(HUES)).astype(np.float32)


class Deciding(Annealed):
    """Base of the networks whose colours are decided by what they cost.

    Attributes
    ----------
    costs : float tensor, (Q, K)
        CIEDE2000 between each bin and each candidate, at one lightness; from `settle`.
    candidates : float tensor, (K, 2)
        Colours that can be decided for, ab units.
    chroma, areas : float tensors, (K,)
        Of the candidates; the areas as logarithms.
    """

    costs: Tensor
    candidates: Tensor
    chroma: Tensor
    areas: Tensor

    def register_bins(self, bins: int) -> None:
        """Add the buffers of `bins` bins and of the candidates."""
        super().register_bins(bins)
        ab, areas = candidates()
        chroma = np.linalg.norm(ab, axis=-1)
        for name, value in (("candidates", ab), ("chroma", chroma), ("areas", np.log(areas))):
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        self.register_buffer("costs", torch.zeros(bins, len(ab)), persistent=False)
        self.register_load_state_dict_post_hook(_settle)  # type: ignore[no-untyped-call]

    def fill_bins(self, centres: Tensor, prior: Tensor) -> None:
        """Set the bins; see `Annealed`."""
        super().fill_bins(centres, prior)
        self.settle()

    def settle(self) -> None:
        """Compute the costs anew, after the centres changed."""
        bins, found = (
            np.insert(ab.cpu().double().numpy(), 0, ANY_LIGHTNESS, axis=-1)
            for ab in (self.centres, self.candidates)
        )
        self.costs.copy_(torch.from_numpy(ciede2000(bins[:, None], found)))

    def decided(
        self,
        logits: Tensor,
        temperature: Tensor,
        rebalance: Tensor,
        contrast: Tensor,
        reward: Tensor,
    ) -> Colours:
        """Turn a distribution into colours.

        Parameters
        ----------
        logits : tensor, (N, Q, h, w)
        temperature, rebalance : tensors, (1,)
            As of the annealed mean: 1 and 0 leave the distribution.
        contrast : tensor, (1,)
            The power of prior / picture, where `picture` is the mean distribution over the places
            of the picture: 0 leaves the distribution, more prefers what sets a place apart.
        reward : tensor, (1,)
            CIEDE2000 that a unit of chroma is worth.

        Returns
        -------
        Colours
        """
        rare = -torch.log(self.prior)
        last = bins_last(logits)
        picture = torch.softmax(last, dim=-1).mean(dim=(1, 2), keepdim=True) + RAREST
        weighed = last + rebalance * rare - contrast * (torch.log(picture) + rare)
        shares = torch.softmax(weighed / temperature, dim=-1)
        costs = shares @ self.costs - reward * self.chroma
        chosen = torch.softmax(self.areas - SHARPNESS * costs, dim=-1)
        ab = (chosen @ self.candidates).permute(0, 3, 1, 2)
        return Colours(ab, self.confidence(logits), logits)


def _settle(network: Deciding, _: object) -> None:
    network.settle()


def joined(logits: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """Average in what other views of the same pictures gave.

    Parameters
    ----------
    logits : tensor, (N, Q, h, w)
    others : tensor, (N, Q, h', w')
        Of any size: it is interpolated.
    share : tensor, (1,)
        Of the mean that `others` has: 0 without any, 1/2 for one other view, 2/3 for two.

    Returns
    -------
    tensor, (N, Q, h, w)
    """
    size = (logits.shape[2], logits.shape[3])
    resized = F.interpolate(others, size=size, mode="bilinear", align_corners=False)
    return logits + share * (resized - logits)
