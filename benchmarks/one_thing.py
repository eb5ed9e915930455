#!/usr/bin/env python3
"""Recolour one thing of a photograph with one hint; see docs/benchmarks.md.

    python benchmarks/one_thing.py          # the built-in things
    python benchmarks/one_thing.py FOLDER   # NAME.jpg beside NAME.png, white where the thing is

A colour photograph is made gray and one thing in it is given another hue: the thing's own mean
colour, turned by 90 to 180 degrees, lightness kept, chroma at least 25. Asked for by a point at
the place farthest from the thing's rim, by a stroke along it, by its outline as a region. Measured
in the finished picture, in ab units: inside, how far it is from the thing wholly recoloured (its
true ab turned, and moved to the hint's mean, as far as the gamut allows); outside, how much the
hint changed what the same method gives without it. A rim of 1 % of the short side is left out.
`levin` and `rbf`, which require hints, give gray without one.

The built-in things are outlined by hand on scikit-image's pictures, or pasted onto them.
"""

import argparse
import json
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import data
from skimage.measure import approximate_polygon, find_contours

from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.options.hint import MOST_POINTS, Hint
from photochrom.workbench.evaluation.bootstrap import Quantity, estimate, resample_weights

METHODS = ("photochrom", "levin", "rbf")
FLAT = "one flat colour"  # the least that one colour can miss: a thing is seldom of one
KINDS = ("point", "stroke", "region")
LEAST_CHROMA, TURN_DEGREES = 25.0, (90.0, 180.0)
RIM, RADIUS = 0.01, 0.01  # shares of the short and of the long side
STROKE_POINTS, STROKE_LENGTH = 9, 0.8  # of the longest chord through the thing's middle
SEEN = 5.0  # ab units: a change that a person sees
COLUMNS = ("inside", "inside_without", "outside", "outside_seen")


class Thing(NamedTuple):
    """A colour photograph, uint8 (h, w, 3), and where the thing is, bool (h, w)."""

    name: str
    rgb: np.ndarray
    mask: np.ndarray


class Task(NamedTuple):
    """What is asked.

    gray : uint8 array, (h, w), what methods are shown
    wanted : uint8 array, (h, w, 3), the photograph with the thing wholly recoloured
    flat : uint8 array, (h, w, 3), gray, with the hint's colour in the thing and nowhere else
    hints : one of each kind
    """

    gray: np.ndarray
    wanted: np.ndarray
    flat: np.ndarray
    hints: dict[str, Hint]


# Shapes: the corners of a polygon, "x,y x,y ...", or an ellipse, (x, y, across / 2, down / 2).
Shape = str | tuple[float, float, float, float]

# Name -> picture, outline, what is cut out of it.
OUTLINED: dict[str, tuple[str, Shape, tuple[Shape, ...]]] = {
    "suit": (
        "astronaut",
        "112,206 60,246 36,310 26,385 26,450 46,511 104,511 135,482 165,462 190,470 205,505 "
        "281,505 283,450 290,400 310,365 345,350 360,345 350,282 304,242 294,266 270,286 240,294 "
        "200,287 160,264 130,240",
        (
            (171, 386, 40, 40),
            "26,330 52,335 48,382 24,382",
            "230,294 254,296 264,330 277,350 277,511 234,511",
            "276,337 329,344 328,379 278,373",
        ),
    ),
    "hair": (
        "astronaut",
        "154,76 162,50 190,24 226,15 266,26 294,60 301,92 288,122 272,138 277,108 266,80 232,66 "
        "196,80 182,110 179,124 160,112",
        (),
    ),
    "tank": ("astronaut", "398,80 396,30 408,2 426,2 438,30 440,160 408,160", ()),
    "eye": ("chelsea", (173, 117, 33, 30), ((173, 110, 13, 22),)),
    "nose": ("chelsea", "232,232 262,228 290,232 284,250 262,264 246,250", ()),
    "coffee": ("coffee", (284, 152, 82, 40), ()),
    "saucer": (
        "coffee",
        (279, 232, 196, 154),
        (
            "168,60 420,60 400,180 375,250 310,285 255,312 196,300 190,262 208,236 180,190",
            (366, 284, 46, 46),
            "376,250 398,60 430,70 405,250",
        ),
    ),
    "rocket": ("rocket", "312,180 314,145 322,130 331,145 333,180 331,403 314,403", ()),
}
# Name -> what the thing is made of, from which corner (row, column) on, where it is pasted.
PASTED: dict[str, tuple[str, tuple[int, int], str, Shape]] = {
    "ball": ("coffee", (20, 440), "rocket", (470, 150, 70, 70)),
    "kite": ("coffee", (235, 95), "rocket", "180,60 230,110 185,190 135,115"),
    "cushion": ("chelsea", (150, 40), "coffee", "420,230 560,240 550,370 430,360"),
    "poster": ("coffee", (20, 200), "astronaut", "320,40 385,40 385,160 320,160"),
}


def built_in() -> Iterator[Thing]:
    """Yield the things that are outlined or pasted by this script."""
    for name, (picture, outline, holes) in OUTLINED.items():
        rgb = np.asarray(getattr(data, picture)())
        mask = _filled(outline, rgb.shape[:2])
        for hole in holes:
            mask &= ~_filled(hole, rgb.shape[:2])
        yield Thing(name, rgb, mask)
    for name, (stuff, (top, left), picture, outline) in PASTED.items():
        rgb = np.array(getattr(data, picture)())
        mask = _filled(outline, rgb.shape[:2])
        rows, columns = np.nonzero(mask)
        source = np.asarray(getattr(data, stuff)())
        height, width = source.shape[:2]
        rgb[mask] = source[
            (rows - rows.min() + top) % height, (columns - columns.min() + left) % width
        ]
        yield Thing(name, rgb, mask)


def _filled(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    plane = Image.new("1", size[::-1])
    draw = ImageDraw.Draw(plane)
    if isinstance(shape, tuple):
        x, y, across, down = shape
        draw.ellipse((x - across, y - down, x + across, y + down), fill=1)
    else:
        draw.polygon([tuple(map(float, pair.split(","))) for pair in shape.split()], fill=1)
    return np.array(plane)


def read_folder(folder: Path) -> Iterator[Thing]:
    """Yield the pairs of a folder: NAME.jpg, and NAME.png of the same size, white where the thing.

    Raises
    ------
    SystemExit
        If there is no pair, or a mask is missing, of another size, or wholly of one colour.
    """
    photographs = sorted(folder.glob("*.jpg"))
    if not photographs:
        raise SystemExit(f"{folder}: needs pairs of NAME.jpg and NAME.png; there is no .jpg.")
    for path in photographs:
        rgb, plane = np.asarray(Image.open(path).convert("RGB")), path.with_suffix(".png")
        if not plane.is_file():
            raise SystemExit(f"{path}: needs {plane.name} beside it, white where the thing is.")
        mask = np.asarray(Image.open(plane).convert("L")) > 127
        if mask.shape != rgb.shape[:2] or mask.all() or not mask.any():
            raise SystemExit(
                f"{plane}: needs {rgb.shape[1]} x {rgb.shape[0]} pixels, white and black; it has "
                f"{mask.shape[1]} x {mask.shape[0]}, {mask.mean():.0%} white."
            )
        yield Thing(path.stem, rgb, mask)


def ask(thing: Thing, seed: int = 0) -> Task:
    """Say what is wanted of a thing, and give a hint of each kind that asks for it."""
    lab = rgb_to_lab(thing.rgb / 255.0)
    random = np.random.default_rng((seed, zlib.crc32(thing.name.encode())))
    angle = np.radians(random.uniform(*TURN_DEGREES) * random.choice((-1, 1)))
    turned = lab[..., 1:] @ np.array(
        [(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))]
    )
    mean = turned[thing.mask].mean(0)
    chroma = max(float(np.hypot(*mean)), 1e-6)
    asked = np.array([lab[thing.mask][:, 0].mean(), *(mean * max(1, LEAST_CHROMA / chroma))])
    colour = tuple(int(level) for level in _to_bytes(asked))
    given = rgb_to_lab(np.array(colour) / 255.0)[1:]  # what the gamut leaves of it
    wanted = lab.copy()
    wanted[thing.mask, 1:] = turned[thing.mask] + (given - mean)
    flat = lab * [1, 0, 0]
    gray = _to_bytes(flat)[..., 0]
    flat[thing.mask, 1:] = given
    return Task(gray, _to_bytes(wanted), _to_bytes(flat), _hints(thing.mask, colour))


def ab_of(rgb: np.ndarray) -> np.ndarray:
    """Return a and b, float32 (h, w, 2), of uint8 sRGB (h, w, 3)."""
    return np.asarray(rgb_to_lab(rgb.astype(np.float32) / 255)[..., 1:])


def _to_bytes(lab: np.ndarray) -> np.ndarray:
    return np.rint(lab_to_rgb(lab).rgb * 255).astype(np.uint8)


def _hints(mask: np.ndarray, colour: tuple[int, ...]) -> dict[str, Hint]:
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), mask.shape)
    middle = np.array((column, row)) + 0.5
    radius = max(1.0, min(RADIUS * max(mask.shape), depth.max() / 2))
    return {
        "point": Hint.point(*middle, colour, radius),
        "stroke": Hint.stroke(_chord(depth > radius, middle), colour, 2 * radius),
        "region": Hint.region(_outline(mask), colour),
    }


def _chord(inside: np.ndarray, middle: np.ndarray) -> list[tuple[float, float]]:
    """Return points along the longest straight line through the middle that stays inside."""
    height, width = inside.shape

    def reach(direction: np.ndarray) -> float:
        for step in range(1, height + width):
            x, y = np.floor(middle + step * direction).astype(int)
            if not (0 <= x < width and 0 <= y < height and inside[y, x]):
                return float(step - 1)
        return 0.0

    angles = np.linspace(0, np.pi, 32, endpoint=False)
    directions = np.stack((np.cos(angles), np.sin(angles)), -1)
    ends = [(reach(-d), reach(d)) for d in directions]
    longest = int(np.argmax([back + forth for back, forth in ends]))
    back, forth = ends[longest]
    places = np.linspace(-STROKE_LENGTH * back, STROKE_LENGTH * forth, STROKE_POINTS)
    return [(float(x), float(y)) for x, y in middle + places[:, None] * directions[longest]]


def _outline(mask: np.ndarray) -> list[tuple[float, float]]:
    """Return the corners of the thing's largest part, in pixels from the picture's corner."""
    contours = find_contours(np.pad(mask, 1).astype(float), 0.5)
    largest = max(contours, key=lambda c: abs(c[:-1, 0] @ c[1:, 1] - c[:-1, 1] @ c[1:, 0]))
    tolerance = 1.0
    while len(corners := approximate_polygon(largest, tolerance)) > MOST_POINTS:
        tolerance *= 2
    return [(float(x) - 0.5, float(y) - 0.5) for y, x in corners[:-1]]


class Ruler:
    """Measures colourings of a thing.

    Parameters
    ----------
    mask : bool array, (h, w)
        The thing.
    wanted : uint8 array, (h, w, 3)
        The picture with the thing wholly recoloured.
    """

    def __init__(self, mask: np.ndarray, wanted: np.ndarray) -> None:
        rim = max(1, round(RIM * min(mask.shape)))
        self.outside = ~ndimage.maximum_filter(mask, 2 * rim + 1)
        inside = ndimage.minimum_filter(mask, 2 * rim + 1, mode="constant", cval=1)
        self.inside = inside if inside.any() else mask
        self.wanted = ab_of(wanted)[self.inside]

    def score(self, without: np.ndarray, given: np.ndarray) -> dict[str, float]:
        """Measure one colouring.

        Parameters
        ----------
        without, given : float array, (h, w, 2)
            a and b of what the method gives without and with the hint.

        Returns
        -------
        dict of str to float
            `inside`, `inside_without`: mean distance from what is wanted, with and without the
            hint; `outside`: mean change; all in ab units. `outside_seen`: share of the pixels
            outside that changed by more than 5.
        """
        changed = np.hypot(*(given[self.outside] - without[self.outside]).T)
        return {
            "inside": float(np.hypot(*(given[self.inside] - self.wanted).T).mean()),
            "inside_without": float(np.hypot(*(without[self.inside] - self.wanted).T).mean()),
            "outside": float(changed.mean()) if changed.size else 0.0,
            "outside_seen": float((changed > SEEN).mean()) if changed.size else 0.0,
        }


def measure(
    thing: Thing, colorizers: dict[str, Colorizer], reach: str | float | None
) -> list[dict]:
    """Colour a thing with every method, by every kind of hint; first with one colour exactly."""
    task = ask(thing)
    ruler = Ruler(thing.mask, task.wanted)
    gray = np.zeros((*task.gray.shape, 2), np.float32)
    record = {"thing": thing.name, "method": FLAT, "hint": "outline", "seconds": 0.0}
    found = [record | ruler.score(gray, ab_of(task.flat))]
    for name, colorizer in colorizers.items():
        alone = "hints" in colorizer.info.requires
        without = gray if alone else ab_of(colorizer.colorize(task.gray))
        for kind, hint in task.hints.items():
            asked = hint if reach is None else replace(hint, **{"reach": reach})
            started = time.perf_counter()
            hinted = colorizer.colorize(task.gray, hints=[asked])
            record = {"thing": thing.name, "method": name, "hint": kind}
            record["seconds"] = round(time.perf_counter() - started, 3)
            found.append(record | ruler.score(without, ab_of(hinted)))
    return found


def summarise(records: Sequence[dict]) -> list[dict]:
    """Return each method and kind of hint its means over things, with 95 % intervals."""
    rows = []
    for method, kind in dict.fromkeys((r["method"], r["hint"]) for r in records):
        of = [r for r in records if (r["method"], r["hint"]) == (method, kind)]
        weights = resample_weights(len(of))
        row = {"method": method, "hint": kind, "things": len(of)}
        for column in (*COLUMNS, "seconds"):
            values = np.array([r[column] for r in of], float)
            row[column] = list(estimate(Quantity(values), weights))
            row[f"{column}_median"] = float(np.median(values))
        rows.append(row)
    return rows


def to_markdown(rows: Sequence[dict]) -> str:
    """Return the table of docs/benchmarks.md."""
    lines = [
        "| method | hint | inside | (without a hint) | outside | median | share changed by over 5 "
        "| seconds |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [_cell(row["inside"]), f"{row['inside_without'][0]:.1f}", _cell(row["outside"])]
        cells += [f"{row['outside_median']:.2f}", f"{100 * row['outside_seen'][0]:.1f} %"]
        cells += [f"{row['seconds_median']:.2f}"]
        lines.append(f"| {row['method']} | {row['hint']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(estimate: Sequence[float]) -> str:
    value, low, high = estimate
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _reach(text: str) -> str | float:
    """Read a reach, which may be a distance; older versions have names alone."""
    try:
        return float(text)
    except ValueError:
        return text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="pairs; the built-in things without")
    parser.add_argument(
        "--method", "-m", action="append", help=f"{', '.join(METHODS)}; 'none' for none"
    )
    parser.add_argument("--reach", type=_reach, help="name or number, of every hint that has one")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--output", "-o", type=Path, help="also as JSON, with every record")
    words = parser.parse_args()
    if words.reach is not None and "reach" not in {field.name for field in fields(Hint)}:
        raise SystemExit("--reach: hints of this version have no reach. Leave it out.")
    things = list(read_folder(words.folder) if words.folder else built_in())[: words.limit]
    methods = [name for name in words.method or METHODS if name != "none"]
    colorizers = {name: Colorizer(name) for name in methods}
    records = []
    for number, thing in enumerate(things):
        records += measure(thing, colorizers, words.reach)
        print(f"{number + 1} of {len(things)} things", file=sys.stderr, flush=True)
    rows = summarise(records)
    print(to_markdown(rows))
    if words.output:
        said = {"reach": words.reach, "things": len(things), "rows": rows, "records": records}
        words.output.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
