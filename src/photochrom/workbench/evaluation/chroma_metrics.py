"""Metrics of chroma and its distribution: one function per metric, one picture at a time.

Sources: Hasler, Süsstrunk, "Measuring Colourfulness in Natural Images", 2003; Kang et al.,
"DDColor", ICCV 2023, whose published code takes the absolute opponent channels. Left gray,
concentration and neon are this project's own (docs/judging.md); they show faults that a mean error
hides. Arguments and errors are those of `metrics`.
"""

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.difference import chroma
from photochrom.extras import require
from photochrom.workbench.evaluation.metrics import check_pair

# Truly coloured: this chroma or more, averaged over a window of this share of the short side
# (7 x 7 pixels of 256, for a single pixel's chroma is noise), at a lightness that can show it.
COLOURED_CHROMA, COLOURED_WINDOW, COLOURED_LIGHTNESS = 12.0, 7 / 256, (12.0, 97.0)
GRAY_CHROMA = 5.0  # below it a pixel looks gray
MOST_COLOURFUL = 0.2  # share of the pixels
LEAST_MEAN_CHROMA = 0.1  # a picture with less holds rounding, not colour
NEON_FACTOR, NEON_FLOOR = 1.25, 25.0  # over this factor of the truth's chroma, or of the floor


def colourfulness(rgb: Bytes) -> float:
    """Return the colourfulness of Hasler and Süsstrunk.

    0 for gray; about 15 is slightly, 45 averagely, 80 highly colourful.
    """
    return _spread_and_offset(*_opponents(rgb))


def colourfulness_ddcolor(rgb: Bytes) -> float:
    """Return the colourfulness that DDColor's code computes, for comparison with its tables.

    It takes |rg| and |yb| before the moments, which lowers the spread of pictures that have both of
    two opposite colours.
    """
    rg, yb = _opponents(rgb)
    return _spread_and_offset(np.abs(rg), np.abs(yb))


def _opponents(rgb: Bytes) -> tuple[Floats, Floats]:
    red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
    return red - green, 0.5 * (red + green) - blue


def _spread_and_offset(rg: Floats, yb: Floats) -> float:
    spread = np.hypot(rg.std(dtype=np.float64), yb.std(dtype=np.float64))
    offset = np.hypot(rg.mean(dtype=np.float64), yb.mean(dtype=np.float64))
    return float(spread + 0.3 * offset)


def left_gray(lab: Floats, truth_lab: Floats) -> float | None:
    """Return the share of truly coloured pixels that are shown gray; None if there are none.

    Truly coloured: the true L* lies in 12 to 97, and the chroma of the true ab, averaged over a
    window of 7 x 7 pixels at a short side of 256 (in proportion at others), is 12 or more. Shown
    gray: the chroma of the picture's ab, averaged in the same way, is under 5.
    """
    check_pair(lab, truth_lab, 3)
    true, shown = (chroma(_averaged(each[..., 1:])) for each in (truth_lab, lab))
    low, high = COLOURED_LIGHTNESS
    lightness = truth_lab[..., 0]
    coloured = (lightness >= low) & (lightness <= high) & (true >= COLOURED_CHROMA)
    if not coloured.any():
        return None
    return float(np.mean(shown[coloured] < GRAY_CHROMA))


def _averaged(ab: Floats) -> Floats:
    """Average ab (h, w, 2) over the window around each pixel; the border is mirrored."""
    require("evaluate", "Left gray", "scipy")
    from scipy.ndimage import uniform_filter

    across = 2 * round((COLOURED_WINDOW * min(ab.shape[:2]) - 1) / 2) + 1  # odd
    averaged: Floats = uniform_filter(ab, size=(across, across, 1), mode="reflect")
    return averaged


def concentration(lab: Floats) -> float | None:
    """Return the share of a picture's chroma that is in its most colourful fifth of pixels.

    From 0.2, chroma is the same everywhere, to 1, four fifths of the picture are gray; None for a
    picture whose mean chroma is under 0.1, which is nearly gray.
    """
    check_pair(lab, lab, 3)
    chromas = np.sort(chroma(lab[..., 1:]).reshape(-1).astype(np.float64))[::-1]
    if chromas.mean() < LEAST_MEAN_CHROMA:
        return None
    whole, part = divmod(MOST_COLOURFUL * chromas.size, 1)  # the last pixel may count in part
    held = chromas[: int(whole)].sum() + part * chromas[int(whole)]
    return float(held / chromas.sum())


def neon(lab: Floats, truth_lab: Floats) -> float:
    """Return the share of pixels with much more chroma than the truth.

    Over 1.25 times that of the truth, and over 1.25 times 25 where the truth has less than 25.
    """
    check_pair(lab, truth_lab, 3)
    shown, true = (chroma(each[..., 1:]) for each in (lab, truth_lab))
    return float(np.mean(shown > NEON_FACTOR * np.maximum(true, NEON_FLOOR)))
