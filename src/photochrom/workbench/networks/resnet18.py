"""ResNet-18's first layers and an upsampling decoder.

The network of "MLF_Grayscale_Image_Colorization" (the first six layers of He et al. 2016, then
upsampling), and what its authors wished for: one more stage, and a class of colour per pixel
instead of a colour. Departures: the input is L* / 100, as the result's lightness is, not gray from
RGB; the stem is ImageNet's, summed over its channels; the classes are ab bins together, not 25 of a
and 25 of b, and given at stride 4.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from photochrom.errors import InvalidValueError
from photochrom.workbench.networks.annealed_mean import Classifier
from photochrom.workbench.networks.blocks import normed, quiet, twice
from photochrom.workbench.networks.outputs import EightBitPainter
from photochrom.workbench.networks.pretrained_bodies import timm_body


@dataclass(frozen=True)
class Config:
    """The regression's shape.

    stages : stages of ResNet-18: 2, or 3 for the deeper one, which goes up once more
    """

    stages: int = 2


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """The classification's shape: the regression's, and the number of ab bins."""

    bins: int = 313


class Trunk(nn.Module):
    """Lightness to 64 features at stride 4, by way of stride 8, or 16 with three stages."""

    def __init__(self, stages: int, pretrained: bool) -> None:
        super().__init__()
        if stages not in {2, 3}:
            raise InvalidValueError(f"stages must be 2 or 3; got {stages}.")
        body = timm_body("resnet18", pretrained)
        layers = [body.conv1, body.bn1, body.act1, body.maxpool, body.layer1, body.layer2]
        deeper = [normed(256, 128), twice()] if stages == 3 else []
        self.body = nn.Sequential(*layers, *([body.layer3] if stages == 3 else []))
        self.up = nn.Sequential(*deeper, normed(128, 128), twice(), normed(128, 64), normed(64, 64))

    def forward(self, lightness: Tensor) -> Tensor:
        """(N, 1, H, W) in [0, 100] -> (N, 64, H/4, W/4)."""
        features: Tensor = self.up(self.body(lightness / 100.0))
        return features


class _OnTrunk(nn.Module):
    """What both networks on the trunk share."""

    resnet_prefix = "trunk.body."
    stride = 16  # of three stages; two would do with 8
    working_px = (128, 320)
    paper = "MLF_Grayscale_Image_Colorization, after ResNet-18 (He et al. 2016)"
    trunk: Trunk

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return those of ResNet-18's stem and stages."""
        return list(self.trunk.body.parameters())


class Resnet18(_OnTrunk, EightBitPainter):
    """Lightness to ab, by regression."""

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config.stages, pretrained)
        # The last layer starts at 1/2, which is gray.
        last = quiet(nn.Conv2d(32, 2, 3, padding=1), bias=0.5)
        self.colour = nn.Sequential(twice(), normed(64, 32), last, twice())

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> (N, 2, H, W), about in [0, 1], not bounded."""
        painted: Tensor = self.colour(self.trunk(lightness))
        return painted


class Resnet18Classifier(_OnTrunk, Classifier):
    """Lightness to a distribution over ab bins at stride 4, by the same trunk."""

    def __init__(self, config: ClassifierConfig, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config.stages, pretrained)
        self.head = quiet(nn.Conv2d(64, config.bins, 1))
        self.register_bins(config.bins)

    def distribution(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> logits (N, Q, H/4, W/4)."""
        logits: Tensor = self.head(self.trunk(lightness))
        return logits
