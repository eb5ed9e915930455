"""Measure what a photograph costs beside reading, colouring and writing, when it is at an address.

    python benchmarks/stored_overhead.py

A small picture is coloured with the method `gray`, which costs little, as a local file and through
`colorize_stored`; the storage is memory, so that only photochrom's own steps and copies of a few
kilobytes are left. Times are processor time, a median over pictures.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
from PIL import Image

from photochrom.engine import batch
from photochrom.engine.colorize import Colorizer
from photochrom.engine.run_table import RunTable
from photochrom.engine.stored import StoredTask, colorize_stored

COUNT = 300


def main() -> None:
    colorizer = Colorizer("gray")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
        Image.fromarray(picture).save(folder / "a.png")
        memory = fsspec.filesystem("memory")
        memory.put_file(str(folder / "a.png"), "/in/a.png")

        def local(number: int) -> object:
            task = batch.Task(folder / "a.png", folder / f"{number}-local.png")
            return batch.colorize_one(colorizer, task, False, False, {})

        def paths(number: int) -> object:
            task = StoredTask(str(folder / "a.png"), str(folder / f"{number}-paths.png"))
            return colorize_stored(colorizer, task)

        def addresses(number: int) -> object:
            task = StoredTask("memory://in/a.png", f"memory://out/{number}.png", exists=False)
            return colorize_stored(colorizer, task)

        done = [colorize_stored(colorizer, StoredTask("memory://in/a.png", "memory://out/x.png"))]
        table = RunTable(str(folder))
        began = time.process_time()
        table.append(done * 2000)
        per_row = (time.process_time() - began) / 2000 * 1000
        base = measured(local)
        print(f"local file                         {base:.2f} ms")
        print(f"local file, as a task of a run     {measured(paths) - base:+.2f} ms")
        print(f"address to address, in memory      {measured(addresses) - base:+.2f} ms")
        print(f"a row of the run's table           {per_row:+.3f} ms")


def measured(colour: Callable[[int], object]) -> float:
    """Return the milliseconds of processor time that one picture takes."""
    for number in range(10):
        colour(number)
    times = []
    for number in range(10, COUNT):
        began = time.process_time()
        outcome = colour(number)
        times.append(time.process_time() - began)
        assert getattr(outcome, "status", "") == "coloured", outcome
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
