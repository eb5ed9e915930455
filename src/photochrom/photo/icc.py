"""ICC profiles that are curves and a matrix, read exactly.

Sources: ICC.1:2022, sections 8.3 and 8.4 (matrix and gray profiles), 10.6 (`curv`), 10.18
(`para`); Lindbloom, "Chromatic Adaptation" (Bradford, D50 to D65).

Little CMS replaces such a profile by a coarse grid when libvips asks it for XYZ: measured, the
shadows are then wrong by up to 0.4 of 255. Curves and a matrix are a look-up and a sum, which is
exact and faster. Profiles made of look-up tables (`A2B0`) are left to Little CMS.
"""

import struct
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from photochrom.color.lab import RGB_TO_XYZ

D50_TO_D65 = np.array(
    [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.0204830, 1.3299098],
    ]
)
SAMPLES = np.linspace(0.0, 1.0, 65536)
PRIMARIES = ("rXYZ", "gXYZ", "bXYZ")
CURVES = ("rTRC", "gTRC", "bTRC")
GRAY_CURVES = ("kTRC",)
PARAMETERS = (1, 3, 4, 5, 7)  # of each type of `para`
MOST_KEPT = 8  # cached profiles: an archive has few, but a client may send thousands


@dataclass(frozen=True)
class CurveProfile:
    """A gray or RGB profile of curves.

    Attributes
    ----------
    curves : float64 array, (65536, 1) or (65536, 3)
        Linear light in [0, 1] of evenly spaced codes; each column rises.
    to_xyz : float64 array, (3, 3), or None for gray
        From linear RGB to XYZ (D50), a primary in each column.
    """

    curves: np.ndarray = field(repr=False)
    to_xyz: np.ndarray | None

    def linear(self, levels: int) -> np.ndarray:
        """Return the linear light of 256 or 65536 codes; (levels, 1 or 3)."""
        return self.curves[:: 65535 // (levels - 1)]

    def luminance_weights(self) -> np.ndarray:
        """Return Y (D65) of each primary; they sum to 1."""
        assert self.to_xyz is not None
        weights: np.ndarray = (D50_TO_D65 @ self.to_xyz)[1]
        return np.asarray(weights / weights.sum())

    def from_srgb(self) -> np.ndarray:
        """Return the matrix from linear sRGB to this profile's linear RGB; white stays white."""
        assert self.to_xyz is not None
        matrix: np.ndarray = np.linalg.inv(D50_TO_D65 @ self.to_xyz) @ np.array(RGB_TO_XYZ)
        return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))

    def encoding(self, top: int) -> np.ndarray:
        """Return the codes, 0 to `top`, of 65536 evenly spaced linear values; (65536, 3)."""
        columns = [np.interp(SAMPLES, curve, SAMPLES) for curve in self.curves.T]
        return np.round(np.stack(columns, axis=-1) * top)


@lru_cache(MOST_KEPT)
def curve_profile(profile: bytes) -> CurveProfile | None:
    """Read a profile; None if it is not of curves (and a matrix), or is damaged."""
    try:
        tags = _tags(profile)
        gray = profile[16:20] == b"GRAY"
        if "A2B0" in tags or profile[20:24] != b"XYZ ":
            return None
        curves = np.stack([_curve(tags[name]) for name in (GRAY_CURVES if gray else CURVES)], -1)
        matrix = None if gray else np.stack([_xyz(tags[name]) for name in PRIMARIES], axis=-1)
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    rises = np.isfinite(curves).all() and (np.diff(curves, axis=0) >= 0).all()
    regular = matrix is None or abs(np.linalg.det(matrix)) > 1e-6
    return CurveProfile(curves, matrix) if rises and regular and curves[-1].min() > 0 else None


def _tags(profile: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack(">I", profile[128:132])
    places = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * min(count, 100)])
    return {name.decode("latin-1"): profile[at : at + size] for name, at, size in places}


def _fixed(data: bytes) -> np.ndarray:
    """Read s15Fixed16 numbers."""
    return np.frombuffer(data, ">i4").astype(np.float64) / 65536


def _xyz(tag: bytes) -> np.ndarray:
    if tag[:4] != b"XYZ " or len(tag) < 20:
        raise ValueError(tag[:4])
    return _fixed(tag[8:20])


def _curve(tag: bytes) -> np.ndarray:
    """Sample a `curv` or `para` tag at `SAMPLES`."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack(">I", tag[8:12])
        if count == 0:
            return SAMPLES
        if count == 1:
            return np.asarray(SAMPLES ** (int.from_bytes(tag[12:14], "big") / 256))
        table = np.frombuffer(tag[12 : 12 + 2 * count], ">u2") / 65535
        return np.interp(SAMPLES, np.linspace(0, 1, count), table)
    if tag[:4] != b"para":
        raise ValueError(tag[:4])
    (kind,) = struct.unpack(">H", tag[8:10])
    return _parametric(kind, *_fixed(tag[12 : 12 + 4 * PARAMETERS[kind]]))


def _parametric(
    kind: int,
    g: float,
    a: float = 1.0,
    b: float = 0.0,
    c: float = 0.0,
    d: float = 0.0,
    e: float = 0.0,
    f: float = 0.0,
) -> np.ndarray:
    """Evaluate a parametric curve: (a x + b)^g + e from x = d on, c x + f below."""
    if kind in (1, 2):  # the curve breaks where a x + b is 0, and c is an offset
        d, e, c, f = -b / a, c, 0.0, c
    power = np.clip(a * SAMPLES + b, 0.0, None) ** g + e
    return np.clip(np.where(d <= SAMPLES, power, c * SAMPLES + f), 0.0, 1.0)
