"""Alternatives: likely colours of a spot, and other colourings of a picture.

Both use a method's distribution over ab bins. Another colouring changes a single object: objects
are found around uncertain places, as a hint there would colour them
(`engine.hint_propagation`), and one of them gets its next likely colour.
"""

from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.guided import box_mean
from photochrom.engine.hint_propagation import BELONGS, Spot, belonging
from photochrom.photo.resize import repeated, resize

# Chosen on 1,855 points of validation pictures, so that the truth is near one of the first five.
WIDTH_AB = 5.0  # ab units: width of the Gaussian around a suggestion
LIKE_AB = 11.0  # ab units: colours closer than this are one suggestion
LEAST_SHARE = 1e-3  # of a suggested colour
# ab units: gray is not suggested, since it can always be chosen. Less rounding, so that places of
# exactly 20 are suggested everywhere, also where other arithmetic rounds otherwise.
LEAST_CHROMA = 20.0 - 1e-6
GRID = 5.0  # ab units between possible suggestions
APART_AB = 22.0  # minimum ab units between an object's colours in two candidates
# Maximum change of an object's colour: the first where the other colour is unlikely, the second
# where its share is LIKELY or more. Larger changes are rarely plausible, smaller hardly visible.
MOST_APART_AB = 22.0, 34.0
LIKELY = 0.2
THING_SHARES = 0.02, 0.3  # of the picture that an object may cover; a larger one would be a tint
SHOWS_COLOUR = 15.0, 90.0  # L* between which an object can show other colours
NEARLY = 14.0  # ab units: a colour this close to gray or to the usual one is not another colour
GRID_PX = 64  # short side at which objects are searched
MOST_TRIES, MOST_THINGS = 16, 5
SEED_PX = 1  # radius of the place from which an object is searched


class Suggestion(NamedTuple):
    """A likely colour of a spot.

    Attributes
    ----------
    rgb : tuple of three int
        sRGB at the spot's lightness, inside the gamut.
    ab : tuple of two float
        ab units, inside the gamut.
    share : float
        Probability, in [0, 1].
    """

    rgb: tuple[int, int, int]
    ab: tuple[float, float]
    share: float


def shares_of(logits: np.ndarray) -> np.ndarray:
    """Convert logits over the first axis to shares, (Q, ...) float64."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    return np.asarray(raised / raised.sum(axis=0))


def suggest(
    shares: np.ndarray, centres: np.ndarray, lightness: float, count: int = 6
) -> list[Suggestion]:
    """Return the likely colours of a spot, most likely first; gray is not among them.

    Each is the place in the ab plane with the largest remaining share around it, which is then
    removed. Places and bins are first bounded by the gamut, since the truth lies inside.

    Parameters
    ----------
    shares : float array, (Q,)
        Of the bins; sums to 1.
    centres : float array, (Q, 2)
        Bin centres, ab units.
    lightness : float
        L* of the spot.
    count : int
        Maximum number of suggestions.
    """
    steps = np.array([(0, 0), (0, GRID), (GRID, 0), (GRID, GRID)])
    places = np.unique((centres[:, None] + steps).reshape(-1, 2), axis=0)
    shown = _bounded(lightness, places)
    colourful = np.hypot(*shown.T) >= LEAST_CHROMA
    if colourful.any():  # near black and white no bin is
        shown = shown[colourful]
    squared = ((shown[:, None] - _bounded(lightness, centres)) ** 2).sum(axis=-1)
    near = np.exp(-squared / (2 * WIDTH_AB**2))
    left, found = shares.copy(), list[Suggestion]()
    while len(found) < count and (likely := near @ left).any():
        best = int(likely.argmax())
        taken = squared[best] <= LIKE_AB**2
        share = float(left[taken].sum())
        if share < LEAST_SHARE:  # its neighbours were taken before; another place may have more
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


class Other(NamedTuple):
    """An object that could have another colour.

    Attributes
    ----------
    thing : bool array, (h, w)
    seed : bool array, (h, w)
        The place from which the colour spreads.
    ab : float32 array, (2,)
        The other colour, ab units.
    """

    thing: np.ndarray
    seed: np.ndarray
    ab: np.ndarray


def propose(
    logits: np.ndarray,
    centres: np.ndarray,
    lightness: np.ndarray,
    features: np.ndarray,
    candidate: int,
    seed: int,
) -> Other | None:
    """Choose the change made by another candidate.

    Parameters
    ----------
    logits : float array, (Q, h', w')
        A method's distribution, of any size.
    centres : float array, (Q, 2)
        Bin centres, ab units.
    lightness : float array, (h, w)
        L* in [0, 100].
    features : float array, (h', w', n)
        See `hint_propagation.features_of`.
    candidate : int
        Which of the other colourings, from 1; 0 is the method's own.
    seed : int
        0 takes the most uncertain objects first; other seeds choose at random.

    Returns
    -------
    Other or None
        Of the size of `lightness`; None if there is no alternative.
    """
    if candidate == 0:
        return None
    random = np.random.default_rng(seed) if seed else None
    things = _things(logits, centres, lightness, features, random)
    # Each object's most likely other colour comes before any object's second one.
    rows = zip_longest(*things)
    found = [other for row in rows for other in row if other is not None]
    return found[(candidate - 1) % len(found)] if found else None


def _things(
    logits: np.ndarray,
    centres: np.ndarray,
    lightness: np.ndarray,
    features: np.ndarray,
    random: "np.random.Generator | None",
) -> list[list[Other]]:
    """Return the other colours of each uncertain object, the most important object first."""
    scale = min(1.0, GRID_PX / min(lightness.shape))
    high, wide = (max(1, round(side * scale)) for side in lightness.shape)
    tones = resize(lightness[..., None].astype(np.float32), high, wide)[..., 0]
    shares = resize(np.moveaxis(shares_of(logits), 0, -1).astype(np.float32), high, wide)
    means = shares @ centres
    doubt = (shares @ (centres**2).sum(axis=1) - (means**2).sum(axis=-1)).clip(0) ** 0.5
    darkest, lightest = SHOWS_COLOUR
    worth = box_mean(doubt[..., None].astype(np.float32), 1)[..., 0]
    worth = worth * ((tones > darkest) & (tones < lightest))
    if random is not None:
        worth = worth * random.uniform(0.5, 1, worth.shape)
    found: list[tuple[float, list[Other]]] = []
    for _ in range(MOST_TRIES):
        row, column = np.unravel_index(int(worth.argmax()), worth.shape)
        if len(found) == MOST_THINGS or worth[row, column] <= 0:
            break
        place = np.zeros((high, wide), bool)
        around = [slice(max(0, int(at) - SEED_PX), int(at) + SEED_PX + 1) for at in (row, column)]
        place[around[0], around[1]] = True
        _, belongs = belonging(tones, features, [Spot(place, None, "thing")])
        thing = belongs > BELONGS
        worth[thing | place] = 0
        share = float(thing.mean())
        if not THING_SHARES[0] <= share <= THING_SHARES[1]:
            continue
        mixture = shares[thing].mean(axis=0)
        others = _others(mixture, centres, float(np.median(tones[thing])))
        if others:
            whole, spot = (repeated(plane, *lightness.shape) for plane in (thing, place))
            weight = others[0][1] * share**0.5
            weight *= 1.0 if random is None else float(random.gumbel(0, 1) + 2)
            found.append((weight, [Other(whole, spot, ab.astype(np.float32)) for ab, _ in others]))
    return [others for _, others in sorted(found, key=lambda pair: -pair[0])]


def _others(
    mixture: np.ndarray, centres: np.ndarray, lightness: float
) -> list[tuple[np.ndarray, float]]:
    """Return an object's colours that visibly differ from its usual one, most likely first."""
    usual = mixture @ centres
    # Nearly gray or nearly usual bins would count for every neighbouring colour.
    tells = (np.hypot(*centres.T) > NEARLY) & (np.hypot(*(centres - usual).T) > NEARLY)
    found: list[tuple[np.ndarray, float]] = []
    for suggestion in suggest(mixture * tells, centres, lightness, 8):
        step = np.array(suggestion.ab) - usual
        length = float(np.hypot(*step))
        if length < APART_AB:
            continue
        farthest = float(np.interp(suggestion.share, (0, LIKELY), MOST_APART_AB))
        ab = usual + step * min(1.0, farthest / length)
        if all(np.hypot(*(ab - other)) >= APART_AB for other, _ in found):
            found.append((ab, suggestion.share))
    return found
