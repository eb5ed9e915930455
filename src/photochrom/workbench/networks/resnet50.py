"""A fully convolutional ResNet-50: ab by regression, or a class of a k-means palette per pixel.

The networks of "ml_image_colorization": Long et al. 2015 on He et al. 2016, dilated to stride 8.
Departures: the body is ImageNet's, not a segmentation's, and its stem is ImageNet's summed over
channels, not a new one, so that all of it may be frozen; the auxiliary head, whose output the
source never uses, is left out; the palette's distribution is given at stride 4. Its logits stand at
stride 8 and are enlarged by a fixed bilinear resize, so that full size holds nothing more, at
sixteen times the memory: 50 classes of one 256 x 256 picture are 13 MB. `out_stride = 1` is the
source's.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.errors import InvalidValueError
from photochrom.workbench.networks.annealed_mean import Classifier
from photochrom.workbench.networks.blocks import ab_to_unit, quiet, unit_to_ab
from photochrom.workbench.networks.outputs import ColourOutput
from photochrom.workbench.networks.pretrained_bodies import timm_body

STRIDE = 8  # of the dilated body
PAPER = "ml_image_colorization, after FCN (Long et al. 2015) and ResNet-50 (He et al. 2016)"


@dataclass(frozen=True)
class Config:
    """The regression's shape.

    Attributes
    ----------
    width : float
        Factor on the channels after the stem; pretrained weights fit only 1.
    layers : tuple of four int
        Blocks of each stage; pretrained weights fit only ResNet-50's.
    """

    width: float = 1.0
    layers: tuple[int, ...] = (3, 4, 6, 3)


@dataclass(frozen=True)
class PaletteConfig:
    """The classification's shape.

    Attributes
    ----------
    width, layers
        As of the regression.
    bins : int
        Colours of the palette.
    out_stride : int
        Of the distribution: 1, 2, 4 or 8.
    """

    width: float = 1.0
    layers: tuple[int, ...] = (3, 4, 6, 3)
    bins: int = 50
    out_stride: int = 4

    def __post_init__(self) -> None:
        if self.out_stride not in {1, 2, 4, 8}:
            raise InvalidValueError(f"out_stride must be 1, 2, 4 or 8; it is {self.out_stride}.")


class Dilated(nn.Module):
    """The body and the head: lightness to `outputs` channels at stride 8."""

    def __init__(
        self, width: float, layers: tuple[int, ...], last: nn.Conv2d, pretrained: bool
    ) -> None:
        super().__init__()
        channels = tuple(round(c * width) for c in (64, 128, 256, 512))
        body = timm_body(
            "resnet50", pretrained, output_stride=STRIDE, channels=channels, layers=tuple(layers)
        )
        stem = [body.conv1, body.bn1, body.act1, body.maxpool]
        self.body = nn.Sequential(*stem, body.layer1, body.layer2, body.layer3, body.layer4)
        reduce = nn.Conv2d(body.num_features, last.in_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(reduce.weight, nonlinearity="relu")
        self.head = nn.Sequential(
            reduce, nn.BatchNorm2d(last.in_channels), nn.ReLU(), nn.Dropout(0.1), last
        )

    def forward(self, lightness: Tensor) -> Tensor:
        """(N, 1, H, W) in [0, 100] -> (N, outputs, H/8, W/8)."""
        features: Tensor = self.head(self.body(lightness / 100.0))
        return features


def last_layer(width: float, outputs: int, bias: float = 0.0) -> nn.Conv2d:
    """Make the head's 1 x 1 convolution."""
    return quiet(nn.Conv2d(round(512 * width), outputs, 1), bias)


def enlarged(features: Tensor, times: int) -> Tensor:
    """(N, C, h, w) -> (N, C, times h, times w), bilinear."""
    return F.interpolate(features, scale_factor=float(times), mode="bilinear", align_corners=False)


class Resnet50Regression(nn.Module):
    """Lightness to ab."""

    resnet_prefix = "dilated.body."
    stride = STRIDE
    working_px = (128, 320)
    paper = PAPER

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        # The last layer starts at 1/2, which is gray.
        last = last_layer(config.width, 2, bias=0.5)
        self.dilated = Dilated(config.width, config.layers, last, pretrained)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return all of the body's, as the source freezes them."""
        return list(self.dilated.body.parameters())

    def scaled(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Ab units (N, 2, H, W) -> what `paint` should give, in [0, 1]."""
        return ab_to_unit(ab)

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> (N, 2, H, W), about in [0, 1], not bounded."""
        return enlarged(self.dilated(lightness), STRIDE)

    def forward(self, lightness: Tensor) -> ColourOutput:
        """Lightness (N, 1, H, W) in [0, 100] -> colours at H x W."""
        return ColourOutput(unit_to_ab(self.paint(lightness)))


class Resnet50Palette(Classifier):
    """Lightness to a distribution over a palette."""

    resnet_prefix = "dilated.body."
    stride = STRIDE
    working_px = (128, 320)
    paper = PAPER

    def __init__(self, config: PaletteConfig, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        last = last_layer(config.width, config.bins)
        self.dilated = Dilated(config.width, config.layers, last, pretrained)
        self.register_bins(config.bins)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return all of the body's, as the source freezes them."""
        return list(self.dilated.body.parameters())

    def distribution(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> logits (N, Q, H/out_stride, W/out_stride)."""
        return enlarged(self.dilated(lightness), STRIDE // self.config.out_stride)
