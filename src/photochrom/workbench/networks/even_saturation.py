"""Reading a distribution over colour bins with even saturation.

The mean of a distribution over ab is the colour of least squared error, and dull: where blue and
red are both likely, their mean is gray. Its hue is still the best guess. So the chroma is raised
from the chroma of the mean, |m|, towards the mean chroma, E|c|: m (E|c| / |m|)^evenness. A
place of which the network knows that it is colourful, but not which colour, keeps a colour, and
neighbouring parts of one thing keep one saturation. The distribution is sharpened by a temperature
first (the annealed mean of Zhang et al. 2016).

What the network thought of the same picture at other sizes or mirrored is averaged in before.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from photochrom.workbench.networks.annealed_mean import AnnealedMeanNetwork, Colours, bins_last

LEAST_CHROMA = 0.1  # ab units, as which less counts: the hue of gray is noise


class Reading(AnnealedMeanNetwork):
    """Base of the networks whose distribution is read with even saturation."""

    def read(
        self, logits: Tensor, temperature: Tensor, rebalance: Tensor, evenness: Tensor
    ) -> Colours:
        """Turn a distribution into colours.

        Parameters
        ----------
        logits : tensor, (N, Q, h, w)
        temperature, rebalance : tensors, (1,)
            As of the annealed mean: 1 and 0 leave the distribution.
        evenness : tensor, (1,)
            The power of E|c| / |m|: 0 gives the annealed mean, 1 its hue with the mean chroma.
        """
        last = bins_last(logits)
        weighed = last - rebalance * torch.log(self.prior)
        shares = torch.softmax(weighed / temperature, dim=-1)
        chroma = torch.linalg.vector_norm(self.centres, dim=-1, keepdim=True)
        moments = shares @ torch.cat((self.centres, chroma), dim=-1)
        mean, expected = moments[..., :2], moments[..., 2:]
        length = torch.linalg.vector_norm(mean, dim=-1, keepdim=True)
        raised = (expected.clamp(min=LEAST_CHROMA) / length.clamp(min=LEAST_CHROMA)) ** evenness
        ab = (mean * raised).permute(0, 3, 1, 2)
        return Colours(ab, self.confidence(logits), logits)


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
