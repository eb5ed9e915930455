"""Simulate a user's hints on a picture whose colours are known.

After Zhang et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors", SIGGRAPH
2017, section 3.1: a geometric number of patches, each showing its mean colour. Departures: centres
are uniform (people click anywhere), sizes are relative to the picture, and strokes, regions and
whole pictures are revealed as well.
"""

import numpy as np

# How often each kind appears.
KINDS = ("few", "many", "stroke", "region", "dense")
SHARES = (0.6, 0.2, 0.08, 0.08, 0.04)


def simulate_hints(ab: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Reveal some of a picture's colours.

    Parameters
    ----------
    ab : float32 array, (H, W, 2)
        True colours in ab units.
    random : Generator
        Decides how much is revealed, and where.

    Returns
    -------
    hint_ab : float32 array, (H, W, 2)
        Colours where revealed, 0 elsewhere.
    hint_mask : float32 array, (H, W)
        1 where revealed, 0 elsewhere.
    """
    hint_ab = np.zeros_like(ab)
    mask = np.zeros(ab.shape[:2], np.float32)
    kind = random.choice(len(KINDS), p=SHARES)
    if KINDS[kind] == "few":
        reveal_patches(ab, hint_ab, mask, int(random.geometric(1 / 8)), random)
    elif KINDS[kind] == "many":
        reveal_patches(ab, hint_ab, mask, int(random.integers(20, 151)), random)
    elif KINDS[kind] == "stroke":
        for _ in range(random.integers(1, 5)):
            _reveal_stroke(ab, hint_ab, mask, random)
    elif KINDS[kind] == "region":
        for _ in range(random.integers(1, 4)):
            _reveal_patch(ab, hint_ab, mask, random.uniform(0.1, 0.4), random)
    elif KINDS[kind] == "dense":
        mask[:] = random.random(mask.shape) < random.uniform(0.02, 0.3)
        hint_ab[:] = ab * mask[..., None]
    return hint_ab, mask


def reveal_patches(
    ab: np.ndarray, hint_ab: np.ndarray, mask: np.ndarray, count: int, random: np.random.Generator
) -> None:
    """Reveal `count` small squares at uniform places in `hint_ab` and `mask`, in place."""
    for _ in range(count):
        _reveal_patch(ab, hint_ab, mask, random.uniform(1, 9) / 128, random)


def _reveal_patch(
    ab: np.ndarray, hint_ab: np.ndarray, mask: np.ndarray, share: float, random: np.random.Generator
) -> None:
    """Reveal the mean colour of a square whose side is a share of the short side."""
    height, width = mask.shape
    side = max(1, round(share * min(height, width)))
    top = int(random.integers(0, height - side + 1))
    left = int(random.integers(0, width - side + 1))
    spot = np.s_[top : top + side, left : left + side]
    hint_ab[spot] = ab[spot].mean(axis=(0, 1))
    mask[spot] = 1


def _reveal_stroke(
    ab: np.ndarray, hint_ab: np.ndarray, mask: np.ndarray, random: np.random.Generator
) -> None:
    """Reveal the mean colour along a straight line of a few pixels' width."""
    height, width = mask.shape
    start = random.uniform(0, 1, 2) * (height - 1, width - 1)
    end = start + random.normal(0, 0.2, 2) * (height, width)
    line = np.linspace(start, end, 2 * max(height, width)).round().astype(int)
    line = line[((line >= 0) & (line < (height, width))).all(axis=1)]
    colour = ab[line[:, 0], line[:, 1]].mean(axis=0)
    for row, column in line[:: max(1, len(line) // 32)]:
        spot = np.s_[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        hint_ab[spot] = colour
        mask[spot] = 1
