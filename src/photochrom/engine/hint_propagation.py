"""Spread hints over the object they are on: how far a colour spreads, and where it stops.

The spread is a geodesic distance from each hint: a step costs its length, plus the difference in
lightness and in the method's features between its ends. So it spreads freely over one object and
hardly crosses its edge (Criminisi, Sharp, Blake, "GeoS: Geodesic Image Segmentation", ECCV 2008,
with a method's features in addition to the lightness). Dissimilarity to the hint's own place costs
extra, since soft shading may lead from a coat to a face. Each place belongs to the nearest hint by
that distance, and to none if all are far; so a stroke counts once, whatever its length, and a
place that is kept as it is blocks others.

The effect of hints on the whole picture, if requested, is in `engine.hint_interpolation`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from photochrom.engine.guided import box_mean
from photochrom.photo.resize import repeated, resize

GRID_PX = 64  # short side of the grid on which distances are computed


class Reach(NamedTuple):
    """Costs of a step; at a distance of 1, half of a hint's colour is left.

    Attributes
    ----------
    place : float
        Cost of crossing the picture's longer side.
    lightness : float
        Cost of a difference of 10 L*.
    features : float
        Cost of a difference of 1 in the method's features.
    """

    place: float
    lightness: float
    features: float


REACHES = {
    "near": Reach(place=1.8, lightness=0.25, features=0.4),
    "thing": Reach(place=0.5, lightness=0.2, features=0.35),
    "region": Reach(place=400.0, lightness=0.0, features=0.0),  # only its inside
}
# Numeric reaches are rounded to steps of this factor, so that many hints need few distance
# computations.
REACH_STEP = 1.04
SOFTNESS = 0.12  # of the border, in units of the distance
FAR = 2.4  # distance beyond which nothing of a colour is left; it is not computed exactly
FREE_LIGHTNESS = 2.0  # free L* difference between neighbours: grain, shading
REFINE_RADIUS, REFINE_EPSILON = 4, 4.0  # of the guided filter that aligns a border with edges
SHADE = 0.3  # power of lightness that chroma follows within an object
SHADES = (0.6, 1.15)  # and its bounds
EDGE = 1.5  # power of a lightness difference: many small steps are shading, a large one is an edge
FEATURES = 6
SPREAD, MOST_SPREADING = 0.32, 2.0  # root mean square of a picture's features; largest factor
# Cost of a place's difference from the spot: of 10 L* beyond the free part, of a feature of 1.
FREE_TONE, UNLIKE_TONE, UNLIKE = 12.0, 0.15, 1.6
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # to half of the eight neighbours
BELONGS = 0.5  # share of a hint's colour from which a place belongs to the object
MOST_SWEEPS = 400


class Spot(NamedTuple):
    """A hinted place at the working size.

    Attributes
    ----------
    mask : bool array, (h, w)
        Where the hint lies.
    ab : float array, (2,), or None
        The colour in ab units; None keeps the method's colours.
    reach : str or float
        A key of `REACHES`, or a number; see `reach_of`.
    """

    mask: np.ndarray
    ab: np.ndarray | None
    reach: str | float


def reach_of(reach: str | float) -> Reach:
    """Return the costs of a step for a reach.

    Parameters
    ----------
    reach : str or float
        A key of `REACHES`; or, as a share of the picture's longer side, the distance at which half
        of a colour is left on uniform ground. Edges cost as for 'near' up to the distance of
        'near', as for 'thing' from that of 'thing', and are interpolated between them by the
        logarithm of the distance.

    Returns
    -------
    Reach
    """
    if isinstance(reach, str):
        return REACHES[reach]
    near, thing = REACHES["near"], REACHES["thing"]
    share = float(np.clip(np.log(reach * near.place) / np.log(near.place / thing.place), 0, 1))
    lightness = near.lightness + share * (thing.lightness - near.lightness)
    features = near.features + share * (thing.features - near.features)
    return Reach(1 / reach, lightness, features)


def _in_steps(reach: str | float) -> str | float:
    if isinstance(reach, str):
        return reach
    return float(REACH_STEP ** np.round(np.log(reach) / np.log(REACH_STEP)))


def propagate(
    ab: np.ndarray,
    lightness: np.ndarray,
    spots: Sequence[Spot],
    plain: np.ndarray,
    features: np.ndarray,
) -> np.ndarray:
    """Colour the objects that hints lie on.

    Parameters
    ----------
    ab : float array, (h, w, 2)
        Colours without these hints, ab units.
    lightness : float array, (h, w)
        L* in [0, 100].
    spots : sequence of Spot
        Later ones are on top.
    plain : float array, (h, w, 2)
        Colours without any hint, for places that are kept.
    features : float array, (h', w', n)
        Features that separate objects; see `features_of`. Of any size.

    Returns
    -------
    float32 array, (h, w, 2)
        Exactly the hints' colours at the hints; elsewhere between `ab` and the colour of the hint
        that a place belongs to.
    """
    spots = [spot for spot in spots if spot.mask.any()]
    if not spots:
        return ab
    owner, share = belonging(lightness, features, spots)
    ab = ab.astype(np.float32, copy=True)
    for number, spot in enumerate(spots):
        belongs = (share * (owner == number))[..., None]
        if spot.ab is None:
            ab += belongs * (plain - ab)
            continue
        tone = float(np.median(lightness[spot.mask]))
        shade = np.clip(((lightness + 5) / (tone + 5)) ** SHADE, *SHADES)
        ab += belongs * (spot.ab * shade[..., None] - ab)
    for spot in spots:
        ab[spot.mask] = plain[spot.mask] if spot.ab is None else spot.ab
    return ab


def features_of(logits: np.ndarray) -> np.ndarray:
    """Return a method's features: Hellinger distances, relative to the picture's spread.

    In an old, flat photograph the distributions differ little; scaling makes these differences
    count as much as large ones in other photographs.

    Parameters
    ----------
    logits : float array, (Q, h, w)
        Over the method's bins.

    Returns
    -------
    float32 array, (h, w, FEATURES)
        The main components of the square roots of the shares, scaled to a common spread.
    """
    flat = logits.reshape(len(logits), -1).astype(np.float32)
    shares = np.exp(flat - flat.max(axis=0))
    roots = np.sqrt(shares / shares.sum(axis=0))
    roots -= roots.mean(axis=1, keepdims=True)
    _, components = np.linalg.eigh(roots @ roots.T)
    found = components[:, -FEATURES:].T @ roots
    spread = float(np.sqrt((found**2).sum(axis=0).mean()))
    found *= min(MOST_SPREADING, SPREAD / max(spread, 1e-6))
    return np.asarray(found.T.reshape(*logits.shape[1:], FEATURES), np.float32)


def belonging(
    lightness: np.ndarray, features: np.ndarray, spots: Sequence[Spot]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the spot that each place belongs to, and its share.

    Parameters
    ----------
    lightness, features, spots :
        See `propagate`; at least one spot.

    Returns
    -------
    owner : int array, (h, w)
        Number of the nearest spot.
    share : float32 array, (h, w)
        From 1 at the spot to 0 beyond its reach.
    """
    height, width = lightness.shape
    scale = min(1.0, GRID_PX / min(height, width))
    high, wide = max(2, round(height * scale)), max(2, round(width * scale))
    tones = resize(lightness[..., None].astype(np.float32), high, wide)
    small = np.concatenate((tones, resize(features, high, wide)), axis=-1)
    distance = np.full((high, wide), np.inf, np.float32)
    owner = np.zeros((high, wide), int)
    reaches = [_in_steps(spot.reach) for spot in spots]
    for reach in dict.fromkeys(reaches):
        numbers = [n for n, other in enumerate(reaches) if other == reach]
        seeds = np.full((high, wide), -1)
        for number in numbers:
            seeds[_seed(spots[number].mask, high, wide)] = number
        found, nearest = _geodesic(small, seeds, reach_of(reach))
        found = found + _unlikeness(small, seeds, nearest)
        closer = found < distance
        distance, owner = np.where(closer, found, distance), np.where(closer, nearest, owner)
    share = 1 / (1 + np.exp(np.minimum((distance - 1) / SOFTNESS, 50)))
    share = np.minimum(share * (1 + np.exp(-1 / SOFTNESS)), 1).astype(np.float32)
    large = _refined(resize(share[..., None], height, width), lightness)
    return repeated(owner, height, width), large


def _unlikeness(planes: np.ndarray, seeds: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return the dissimilarity of each place to its nearest spot, (h, w), as a distance."""
    smooth = box_mean(planes, 1)
    numbers = nearest.max() + 1
    means = np.zeros((numbers, planes.shape[-1]), np.float32)
    for number in np.unique(seeds[seeds >= 0]):
        means[number] = smooth[seeds == number].mean(axis=0)
    change = smooth - means[nearest]
    tone = np.maximum(np.abs(change[..., 0]) - FREE_TONE, 0) / 10
    return np.asarray(UNLIKE_TONE * tone + UNLIKE * np.linalg.norm(change[..., 1:], axis=-1))


def _seed(mask: np.ndarray, high: int, wide: int) -> tuple[np.ndarray, np.ndarray]:
    """Map a spot to the grid: even a small one has at least one cell."""
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    return rows * high // height, columns * wide // width


def _geodesic(planes: np.ndarray, seeds: np.ndarray, reach: Reach) -> tuple[np.ndarray, np.ndarray]:
    """Relax distances from seeds, the numbers of spots or -1, until they converge.

    A distance is 1 where half of the colour is left; above FAR, it is not less than the true one.
    """
    distance = np.where(seeds >= 0, 0, np.inf).astype(np.float32)
    nearest = np.maximum(seeds, 0)
    costs = [_costs(planes, step, reach) for step in STEPS]
    for _ in range(MOST_SWEEPS):
        before = np.minimum(distance, FAR)
        window = _around(before < FAR)
        for step, cost in zip(STEPS, costs, strict=True):
            _relax(distance[window], nearest[window], step, cost[window])
        if np.array_equal(before, np.minimum(distance, FAR)):
            break
    return distance, nearest


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the window of what is True, a cell larger; only its distances can become less."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, rows[0] - 1), rows[-1] + 2),
        slice(max(0, columns[0] - 1), columns[-1] + 2),
    )


def _relax(
    distance: np.ndarray, nearest: np.ndarray, step: tuple[int, int], cost: np.ndarray
) -> None:
    """Shorten the distances, in place, by a step to and fro."""
    one, other = _ends(distance.shape, *step)
    for there, here in ((one, other), (other, one)):
        offered = distance[here] + cost[one]
        closer = offered < distance[there]
        np.copyto(distance[there], offered, where=closer)
        np.copyto(nearest[there], nearest[here], where=closer)


def _costs(planes: np.ndarray, step: tuple[int, int], reach: Reach) -> np.ndarray:
    """Return the cost of a step between neighbours, (h, w), at the first of the two."""
    one, other = _ends(planes.shape[:2], *step)
    change = planes[one] - planes[other]
    tone = (np.maximum(np.abs(change[..., 0]) - FREE_LIGHTNESS, 0) / 10) ** EDGE
    other_kind = np.linalg.norm(change[..., 1:], axis=-1)
    length = np.hypot(*step) / max(planes.shape[:2])
    cost = reach.place * length + reach.lightness * tone + reach.features * other_kind
    full = np.zeros(planes.shape[:2], np.float32)
    full[one] = cost
    return full


def _ends(
    shape: tuple[int, ...], down: int, right: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the two windows of a grid that are a step apart."""
    height, width = shape[0], shape[1]
    rows = slice(0, height - down), slice(down, height)
    if right >= 0:
        columns = slice(0, width - right), slice(right, width)
    else:
        columns = slice(-right, width), slice(0, width + right)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _refined(share: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Align a soft border with the edges of the lightness (guided filter)."""
    guide = (lightness[..., None] - 50).astype(np.float32)
    moments = np.concatenate((guide, guide * guide, share, share * guide), axis=-1)
    mean_l, mean_ll, mean_s, mean_ls = np.split(box_mean(moments, REFINE_RADIUS), 4, axis=-1)
    slope = (mean_ls - mean_l * mean_s) / (np.maximum(mean_ll - mean_l**2, 0) + REFINE_EPSILON)
    planes = np.concatenate((slope, mean_s - slope * mean_l), axis=-1)
    smooth = box_mean(planes, REFINE_RADIUS)
    return np.asarray(np.clip(smooth[..., 0] * guide[..., 0] + smooth[..., 1], 0, 1))
