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
from photochrom.workbench.networks.outputs import ColourOutput

DROPPED_LEVELS = 2  # of the decoder, the deepest first


class UNet(MirroredLevels):
    """Lightness to ab through a U of 4 x 4 convolutions.

    Attributes
    ----------
    stride : int
        16 with the source's five levels.
    """

    stride: int = 16
    working_px: tuple[int, int] = (32, 64)
    paper: str = "U-Net on CIFAR-10, after Ronneberger et al. 2015 and Nazeri et al. 2018"

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        first, *deeper = config.channels
        self.stride = 2 ** len(deeper)
        # 'Same' padding of an even kernel is uneven: one more at the end, as TensorFlow does it.
        self.down = nn.ModuleList(
            [_Down(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(1, first, 4, bias=False))]
        )
        for inputs, outputs in zip(config.channels, deeper, strict=False):
            layer = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            self.down.append(_Down(nn.Identity(), layer))
        top = self.climb(config.channels, _Up, (DROPPED_LEVELS, config.dropout))
        self.head = nn.Conv2d(top, 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> scaled ab (N, 2, H, W) in [-1, 1]."""
        return torch.tanh(self.head(self.through((lightness - 50) / 50)))

    def scaled(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Bring ab units into this network's [-1, 1]; shape (N, 2, H, W) stays."""
        return (ab + 0.5) / 127.5

    def forward(self, lightness: Tensor) -> ColourOutput:
        """Lightness (N, 1, H, W) in [0, 100] -> ab (N, 2, H, W) in ab units."""
        return ColourOutput(self.paint(lightness) * 127.5 - 0.5)


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
