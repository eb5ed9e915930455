"""Find dust and scratches on an old print, as distinct from stars and textures."""

from types import ModuleType

import numpy as np

# Defects, in L* of the levelled picture and pixels of the probe.
DUST_STEP = 16.0  # minimum difference of a speck from its surroundings
DUST_QUIET = 0.35  # maximum variation of the ring around it, as a share of that step
DUST_RANGE = (2, 80)  # pixels of a speck
DUST_COUNT, DUST_CELLS = 10, 5  # specks, and parts of the print (of 4 x 4) with specks, at least
DUST_MOST = 2000  # more are grain or a texture
DUST_SPREAD = (0.75, 1.4)  # distance to the nearest, relative to random points
BRIGHT = 70.0  # minimum lightness of specks and scratches
STAR_GROUND = 25.0  # bright specks on a darker ground may be stars or lights in eyes
# Minimum length: the larger of a share of the short side and a number of pixels.
SCRATCH_SHARE, SCRATCH_LENGTH = 0.2, 80.0
SCRATCH_STEP = 10.0
SCRATCH_WIDTH = 2.4  # pixels at most
SCRATCH_BEND = 1.2  # pixels, standard deviation from a straight line
SCRATCH_SIDE = 4.0  # pixels from it, where both sides are compared
SCRATCH_EDGE = 6.0  # maximum difference of the two sides, L*
SCRATCH_EVEN = 0.7  # maximum variation of its lightness, relative to its ground
SCRATCH_GROUND = 5.0  # minimum standard deviation of the ground that it crosses, L*


def find_dust(cv2: ModuleType, probe: np.ndarray) -> tuple[int, np.ndarray]:
    """Find small white outliers that lie isolated on smooth ground, all over the print.

    Dark ones stay, since windows, lamps and birds look the same.
    """
    radius = max(2, round(max(probe.shape) / 400))
    ground = cv2.medianBlur(probe, 5)
    ground = cv2.morphologyEx(
        cv2.morphologyEx(ground, cv2.MORPH_OPEN, disc(cv2, radius)),
        cv2.MORPH_CLOSE,
        disc(cv2, radius),
    )
    fit = (ground > STAR_GROUND) & (ground < 100 - DUST_STEP)
    outliers = (probe - ground > DUST_STEP) & (probe > BRIGHT) & fit
    return _scattered(cv2, outliers.astype(np.uint8), probe, radius, int(fit.sum()))


def _scattered(
    cv2: ModuleType, candidates: np.ndarray, probe: np.ndarray, radius: int, space_px: int
) -> tuple[int, np.ndarray]:
    """Keep small compact specks on smooth ground if there are many, in many parts of the print."""
    _, labels, boxes, centres = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    area = boxes[:, cv2.CC_STAT_AREA]
    wide, high = boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]
    small = (area >= DUST_RANGE[0]) & (area <= DUST_RANGE[1])
    keep = small & (np.maximum(wide, high) <= 2 * radius + 1) & (2 * area >= wide * high)
    keep[0] = False
    for label in np.flatnonzero(keep):
        keep[label] = _is_alone(probe, labels, boxes[label], int(label), radius)
    height, width = candidates.shape
    cells = (centres[:, 1] * 4 // height) * 4 + centres[:, 0] * 4 // width
    if len(np.unique(cells[keep])) < DUST_CELLS or not _fell(centres[keep], space_px):
        keep[:] = False
    return int(keep.sum()), keep[labels].astype(np.uint8)


def _fell(centres: np.ndarray, space_px: int) -> bool:
    """Return whether specks are many and randomly distributed (Clark and Evans, 1954)."""
    if not DUST_COUNT <= len(centres) <= DUST_MOST:
        return False
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1)
    np.fill_diagonal(apart, np.inf)
    by_chance = 0.5 * (space_px / len(centres)) ** 0.5
    return bool(DUST_SPREAD[0] < apart.min(axis=1).mean() / by_chance < DUST_SPREAD[1])


def _is_alone(
    probe: np.ndarray, labels: np.ndarray, box: np.ndarray, label: int, radius: int
) -> bool:
    """Return whether a speck's surroundings are smooth, unlike hair, foliage, letters and faces."""
    left, top, wide, high = box[:4]

    def window(reach: int) -> tuple[slice, slice]:
        return (
            slice(max(0, top - reach), top + high + reach),
            slice(max(0, left - reach), left + wide + reach),
        )

    speck = probe[window(0)][labels[window(0)] == label]
    outer, inner = probe[window(2 + 2 * radius)], probe[window(2)]
    ring_sum = outer.sum() - inner.sum()
    count = outer.size - inner.size
    mean = ring_sum / count
    square = ((outer - mean) ** 2).sum() - ((inner - mean) ** 2).sum()
    return bool(max(square, 0.0) ** 0.5 / count**0.5 < DUST_QUIET / 2 * abs(speck.mean() - mean))


def find_scratches(cv2: ModuleType, probe: np.ndarray) -> tuple[int, np.ndarray]:
    """Find thin, long, straight, white lines that cross differing ground."""
    radius = max(2, round(max(probe.shape) / 400))
    ground = cv2.morphologyEx(probe, cv2.MORPH_OPEN, disc(cv2, radius))
    bright = ((probe - ground) > SCRATCH_STEP) & (probe > BRIGHT)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(
        bright.astype(np.uint8), connectivity=8
    )
    least = max(SCRATCH_LENGTH, SCRATCH_SHARE * min(probe.shape))
    keep = np.zeros(count, bool)
    for label in np.flatnonzero(np.hypot(boxes[:, 2], boxes[:, 3]) >= least):
        left, top, wide, high, area = boxes[label]
        if label and area <= SCRATCH_WIDTH * np.hypot(wide, high):
            part = slice(top, top + high), slice(left, left + wide)
            places = np.argwhere(labels[part] == label) + np.array((top, left))
            keep[label] = _is_scratch(probe, ground, places)
    return int(keep.sum()), keep[labels].astype(np.uint8)


def _is_scratch(probe: np.ndarray, ground: np.ndarray, places: np.ndarray) -> bool:
    """Return whether bright pixels are a straight line of one lightness that crosses its ground.

    An edge separates two lightnesses; the lightness of a whisker or a rope varies along it.
    """
    centred = places - places.mean(axis=0)
    sizes, axes = np.linalg.svd(centred, full_matrices=False)[1:]
    if sizes[1] / len(places) ** 0.5 > SCRATCH_BEND:
        return False
    limits = np.array(probe.shape) - 1
    one, other = (
        np.clip(np.round(places + side * SCRATCH_SIDE * axes[1]), 0, limits).astype(int)
        for side in (-1, 1)
    )
    step = probe[tuple(one.T)] - probe[tuple(other.T)]
    own, below = probe[tuple(places.T)], ground[tuple(places.T)]
    return bool(
        abs(np.median(step)) < SCRATCH_EDGE
        and below.std() > SCRATCH_GROUND
        and own.std() < SCRATCH_EVEN * below.std()
    )


def disc(cv2: ModuleType, radius: int) -> np.ndarray:
    """Return a disc as a structuring element."""
    size = 2 * radius + 1, 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size))
