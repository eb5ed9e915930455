"""The U-Net of three networks: levels down, and levels up joined with their mirror levels.

Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation".
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from photochrom.workbench.networks.outputs import Painter

SLOPE = 0.2  # of the leaky ReLUs


@dataclass(frozen=True)
class Config:
    """The shape of a U whose first level keeps the picture's size.

    channels : of each level; the first keeps the picture's size, each further one halves it
    dropout : share of values that the deepest two levels of the decoder drop in training
    """

    channels: tuple[int, ...] = (64, 128, 256, 512, 512)
    dropout: float = 0.5


class MirroredLevels(Painter):
    """A U-Net; subclasses create `down`, then call `climb`, then create their head."""

    down: nn.ModuleList
    up: nn.ModuleList

    def __init__(self, config: Config, halvings: int) -> None:
        super().__init__()
        self.config = config
        self.stride = 2**halvings

    def climb(
        self, level_up: Callable[[int, int, float], nn.Module], dropped: int = 2, joined: int = 2
    ) -> int:
        """Create the levels up; return the channels at the top.

        `level_up` makes a level that doubles the size, of inputs, outputs and the share of values
        that it drops; so many of the deepest drop values. Joining with the mirror multiplies the
        channels by `joined`.
        """
        self.up = nn.ModuleList()
        *mirrored, inputs = self.config.channels
        for level, outputs in enumerate(reversed(mirrored)):
            self.up.append(level_up(inputs, outputs, self.config.dropout if level < dropped else 0))
            inputs = joined * outputs
        return inputs

    def through(self, features: Tensor) -> Tensor:
        """Pass features (N, C, H, W) down and up again."""
        mirrors = []
        for down in self.down:
            features = down(features)
            mirrors.append(features)
        for up, mirror in zip(self.up, reversed(mirrors[:-1]), strict=True):
            features = self.join(up(features), mirror)
        return features

    def join(self, features: Tensor, mirror: Tensor) -> Tensor:
        """Join a level up with its mirror level."""
        return torch.cat((features, mirror), dim=1)
