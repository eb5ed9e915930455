"""Local and global features fused, with a class loss on the side.

Iizuka, Simo-Serra and Ishikawa 2016, "Let there be Color!". Departures: the input is
(L - 50) / 100 instead of gray less the data's mean; ab is stored as in 8-bit Lab, whose range holds
every colour, instead of +-100; the fusion layer's activation is a ReLU, since the paper's single
symbol for all of them leaves it open. The global branch sees any picture, stretched to a square:
that of another picture lends its style.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.errors import InvalidValueError
from photochrom.workbench.networks.blocks import normed, quiet, twice
from photochrom.workbench.networks.outputs import ColourOutput, EightBitPainter

GLOBAL_STRIDE = 32  # of the global branch before its fully connected layers


@dataclass(frozen=True)
class Config:
    """The network's shape.

    width : factor on all channels of the paper
    classes : names that the class loss tells apart; 205 in Places205
    global_px : side at which the global branch sees its picture, a multiple of 32; the first fully
        connected layer grows with its square
    """

    width: float = 1.0
    classes: int = 205
    global_px: int = 224

    def __post_init__(self) -> None:
        if self.global_px < GLOBAL_STRIDE or self.global_px % GLOBAL_STRIDE:
            raise InvalidValueError(
                f"global_px must be a positive multiple of {GLOBAL_STRIDE}; got {self.global_px}."
            )

    def channels(self, of_the_paper: int) -> int:
        """Return a layer's channels at this width."""
        return max(1, round(of_the_paper * self.width))


class Fusion(EightBitPainter):
    """Lightness to ab, from local features and features of the whole picture."""

    stride = 8
    working_px = (128, 320)
    paper = "Iizuka et al. 2016, Let there be Color!"

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        wide = config.channels
        self.low = nn.Sequential(
            normed(1, wide(64), stride=2),
            normed(wide(64), wide(128)),
            normed(wide(128), wide(128), stride=2),
            normed(wide(128), wide(256)),
            normed(wide(256), wide(256), stride=2),
            normed(wide(256), wide(512)),
        )
        self.middle = nn.Sequential(normed(wide(512), wide(512)), normed(wide(512), wide(256)))
        self.overall = nn.Sequential(
            normed(wide(512), wide(512), stride=2),
            normed(wide(512), wide(512)),
            normed(wide(512), wide(512), stride=2),
            normed(wide(512), wide(512)),
        )
        cells = (config.global_px // GLOBAL_STRIDE) ** 2
        self.overall_512 = nn.Sequential(
            connected(wide(512) * cells, wide(1024)),
            nn.ReLU(),
            connected(wide(1024), wide(512)),
            nn.ReLU(),
        )
        self.overall_256 = nn.Sequential(connected(wide(512), wide(256)), nn.ReLU())
        self.classify = nn.Sequential(
            connected(wide(512), wide(256)), nn.ReLU(), nn.Linear(wide(256), config.classes)
        )
        # One layer on both vectors side by side is the sum of a layer on each.
        self.fuse_middle = nn.Conv2d(wide(256), wide(256), 1)
        self.fuse_overall = nn.Linear(wide(256), wide(256), bias=False)
        self.colour = nn.Sequential(
            normed(wide(256), wide(128)),
            twice(),
            normed(wide(128), wide(64)),
            normed(wide(64), wide(64)),
            twice(),
            normed(wide(64), wide(32)),
            quiet(nn.Conv2d(wide(32), 2, 3, padding=1)),
            nn.Sigmoid(),
            twice(),
        )

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> (N, 2, H, W) in [0, 1]."""
        return self.paint_and_classify(lightness)[0]

    def paint_and_classify(self, lightness: Tensor) -> tuple[Tensor, Tensor]:
        """Lightness -> painted (N, 2, H, W) in [0, 1], and the logits of the classes (N, classes).

        The gradient of the class logits reaches the global branch and the low-level layers, and
        nothing else.
        """
        low = self._low(lightness)
        # The paper's training size is the global branch's own: its features are at hand.
        whole = low if tuple(lightness.shape[2:]) == self._square else self._whole(lightness)
        overall = self._overall(whole)
        return self._colour(low, overall), self.classify(overall)

    def forward(  # type: ignore[override]
        self, lightness: Tensor, style: Tensor
    ) -> ColourOutput:
        """Lightness (N, 1, H, W) in [0, 100] -> ab (N, 2, H, W) in the style of a picture.

        `style` is the lightness that the global branch sees, of any size: `lightness` itself,
        unless another picture gives its style. H and W are multiples of 8.
        """
        painted = self._colour(self._low(lightness), self._overall(self._whole(style)))
        return ColourOutput(self.unscaled(painted))

    @property
    def _square(self) -> tuple[int, int]:
        return self.config.global_px, self.config.global_px

    def _low(self, lightness: Tensor) -> Tensor:
        features: Tensor = self.low((lightness - 50.0) / 100.0)
        return features

    def _whole(self, style: Tensor) -> Tensor:
        square = F.interpolate(style, size=self._square, mode="bilinear", align_corners=False)
        return self._low(square)

    def _overall(self, whole: Tensor) -> Tensor:
        """Low-level features of the square picture -> (N, 512 x width)."""
        vector: Tensor = self.overall_512(self.overall(whole).flatten(1))
        return vector

    def _colour(self, low: Tensor, overall: Tensor) -> Tensor:
        everywhere = self.fuse_overall(self.overall_256(overall))[:, :, None, None]
        painted: Tensor = self.colour(F.relu(self.fuse_middle(self.middle(low)) + everywhere))
        return painted


def connected(inputs: int, outputs: int) -> nn.Linear:
    """Make a fully connected layer that keeps the variance through a ReLU."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
