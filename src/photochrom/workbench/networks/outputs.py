"""What a network that paints gives: colours, no distribution."""

from typing import NamedTuple

from torch import Tensor


class ColourOutput(NamedTuple):
    """What the exported graph gives."""

    ab: Tensor  # (N, 2, h, w), ab units
