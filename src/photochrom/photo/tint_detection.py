"""Whether a picture is neutral, toned or in colour.

A toned print (sepia, selenium, cyanotype, yellowed, faded) has one colour for each lightness,
perhaps drifting slowly over the paper. So ab is fitted by a curve over L* and a plane that bends;
what a fit leaves is little in a toned print and much in a colour photograph. The limits were chosen
on 24 historical and 468 modern pictures; see docs/decisions/016-toned-prints.md.
"""

from dataclasses import dataclass

import numpy as np

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import DtypeError, ShapeError

NEUTRAL_CHROMA = 2.0  # ab units: below this a tone is invisible
RESIDUE_SHARE = 0.072  # of the residuals of the fit, per unit of chroma
RESIDUE_CHROMA = 12.0  # ab units that are added to the chroma first: dirt and JPEG's own colours
MOST_CHROMA = 24.0  # ab units: a deeper tone leaves no more than this one
CELLS = 20  # of the long side, over which colours are averaged: finer ones are the file's noise
KNOTS = 4  # of the tone curve
PAPER = 85.0  # L* at which a stain is judged
UNEVEN = 4.0  # ab units of yellow between the parts of a print, from which it is stained
MOST_YELLOW = 30.0  # ab units
LIGHT_LOST = 0.3  # L* that white paper loses for each unit of yellow it gains
WEAK_CHROMA = 6.0  # ab units: a tone that is not yet called by a process
HUES = ((40.0, "reddish"), (88.0, "sepia"), (125.0, "yellowed"), (185.0, "greenish"))
COLD_HUES = ((290.0, "cyanotype"), (345.0, "selenium"), (360.0, "reddish"))


@dataclass(frozen=True)
class Tint:
    """What kind of colour a picture has.

    Attributes
    ----------
    kind : str
        'neutral', 'toned' or 'colour'.
    ab : (float, float)
        Its mean colour.
    explained : float
        Share, 0 to 1, of the mean squared chroma that follows from lightness and place; 1 where
        there is no chroma.
    """

    kind: str
    ab: tuple[float, float]
    explained: float

    @property
    def name(self) -> str:
        """The name of the tone: 'sepia', 'yellowed', 'cyanotype', 'warm' and so on."""
        a, b = self.ab
        if np.hypot(a, b) < WEAK_CHROMA:
            return "warm" if b > 0 else "cool"
        hue = np.degrees(np.arctan2(b, a)) % 360
        return next(name for end, name in HUES + COLD_HUES if hue <= end)


NEUTRAL = Tint("neutral", (0.0, 0.0), 1.0)


def find_tint(rgb: np.ndarray) -> Tint:
    """Classify a picture as neutral, toned or in colour.

    Parameters
    ----------
    rgb : uint8 array, (h, w, 3)
        A small copy, sRGB, about 100 pixels on its long side.

    Raises
    ------
    ShapeError
        If it is not (h, w, 3), or has no pixels.
    DtypeError
        If it is not uint8.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ShapeError(f"rgb must have shape (h, w, 3) and at least one pixel; got {rgb.shape}.")
    if rgb.dtype != np.uint8:
        raise DtypeError(f"rgb must be uint8; got {rgb.dtype}.")
    cells = _cells(rgb_to_lab(rgb / 255.0))
    ab = cells[..., 1:].reshape(-1, 2)
    energy = _energy(ab)
    terms = _terms(cells)
    left = _energy(ab - terms @ _solve(terms, cells))
    mean = (float(ab[:, 0].mean()), float(ab[:, 1].mean()))
    if energy <= NEUTRAL_CHROMA**2:
        kind = "neutral"
    else:
        allowed = RESIDUE_SHARE * (RESIDUE_CHROMA + min(energy**0.5, MOST_CHROMA))
        kind = "toned" if left <= allowed**2 else "colour"
    return Tint(kind, mean, 1.0 if energy == 0 else max(0.0, 1 - left / energy))


def _energy(ab: np.ndarray) -> float:
    return float((ab**2).sum(axis=-1).mean())


def _cells(lab: np.ndarray) -> np.ndarray:
    """Average over squares; the rest at the lower and right edges joins the last ones."""
    height, width = lab.shape[:2]
    side = max(1, round(max(height, width) / CELLS))
    for axis, length in ((0, height), (1, width)):
        starts = np.arange(max(1, length // side)) * side
        counts = np.diff([*starts, length]).reshape([-1 if i == axis else 1 for i in range(3)])
        lab = np.add.reduceat(lab, starts, axis=axis) / counts
    return lab


def _terms(cells: np.ndarray) -> np.ndarray:
    """Return the regressors of colour: (h w, knots of the curve + 5 of place + 5 of a stain)."""
    height, width = cells.shape[:2]
    lightness = cells[..., 0].reshape(-1)
    low, high = np.percentile(lightness, (1, 99))
    knots = np.linspace(low, max(high, low + 10), KNOTS)
    inside = np.clip(lightness, knots[0], knots[-1])
    curve = np.clip(1 - np.abs(inside[:, None] - knots) / (knots[1] - knots[0]), 0, None)
    y, x = (axis.reshape(-1, 1) for axis in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    place = np.concatenate((x, y, x * x, x * y, y * y), axis=1)
    stain = place * (lightness[:, None] / 50 - 1)  # paper yellows where no silver covers it
    return np.concatenate((curve, place, stain), axis=1)


def _solve(terms: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Fit by least squares, with a ridge for pictures of few lightnesses: (terms, 2)."""
    square = terms.T @ terms + 1e-4 * len(terms) * np.eye(terms.shape[1])
    weights: np.ndarray = np.linalg.solve(square, terms.T @ cells[..., 1:].reshape(-1, 2))
    return weights


def find_stain(rgb: np.ndarray) -> np.ndarray | None:
    """Find where a toned print's paper is yellower than elsewhere, and how much light it absorbs.

    Parameters
    ----------
    rgb : uint8 array, (h, w, 3)
        As `find_tint` takes it.

    Returns
    -------
    float array, (n, m), or None
        Over the print, slowly varying: the factor, less 1, that restores f(Y) of CIE 15; from 0
        where the paper is least yellow. None if the picture is not toned or the paper is even.
    """
    if find_tint(rgb).kind != "toned":
        return None
    cells = _cells(rgb_to_lab(rgb / 255.0))
    terms = _terms(cells)
    weights = _solve(terms, cells)[KNOTS:, 1]
    place = terms[:, KNOTS : KNOTS + 5]
    yellow = place @ weights[:5] + place @ weights[5:] * (PAPER / 50 - 1)
    yellow = yellow - np.percentile(yellow, 10)
    if yellow.max() < UNEVEN:
        return None
    lift = np.clip(yellow, 0, MOST_YELLOW) * LIGHT_LOST / (PAPER + 16)
    return np.asarray(lift.reshape(cells.shape[:2]))
