"""Critics: they tell real colours from generated ones while a generator trains.

A critic sees the lightness and colours in its generator's scaled space and gives logits, high where
they look real; it is never exported. Sources: seed-system tables 5.3 (`DcganCritic`), 4.3
(`PatchCritic`: Isola et al. 2017) and 6.4 (`NoganCritic`: DeOldify). Where colours are painted at a
smaller size than the lightness has, the lightness is brought to theirs.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.errors import ShapeError
from photochrom.workbench.networks.dcgan import lightness_to_gray
from photochrom.workbench.networks.mirrored_levels import SLOPE
from photochrom.workbench.networks.nogan import SelfAttention, SpectralConv2d, spectral
from photochrom.workbench.networks.pix2pix import initialise


@dataclass(frozen=True)
class DcganCriticConfig:
    """The critic's shape.

    channels : of each convolution; all but the last halve the size
    dense : numbers between the two dense layers
    size_px : side of the pictures, which the dense layer fixes
    """

    channels: tuple[int, ...] = (64, 128, 256, 512)
    dense: int = 128
    size_px: int = 32


class Critic(nn.Module):
    """Base of the critics: layers one after the other."""

    layers: nn.Sequential

    def judge_ab(self, lightness: Tensor, painted: Tensor) -> Tensor:
        """Return the logits of scaled ab (N, 2, h, w) with lightness, scaled to [-1, 1]."""
        shown = _at_size_of(painted, lightness) / 50 - 1
        logits: Tensor = self.layers(torch.cat((shown, painted), dim=1))
        return logits


class DcganCritic(Critic):
    """A critic of a whole small picture: its gray and RGB."""

    def __init__(self, config: DcganCriticConfig, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        *halving, last = config.channels
        layers: list[nn.Module] = []
        inputs = 4
        for outputs in halving:
            layers += _normalised(nn.Conv2d(inputs, outputs, 2, stride=2, bias=False))
            inputs = outputs
        layers += _normalised(nn.Conv2d(inputs, last, 1, bias=False))
        side = config.size_px // 2 ** len(halving)
        layers += [
            nn.Flatten(),
            nn.Linear(last * side * side, config.dense),
            nn.Linear(config.dense, 1),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, lightness: Tensor, painted: Tensor) -> Tensor:
        """Lightness (N, 1, S, S) in [0, 100] and RGB in [-1, 1] -> logits (N, 1).

        Raise ShapeError if a side is not the config's `size_px`.
        """
        side = self.config.size_px
        if painted.shape[2:] != (side, side):
            height, width = painted.shape[2:]
            raise ShapeError(
                f"This critic needs pictures of {side} x {side} px; they have {width} x {height}. "
                "Set size_px of its config to the training size."
            )
        gray = lightness_to_gray(_at_size_of(painted, lightness))
        logits: Tensor = self.layers(torch.cat((gray, painted), dim=1))
        return logits


@dataclass(frozen=True)
class PatchCriticConfig:
    """The critic's shape.

    channels : of each convolution before the logits; all but the last halve the size
    """

    channels: tuple[int, ...] = (64, 128, 256, 512)


class PatchCritic(Critic):
    """A critic of overlapping patches, 70 x 70 px with the source's four levels."""

    def __init__(self, config: PatchCriticConfig, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        first, *middle, last = config.channels
        layers: list[nn.Module] = [nn.Conv2d(3, first, 4, stride=2), nn.LeakyReLU(SLOPE)]
        inputs = first
        for outputs in middle:
            layers += _normalised(nn.Conv2d(inputs, outputs, 4, stride=2, bias=False))
            inputs = outputs
        same = nn.ZeroPad2d((1, 2, 1, 2))  # an even kernel keeps the size by uneven padding
        layers += [same, *_normalised(nn.Conv2d(inputs, last, 4, bias=False))]
        layers += [same, nn.Conv2d(last, 1, 4)]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, lightness: Tensor, painted: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] and ab / 110 -> logits; 30 x 30 of 256 x 256 px."""
        return self.judge_ab(lightness, painted)


@dataclass(frozen=True)
class NoganCriticConfig:
    """The critic's shape.

    channels : of each convolution that halves the size. The source's are (256, 512, 1024, 2048), 64
        times the computation of the default, which is for two cores.
    """

    channels: tuple[int, ...] = (32, 64, 128, 256)


class NoganCritic(Critic):
    """A patch critic with spectral norm, dropout and self-attention after the second halving."""

    def __init__(self, config: NoganCriticConfig, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        first, *deeper = config.channels
        layers = [*_spectral(3, first, 4, 2), nn.Dropout2d(0.075)]
        inputs = first
        for level, outputs in enumerate(deeper):
            layers += [*_spectral(inputs, inputs, 3), nn.Dropout2d(0.15)]
            layers += _spectral(inputs, outputs, 4, 2)
            if level == 0:
                layers.append(SelfAttention(outputs))
            inputs = outputs
        layers += _spectral(inputs, inputs, 3)
        layers.append(spectral(SpectralConv2d(inputs, 1, 4)))
        self.layers = nn.Sequential(*layers)

    def forward(self, lightness: Tensor, painted: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) and ab / 110 (N, 2, h, w) -> logits (N, 1, h / s - 3, w / s - 3).

        s is 2 to the power of the number of channels. Raise ShapeError if h or w is less than 4 s.
        """
        smallest = 4 * 2 ** len(self.config.channels)
        if min(painted.shape[2:]) < smallest:
            height, width = painted.shape[2:]
            raise ShapeError(
                f"This critic needs {smallest} px a side; the painted pictures have {width} x "
                f"{height}. Train on larger ones, or give its config fewer channels."
            )
        return self.judge_ab(lightness, painted)


def _at_size_of(painted: Tensor, lightness: Tensor) -> Tensor:
    if lightness.shape[2:] == painted.shape[2:]:
        return lightness
    return F.interpolate(lightness, painted.shape[2:], mode="area")


def _normalised(layer: nn.Conv2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.LeakyReLU(SLOPE)]


def _spectral(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    layer = SpectralConv2d(inputs, outputs, size, stride, padding=1)
    return [spectral(layer), nn.LeakyReLU(SLOPE)]
