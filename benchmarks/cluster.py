#!/usr/bin/env python3
"""Time a cluster of one, two or more nodes on this machine against one plain process.

    python benchmarks/cluster.py [--workers 1 2] [--pictures 60] [--megapixels 3] [--repeat 3]

Every node has one core. Each way colours the same drawn photographs; the time for one is taken from
the times at which results were written, from a fifth of them on, so that what starting takes is
left out. Then the same with the method `gray` and small photographs, whose time is mostly overhead.
Plain runs and runs on clusters alternate, since other programs may take their share.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
from chaos import COMMAND, Nodes
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--small", type=int, default=1500, help="photographs for the overhead")
    parser.add_argument("--megapixels", type=float, default=3.0)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    kinds = (("photochrom", given.pictures, given.megapixels), ("gray", given.small, 0.02))
    print("| workers | method | plain, ms | cluster, ms | efficiency | overhead, ms | load |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for method, count, megapixels in kinds:
            draw(folder / method, count, megapixels)
            for workers in given.workers:
                with closing(Nodes(workers)) as nodes:
                    pairs = [
                        (
                            milliseconds(folder / method, method, "-j", "1"),
                            milliseconds(folder / method, method, "--cluster", nodes.address),
                        )
                        for _ in range(given.repeat)
                    ]
                show(method, workers, pairs)


def show(method: str, workers: int, pairs: list[tuple[float, float]]) -> None:
    """Print a row of medians."""
    plain, cluster = (statistics.median(times) for times in zip(*pairs, strict=True))
    efficiency = statistics.median(p / c / workers for p, c in pairs)
    overhead = statistics.median(c * workers - p for p, c in pairs)
    row = f"{plain:.1f} | {cluster:.1f} | {efficiency:.2f} | {overhead:.1f}"
    print(f"| {workers} | {method} | {row} | {os.getloadavg()[0]:.0f} |", flush=True)


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


def milliseconds(source: Path, method: str, *words: str) -> float:
    """Return the time for a photograph."""
    with tempfile.TemporaryDirectory(dir=source.parent) as out:
        subprocess.run(
            [*COMMAND, str(source), "-o", out, "-m", method, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        times = sorted(path.stat().st_mtime_ns for path in Path(out).glob("*.jpg"))
    steady = times[len(times) // 5 :]
    return (steady[-1] - steady[0]) / 1e6 / (len(steady) - 1)


if __name__ == "__main__":
    main()
