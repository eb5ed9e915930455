"""A conditional DCGAN for small pictures; the generator paints RGB.

After Nazeri et al. 2018, "Image Colorization Using Generative Adversarial Networks", and Radford
et al. 2016: seed system 004, table 5.3. Its critic is `critics.DcganCritic`. The input is the gray
picture alone, which the papers call zero noise.

Departure: the gray that is shown is the sRGB gray of the given lightness, not the mean of R, G and
B, which nobody who colours an old photograph has. The painted RGB is turned into ab inside the
graph; whoever joins the picture keeps the true lightness.
"""

import torch
from torch import Tensor, nn

from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import lightness_to_luminance, linear_to_srgb, rgb_to_lab
from photochrom.workbench.networks.mirrored_levels import SLOPE, Config, MirroredLevels


class DcganGenerator(MirroredLevels):
    """Gray to RGB through a U of 2 x 2 convolutions."""

    working_px = (32, 64)
    paper = "conditional DCGAN on CIFAR-10, after Nazeri et al. 2018"

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        first, *deeper = config.channels
        super().__init__(config, halvings=len(deeper))
        self.down = nn.ModuleList([nn.Sequential(nn.Conv2d(1, first, 1), nn.LeakyReLU(SLOPE))])
        for inputs, outputs in zip(config.channels, deeper, strict=False):
            layer = nn.Conv2d(inputs, outputs, 2, stride=2)
            self.down.append(nn.Sequential(layer, nn.LeakyReLU(SLOPE)))
        top = self.climb(_Up)
        self.head = nn.Conv2d(top, 3, 1)

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> RGB (N, 3, H, W) in [-1, 1]."""
        return torch.tanh(self.head(self.through(lightness_to_gray(lightness))))

    def scaled(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Return the true RGB.

        Parameters
        ----------
        lightness : tensor, (N, 1, H, W)
            L* in [0, 100].
        ab : tensor, (N, 2, H, W)
            ab units; brought into sRGB at constant luminance where it lies outside.

        Returns
        -------
        tensor, (N, 3, H, W)
            Gamma-encoded sRGB, scaled to [-1, 1].
        """
        lab = torch.cat((lightness, ab), dim=1).permute(0, 2, 3, 1)  # (N, H, W, 3)
        rgb: Tensor = lab_to_rgb(lab).rgb.permute(0, 3, 1, 2)  # (N, 3, H, W)
        return 2 * rgb - 1

    def unscaled(self, painted: Tensor) -> Tensor:
        """Convert the painted RGB to ab (N, 2, H, W) in ab units."""
        rgb = (painted.float() + 1) / 2
        lab: Tensor = rgb_to_lab(rgb.permute(0, 2, 3, 1))  # (N, H, W, 3)
        return lab[..., 1:].permute(0, 3, 1, 2)


class _Up(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(
            nn.ConvTranspose2d(inputs, outputs, 2, stride=2),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm2d(outputs),
            nn.Dropout(dropout),
        )


def lightness_to_gray(lightness: Tensor) -> Tensor:
    """Convert L* in [0, 100] to the sRGB value in [0, 1] of the gray that has it; any shape."""
    gray: Tensor = linear_to_srgb(lightness_to_luminance(lightness))
    return gray
