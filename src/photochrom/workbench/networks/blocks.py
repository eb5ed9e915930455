"""Blocks that several networks share."""

from torch import nn


def normed(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Make a 3 x 3 convolution, BatchNorm and ReLU; at stride 2 an even side is halved."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """Make a 3 x 3 convolution that keeps the variance through a ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def quiet(layer: nn.Conv2d, bias: float = 0.0) -> nn.Conv2d:
    """Initialise a last layer near a constant, so that the first steps are stable."""
    nn.init.normal_(layer.weight, std=0.01)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)
    return layer


def silent(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Start a layer at zero, so that what it adds has to be learnt."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def twice() -> nn.Upsample:
    """Enlarge by a factor of two by repeating each value."""
    return nn.Upsample(scale_factor=2.0, mode="nearest")
