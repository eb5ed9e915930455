"""Join a full-size picture's lightness with a small field of colour, as a stream.

Fast guided filter (He & Sun 2015): ab = slope * L + offset, where slope and offset are small and
smooth, so that only one multiply and one add happen at full size; then CIE Lab to sRGB at constant
luminance (see `photochrom.color.gamut`), on a few rows at a time, which stay in the processor's
cache: three times as fast as the same arithmetic in libvips, and on all cores.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from threading import Lock
from typing import NamedTuple

import numpy as np
import pyvips

from photochrom.color.lab import CHROMA, DELTA, linear_to_srgb, luminance_to_lightness
from photochrom.photo.byte_stream import picture_of
from photochrom.photo.field import ColourField
from photochrom.photo.lightness import Tone
from photochrom.photo.rasterize import paint

STEPS_PER_CELL = 4  # the field is interpolated to this, then repeated: its steps cannot be seen
BLOCK_PIXELS = 2**17  # worked on at a time: with fewer, threads wait for the interpreter
BLOCKS_IN_STRIP = 2
TALLY_EVERY = 8  # rows: a sample is enough
DARKEST, LIGHTEST = 8.0, 97.0  # L*: beyond, no colour can be seen
LINEAR_MAX = 65535
F_MAX = LINEAR_MAX ** (1 / 3)  # the f of white
F_DARK = np.float32(DELTA * F_MAX)  # below it, CIE 15 puts a straight line for the cube
TINY = np.float32(0.05)  # of LINEAR_MAX: more than the rounding error of white
OF_X, OF_Z = np.array(CHROMA, np.float32).T[:, :, None, None]  # a channel's part of X - Y, Z - Y
AB_TO_F = np.array([1 / 500, -1 / 200])  # contributions of a and b to f(Y) in CIE 15


class Tally:
    """Count the lightness of a picture's pixels while it is joined, in every few rows."""

    def __init__(self) -> None:
        self.total = self.extreme = 0
        self._lock = Lock()

    @property
    def extreme_share(self) -> float:
        """Share of pixels too dark or too light to show colour; 0 before any was counted."""
        return self.extreme / self.total if self.total else 0.0

    def add(self, codes: np.ndarray, is_extreme: np.ndarray) -> None:
        """Count codes (h, W) by a table of which are extreme."""
        seen = codes[::TALLY_EVERY]
        found = int(np.count_nonzero(is_extreme[seen]))
        with self._lock:
            self.total += seen.size
            self.extreme += found


def join(
    tone: Tone, field: ColourField, *, sixteen_bit: bool = False, tally: Tally | None = None
) -> pyvips.Image:
    """Colour a picture.

    Parameters
    ----------
    tone : Tone
        The full-size picture.
    field : ColourField
        Its colours, at any smaller size.
    sixteen_bit : bool
        Return 16 bits per channel instead of 8.
    tally : Tally, optional
        Counts pixels that cannot show colour.

    Returns
    -------
    pyvips.Image
        Three bands of sRGB, a stream of the tone's size; every pixel keeps its luminance, up to
        rounding.
    """
    width, height = tone.codes.width, tone.codes.height
    work = _Join(tone.luminance, field, width, height, sixteen_bit, tally)
    bits = 16 if sixteen_bit else 8
    return picture_of(_strips(tone, work), width, height, bits, work.strip_rows)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="photochrom-join")


def _strips(tone: Tone, work: "_Join") -> Iterator[np.ndarray]:
    """Read the codes in order and colour a few strips ahead of the consumer."""
    height, rows = tone.codes.height, work.strip_rows
    ahead: deque[Future[np.ndarray]] = deque()
    with ThreadPoolExecutor(1) as reader:  # a region of libvips belongs to one thread
        region = reader.submit(pyvips.Region.new, tone.codes).result()
        for top in range(0, height, rows):
            codes = reader.submit(_fetch, region, tone, top, min(rows, height - top))
            ahead.append(_pool().submit(work.strip, codes, top))
            if len(ahead) > 2 * (os.cpu_count() or 1):
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _fetch(region: pyvips.Region, tone: Tone, top: int, rows: int) -> np.ndarray:
    kind = np.uint8 if tone.codes.format == "uchar" else np.uint16
    pixels = region.fetch(0, top, tone.codes.width, rows)
    return np.frombuffer(pixels, kind).reshape(rows, tone.codes.width)


class _Join:
    """The arithmetic of a join: a table of what depends on lightness alone, and the field.

    Every f is scaled so that its cube is linear light from 0 to `LINEAR_MAX`.
    """

    def __init__(
        self,
        luminance: np.ndarray,
        field: ColourField,
        width: int,
        height: int,
        sixteen_bit: bool,
        tally: Tally | None,
    ) -> None:
        lightness = luminance_to_lightness(luminance)
        self.tally = tally
        self.is_extreme = (lightness < DARKEST) | (lightness > LIGHTEST)
        self.luminance = luminance.astype(np.float32)
        self.f = ((lightness + 16) / 116 * F_MAX).astype(np.float32)
        self.planes, self.overlays = _as_f(field), field.overlays
        self.width, self.height = width, height
        self.encode = _srgb_table(sixteen_bit)
        rows, _, cells = self.planes.shape
        self.repeat_rows = max(1, height // (STEPS_PER_CELL * rows))
        steps = min(BLOCK_PIXELS // (width * self.repeat_rows), -(-height // self.repeat_rows))
        self.block = max(1, steps) * self.repeat_rows
        self.strip_rows = self.block * BLOCKS_IN_STRIP
        self.repeat = max(1, width // (STEPS_PER_CELL * cells))
        starts = np.arange(-(-width // self.repeat)) * self.repeat
        self.columns = _places(starts, self.repeat, cells / width, cells)
        self.spare: deque[_BlockBuffers] = deque()

    def strip(self, read: "Future[np.ndarray]", top: int) -> np.ndarray:
        """Colour some rows: codes (h, W) from row `top` on -> (h, W, 3)."""
        codes = read.result()
        rows = len(codes)
        if self.tally is not None:
            self.tally.add(codes, self.is_extreme)
        codes = np.pad(codes, ((0, -rows % self.repeat_rows), (0, 0)))
        out = np.empty((*codes.shape, 3), self.encode.dtype)
        # New memory for each step of each block would cost more than the step.
        buffers = self.spare.pop() if self.spare else _BlockBuffers(self.block, self.width)
        for row, field in enumerate(self._field_at(top, len(codes))):
            part = slice(row * self.block, (row + 1) * self.block)
            self._colour(codes[part], field, buffers, out[part])
        self.spare.append(buffers)
        if self.overlays:
            paint(self.overlays, out[:rows], self.luminance[codes[:rows]], top)
        return out[:rows]

    def _field_at(self, top: int, rows: int) -> Iterator[np.ndarray]:
        """Interpolate the field for each block of some rows from `top` on: (steps, 8, W)."""
        cells = len(self.planes)
        tops = np.arange(top, top + rows, self.repeat_rows)
        places = _places(tops, self.repeat_rows, cells / self.height, cells)
        first, last = places.before[0], places.after[-1]
        lines = _between(self.planes[first : last + 1], self.columns, axis=2)
        wide = np.empty((*lines.shape, self.repeat), np.float32)
        for copy in range(self.repeat):  # twice as fast as np.repeat
            wide[..., copy] = lines
        wide = wide.reshape(*lines.shape[:2], -1)[..., : self.width]
        steps = self.block // self.repeat_rows
        for step in range(0, len(tops), steps):
            before, after, share = (values[step : step + steps] for values in places)
            yield _between(wide, _Places(before - first, after - first, share), axis=0)

    def _colour(
        self, codes: np.ndarray, field: np.ndarray, buffers: "_BlockBuffers", out: np.ndarray
    ) -> None:
        """Colour a block in place: the formulas of color.lab and color.gamut, fused."""
        light, rgb, more = buffers.planes[:, :, : len(codes)]
        np.take(self.f, codes, out=light[0], mode="clip")
        _add_colour(light[0], field, light[1:])
        _expand(light, rgb, more)
        y, less_y = light[0], light[1:]
        less_y -= y
        np.multiply(less_y[0], OF_X, out=rgb)
        np.multiply(less_y[1], OF_Z, out=more)
        rgb += more
        rgb /= _excess(y, rgb, more)
        y += np.float32(0.5)
        rgb += y
        for band in range(3):  # three times as fast as all at once
            buffers.levels[: len(codes), :, band] = rgb[band]
        np.take(self.encode, buffers.levels[: len(codes)], out=out, mode="clip")


class _BlockBuffers:
    """Memory for the work on one block."""

    def __init__(self, rows: int, width: int) -> None:
        self.planes = np.empty((3, 3, rows, width), np.float32)
        self.levels = np.empty((rows, width, 3), np.uint16)


class _Places(NamedTuple):
    """Positions between the cells of a field, for linear interpolation."""

    before: np.ndarray
    after: np.ndarray
    share: np.ndarray


def _places(starts: np.ndarray, length: int, scale: float, cells: int) -> _Places:
    """Locate the centres of runs of pixels among the centres of cells."""
    centres = np.clip((starts + 0.5 * length) * scale - 0.5, 0, cells - 1)
    before = centres.astype(int)
    return _Places(before, np.minimum(before + 1, cells - 1), (centres - before).astype(np.float32))


def _between(planes: np.ndarray, places: _Places, axis: int) -> np.ndarray:
    """Interpolate linearly along an axis of (h, 8, w)."""
    values = np.take(planes, places.after, axis)
    before = np.take(planes, places.before, axis)
    values -= before
    values *= places.share if axis == 2 else places.share[:, None, None]
    values += before
    return values


def _add_colour(f: np.ndarray, field: np.ndarray, out: np.ndarray) -> None:
    """Compute f of X and of Z, (2, h, W): slope * f + offset within the bounds, added to f."""
    steps, _, width = field.shape
    # (steps, 8, W) -> four of (2, steps, 1, W)
    slope, offset, low, high = field.reshape(steps, 4, 2, 1, width).transpose(1, 2, 0, 3, 4)
    added = out.reshape(2, steps, -1, width)
    np.multiply(f.reshape(steps, -1, width), slope, out=added)
    added += offset
    np.maximum(added, low, out=added)
    np.minimum(added, high, out=added)
    out += f


def _expand(f: np.ndarray, square: np.ndarray, bright: np.ndarray) -> None:
    """Turn f into linear light, in place; the other two are work buffers."""
    if f.min() > F_DARK:
        np.multiply(f, f, out=square)
        f *= square
        return
    # b^3 + 3 d^2 (f - b), where b is f or d, the larger: CIE's straight line is a tangent.
    np.maximum(f, F_DARK, out=bright)
    f -= bright
    f *= np.float32(3) * F_DARK**2
    np.multiply(bright, bright, out=square)
    square *= bright
    f += square


def _excess(y: np.ndarray, chroma: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Return the divisor of chroma that keeps all channels in [0, LINEAR_MAX]; at least 1."""
    above, below, limit = memory
    np.max(chroma, axis=0, out=above)
    np.min(chroma, axis=0, out=below)
    above /= np.subtract(LINEAR_MAX + TINY, y, out=limit)
    below /= np.subtract(-TINY, y, out=limit)
    np.maximum(above, below, out=above)
    return np.asarray(np.maximum(above, np.float32(1), out=above))


def _as_f(field: ColourField) -> np.ndarray:
    """Convert a field of ab over L to a field of the terms added to f(Y): (h, 8, w)."""
    low, high = field.low * AB_TO_F, field.high * AB_TO_F
    planes = (
        field.slope * 116 * AB_TO_F,
        (field.offset - 16 * field.slope) * AB_TO_F * F_MAX,
        np.minimum(low, high) * F_MAX,
        np.maximum(low, high) * F_MAX,
    )
    return np.ascontiguousarray(np.moveaxis(np.concatenate(planes, axis=-1), -1, 1), np.float32)


@lru_cache(maxsize=2)
def _srgb_table(sixteen_bit: bool) -> np.ndarray:
    encoded = linear_to_srgb(np.arange(LINEAR_MAX + 1) / LINEAR_MAX)
    kind, top = (np.uint16, 65535) if sixteen_bit else (np.uint8, 255)
    return np.asarray(np.round(encoded * top), dtype=kind)
