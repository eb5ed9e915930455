"""Exact colours inside small places of a full-size picture.

A colour field is far smaller than the picture, so it would blur a hinted spot. An overlay is the
colour of a point, polyline or polygon in full-size pixels; it is drawn over the joined
picture in linear light, where a mixture of two colours of one luminance keeps that luminance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from photochrom.color.gamut import bound_chroma
from photochrom.color.lab import (
    lab_to_linear,
    linear_to_srgb,
    luminance_to_lightness,
    srgb_to_linear,
)
from photochrom.photo.orientation import to_stored, upright_size

FEATHER = 0.25  # of the radius, beyond it; at least a pixel
REGION_FEATHER_PX = 2.0


@dataclass(frozen=True)
class Overlay:
    """A place and its colour.

    Attributes
    ----------
    points : float array, (n, 2)
        x and y in pixels of the picture; pixel centres lie at halves.
    radius : float
        Around the points and the lines between them, pixels; 0 for a polygon.
    ab : float32 array, (2,), or None
        The colour, ab units; None restores the picture below earlier overlays.
    closed : bool
        Whether the points bound a polygon.
    """

    points: np.ndarray
    radius: float
    ab: np.ndarray | None
    closed: bool = False

    def scaled(self, across: float, down: float) -> Self:
        """Return the overlay on a copy of the picture of another size."""
        radius = self.radius * (across * down) ** 0.5
        return replace(self, points=self.points * (across, down), radius=radius)

    def moved(self, across: float, down: float) -> Self:
        """Return the overlay on a copy of the picture whose corner lies elsewhere."""
        return replace(self, points=self.points + np.array([across, down]))

    def stored(self, orientation: int, width: int, height: int) -> Self:
        """Turn an upright overlay to the file's stored orientation.

        Parameters
        ----------
        orientation : int
            The EXIF orientation, 1 to 8.
        width, height : int
            Of the upright picture.
        """
        # The picture's corners, turned like its pixels, give the mapping of points.
        corners = np.array([[(0, 0), (width, 0)], [(0, height), (width, height)]], float)
        wide, high = upright_size(width, height, orientation)
        (origin, right), (down, _) = to_stored(corners, orientation)
        along = np.array([right - origin, down - origin]) / [[wide], [high]]
        return replace(self, points=(self.points - origin) @ along.T)

    @property
    def feather(self) -> float:
        """How far beyond its place the overlay fades out, pixels."""
        return REGION_FEATHER_PX if self.closed else max(1.0, FEATHER * self.radius)

    def coverage(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        """Return how much of the colour shows in each pixel of a window.

        Parameters
        ----------
        left, top, width, height : int
            The window, pixels.

        Returns
        -------
        float32 array, (height, width)
            1 inside, 0 beyond the feather.
        """
        near = np.full((height, width), np.inf, np.float32)
        reach = self.radius + self.feather
        for start, stop in self._segments():
            low, high = np.minimum(start, stop) - reach, np.maximum(start, stop) + reach
            x0, y0 = np.maximum(np.floor(low).astype(int) - (left, top), 0)
            x1, y1 = np.minimum(np.ceil(high).astype(int) - (left, top), (width, height))
            if x0 < x1 and y0 < y1:
                distance = _distance(start, stop, left + x0, top + y0, x1 - x0, y1 - y0)
                np.minimum(near[y0:y1, x0:x1], distance, out=near[y0:y1, x0:x1])
        if self.closed:
            near[_inside(self.points, left, top, width, height)] = 0
        return np.asarray(np.clip((reach - near) / self.feather, 0, 1))

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of the part that it may change in a picture."""
        reach = self.radius + self.feather
        low = np.floor(self.points.min(axis=0) - reach).astype(int)
        high = np.ceil(self.points.max(axis=0) + reach).astype(int)
        left, top = np.clip(low, 0, (width, height))
        right, bottom = np.clip(high, 0, (width, height))
        return int(left), int(top), int(right), int(bottom)

    def _segments(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        ends = np.roll(self.points, -1, axis=0) if self.closed else self.points[1:]
        if len(self.points) == 1:
            ends = self.points
        yield from zip(self.points, ends, strict=False)


def paint(overlays: Sequence[Overlay], rgb: np.ndarray, luminance: np.ndarray, top: int) -> None:
    """Draw overlays on some rows of a joined picture, in place.

    Parameters
    ----------
    overlays : sequence of Overlay
        Later ones are on top.
    rgb : uint8 or uint16 array, (h, W, 3)
        Gamma-encoded sRGB of the rows.
    luminance : float array, (h, W)
        Their relative luminance, which stays.
    top : int
        The first row's number.
    """
    rows, width = luminance.shape
    most = np.iinfo(rgb.dtype).max
    below = rgb.copy() if any(overlay.ab is None for overlay in overlays) else rgb
    for overlay in overlays:
        left, first, right, last = overlay.window(width, top + rows)
        first = max(first, top)
        if first >= last or left >= right:
            continue
        share = overlay.coverage(left, first, right - left, last - first)[..., None]
        part = np.s_[first - top : last - top, left:right]
        present = srgb_to_linear(rgb[part].astype(np.float32) / most)
        if overlay.ab is None:
            wanted = srgb_to_linear(below[part].astype(np.float32) / most)
        else:
            wanted = overlay_linear(overlay.ab, luminance[part])
        mixed = linear_to_srgb(present + (wanted - present) * share) * most
        rgb[part] = np.where(share > 0, np.round(mixed), rgb[part]).astype(rgb.dtype)


def overlay_linear(ab: np.ndarray, luminance: np.ndarray) -> np.ndarray:
    """Return linear sRGB of one ab at each luminance, inside the gamut: (...) -> (..., 3)."""
    lightness = luminance_to_lightness(luminance)
    lab = np.stack(
        (lightness, np.full_like(lightness, ab[0]), np.full_like(lightness, ab[1])), axis=-1
    )
    return np.asarray(bound_chroma(lab_to_linear(lab), luminance).rgb)


def _distance(
    start: np.ndarray, stop: np.ndarray, left: int, top: int, width: int, height: int
) -> np.ndarray:
    """Return the distance of each pixel's centre in a window to a segment, (height, width)."""
    x = (np.arange(width, dtype=np.float32) + (left + 0.5 - start[0]))[None, :]
    y = (np.arange(height, dtype=np.float32) + (top + 0.5 - start[1]))[:, None]
    dx, dy = (stop - start).astype(np.float32)
    length = dx * dx + dy * dy
    along = np.clip((x * dx + y * dy) / length, 0, 1) if length else np.float32(0)
    return np.asarray(np.hypot(x - along * dx, y - along * dy))


def _inside(points: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    """Return which pixel centres lie in a polygon: an odd number of edges to their right."""
    x = (np.arange(width) + left + 0.5)[None, :]
    y = (np.arange(height) + top + 0.5)[:, None]
    odd = np.zeros((height, width), bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        odd ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd
