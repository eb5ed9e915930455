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
from photochrom.workbench.networks.blocks import quiet
from photochrom.workbench.networks.outputs import EightBitPainter
from photochrom.workbench.networks.pretrained_bodies import timm_body

STRIDE = 8  # of the dilated body


@dataclass(frozen=True)
class Config:
    """The regression's shape.

    width : factor on the channels after the stem; pretrained weights fit only 1
    layers : blocks of each stage; pretrained weights fit only ResNet-50's
    """

    width: float = 1.0
    layers: tuple[int, ...] = (3, 4, 6, 3)


@dataclass(frozen=True)
class PaletteConfig(Config):
    """The classification's shape, beside what the regression has.

    bins : colours of the palette
    out_stride : of the distribution: 1, 2, 4 or 8
    """

    bins: int = 50
    out_stride: int = 4

    def __post_init__(self) -> None:
        if self.out_stride not in {1, 2, 4, 8}:
            raise InvalidValueError(f"out_stride must be 1, 2, 4 or 8; got {self.out_stride}.")


class Dilated(nn.Module):
    """The body and the head: lightness to `outputs` channels at stride 8."""

    def __init__(self, config: Config, outputs: int, pretrained: bool, bias: float = 0.0) -> None:
        super().__init__()
        channels = tuple(round(c * config.width) for c in (64, 128, 256, 512))
        last = quiet(nn.Conv2d(channels[-1], outputs, 1), bias)
        body = timm_body(
            "resnet50",
            pretrained,
            output_stride=STRIDE,
            channels=channels,
            layers=tuple(config.layers),
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


def enlarged(features: Tensor, times: int) -> Tensor:
    """(N, C, h, w) -> (N, C, times h, times w), bilinear."""
    return F.interpolate(features, scale_factor=float(times), mode="bilinear", align_corners=False)


class _OnDilated(nn.Module):
    """What both networks on the dilated body share."""

    resnet_prefix = "dilated.body."
    stride = STRIDE
    working_px = (128, 320)
    paper = "ml_image_colorization, after FCN (Long et al. 2015) and ResNet-50 (He et al. 2016)"
    dilated: Dilated

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return all of the body's, as the source freezes them."""
        return list(self.dilated.body.parameters())


class Resnet50Regression(_OnDilated, EightBitPainter):
    """Lightness to ab."""

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        # The last layer starts at 1/2, which is gray.
        self.dilated = Dilated(config, 2, pretrained, bias=0.5)

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> (N, 2, H, W), about in [0, 1], not bounded."""
        return enlarged(self.dilated(lightness), STRIDE)


class Resnet50Palette(_OnDilated, Classifier):
    """Lightness to a distribution over a palette."""

    def __init__(self, config: PaletteConfig, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        self.dilated = Dilated(config, config.bins, pretrained)
        self.register_bins(config.bins)

    def distribution(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> logits (N, Q, H/out_stride, W/out_stride)."""
        return enlarged(self.dilated(lightness), STRIDE // self.config.out_stride)
