#!/usr/bin/env python3
"""Time a cluster of one, two or more nodes on this machine against one plain process.

    python benchmarks/cluster.py [--workers 1 2] [--pictures 24] [--megapixels 3]

Every node has one core. Each way colours two numbers of drawn photographs; the difference of the
times, over the difference of the numbers, is the time a photograph, without what starting takes.
Then the same with the method `gray` and small photographs, whose time is mostly overhead.
"""

import argparse
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from chaos import COMMAND, Nodes
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--small", type=int, default=600, help="photographs for the overhead")
    parser.add_argument("--megapixels", type=float, default=3.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, count, megapixels in (
            ("large", given.pictures, given.megapixels),
            ("small", given.small, 0.02),
        ):
            draw(folder / f"{kind} few", count // 4, megapixels)
            draw(folder / f"{kind} many", count, megapixels)
        plain = {
            "large": seconds_each(folder, "large", given.pictures, "-m", "photochrom", "-j", "1"),
            "small": seconds_each(folder, "small", given.small, "-m", "gray", "-j", "1"),
        }
        print("| way | s a photograph | efficiency | overhead of gray, ms |\n|---|---|---|---|")
        print(f"| one plain process | {plain['large']:.3f} | 1 | 0 |", flush=True)
        for count in given.workers:
            with closing(Nodes(count)) as nodes:
                words = ("--cluster", nodes.address)
                large = seconds_each(folder, "large", given.pictures, "-m", "photochrom", *words)
                small = seconds_each(folder, "small", given.small, "-m", "gray", *words)
            efficiency = plain["large"] / large / count
            overhead = 1000 * (count * small - plain["small"])
            print(
                f"| {count} workers | {large:.3f} | {efficiency:.2f} | {overhead:.1f} |", flush=True
            )


def draw(folder: Path, count: int, megapixels: float) -> None:
    """Draw photographs of 4 : 3 with noise, as JPEG."""
    folder.mkdir()
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    random = np.random.default_rng(0)
    for number in range(count):
        y, x = np.mgrid[:height, : height * 4 // 3] / height
        picture = 128 + 60 * np.sin(3 * x + number) * np.cos(4 * y) + random.normal(0, 6, x.shape)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=90
        )


def seconds_each(folder: Path, kind: str, count: int, *words: str) -> float:
    """Return the seconds a photograph, from the times of a few and of many."""
    times = []
    for some in ("few", "many"):
        with tempfile.TemporaryDirectory(dir=folder) as out:
            begun = time.monotonic()
            subprocess.run(
                [*COMMAND, str(folder / f"{kind} {some}"), "-o", out, *words],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            times.append(time.monotonic() - begun)
    return (times[1] - times[0]) / (count - count // 4)


if __name__ == "__main__":
    main()
