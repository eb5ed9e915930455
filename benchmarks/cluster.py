#!/usr/bin/env python3
"""Compare runs on a cluster of this machine with the plain command on the same cores.

    python benchmarks/cluster.py [--workers 1 2] [--pictures 24] [--repeat 2]    # four minutes

For each number of workers, both colour the same drawn photographs: the plain command with as many
processes (`--jobs`), and a cluster of as many nodes with one core each. Both have as many cores,
and no others (Linux): left to itself, one plain process computes with all cores, and a worker does
not. Everything of Ray, and the command, runs on those cores too. Runs alternate, since other
programs may take their share.

Two measures of each: `steady` is from a fifth to four fifths of the results, so without what
starting and ending take; `whole` is the whole command, for so few photographs mostly the start.
Processor time is that of all processes of the command and the cluster in the same steady part; it
means something on a busy machine too. `gray` colours small photographs with next to no work: what
remains is what each photograph costs beyond colouring.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from chaos import COMMAND, Nodes
from PIL import Image

TICK_SECONDS = 1.0


class Took(NamedTuple):
    """Milliseconds for a photograph: by the clock, and of all processors."""

    whole: float
    steady: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=24, help="for each worker")
    parser.add_argument("--small", type=int, default=500, help="for each worker, with `gray`")
    parser.add_argument("--megapixels", type=float, default=3.0)
    parser.add_argument("--repeat", type=int, default=2)
    given = parser.parse_args()
    print(f"Load before: {os.getloadavg()[0]:.1f}. Milliseconds a photograph, medians.\n")
    print("| workers | method | | whole | steady | processor |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for workers in given.workers:
            with bound(workers):
                compare(Path(name), "photochrom", workers, given)
                if workers == 1:
                    compare(Path(name), "gray", workers, given)
    print(f"\nLoad after: {os.getloadavg()[0]:.1f}.")


def compare(folder: Path, method: str, workers: int, given: argparse.Namespace) -> None:
    """Colour in both ways and print three rows."""
    count, megapixels, repeat = given.pictures, given.megapixels, given.repeat
    if method == "gray":
        count, megapixels, repeat = given.small, 0.02, 1
    scans = folder / f"{method}-{workers}"
    draw(scans, count * workers, megapixels)
    pairs = []
    for _ in range(repeat):
        plain = measured(scans, method, "--jobs", str(workers))
        with closing(Nodes(workers)) as nodes:
            pairs.append((plain, measured(scans, method, "--cluster", nodes.address)))
    plain, cluster = (
        Took(*map(statistics.median, zip(*some, strict=True))) for some in zip(*pairs, strict=True)
    )
    ratios = (p / c for p, c in zip(plain, cluster, strict=True))
    for what, numbers, digits in (
        ("plain", plain, 1),
        ("cluster", cluster, 1),
        ("efficiency", ratios, 2),
    ):
        cells = " | ".join(f"{number:.{digits}f}" for number in numbers)
        print(f"| {workers} | {method} | {what} | {cells} |", flush=True)


@contextmanager
def bound(cores: int) -> Iterator[None]:
    """Give this process, and those that it starts, some of the cores only (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def draw(folder: Path, count: int, megapixels: float) -> None:
    """Draw photographs of 4 : 3 with noise, as JPEG."""
    folder.mkdir()
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    random = np.random.default_rng(0)
    noise = random.normal(0, 6, (height, height * 4 // 3))
    for number in range(count):
        y, x = np.mgrid[:height, : height * 4 // 3] / height
        picture = 128 + 60 * np.sin(3 * x + number) * np.cos(4 * y) + np.roll(noise, number, 1)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=90
        )


def measured(source: Path, method: str, *words: str) -> Took:
    """Colour all photographs, and return what one takes."""
    with tempfile.TemporaryDirectory(dir=source.parent) as out, closing(Usage()) as usage:
        begun = time.time()
        subprocess.run(
            [*COMMAND, str(source), "-o", out, "-m", method, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        whole = time.time() - begun
        times = sorted(path.stat().st_mtime for path in Path(out).glob("*.jpg"))
    first, last = len(times) // 5, len(times) * 4 // 5
    count = last - first
    processor = usage.at(times[last]) - usage.at(times[first])
    return Took(
        1000 * whole / len(times), 1000 * (times[last] - times[first]) / count,
        1000 * processor / count,
    )  # fmt: skip


class Usage:
    """The processor time of all processes below this one, over time."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, float], float] = {}
        self._times: list[float] = []
        self._totals: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        import ray  # noqa: F401 - its psutil is found once it is imported
        import psutil  # isort: skip

        while not self._is_over.wait(TICK_SECONDS):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    used = process.cpu_times()
                    self._seconds[process.pid, process.create_time()] = used.user + used.system
            self._times.append(time.time())
            self._totals.append(sum(self._seconds.values()))

    def at(self, moment: float) -> float:
        """Return the seconds used until a moment."""
        return float(np.interp(moment, self._times, self._totals))

    def close(self) -> None:
        """Stop watching."""
        self._is_over.set()
        self._thread.join()


if __name__ == "__main__":
    main()
