"""What else a place could be: likely colours of a spot, and other colourings of a picture.

Both read a method's distribution over ab bins. Other colourings follow regions, never pixels: the
largest region in doubt takes its next likely colour as hints, places unlike it or far from it are
hinted with what they are, and the network runs again, so that the change ends where the thing does.
"""

from typing import NamedTuple

import numpy as np

from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import rgb_to_lab
from photochrom.methods.method import Hints
from photochrom.photo.resize import resize

# Chosen on 1,855 points of validation pictures, for the truth to be near one of the first five.
WIDTH_AB = 5.0  # ab units: of the Gaussian that a suggestion speaks for
LIKE_AB = 11.0  # ab units: colours nearer than this are one suggestion
LEAST_SHARE = 1e-3  # of a colour that is suggested
LEAST_CHROMA = 20.0  # ab units: gray needs no suggestion, it is always to be had
GRID = 5.0  # ab units between the places a suggestion may lie at
APART_AB = 22.0  # ab units between the colours of two candidates, at least
# A region moves so far at most: by the first where its other colour is unlikely, by the second
# where its share is LIKELY or more. Farther is seldom believed.
MOST_APART_AB = 15.0, 34.0
LIKELY = 0.2
LIKE_REGION = 0.75  # Bhattacharyya coefficient, times nearness, from which two places are one
REACH = 0.35  # of the diagonal: where nearness is exp(-1/2), so that a region is a thing
UNLIKE = 0.45  # the same product, below which a place keeps its colour
MOST_HINTED = 6  # places of a region that become hints; many would colour the whole picture
MOST_KEPT = 8  # places elsewhere that are hinted with their usual colour
USUAL_TEMPERATURE = 0.6  # of the annealed mean that is a place's usual colour
MOST_CELLS = 48  # a side, at which regions are sought
MOST_REGIONS = 4
SMALLEST_REGION = 0.03  # of the picture


class Suggestion(NamedTuple):
    """A likely colour of a spot.

    Attributes
    ----------
    rgb : tuple of three int
        sRGB at the spot's lightness, inside the gamut.
    ab : tuple of two float
        ab units, inside the gamut.
    share : float
        How likely, in [0, 1].
    """

    rgb: tuple[int, int, int]
    ab: tuple[float, float]
    share: float


def shares_of(logits: np.ndarray) -> np.ndarray:
    """Turn logits over the first axis into shares, (Q, ...) float64."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    return np.asarray(raised / raised.sum(axis=0))


def suggest(
    shares: np.ndarray, centres: np.ndarray, lightness: float, count: int = 6
) -> list[Suggestion]:
    """Give the likely colours of a spot, most likely first; gray is not among them.

    Each is the place of the ab plane with most of what is left around it; what it stands for is
    then taken out. Places and bins are bounded by the gamut first, since the truth lies inside.

    Parameters
    ----------
    shares : float array, (Q,)
        Of the bins; sums to 1.
    centres : float array, (Q, 2)
        Bin centres, ab units.
    lightness : float
        L* of the spot.
    count : int
        At most so many.

    Returns
    -------
    list of Suggestion
    """
    steps = np.array([(0, 0), (0, GRID), (GRID, 0), (GRID, GRID)])
    places = np.unique((centres[:, None] + steps).reshape(-1, 2), axis=0)
    shown = _bounded(lightness, places)
    colourful = np.hypot(*shown.T) >= LEAST_CHROMA
    if colourful.any():  # near black and white nothing is
        shown = shown[colourful]
    squared = ((shown[:, None] - _bounded(lightness, centres)) ** 2).sum(axis=-1)
    near = np.exp(-squared / (2 * WIDTH_AB**2))
    left, found = shares.copy(), list[Suggestion]()
    while len(found) < count and (likely := near @ left).any():
        best = int(likely.argmax())
        taken = squared[best] <= LIKE_AB**2
        share = float(left[taken].sum())
        if share < LEAST_SHARE:  # what is near it was taken before; another place may have more
            near[best] = 0
            continue
        left[taken] = 0
        a, b = map(float, shown[best])
        red, green, blue = (
            round(255 * float(c)) for c in _rgb(lightness, shown[best : best + 1])[0]
        )
        found.append(Suggestion((red, green, blue), (a, b), share))
    return sorted(found, key=lambda s: -s.share)


def _rgb(lightness: float, ab: np.ndarray) -> np.ndarray:
    """(n, 2) -> sRGB (n, 3) in [0, 1], inside the gamut."""
    return np.asarray(lab_to_rgb(np.insert(ab.astype(float), 0, lightness, axis=1)).rgb)


def _bounded(lightness: float, ab: np.ndarray) -> np.ndarray:
    return np.asarray(rgb_to_lab(_rgb(lightness, ab))[:, 1:])


def propose(
    logits: np.ndarray, centres: np.ndarray, candidate: int, seed: int, size: tuple[int, int]
) -> Hints | None:
    """Choose what another candidate decides differently.

    Parameters
    ----------
    logits : float array, (Q, h, w)
        A method's distribution.
    centres : float array, (Q, 2)
        Bin centres, ab units.
    candidate : int
        Which of the other colourings, from 1; 0 is the method's own.
    seed : int
        0 takes the largest doubts first; others draw among them.
    size : (height, width)
        Of the planes that are wanted.

    Returns
    -------
    Hints or None
        For the method, not to be obeyed to the letter; None where there is nothing else to say.
    """
    high, wide = (min(side, MOST_CELLS) for side in logits.shape[1:])
    shares = resize(np.moveaxis(shares_of(logits), 0, -1), high, wide).reshape(-1, len(centres))
    options = _different(
        _options(shares, centres, (high, wide), np.random.default_rng(seed), seed > 0)
    )
    if candidate == 0 or not options:
        return None
    option = options[(candidate - 1) % len(options)]
    random = np.random.default_rng((seed, candidate))
    changed = random.permutation(np.flatnonzero(option.region))[:MOST_HINTED]
    kept = random.permutation(np.flatnonzero(option.kept))[:MOST_KEPT]
    ab, mask = np.zeros((high * wide, 2), np.float32), np.zeros(high * wide, np.float32)
    ab[kept], ab[changed] = _usual(shares[kept], centres), option.ab
    mask[kept] = mask[changed] = 1
    rows, columns = (np.arange(n) * cells // n for n, cells in zip(size, (high, wide), strict=True))
    return Hints(
        ab.reshape(high, wide, 2)[rows][:, columns], mask.reshape(high, wide)[rows][:, columns]
    )


def _usual(shares: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, Q) -> the annealed means, (n, 2)."""
    sharpened = shares ** (1 / USUAL_TEMPERATURE)
    return np.asarray(sharpened / sharpened.sum(axis=1, keepdims=True) @ centres)


class _Option(NamedTuple):
    """A region that could have another colour, and how much of the picture's doubt that is."""

    region: np.ndarray  # bool, (cells,)
    kept: np.ndarray  # bool, (cells,): what stays as it is
    ab: np.ndarray
    weight: float


def _options(
    shares: np.ndarray,
    centres: np.ndarray,
    size: tuple[int, int],
    random: "np.random.Generator",
    shuffle: bool,
) -> list[_Option]:
    """Give other colours of the regions in doubt, the most weighty first."""
    means = shares @ centres
    doubt = (shares @ (centres**2).sum(axis=1) - (means**2).sum(axis=1)).clip(0) ** 0.5
    roots = np.sqrt(shares)
    places = np.indices(size).reshape(2, -1).T / (REACH * np.hypot(*size))
    apart = ((places[:, None] - places) ** 2).sum(axis=-1)
    likeness = roots @ roots.T * np.exp(-apart / 2)
    alike = likeness > LIKE_REGION
    free, found = np.ones(len(shares), bool), []
    for _ in range(MOST_REGIONS):
        worth = (alike & free) @ doubt * free
        middle = int(worth.argmax())
        region = alike[middle] & free
        if region.sum() < SMALLEST_REGION * len(shares):
            break
        free &= ~region
        mixture = shares[region].mean(axis=0)
        usual = mixture @ centres
        for ab, share in _others(mixture, centres, usual):
            weight = float(doubt[region].sum() * share)
            weight *= float(random.gumbel(0, 1) + 2) if shuffle else 1.0
            found.append(_Option(region, likeness[middle] < UNLIKE, ab, weight))
    return sorted(found, key=lambda option: -option.weight)


def _others(
    mixture: np.ndarray, centres: np.ndarray, usual: np.ndarray
) -> list[tuple[np.ndarray, float]]:
    """Give colours of a region that visibly differ from its usual one, with their shares."""
    likely = [(np.array(s.ab), s.share) for s in suggest(mixture, centres, 50.0, 8)]
    spread = (centres - usual) * mixture[:, None] ** 0.5
    axis = np.linalg.svd(spread, full_matrices=False)[2][0]
    # Where one colour is all there is, the two ends of its spread are the other ones.
    likely += [(usual + side * APART_AB * axis, 0.01) for side in (-1.0, 1.0)]
    away = [(ab - usual, share) for ab, share in likely]
    lengths = [float(np.hypot(*step)) for step, _ in away]
    return [
        (
            usual + step * min(1.0, float(np.interp(share, (0, LIKELY), MOST_APART_AB)) / length),
            share,
        )
        for (step, share), length in zip(away, lengths, strict=True)
        if length >= APART_AB * 0.99
    ]


def _different(options: list[_Option]) -> list[_Option]:
    """Leave out what would look like an option before it."""
    kept: list[_Option] = []
    for option in options:
        if all(
            np.hypot(*(option.ab - other.ab)) >= APART_AB
            or not np.array_equal(option.region, other.region)
            for other in kept
        ):
            kept.append(option)
    return kept
