"""Score suggested colours: how often the truth is near one of the first five.

python benchmarks/suggestions.py PHOTOS.parquet [--keys FILE] [--points 10]

Random points whose true chroma is 15 ab units or more; a hit is a suggestion within 10 ab units of
the truth, as the suggestion is shown at that lightness. Five fixed colours are the baseline.
"""

import argparse
from pathlib import Path

import numpy as np

from photochrom.color.lab import rgb_to_lab
from photochrom.colorization.method import Request
from photochrom.engine.colorize import Colorizer
from photochrom.engine.conditioning import distribution
from photochrom.engine.suggestions import shares_of, suggest
from photochrom.engine.tiling import working_size
from photochrom.photo.resize import resize
from photochrom.workbench.evaluation.evaluation_pictures import read_samples

NEAR, COLOURFUL, COUNT = 10.0, 15.0, 5
# Skin and wood, sky, leaves, red cloth, yellow light: about the five that cover most points.
FIXED = np.array([(12, 18), (-2, -22), (-12, 24), (32, 30), (4, 40)], float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--keys", type=Path)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--limit", type=int)
    words = parser.parse_args()
    keys = words.keys and words.keys.read_text().split("\n")
    method, hits, fixed, total = Colorizer().method, np.zeros(COUNT), 0, 0
    centres = np.array(method.info.centres)
    for number, sample in enumerate(read_samples(words.data, limit=words.limit, keys=keys)):
        random = np.random.default_rng((7, number))
        rows, columns = np.nonzero(np.hypot(*np.moveaxis(sample.lab[..., 1:], -1, 0)) >= COLOURFUL)
        if not len(rows):
            continue
        height, width = sample.lightness.shape
        size = working_size(height, width, method.info.short_side_px, method.info.stride)
        small = resize(sample.lightness[..., None], size.height, size.width)[..., 0]
        shares = shares_of(distribution(method, Request(small)))
        for place in random.integers(0, len(rows), words.points):
            row, column = int(rows[place]), int(columns[place])
            spot = shares[:, row * shares.shape[1] // height, column * shares.shape[2] // width]
            truth = sample.lab[row, column]
            found = suggest(spot, centres, float(truth[0]), COUNT)
            shown = rgb_to_lab(np.array([s.rgb for s in found]) / 255.0)[:, 1:]
            near = np.hypot(*(shown - truth[1:]).T) <= NEAR
            hits += np.cumsum(np.pad(near, (0, COUNT - len(near)))) > 0
            fixed += bool((np.hypot(*(FIXED - truth[1:]).T) <= NEAR).any())
            total += 1
    shares = ", ".join(f"{n + 1}: {100 * h / total:.1f} %" for n, h in enumerate(hits))
    print(
        f"{total} points; among the first {shares}; five fixed colours: {100 * fixed / total:.1f} %"
    )


if __name__ == "__main__":
    main()
