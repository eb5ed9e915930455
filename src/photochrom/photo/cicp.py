"""Convert numeric colour descriptions (H.273, gamma, chromaticities) to ICC profiles.

Sources: ITU-T H.273 (2021), tables 2 and 3 (colour primaries and transfer characteristics, as
PNG's cICP and HEIF's nclx have them); ITU-R BT.2100-2 (PQ, HLG); BT.2408-5 (reference white at
203 cd/m2); ICC.1:2022 (the profile that is made); Lindbloom, "RGB/XYZ Matrices".
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from photochrom.color.lab import srgb_to_linear
from photochrom.photo.icc import D50_TO_D65, MOST_KEPT

D65, ILLUMINANT_C, DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
REC709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65)
PRIMARIES = {  # red, green, blue, white
    1: REC709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), ILLUMINANT_C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), ILLUMINANT_C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
UNSPECIFIED, SRGB_CURVE = 2, 13
VIDEO_CURVES = (1, 6, 14, 15)  # for stills, every viewer shows these as sRGB's
PQ, HLG = 16, 18
REFERENCE_WHITE = 203.0  # cd/m2
SAMPLES = 4096  # of a curve that no formula of ICC describes
SAME_LIGHT, SAME_XY = 2e-4, 2e-3  # tolerances for rounded values of sRGB
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
D50 = np.array([0.96422, 1.0, 0.82521])

Primaries = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Declared:
    """A file's colour description other than an ICC profile.

    Attributes
    ----------
    source : str
        Its name in the file, such as 'gAMA'.
    profile : bytes or None
        The same as an ICC profile; None for sRGB.
    beats_icc : bool
        Whether it takes precedence over an embedded profile.
    is_hdr : bool
        Whether it extends beyond white, so that the profile clips.
    unused : str
        Why the description cannot be used, if so.
    """

    source: str
    profile: bytes | None
    beats_icc: bool = False
    is_hdr: bool = False
    unused: str = ""


def from_gamma(
    gamma: float | None, primaries: Primaries | None, *, gray: bool, source: str
) -> Declared:
    """Describe an exponent (codes to light) and chromaticities; None means sRGB's."""
    curve = _srgb_curve() if gamma is None else _para(0, gamma)
    return Declared(source, make_profile(curve, None if gray else primaries or REC709))


def from_tables(
    tables: np.ndarray | None, primaries: Primaries | None, *, gray: bool, source: str
) -> Declared | None:
    """Describe curves, given as tables, and chromaticities; None means sRGB's.

    Parameters
    ----------
    tables : float array, (1 or 3, n), or None
        Light in [0, 1] of n evenly spaced codes; each rises.
    primaries, gray, source :
        As `from_gamma` and `make_profile` take them.

    Returns
    -------
    Declared or None
        None if the chromaticities span no colours.
    """
    if gray or (primaries and np.abs(np.subtract(primaries, REC709)).max() < SAME_XY):
        primaries = None
    if tables is not None:
        light = srgb_to_linear(np.linspace(0, 1, tables.shape[1]))
        tables = None if np.abs(tables - light).max() < SAME_LIGHT else tables
    if tables is None and primaries is None:
        return Declared("sRGB", None)
    curves = (_srgb_curve(),) if tables is None else tuple(map(_sampled, tables))
    profile = make_profile(curves[0], None if gray else primaries or REC709, curves[1:])
    return None if profile is None else Declared(source, profile)


def _sampled(light: np.ndarray) -> bytes:
    """Return a table's ICC tag, resampled if it is long: Little CMS accepts 32,767 samples."""
    codes = np.linspace(0, 1, len(light))
    if len(light) <= SAMPLES:
        return _curv(light)
    return _curv(np.interp(np.linspace(0, 1, SAMPLES), codes, light))


def from_cicp(
    primaries: int, transfer: int, *, gray: bool, source: str, beats_icc: bool = False
) -> Declared | None:
    """Describe code points of H.273; None if they are unspecified or unknown."""
    curve = _curve_of(transfer)
    if curve is None and transfer not in (UNSPECIFIED, SRGB_CURVE, *VIDEO_CURVES):
        return None
    known = PRIMARIES.get(primaries, REC709)
    if curve is None and (gray or known == REC709):
        return Declared(source, None, beats_icc)
    profile = make_profile(curve or _srgb_curve(), None if gray else known)
    return Declared(source, profile, beats_icc, is_hdr=transfer in (PQ, HLG))


def _curve_of(transfer: int) -> bytes | None:
    """Return the curve's ICC tag; None for sRGB's own."""
    if transfer in (4, 5, 8):
        return _para(0, {4: 2.2, 5: 2.8, 8: 1.0}[transfer])
    light = {PQ: _pq, HLG: _hlg, 17: _cinema, 7: _smpte_240}.get(transfer)
    return None if light is None else _table(light)


def _pq(code: np.ndarray) -> np.ndarray:
    """Return the light of BT.2100's perceptual quantiser, reference white as 1."""
    m1, m2, c1, c2, c3 = 1305 / 8192, 2523 / 32, 107 / 128, 2413 / 128, 2392 / 128
    root = code ** (1 / m2)
    return np.asarray(
        10000 / REFERENCE_WHITE * (np.clip(root - c1, 0, None) / (c2 - c3 * root)) ** (1 / m1)
    )


def _hlg(code: np.ndarray) -> np.ndarray:
    """Return the light of a gray on BT.2100's 1000 cd/m2 display, reference white as 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return np.asarray(1000 / REFERENCE_WHITE * scene**1.2)


def _cinema(code: np.ndarray) -> np.ndarray:
    return np.asarray(52.37 / 48 * code**2.6)


def _smpte_240(code: np.ndarray) -> np.ndarray:
    return np.where(code < 0.0913, code / 4, ((code + 0.1115) / 1.1115) ** (1 / 0.45))


def _table(light: Callable[[np.ndarray], np.ndarray]) -> bytes:
    return _curv(np.clip(light(np.linspace(0, 1, SAMPLES)), 0, 1))


def _curv(light: np.ndarray) -> bytes:
    steps = np.round(light * 65535).astype(">u2").tobytes()
    return b"".join((b"curv", bytes(4), struct.pack(">I", len(light)), steps))


def _para(kind: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, values))


def _srgb_curve() -> bytes:
    return _para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65536))


@lru_cache(MOST_KEPT)
def make_profile(
    curve: bytes, primaries: Primaries | None, others: tuple[bytes, ...] = ()
) -> bytes | None:
    """Build an ICC profile of one curve or three, gray without primaries.

    Parameters
    ----------
    curve : bytes
        A tag of type `para` or `curv`.
    primaries : four pairs of float, or None
        Chromaticities x, y of red, green, blue and white.
    others : tuple of bytes
        The curves of green and blue, if they differ from red's.

    Returns
    -------
    bytes or None
        None if the chromaticities span no colours.
    """
    tags = {b"wtpt": _xyz_tag(D50), b"desc": _text("colours as the file describes them")}
    tags[b"cprt"] = _text("CC0")
    if primaries is None:
        tags[b"kTRC"] = curve
    else:
        matrix = _matrix(primaries)
        if matrix is None:
            return None
        columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)
        tags |= {name: _xyz_tag(column) for name, column in columns}
        names, curves = (b"rTRC", b"gTRC", b"bTRC"), (curve, *(others or (curve, curve)))
        tags |= dict(zip(names, curves, strict=True))
    return _pack(b"GRAY" if primaries is None else b"RGB ", tags)


def _matrix(primaries: Primaries) -> np.ndarray | None:
    """Return XYZ (D50) of the primaries, a column each; None if they are collinear."""
    xy = np.array(primaries, float)
    if not np.isfinite(xy).all() or (xy[:, 1] <= 0).any() or (xy > 1.5).any():
        return None
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    if abs(np.linalg.det(xyz[:, :3])) < 1e-4:
        return None
    matrix = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
    if tuple(primaries[3]) == D65:  # the inverse of the adaptation used elsewhere
        return np.asarray(np.linalg.inv(D50_TO_D65) @ matrix)
    cones = (BRADFORD @ D50) / (BRADFORD @ xyz[:, 3])
    return np.asarray(np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ matrix)


def _xyz_tag(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _text(words: str) -> bytes:
    coded = words.encode("utf-16-be")
    head = b"mluc" + bytes(4) + struct.pack(">II", 1, 12)
    return head + b"enUS" + struct.pack(">II", len(coded), 28) + coded


def _pack(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    head = struct.pack(">I4sI", size, b"\0\0\0\0", 0x04300000) + b"mntr" + space + b"XYZ "
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += b"".join(map(_fixed, D50))
    return head.ljust(128, b"\0") + table + body
