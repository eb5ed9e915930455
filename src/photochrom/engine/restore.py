"""Restore an old print before it is coloured: tones, stain, dust, scratches, grain.

Restoring is conservative: whatever could be part of the picture stays. Tones are only expanded as
far as the print is faded. A stain is detected by the paper's colour. Dust is white, and counts
only if there is much of it all over the print; a scratch is thin, straight, long, white, and
crosses differing ground. Everything works on the whole lightness in memory, 16 bits per pixel;
defects are found on a reduced copy and repaired in tiles. Inpainting is Telea's ("An image
inpainting technique based on the fast marching method", 2004), denoising is non-local means
(Buades, Coll and Morel, 2011).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TypeAlias

import numpy as np

from photochrom.color.lab import lightness_to_luminance, linear_to_srgb
from photochrom.engine.print_defects import disc, find_dust, find_scratches
from photochrom.errors import DtypeError, ShapeError
from photochrom.extras import require
from photochrom.photo.photo import Photo
from photochrom.photo.resize import reduced_size
from photochrom.photo.tint_detection import find_stain

Window: TypeAlias = tuple[slice, slice]  # rows, columns
TOP = 65535  # the code of L* 100
UNIT = TOP / 100  # codes in a unit of L*
PROBE_PX = 1600  # long side at which defects are searched
TILE_PX = 1024  # repaired and denoised at a time
MARGIN_PX = 32  # context around each tile

# Tones, in L*.
BORDER = 0.05  # of each side, excluded: frames and mounts are not the picture
TAIL = 0.002  # of the pixels that may be clipped
FADED_BLACK = (9.0, 13.0)  # faded from the first on; fully faded at the second
PURE_WHITE = 98.0  # faded paper is darker
DEEP_BLACK, PAPER_WHITE = 3.0, 96.0  # targets of a print's tones
MOST_GAIN = 2.0

# Grain, in L*.
STRONG_GRAIN = 3.0
GRAIN_KEPT = 0.4  # share of the grain that stays, for a natural look


@dataclass(frozen=True)
class Restored:
    """A restored lightness.

    Attributes
    ----------
    codes : uint16 array, (H, W)
        L* 0 to 100 in 65535 steps.
    notes : tuple of str
        What was done, with counts; empty if nothing was.
    """

    codes: np.ndarray
    notes: tuple[str, ...]


def opencv() -> ModuleType:
    """Return the OpenCV module.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    require("restore", "Restoring", "cv2")
    import cv2

    return cv2


def restored_photo(photo: Photo) -> tuple[Photo, tuple[str, ...]]:
    """Restore every page of a photo.

    Parameters
    ----------
    photo : Photo
        Each page's lightness is held in memory, two bytes a pixel.

    Returns
    -------
    (Photo, tuple of str)
        The same photo with the restored lightness, and notes. A page that needed nothing
        keeps its own.

    Raises
    ------
    MissingExtraError
        If OpenCV is not installed.
    UnreadablePhotoError
        If the pixels are truncated or corrupt.
    """
    pages: list[np.ndarray | None] = []
    notes = []
    for page in range(photo.pages):
        codes = photo.lightness_codes(page)
        in_colour = photo.device(page).bands > 1
        repaired = restore(codes, photo.probe_rgb(page) if in_colour else None)
        pages.append(repaired.codes if repaired.notes else None)
        where = f" page {page + 1}" if photo.pages > 1 else ""
        notes.append(f"restored{where}: {', '.join(repaired.notes) or 'nothing to repair'}")
    return photo.with_lightness(pages), tuple(notes)


def restore(codes: np.ndarray, small_rgb: np.ndarray | None = None) -> Restored:
    """Restore a print.

    Parameters
    ----------
    codes : uint16 array, (H, W)
        L* 0 to 100 in 65535 steps; about four bytes per pixel are needed in addition.
    small_rgb : uint8 array, (h, w, 3), optional
        A small copy of the same picture in colour, about 100 pixels on its long side, for the
        detection of stain; without it, stain is not removed.

    Returns
    -------
    Restored
        `codes` itself, not a copy, if nothing was changed.

    Raises
    ------
    MissingExtraError
        If OpenCV is not installed.
    ShapeError, DtypeError
        If `codes` is not such an array.
    """
    cv2 = opencv()
    if codes.ndim != 2 or codes.size == 0:
        raise ShapeError(f"codes must have shape (H, W) and at least one pixel; got {codes.shape}.")
    if codes.dtype != np.uint16:
        raise DtypeError(f"codes must be uint16; got {codes.dtype}.")
    notes: list[str] = []
    if small_rgb is not None:
        codes = _lift_stain(cv2, codes, small_rgb, notes)
    codes = _level(codes, notes)
    codes = _repair(cv2, codes, notes)
    codes = _calm_grain(cv2, codes, notes)
    return Restored(codes, tuple(notes))


def _lift_stain(
    cv2: ModuleType, codes: np.ndarray, small_rgb: np.ndarray, notes: list[str]
) -> np.ndarray:
    """Undo the absorption of yellowed paper, as a slowly varying factor on f(Y)."""
    stain = find_stain(small_rgb)
    if stain is None:
        return codes
    height, width = codes.shape
    out = np.empty_like(codes)
    lift = cv2.resize(stain.astype(np.float32), (width, min(height, 4096)))
    for top in range(0, height, TILE_PX):
        rows = slice(top, min(height, top + TILE_PX))
        places = np.arange(rows.start, rows.stop) * len(lift) // height
        part = codes[rows].astype(np.float32)
        part += lift[places] * (part + np.float32(16 * UNIT))
        out[rows] = np.clip(part + 0.5, 0, TOP)
    notes.append(f"stained paper lifted by up to {100 * float(stain.max()):.0f} %")
    return out


def _level(codes: np.ndarray, notes: list[str]) -> np.ndarray:
    """Expand the tones of a faded print, piecewise linearly and without clipping."""
    black, white = _extremes(codes)
    deep, light = levels(black, white)
    if (deep, light) == (black, white):
        return codes
    knots = np.array([0, black, white, 100]) * UNIT
    table = np.interp(np.arange(TOP + 1), knots, np.array([0, deep, light, 100]) * UNIT)
    before, after = ([_level_of(one) for one in pair] for pair in ((black, white), (deep, light)))
    notes.append(f"tones levelled (from {before[0]}..{before[1]} to {after[0]}..{after[1]})")
    levelled: np.ndarray = np.round(table).astype(np.uint16)[codes]
    return levelled


def _extremes(codes: np.ndarray) -> tuple[float, float]:
    height, width = codes.shape
    inner = codes[
        round(height * BORDER) : max(1, round(height * (1 - BORDER))),
        round(width * BORDER) : max(1, round(width * (1 - BORDER))),
    ]
    step = max(1, int((inner.size / 1e6) ** 0.5))
    black, white = np.percentile(inner[::step, ::step], (100 * TAIL, 100 - 100 * TAIL)) / UNIT
    return float(black), float(white)


def levels(black: float, white: float) -> tuple[float, float]:
    """Return the target L* of a print's darkest and lightest tones.

    Parameters
    ----------
    black, white : float
        Their current L*.

    Returns
    -------
    (float, float)
        Unchanged if the print is not faded; nothing is stretched to more than twice its range.
    """
    start, end = FADED_BLACK  # dull whites alone may be weather or underexposure
    faded = min(1.0, max(0.0, (black - start) / (end - start)))
    if faded == 0 or white > PURE_WHITE:
        return black, white
    deep = black - faded * (black - DEEP_BLACK)
    light = white + faded * max(0.0, PAPER_WHITE - white)
    span, wanted = white - black, light - deep
    if span <= 0 or wanted <= span:
        return black, white
    if wanted > MOST_GAIN * span:  # a low-contrast picture: fog, or a detail
        share = (MOST_GAIN - 1) * span / (wanted - span)
        deep, light = black - share * (black - deep), white + share * (light - white)
    return deep, light


def _level_of(lightness: float) -> int:
    """Return the 8-bit sRGB level of a lightness, for notes."""
    return round(255 * float(linear_to_srgb(lightness_to_luminance(np.float64(lightness)))))


def _repair(cv2: ModuleType, codes: np.ndarray, notes: list[str]) -> np.ndarray:
    """Inpaint specks and scratches from their surroundings."""
    size = reduced_size(codes.shape[1], codes.shape[0], PROBE_PX)
    probe = cv2.resize(codes, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    probe /= np.float32(UNIT)  # L* at a size at which a print's defects are a few pixels
    specks, dust = find_dust(cv2, probe)
    scratches, lines = find_scratches(cv2, probe)
    said = [
        f"{count} {name}{'es' * (name[-1] == 'h') or 's'}" if count > 1 else f"1 {name}"
        for count, name in ((specks, "speck"), (scratches, "scratch"))
        if count
    ]
    if not said:
        return codes
    notes.append(f"{' and '.join(said)} repaired")
    return _inpaint(cv2, codes, cv2.dilate(dust | lines, disc(cv2, 1)))


def _inpaint(cv2: ModuleType, codes: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Inpaint a mask of the probe's size, tile by tile."""
    out = codes.copy()
    height, width = codes.shape
    reach = max(3, round(3 * height / mask.shape[0]))
    for rows, columns, seen, inner in _tiles(height, width):
        part = _cut(mask, codes.shape, seen)
        if part.any():
            painted = cv2.inpaint(codes[seen], part, reach, cv2.INPAINT_TELEA)
            out[rows, columns] = painted[inner]
    return out


def _cut(mask: np.ndarray, shape: tuple[int, ...], seen: Window) -> np.ndarray:
    """Enlarge the part of a mask that a tile sees."""
    rows, columns = (
        np.arange(part.start, part.stop) * small // large
        for part, small, large in zip(seen, mask.shape, shape, strict=True)
    )
    return np.ascontiguousarray(mask[np.ix_(rows, columns)])


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice, Window, Window]]:
    """Yield each tile's rows and columns, its window with a margin, and its place in that."""
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            rows = slice(top, min(height, top + TILE_PX))
            columns = slice(left, min(width, left + TILE_PX))
            seen = _with_margin(rows, height), _with_margin(columns, width)
            inner = _within(rows, seen[0]), _within(columns, seen[1])
            yield rows, columns, seen, inner


def _with_margin(part: slice, length: int) -> slice:
    return slice(max(0, part.start - MARGIN_PX), min(length, part.stop + MARGIN_PX))


def _within(part: slice, seen: slice) -> slice:
    return slice(part.start - seen.start, part.stop - seen.start)


def grain_of(lightness: np.ndarray) -> float:
    """Estimate the grain: the standard deviation of pixels against neighbours on smooth ground.

    Parameters
    ----------
    lightness : float32 array, (h, w)
        L*.

    Returns
    -------
    float
        L*; the lower tenth over squares of 16 pixels, of which some are always smooth; black and
        white ones, where a picture ends, are left out.
    """
    height, width = (side // 16 * 16 for side in lightness.shape)
    if not height * width:
        return 0.0
    a = lightness[:height, :width]
    second = a[1:-1, 1:-1] * 4 - 2 * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:])
    second += a[:-2, :-2] + a[:-2, 2:] + a[2:, :-2] + a[2:, 2:]  # Immerkaer (1996): blind to edges
    by_square = (height // 16, 16, width // 16, 16)
    noise = np.abs(np.pad(second, 1)).reshape(by_square).mean(axis=(1, 3))
    mean = a.reshape(by_square).mean(axis=(1, 3))
    noise = noise[(mean > 5) & (mean < 95)]
    return float(np.percentile(noise, 10) * (np.pi / 2) ** 0.5 / 6) if noise.size else 0.0


def _calm_grain(cv2: ModuleType, codes: np.ndarray, notes: list[str]) -> np.ndarray:
    """Reduce strong grain."""
    middle = codes[: 4 * TILE_PX, : 4 * TILE_PX].astype(np.float32) / np.float32(UNIT)
    grain = grain_of(middle)
    if grain < STRONG_GRAIN:
        return codes
    out = np.empty_like(codes)
    for rows, columns, seen, inner in _tiles(*codes.shape):
        calm = cv2.fastNlMeansDenoising(
            codes[seen], [float(grain * UNIT)], None, 5, 15, cv2.NORM_L1
        )[inner].astype(np.float32)
        kept = codes[rows, columns].astype(np.float32)
        out[rows, columns] = calm + np.float32(GRAIN_KEPT) * (kept - calm) + 0.5
    notes.append(f"grain of {grain:.1f} L* reduced")
    return out
