"""The generator of DeOldify, trained by NoGAN, at a size for two cores.

Antic, DeOldify (2018 to 2019): a U-Net on a pretrained encoder with spectral norm, self-attention
(Zhang et al. 2019, SAGAN) and up-sampling by pixel shuffle (Shi et al. 2016) that starts as
nearest neighbour (ICNR, Aitken et al. 2017) and is blurred (Sugawara et al. 2018). Seed system
004, sections 5.4 and 6.4. Its critic is `critics.NoganCritic`, its loss `perceptual.FeatureLoss`.

Departures: EfficientNet-Lite0 for ResNet-34, whose weights cannot be had from a package; hence no
encoder features at stride 2, and BatchNorm of the encoder is folded. What is painted is ab / 110,
bounded by tanh, and the lightness is kept, where the source paints ImageNet-normalised RGB and
later restores the lightness. By default it is painted at half size (`widths`). The last
convolution is free of the spectral norm, so that the network starts near gray. Rates are constant
in a phase where the source has one cycle, the same for all layers, and with the critic the
generator keeps Adam's usual betas.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from photochrom.errors import InvalidValueError
from photochrom.workbench.networks.blocks import quiet
from photochrom.workbench.networks.encoder import Encoder
from photochrom.workbench.networks.outputs import Painter

ATTENTIVE = 1  # the up block that attends, the one at stride 8


@dataclass(frozen=True)
class Config:
    """The generator's shape.

    Raise InvalidValueError if there are fewer or more widths.

    encoder : a timm model that `Encoder` takes
    widths : channels of the decoder at strides 16, 8, 4 and, beyond the encoder's features, 2 and
        1; the last stride is the output's. The source's, which paints at full size, are near (768,
        768, 672, 300, 300).
    """

    encoder: str = "tf_efficientnet_lite0"
    widths: tuple[int, ...] = (192, 128, 96, 48)

    def __post_init__(self) -> None:
        if not 3 <= len(self.widths) <= 5:
            raise InvalidValueError(f"widths needs 3 to 5 numbers; got {self.widths}.")


class Nogan(Painter):
    """Lightness to ab through an ImageNet encoder and a decoder with self-attention."""

    ab_scale = 110.0
    stride = 32
    working_px = (64, 256)
    paper = "NoGAN, after DeOldify (Antic 2019)"

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder, pretrained)
        stride4, stride8, stride16, stride32 = self.encoder.channels
        self.output_stride = 2 ** (5 - len(config.widths))
        below = config.widths[0]
        self.middle = nn.Sequential(
            nn.BatchNorm2d(stride32),
            nn.ReLU(),
            _convolve(stride32, 2 * below),
            _convolve(2 * below, below),
        )
        skips = (stride16, stride8, stride4, 0, 0)
        self.up = nn.ModuleList()
        for level, (outputs, skip) in enumerate(zip(config.widths, skips, strict=False)):
            self.up.append(Up(below, skip, outputs, attentive=level == ATTENTIVE))
            below = outputs
        with_input = below + 1
        self.end = nn.Sequential(
            _convolve(with_input, with_input), _convolve(with_input, with_input)
        )
        self.head = quiet(nn.Conv2d(with_input, 2, 1))

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> scaled ab (N, 2, h, w) in [-1, 1].

        H and W are multiples of 32; h = H / 2 with four widths.
        """
        stride4 = self.encoder.stem(lightness)
        stride8, stride16, stride32 = self.encoder.deeper(stride4)
        features = self.middle(stride32)
        skips = (stride16, stride8, stride4, None, None)
        for up, skip in zip(self.up, skips, strict=False):
            features = up(features, skip)
        shown = F.avg_pool2d(lightness / 50 - 1, self.output_stride)
        features = torch.cat((features, shown), dim=1)
        return torch.tanh(self.head(features + self.end(features)))

    def ab_of(self, painted: Tensor) -> Tensor:
        """Convert the output to ab units; only networks with this method take a feature loss."""
        return self.unscaled(painted)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that come from pretrained weights."""
        return list(self.encoder.parameters())


class Up(nn.Module):
    """One level up: enlarge by two, join the encoder's features if there are any, convolve."""

    def __init__(self, below: int, skip: int, outputs: int, attentive: bool) -> None:
        super().__init__()
        self.enlarge = Enlarge(below, outputs)
        self.normalise = nn.BatchNorm2d(skip) if skip else None
        self.convolve = nn.Sequential(
            _convolve(outputs + skip, outputs),
            _convolve(outputs, outputs),
            SelfAttention(outputs) if attentive else nn.Identity(),
        )

    def forward(self, below: Tensor, skip: Tensor | None) -> Tensor:
        """(N, C, h, w), (N, S, 2h, 2w) -> (N, outputs, 2h, 2w)."""
        features = self.enlarge(below)
        if self.normalise is not None:
            features = torch.cat((features, F.relu(self.normalise(skip))), dim=1)
        convolved: Tensor = self.convolve(features)
        return convolved


class Enlarge(nn.Module):
    """Pixel shuffle that starts as nearest neighbour, and a 2 x 2 blur against checkerboards."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()

        def start(weight: Tensor) -> None:
            kernel = nn.init.kaiming_normal_(torch.empty(outputs, inputs, 1, 1))
            with torch.no_grad():  # the four pixels of a channel stand one after the other
                weight.copy_(kernel.repeat_interleave(4, dim=0))

        self.spread = spectral(SpectralConv2d(inputs, 4 * outputs, 1), start)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, 2h, 2w)."""
        large = self.shuffle(F.relu(self.spread(features)))
        return F.avg_pool2d(F.pad(large, (1, 0, 1, 0), mode="replicate"), 2, stride=1)


class SelfAttention(nn.Module):
    """Self-attention of all positions; it adds nothing at the start (Zhang et al. 2019).

    Its cost grows with the square of the number of positions. Keys have an eighth of the channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        small = max(channels // 8, 1)
        self.query = spectral(SpectralConv2d(channels, small, 1, bias=False))
        self.key = spectral(SpectralConv2d(channels, small, 1, bias=False))
        self.value = spectral(SpectralConv2d(channels, channels, 1, bias=False))
        self.share = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w)."""
        query, key, value = (
            layer(features).flatten(2) for layer in (self.query, self.key, self.value)
        )  # (N, c, h w)
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # (N, h w, h w)
        seen: Tensor = (value @ attention.transpose(1, 2)).reshape(features.shape)
        return features + self.share * seen


class SpectralConv2d(nn.Conv2d):
    """A convolution whose spectral norm is computed in float32, even under bfloat16."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        with torch.autocast(input.device.type, enabled=False):
            weight: Tensor = self.weight
        convolved: Tensor = self._conv_forward(input, weight, self.bias)
        return convolved


def spectral(
    layer: nn.Conv2d, start: Callable[[Tensor], object] = nn.init.kaiming_normal_
) -> nn.Conv2d:
    """Initialise a layer with spectral normalisation (Miyato et al. 2018)."""
    start(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    parametrizations.spectral_norm(layer)
    return layer


def _convolve(inputs: int, outputs: int) -> nn.Sequential:
    layer = spectral(SpectralConv2d(inputs, outputs, 3, padding=1))
    return nn.Sequential(layer, nn.ReLU(), nn.BatchNorm2d(outputs))
