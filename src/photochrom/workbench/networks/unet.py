"""A U-Net of 4 x 4 convolutions for small pictures, as students train it on CIFAR-10.

After Ronneberger et al. 2015 (the U) and Nazeri et al. 2018 (colours): seed system 004, table 5.2.
Trained with MSE on scaled ab.

Departures: the layers follow the code where its README differs (normalised before they are joined,
512 channels at the last level); BatchNorm is in training mode while training, which the source
forgot.
"""

import torch
from torch import Tensor, nn

from photochrom.workbench.networks.mirrored_levels import SLOPE, Config, MirroredLevels


class UNet(MirroredLevels):
    """Lightness to ab through a U of 4 x 4 convolutions."""

    working_px = (32, 64)
    paper = "U-Net on CIFAR-10, after Ronneberger et al. 2015 and Nazeri et al. 2018"
    ab_scale = 127.5
    ab_offset = -0.5

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        first, *deeper = config.channels
        super().__init__(config, halvings=len(deeper))
        # 'Same' padding of an even kernel is uneven: one more at the end, as TensorFlow does it.
        self.down = nn.ModuleList(
            [_Down(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(1, first, 4, bias=False))]
        )
        for inputs, outputs in zip(config.channels, deeper, strict=False):
            layer = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            self.down.append(_Down(nn.Identity(), layer))
        top = self.climb(_Up)
        self.head = nn.Conv2d(top, 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> scaled ab (N, 2, H, W) in [-1, 1]."""
        return torch.tanh(self.head(self.through((lightness - 50) / 50)))


class _Down(nn.Sequential):
    def __init__(self, pad: nn.Module, layer: nn.Conv2d) -> None:
        norm = nn.BatchNorm2d(layer.out_channels)  # makes the bias void
        super().__init__(pad, layer, norm, nn.LeakyReLU(SLOPE))


class _Up(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
