"""Colour difference (CIEDE2000), chroma and hue.

Source: Sharma, Wu, Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes,
Supplementary Test Data, and Mathematical Observations", Color Research and Application 30 (1),
2005. The parametric factors kL, kC, kH are 1.

Every function takes NumPy arrays and torch tensors alike; a NaN in a colour makes that colour's
result NaN and no other.
"""

import math

from photochrom.color.arrays import array_namespace
from photochrom.color.lab import Array, check_last_axis


def _angle(a: Array, b: Array) -> Array:
    """Return the hue angle in radians, in [0, 2 pi]; 0 where both are 0."""
    xp = array_namespace(a)
    angle = xp.atan2(b, a)
    return xp.where(angle < 0, angle + 2 * math.pi, angle)


def chroma(ab: Array) -> Array:
    """Return the chroma of colours.

    Parameters
    ----------
    ab : float array, (..., 2)
        a and b of CIE L*a*b*.

    Returns
    -------
    float array, (...)
        Distance from gray in ab units, 0 or more; same dtype and library.

    Raises
    ------
    ShapeError
        If the last axis is not 2.
    """
    check_last_axis(ab, 2, "ab")
    return (ab[..., 0] ** 2 + ab[..., 1] ** 2) ** 0.5


def hue(ab: Array) -> Array:
    """Return the hue angle of colours.

    Parameters
    ----------
    ab : float array, (..., 2)
        a and b of CIE L*a*b*.

    Returns
    -------
    float array, (...)
        Degrees in [0, 360): 0 is towards +a (red), 90 towards +b (yellow); 0 for gray. Same
        dtype and library.

    Raises
    ------
    ShapeError
        If the last axis is not 2.
    """
    check_last_axis(ab, 2, "ab")
    xp = array_namespace(ab)
    degrees = _angle(ab[..., 0], ab[..., 1]) * (180 / math.pi)
    return xp.where(degrees >= 360, degrees - 360, degrees)  # a tiny -b rounds up to a full turn


def _chroma_weight(chroma: Array) -> Array:
    """Return sqrt(C^7 / (C^7 + 25^7)), 0 for gray and towards 1 for vivid colours."""
    relative = chroma / 25
    cubed = relative * relative * relative
    seventh = cubed * cubed * relative
    return (seventh / (seventh + 1)) ** 0.5


def ciede2000(one: Array, two: Array) -> Array:
    """Return the CIEDE2000 difference of colours, pixel by pixel.

    Parameters
    ----------
    one, two : float array, (..., 3)
        CIE L*a*b*: L in [0, 100], a and b; same library, shapes that broadcast.

    Returns
    -------
    float array, (...)
        Difference, 0 or more; about 1 is just noticeable. Same dtype and library.

    Raises
    ------
    ShapeError
        If a last axis is not 3.
    """
    check_last_axis(one, 3, "one")
    check_last_axis(two, 3, "two")
    xp = array_namespace(one, two)
    mean_chroma = 0.5 * (chroma(one[..., 1:]) + chroma(two[..., 1:]))
    stretch = 1.5 - 0.5 * _chroma_weight(mean_chroma)  # 1 + G: a is stretched near gray
    a1, b1 = stretch * one[..., 1], one[..., 2]
    a2, b2 = stretch * two[..., 1], two[..., 2]
    c1, c2 = (a1 * a1 + b1 * b1) ** 0.5, (a2 * a2 + b2 * b2) ** 0.5
    h1, h2 = _angle(a1, b1), _angle(a2, b2)
    # The shorter way round. Where a colour is gray its hue is void, and dH is 0 whatever it is.
    turn = h2 - h1
    turn = xp.where(turn > math.pi, turn - 2 * math.pi, turn)
    turn = xp.where(turn < -math.pi, turn + 2 * math.pi, turn)
    mean_hue = h1 + 0.5 * turn

    d_lightness = two[..., 0] - one[..., 0]
    d_chroma = c2 - c1
    d_hue = 2 * (c1 * c2) ** 0.5 * xp.sin(0.5 * turn)

    from_middle = (0.5 * (one[..., 0] + two[..., 0]) - 50) ** 2
    mean_chroma = 0.5 * (c1 + c2)
    s_lightness = 1 + 0.015 * from_middle / (20 + from_middle) ** 0.5
    s_chroma = 1 + 0.045 * mean_chroma
    s_hue = 1 + 0.015 * mean_chroma * _hue_weight(mean_hue)

    to_blue = xp.remainder(mean_hue, 2 * math.pi) * (180 / math.pi / 25) - 275 / 25
    rotation = -2 * _chroma_weight(mean_chroma) * xp.sin(math.pi / 3 * xp.exp(-to_blue * to_blue))

    lightness, vividness, turned = d_lightness / s_lightness, d_chroma / s_chroma, d_hue / s_hue
    total = lightness * lightness + vividness * vividness + turned * turned
    return xp.clip(total + rotation * vividness * turned, 0.0, None) ** 0.5


def _hue_weight(hue: Array) -> Array:
    """Return T, the sensitivity to hue at a hue in radians.

    The four cosines of multiples of the hue are polynomials of its own cosine and sine: a third of
    the time.
    """
    xp = array_namespace(hue)
    c, s = xp.cos(hue), xp.sin(hue)
    c2, s2 = c * c - s * s, 2 * s * c
    c3, s3 = c2 * c - s2 * s, s2 * c + c2 * s
    c4, s4 = c2 * c2 - s2 * s2, 2 * s2 * c2
    terms = ((-0.17, 30, c, s), (0.24, 0, c2, s2), (0.32, -6, c3, s3), (-0.20, 63, c4, s4))
    weight = 1.0
    for amount, degrees, cosine, sine in terms:  # amount * cos(n hue - degrees)
        shift = math.radians(degrees)
        weight = weight + amount * math.cos(shift) * cosine + amount * math.sin(shift) * sine
    return weight
