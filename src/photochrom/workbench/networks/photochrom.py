"""The flagship: one small network for automatic colour, hints, reference and palette.

An ImageNet encoder, context at stride 32 with a global branch, and a plain decoder to stride 4
that gives a distribution over ab bins (after Zhang et al. 2016); hints after Zhang et al. 2017.
Everything that turns the distribution into ab is part of the network, so that one exported graph
holds all of it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.workbench.networks.annealed_mean import Colours
from photochrom.workbench.networks.blocks import quiet
from photochrom.workbench.networks.encoder import Encoder
from photochrom.workbench.networks.even_saturation import Reading, joined

STRIDE = 32  # sides of the input are multiples of this
OUTPUT_STRIDE = 4
HEAD_CHANNELS = 32  # of one head of attention, where there are so many
AB_SCALE = 50.0  # ab units that a hint's 1 stands for


@dataclass(frozen=True)
class Config:
    """The network's shape.

    encoder : a timm model that `Encoder` takes
    bins : number of ab bins
    context : channels of the context at stride 32 and of the global vector
    context_layers : convolutions at stride 32
    decoder : channels at strides 16, 8 and 4
    mixers : blocks of attention at stride 16, where the whole picture sees itself
    """

    encoder: str = "tf_efficientnet_lite0"
    bins: int = 313
    context: int = 256
    context_layers: int = 3
    decoder: tuple[int, ...] = (256, 192, 128)
    mixers: int = 0


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """Make a 3 x 3 convolution that keeps the variance through a ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def silent(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Start a layer at zero, so that what it adds has to be learnt."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Up(nn.Module):
    """One level up: enlarge by two, join the encoder's features and the hints, convolve."""

    def __init__(self, below: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(below, outputs, 1)
        self.skip = nn.Conv2d(skip, outputs, 1)
        self.hints = silent(nn.Conv2d(3, outputs, 3, padding=1))
        self.convolve = convolution(outputs, outputs)

    def forward(self, below: Tensor, skip: Tensor, hints: Tensor) -> Tensor:
        """(N, C, h, w), (N, S, 2h, 2w), (N, 3, 2h, 2w) -> (N, outputs, 2h, 2w)."""
        raised = F.interpolate(self.reduce(below), scale_factor=2.0, mode="nearest")
        joined = F.relu(raised + self.skip(skip) + self.hints(hints))
        return F.relu(self.convolve(joined))


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


class Mixer(nn.Module):
    """Attention between all places, then a step at each; it starts by adding nothing.

    Everything is a 1 x 1 convolution, so that the exported graph keeps the weights' names.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD_CHANNELS)
        self.norm = nn.GroupNorm(1, channels)
        self.asked = nn.Conv2d(channels, 3 * channels, 1)
        self.answered = silent(nn.Conv2d(channels, channels, 1))
        self.step_norm = nn.GroupNorm(1, channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = silent(nn.Conv2d(2 * channels, channels, 1))

    def forward(self, planes: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        planes = planes + self.answered(attention(self.asked(self.norm(planes)), self.heads))
        stepped: Tensor = planes + self.narrow(F.relu(self.widen(self.step_norm(planes))))
        return stepped


class Guided(Reading):
    """Base of the flagships: inputs for hints, histogram and chroma, and the colour output.

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


class Photochrom(Guided):
    """Lightness and guidance to colours."""

    working_px = (128, 320)
    grows = ("mixers.",)  # weights that `--init` may lack, since they start by adding nothing

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__(config.encoder, pretrained)
        self.config = config
        stride4, stride8, stride16, stride32 = self.encoder.channels
        context, (wide, middle, narrow) = config.context, config.decoder
        self.context_in = nn.Conv2d(stride32, context, 1)
        self.context_hints = silent(nn.Conv2d(3, context, 3, padding=1))
        self.context = nn.ModuleList(
            convolution(context, context) for _ in range(config.context_layers)
        )
        self.pooled = nn.Linear(context, context)
        self.add_wish(context, config.bins)
        self.up16 = Up(context, stride16, wide)
        self.mixers = nn.Sequential(*(Mixer(wide) for _ in range(config.mixers)))
        self.up8 = Up(wide, stride8, middle)
        self.up4 = Up(middle, stride4, narrow)
        self.add_head(narrow, config.bins)

    def decode(self, features: tuple[Tensor, ...], hints: list[Tensor], wish: Tensor) -> Tensor:
        """See `Guided.decode`."""
        stride4, stride8, stride16, stride32 = features
        context = self.context_in(stride32) + self.context_hints(hints[3])
        context = F.relu(context + self.wish_context(wish)[:, :, None, None])
        for layer in self.context:
            pooled = self.pooled(context.mean(dim=(2, 3)))[:, :, None, None]
            context = context + F.relu(layer(context) + pooled)
        decoded = self.mixers(self.up16(context, stride16, hints[2]))
        decoded = self.up8(decoded, stride8, hints[1])
        decoded = self.up4(decoded, stride4, hints[0])
        logits: Tensor = self.head(decoded) + self.wish_logits(wish)[:, :, None, None]
        return logits


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
