"""The flagship: most of the compute for seeing, little for detail.

An ImageNet encoder at the full resolution of the view; attention over the whole picture at strides
32 and 16 (after Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021, with depthwise
convolutions in its feed-forward part as in Guo et al., "CMT", 2022); a light decoder to stride 8;
and a learned convex upsampling to stride 4 (Teed and Deng, "RAFT", 2020, section 3.3). It gives a
distribution over ab bins (Zhang et al. 2016); hints after Zhang et al. 2017. Everything that turns
the distribution into ab is part of the network, so that one exported graph holds all of it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.workbench.networks.blocks import silent
from photochrom.workbench.networks.depthwise import depthwise
from photochrom.workbench.networks.guided import Guided

HEAD_CHANNELS = 32  # of one head of attention, where there are so many
RAISED = 2  # of the convex upsampling: stride 8 to 4
NEIGHBOURS = tuple((row, column) for row in range(3) for column in range(3))


@dataclass(frozen=True)
class Config:
    """The network's shape.

    encoder : a timm model that `Encoder` takes
    bins : number of ab bins
    channels : channels of the decoder at strides 32, 16 and 8
    mixers : blocks at strides 32 and 16, with attention, and at stride 8, without
    """

    encoder: str = "tf_efficientnet_lite2"
    bins: int = 208
    channels: tuple[int, ...] = (256, 192, 128)
    mixers: tuple[int, ...] = (2, 3, 2)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 1 x 1 convolution that keeps the variance."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def attention(asked: Tensor, heads: int) -> Tensor:
    """Attention of all places: queries, keys and values (N, 3 C, h, w) -> (N, C, h, w)."""
    count, channels, height, width = asked.shape
    each = channels // (3 * heads)
    split = asked.reshape(count, 3 * heads, each, height * width)
    query, key, value = split.transpose(2, 3).chunk(3, dim=1)
    # Written out, since the fused kernel is three times slower backwards on a CPU.
    closeness = query @ key.transpose(2, 3) * each**-0.5
    met = torch.softmax(closeness, dim=3) @ value
    return met.transpose(2, 3).reshape(count, channels // 3, height, width)


class Attention(nn.Module):
    """Self-attention between all places of the picture; it starts by adding nothing.

    Everything is a 1 x 1 convolution, so that the exported graph keeps the weights' names.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD_CHANNELS)
        self.norm = nn.GroupNorm(1, channels)
        self.asked = pointwise(channels, 3 * channels)
        self.answered = silent(nn.Conv2d(channels, channels, 1))

    def forward(self, planes: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        seen = attention(self.asked(self.norm(planes)), self.heads)
        answered: Tensor = planes + self.answered(seen)
        return answered


class Local(nn.Module):
    """A feed-forward step at each place that sees its neighbours by a depthwise convolution."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        wide = 2 * channels
        self.norm = nn.GroupNorm(1, channels)
        self.widen = pointwise(channels, wide)
        self.margin = kernel // 2
        self.near = nn.Conv2d(wide, wide, kernel, groups=wide)
        nn.init.dirac_(self.near.weight, groups=wide)
        nn.init.zeros_(self.near.bias)  # type: ignore[arg-type]
        self.narrow = silent(nn.Conv2d(wide, channels, 1))

    def forward(self, planes: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        wide = F.relu(self.widen(self.norm(planes)), inplace=True)
        wide = depthwise(wide, self.near.weight, self.near.bias, 1, self.margin)
        wide = F.relu(wide, inplace=True)
        stepped: Tensor = planes + self.narrow(wide)
        return stepped


class Up(nn.Module):
    """One level up: enlarge by two, join the encoder's features and the hints."""

    def __init__(self, below: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.reduce = pointwise(below, outputs)
        self.skip = pointwise(skip, outputs)
        self.hints = silent(nn.Conv2d(3, outputs, 3, padding=1))

    def forward(self, below: Tensor, skip: Tensor, hints: Tensor) -> Tensor:
        """(N, C, h, w), (N, S, 2h, 2w), (N, 3, 2h, 2w) -> (N, outputs, 2h, 2w)."""
        raised = F.interpolate(self.reduce(below), scale_factor=2.0, mode="nearest")
        joined_up: Tensor = raised + self.skip(skip) + self.hints(hints)
        return joined_up


class ConvexUp(nn.Module):
    """Enlarge by two: each new place is a weighted mean of the nine places around it.

    The weights come from what is seen at the finer stride, so that colours change where the picture
    does, and a place takes its neighbours' decision instead of one of its own.
    """

    def __init__(self, channels: int, fine: int, hidden: int = 64) -> None:
        super().__init__()
        self.coarse = pointwise(channels, hidden)
        self.fine = nn.Conv2d(fine, hidden, RAISED, stride=RAISED)
        self.hints = silent(nn.Conv2d(3, hidden, RAISED, stride=RAISED))
        self.weights = nn.Conv2d(hidden, RAISED**2 * len(NEIGHBOURS), 1)

    def forward(self, planes: Tensor, fine: Tensor, hints: Tensor) -> Tensor:
        """(N, C, h, w), (N, S, 2h, 2w), (N, 3, 2h, 2w) -> (N, C, 2h, 2w)."""
        count, channels, height, width = planes.shape
        seen = F.relu(self.coarse(planes) + self.fine(fine) + self.hints(hints))
        shares = self.weights(seen).reshape(count, RAISED**2, len(NEIGHBOURS), height * width)
        shares = torch.softmax(shares, dim=2).permute(0, 3, 1, 2)  # (N, hw, 4, 9)
        # With the channels last, so that the nine places are copied in long pieces.
        padded = F.pad(planes, (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1).contiguous()
        around = torch.stack(
            [padded[:, r : r + height, c : c + width] for r, c in NEIGHBOURS], dim=3
        )  # (N, h, w, 9, C)
        raised = shares @ around.flatten(1, 2)  # (N, hw, 4, C)
        raised = raised.reshape(count, height, width, RAISED, RAISED, channels)
        raised = raised.permute(0, 1, 3, 2, 4, 5)
        return raised.reshape(count, RAISED * height, RAISED * width, channels).permute(0, 3, 1, 2)


class Photochrom2(Guided):
    """Lightness and guidance to colours."""

    working_px = (192, 384)
    # What takes AdamW's steps beside Muon: pretrained, first and last layers.
    ends = ("encoder.", "hints_in.", "wish.0.", "wish_logits.", "head.")

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__(config.encoder, pretrained)
        self.config = config
        stride4, stride8, stride16, stride32 = self.encoder.channels
        deep, middle, narrow = config.channels
        at32, at16, at8 = config.mixers
        self.context_in = pointwise(stride32, deep)
        self.context_hints = silent(nn.Conv2d(3, deep, 3, padding=1))
        self.add_wish(deep, config.bins)
        self.mixers32 = nn.Sequential(*(_mixer(deep) for _ in range(at32)))
        self.up16 = Up(deep, stride16, middle)
        self.mixers16 = nn.Sequential(*(_mixer(middle) for _ in range(at16)))
        self.up8 = Up(middle, stride8, narrow)
        self.mixers8 = nn.Sequential(*(Local(narrow, kernel=5) for _ in range(at8)))
        self.up4 = ConvexUp(narrow, stride4)
        self.last_norm = nn.GroupNorm(1, narrow)
        self.add_head(narrow, config.bins)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def decode(self, features: tuple[Tensor, ...], hints: list[Tensor], wish: Tensor) -> Tensor:
        """See `Guided.decode`."""
        stride4, stride8, stride16, stride32 = features
        deep = self.context_in(stride32) + self.context_hints(hints[3])
        deep = self.mixers32(deep + self.wish_context(wish)[:, :, None, None])
        middle = self.mixers16(self.up16(deep, stride16, hints[2]))
        narrow = self.mixers8(self.up8(middle, stride8, hints[1]))
        raised = self.up4(self.last_norm(narrow), stride4, hints[0])
        logits: Tensor = self.head(raised) + self.wish_logits(wish)[:, :, None, None]
        return logits


def _mixer(channels: int) -> nn.Sequential:
    return nn.Sequential(Attention(channels), Local(channels))
