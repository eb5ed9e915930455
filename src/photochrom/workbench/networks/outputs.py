"""What networks share: sizes and, of those that paint, their scale and their output."""

from typing import NamedTuple

from torch import Tensor, nn


class ColourOutput(NamedTuple):
    """The outputs of the exported graph."""

    ab: Tensor  # (N, 2, h, w), ab units


class ColourNetwork(nn.Module):
    """Base of the networks that colour.

    Attributes
    ----------
    stride : int
        Sides of the input are multiples of this, in pixels.
    working_px : tuple of int
        The least and the greatest short side that it was made for, in pixels.
    paper : str
        Its source.
    """

    stride: int
    working_px: tuple[int, int]
    paper: str

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that come from pretrained weights: none, unless overridden."""
        return []


class Painter(ColourNetwork):
    """Base of the networks that predict colours directly, without a distribution.

    Attributes
    ----------
    ab_scale, ab_offset : float
        ab units of an output of 1, and of an output of 0.
    """

    ab_scale = 1.0
    ab_offset = 0.0

    def paint(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> scaled ab (N, 2, h, w)."""
        raise NotImplementedError

    def scaled(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """Convert ab units (N, 2, H, W) to the scale of `paint`."""
        return (ab - self.ab_offset) / self.ab_scale

    def unscaled(self, painted: Tensor) -> Tensor:
        """Convert the output of `paint` to ab units; the shape is kept."""
        scaled = painted * self.ab_scale
        return scaled + self.ab_offset if self.ab_offset else scaled

    def forward(self, lightness: Tensor) -> ColourOutput:
        """Lightness (N, 1, H, W) in [0, 100] -> ab (N, 2, h, w) in ab units."""
        return ColourOutput(self.unscaled(self.paint(lightness)))


class EightBitPainter(Painter):
    """Base of the painters of ab as 8-bit Lab stores it: [0, 1] stands for -128 to 127."""

    ab_scale = 255.0
    ab_offset = -128.0
