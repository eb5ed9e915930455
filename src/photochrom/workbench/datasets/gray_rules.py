"""Rules that tell gray pictures from coloured ones, each with its source.

A network learns nothing of colour from gray pictures, but how gray is too gray differs from paper
to paper, and by much: choose the rule of the paper that is to be repeated.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from photochrom.color.difference import chroma


class GrayRule(NamedTuple):
    """When a picture counts as gray.

    source : who used the rule
    text : the rule in words
    is_gray : callable; takes sRGB, uint8 (H, W, 3), and CIE L*a*b*, float32 (H, W, 3)
    """

    source: str
    text: str
    is_gray: Callable[[np.ndarray, np.ndarray], bool]


def channel_spread(rgb: np.ndarray) -> np.ndarray:
    """Return the largest minus the smallest channel of each pixel, uint8 (H, W, 3) -> (H, W)."""
    return np.asarray(rgb.max(axis=-1) - rgb.min(axis=-1))


GRAY_RULES = {
    "spread": GrayRule(
        "photochrom's own training pictures",
        "mean of the largest less the smallest channel under 8 of 255",
        lambda rgb, lab: bool(channel_spread(rgb).mean() < 8),
    ),
    "chroma": GrayRule(
        "after Iizuka et al. 2016, who removed nearly colourless pictures; the number is ours",
        "95th percentile of chroma under 6 ab units",
        lambda rgb, lab: bool(np.percentile(chroma(lab[..., 1:]), 95) < 6),
    ),
    "hue": GrayRule(
        "CIFAR-10 sorted by hue (fifth seed project), where such pictures have hue 0",
        "largest less smallest channel at most 2 of 255 in every pixel",
        lambda rgb, lab: int(channel_spread(rgb).max()) <= 2,
    ),
    "muted": GrayRule(
        "MIR-FLICKR with 8-bit Lab (third seed project); strict, it drops many muted pictures",
        "neither mean |a| nor mean |b| above 20 ab units",
        lambda rgb, lab: not (np.abs(lab[..., 1:]).mean(axis=(0, 1)) > 20).any(),
    ),
    "range": GrayRule(
        "Zhang et al. 2017 (interactive colorization), released code",
        "range of a plus range of b under 5 ab units",
        lambda rgb, lab: bool(np.ptp(lab[..., 1:], axis=(0, 1)).sum() < 5),
    ),
    "none": GrayRule("", "every picture is kept", lambda rgb, lab: False),
}
