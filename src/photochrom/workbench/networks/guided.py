"""Base of a network that follows hints and wishes: its encoder, inputs and colour output.

It gives a distribution over ab bins (Zhang et al. 2016) from lightness, hints (Zhang et al. 2017),
a wanted histogram and a wanted chroma. Everything that turns the distribution into ab is part of
the network, so that one exported graph holds all of it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.workbench.networks.annealed_mean import Colours
from photochrom.workbench.networks.blocks import quiet, silent
from photochrom.workbench.networks.encoder import Encoder
from photochrom.workbench.networks.even_saturation import Reading, joined

STRIDE = 32  # sides of the input are multiples of this
OUTPUT_STRIDE = 4
AB_SCALE = 50.0  # ab units that a hint's 1 stands for


class Guided(Reading):
    """Inputs for hints, histogram and chroma, and the colour output; `decode` is the subclass's.

    Parameters name the weights of stored files, and their order that of an optimizer's state:
    subclasses call `add_wish` and `add_head` where these layers belong among their own.
    """

    stride = STRIDE
    paper = "photochrom 2026, after Zhang et al. 2016 and 2017"

    def __init__(self, encoder: str, pretrained: bool) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, pretrained)
        # The first layers see edges, whatever the task.
        self.encoder.stages[0].requires_grad_(False)
        self.hints_in = silent(nn.Conv2d(3, self.encoder.channels[0], 3, padding=1))

    def add_wish(self, channels: int, bins: int) -> None:
        """Add the layers that feed the requested histogram and chroma to context and logits."""
        self.wish = nn.Sequential(
            nn.Linear(bins + 3, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU()
        )
        self.wish_context = silent(nn.Linear(channels, channels))
        self.wish_logits = silent(nn.Linear(channels, bins))

    def add_head(self, channels: int, bins: int) -> None:
        """Add the last layer, which starts near a constant, and the bins."""
        self.head = quiet(nn.Conv2d(channels, bins, 1))
        self.register_bins(bins)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the pretrained weights that learn, more slowly than the others."""
        return [p for p in self.encoder.parameters() if p.requires_grad]

    def distribution(
        self,
        lightness: Tensor,
        hint_ab: Tensor,
        hint_mask: Tensor,
        histogram: Tensor,
        global_mask: Tensor,
    ) -> Tensor:
        """Return the logits of the colours.

        Parameters
        ----------
        lightness : tensor, (N, 1, H, W)
            L* in [0, 100]; H and W multiples of 32.
        hint_ab : tensor, (N, 2, H, W)
            Hinted colours in ab units, 0 where there is none.
        hint_mask : tensor, (N, 1, H, W)
            1 where hinted, 0 elsewhere.
        histogram : tensor, (N, Q + 1)
            Wanted share of each bin, and wanted mean chroma in ab units.
        global_mask : tensor, (N, 2)
            1 where the histogram, the chroma, is wanted; 0 where not.

        Returns
        -------
        tensor, (N, Q, H/4, W/4)
        """
        hints = [stride_4_hints(hint_ab, hint_mask)]
        for _ in range(3):
            hints.append(halve_hints(hints[-1]))
        stride4 = self.encoder.stem(lightness)
        deeper = self.encoder.deeper(stride4 + self.hints_in(hints[0]))
        return self.decode((stride4, *deeper), hints, self.wish(wanted(histogram, global_mask)))

    def decode(self, features: tuple[Tensor, ...], hints: list[Tensor], wish: Tensor) -> Tensor:
        """Return the logits from features and hints at strides 4, 8, 16, 32, and the request."""
        raise NotImplementedError

    def forward(
        self,
        lightness: Tensor,
        hint_ab: Tensor,
        hint_mask: Tensor,
        histogram: Tensor,
        global_mask: Tensor,
        others: Tensor,
        others_share: Tensor,
        temperature: Tensor,
        rebalance: Tensor,
        evenness: Tensor,
    ) -> Colours:
        """Return colours; see `distribution` for the first five inputs, `joined` and `read`."""
        logits = self.distribution(lightness, hint_ab, hint_mask, histogram, global_mask)
        logits = joined(logits, others, others_share)
        return self.read(logits, temperature, rebalance, evenness)


def stride_4_hints(hint_ab: Tensor, hint_mask: Tensor) -> Tensor:
    """Hints at full size -> (N, 3, H/4, W/4): mean hinted ab, and whether there is any."""
    share = F.avg_pool2d(hint_mask, OUTPUT_STRIDE)
    mean = F.avg_pool2d(hint_ab * hint_mask, OUTPUT_STRIDE) / share.clamp(min=1e-6)
    return torch.cat((mean / AB_SCALE, share.clamp(max=0.25) * 4), dim=1)


def halve_hints(planes: Tensor) -> Tensor:
    """Halve hints: colours weighted by their share, and the maximum of the shares."""
    share = planes[:, 2:]
    mean = F.avg_pool2d(planes[:, :2] * share, 2) / F.avg_pool2d(share, 2).clamp(min=1e-6)
    return torch.cat((mean, F.max_pool2d(share, 2)), dim=1)


def wanted(histogram: Tensor, global_mask: Tensor) -> Tensor:
    """Return the requested histogram and chroma, zeros if not requested, with two indicators."""
    bins, chroma = histogram[:, :-1], histogram[:, -1:]
    # The square root keeps small shares visible.
    return torch.cat(
        (
            torch.sqrt(bins) * global_mask[:, :1],
            chroma / AB_SCALE * global_mask[:, 1:],
            global_mask,
        ),
        dim=1,
    )
