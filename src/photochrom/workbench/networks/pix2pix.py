"""Image-to-image translation with a conditional GAN: the U-Net generator.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", in the form
of seed system 003, table 4.3. Its critic is `critics.PatchCritic`; the L1 loss weighs 100.

Departures: ab alone is painted and the lightness kept, where the source painted all of Lab; the
source adds the mirrored features, and the paper's joining is offered (`skips`). Weights start as
the paper's, normal with a deviation of 0.02.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.errors import InvalidValueError
from photochrom.workbench.networks import mirrored_levels
from photochrom.workbench.networks.mirrored_levels import SLOPE, MirroredLevels

SKIPS = ("add", "concatenate")


@dataclass(frozen=True)
class Config(mirrored_levels.Config):
    """The generator's shape; `dropout` is that of the deepest three levels of the decoder.

    channels : of each level of the encoder; each halves the size, so that eight of them bring 256
        px to 1
    skips : how mirrored features join the decoder: 'add' as the source, 'concatenate' as the paper
    """

    channels: tuple[int, ...] = (64, 128, 256, 512, 512, 512, 512, 512)
    skips: str = "add"

    def __post_init__(self) -> None:
        if self.skips not in SKIPS:
            raise InvalidValueError(f"skips needs 'add' or 'concatenate'; got '{self.skips}'.")
        if len(self.channels) < 2:
            raise InvalidValueError(f"channels needs 2 levels or more; got {self.channels}.")


class Pix2pix(MirroredLevels):
    """Lightness to ab through a U-Net down to one pixel."""

    ab_scale = 110.0
    working_px = (256, 256)
    paper = "pix2pix, Isola et al. 2017"

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        levels = len(config.channels)
        super().__init__(config, halvings=levels)
        self.skips = config.skips
        self.down = nn.ModuleList([_halve(1, config.channels[0])])
        for level in range(1, levels):
            inputs, outputs = config.channels[level - 1 : level + 1]
            # The deepest is one pixel, whose deviation from its own mean is nothing.
            norm = nn.BatchNorm2d(outputs) if level < levels - 1 else nn.Identity()
            bias = level == levels - 1
            layers = (nn.LeakyReLU(SLOPE), _halve(inputs, outputs, bias), norm)
            self.down.append(nn.Sequential(*layers))
        joined = 2 if config.skips == "concatenate" else 1
        top = self.climb(_Up, dropped=3, joined=joined)
        self.head = nn.ConvTranspose2d(top, 2, 4, stride=2, padding=1)
        self.apply(initialise)

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> scaled ab (N, 2, H, W) in [-1, 1]."""
        return torch.tanh(self.head(F.relu(self.through(lightness / 50 - 1))))

    def join(self, features: Tensor, mirror: Tensor) -> Tensor:
        """Join a level up with its mirror level, as configured."""
        if self.skips == "add":
            return features + mirror
        return super().join(features, mirror)


class _Up(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(
            nn.ReLU(),
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.Dropout(dropout),
        )


def _halve(inputs: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Initialise a layer as Isola et al. do: normal weights with a standard deviation of 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, mean=1.0, std=0.02)
