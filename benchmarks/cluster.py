#!/usr/bin/env python3
"""Time a cluster of one, two or more nodes on this machine against one plain process.

    python benchmarks/cluster.py [--workers 1 2] [--pictures 24] [--megapixels 3]

Every node has one core. Each way colours two numbers of drawn photographs; the difference of the
times, over the difference of the numbers, is the time a photograph, without what starting takes.
Then the same with the method `gray` and small photographs, whose time is mostly overhead. The time
of the processor is of all processes of the command and the cluster; unlike the other it means
something while other programs run.
"""

import argparse
import resource
import subprocess
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from chaos import COMMAND, Nodes
from PIL import Image


class Times(NamedTuple):
    """Seconds, and seconds of the processor, for one photograph."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--small", type=int, default=600, help="photographs for the overhead")
    parser.add_argument("--megapixels", type=float, default=3.0)
    given = parser.parse_args()
    kinds = (("photochrom", given.pictures, given.megapixels), ("gray", given.small, 0.02))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| way | method | s a photograph | efficiency | CPU s | efficiency |")
        print("|---|---|---|---|---|---|")
        for method, count, megapixels in kinds:
            draw(folder / f"{method} few", count // 4, megapixels)
            draw(folder / f"{method} many", count, megapixels)
            plain = of_one(folder, method, count, None, "-j", "1")
            show("one plain process", method, plain, plain, 1)
            for workers in given.workers:
                with closing(Nodes(workers)) as nodes:
                    found = of_one(folder, method, count, nodes, "--cluster", nodes.address)
                show(f"{workers} workers", method, found, plain, workers)


def show(way: str, method: str, found: Times, plain: Times, workers: int) -> None:
    """Print a row."""
    wall, cpu = plain.wall / found.wall / workers, plain.cpu / found.cpu
    row = f"{found.wall:.4f} | {wall:.2f} | {found.cpu:.4f} | {cpu:.2f}"
    print(f"| {way} | {method} | {row} |", flush=True)


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


def of_one(folder: Path, method: str, count: int, nodes: Nodes | None, *words: str) -> Times:
    """Return the times for a photograph, from those of a few and of many."""
    found = []
    for some in ("few", "many"):
        with tempfile.TemporaryDirectory(dir=folder) as out:
            source = str(folder / f"{method} {some}")
            begun, usage = time.monotonic(), Usage(nodes)
            with usage:
                subprocess.run(
                    [*COMMAND, source, "-o", out, "-m", method, *words],
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            found.append(Times(time.monotonic() - begun, usage.seconds))
    few, many = found
    photographs = count - count // 4
    return Times((many.wall - few.wall) / photographs, (many.cpu - few.cpu) / photographs)


class Usage:
    """The time of the processor of ended commands, and of all processes of the nodes.

    Those are looked at several times a second, since nobody waits for a process that is killed.
    """

    def __init__(self, nodes: Nodes | None) -> None:
        self._nodes, self._is_over = nodes, threading.Event()
        self._seen: dict[tuple[int, float], float] = {}
        self._thread = threading.Thread(target=self._watch)
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._look()
        self._begun = self._total()
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()
        self.seconds = self._total() - self._begun

    def _total(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + sum(self._seen.values())

    def _watch(self) -> None:
        while not self._is_over.wait(0.2):
            self._look()

    def _look(self) -> None:
        if self._nodes is None:
            return
        import psutil  # Ray, which is imported by now, brings it

        for pid in self._nodes.processes():
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                for each in (process, *process.children(recursive=True)):
                    with suppress(psutil.Error):
                        key = each.pid, each.create_time()
                        self._seen[key] = sum(each.cpu_times()[:2])


if __name__ == "__main__":
    main()
