#!/usr/bin/env python3
"""Time and memory of whole processes; see docs/benchmarks.md.

    python benchmarks/speed.py [--photo PHOTO] [--runs 5] [--large]

Each command runs in a process of its own; medians over the runs are printed, with the peak memory
that the operating system counted. The photo (scikit-image's astronaut by default) only gives the
content: it is enlarged to the sizes that are timed. Modules are compiled once, as an installed
package's are, also where the environment forbids it (PYTHONDONTWRITEBYTECODE).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyvips

COPY = """
import pyvips, sys
pyvips.Image.new_from_file(sys.argv[1], access="sequential").jpegsave(sys.argv[2])
"""
RUN = "from photochrom.cli import main; main()"


def run(command: list[str]) -> tuple[float, float]:
    """Return seconds and peak megabytes of one process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command}: {said.decode()}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def measure(name: str, command: list[str], runs: int) -> float:
    """Print a row; give the median seconds."""
    run(command)
    results = [run(command) for _ in range(runs)]
    seconds = statistics.median(s for s, _ in results)
    memory = max(m for _, m in results)
    print(f"| {name} | {seconds:.2f} s | {memory:.0f} MB |", flush=True)
    return seconds


def gray_photo(photo: Path | None, width: int, height: int) -> pyvips.Image:
    """Return a gray picture of the size asked, with the photo's content."""
    if photo is None:
        from skimage import data

        image = pyvips.Image.new_from_array(data.astronaut())
    else:
        image = pyvips.Image.new_from_file(str(photo))
    image = image.colourspace("b-w").extract_band(0)
    return image.resize(width / image.width, vscale=height / image.height).cast("uchar")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="also 200 megapixels")
    arguments = parser.parse_args()
    python, runs = sys.executable, arguments.runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        source, target = str(folder / "12.jpg"), str(folder / "out.jpg")
        gray_photo(arguments.photo, 4000, 3000).jpegsave(source, Q=92, keep="none")
        print("| what | median | peak memory |\n|---|---|---|")
        copied = measure(
            "12 megapixels, decode and encode only", [python, "-c", COPY, source, target], runs
        )
        coloured = measure(
            "12 megapixels, photochrom", [python, "-c", RUN, source, "-o", target], runs
        )
        print(f"| ratio | {coloured / copied:.2f} | |")
        measure("import photochrom", [python, "-c", "import photochrom"], runs)
        measure("photochrom --help", [python, "-c", RUN, "--help"], runs)
        many = folder / "many"
        many.mkdir()
        one = gray_photo(arguments.photo, 1155, 866)
        for number in range(64):
            one.jpegsave(str(many / f"{number}.jpg"), Q=92, keep="none")
        seconds = measure(
            "64 photos of 1 megapixel",
            [python, "-c", RUN, str(many), "-o", str(folder / "out")],
            min(runs, 3),
        )
        print(f"| photos a second | {64 / seconds:.1f} | |")
        if arguments.large:
            large = gray_photo(arguments.photo, 16000, 12500)
            large.jpegsave(str(folder / "200.jpg"), Q=85, keep="none")
            large.tiffsave(str(folder / "200.tif"), tile=True, compression="deflate", keep="none")
            for file in ("200.jpg", "200.tif"):
                measure(
                    f"200 megapixels, {file}",
                    [python, "-c", RUN, str(folder / file), "-o", str(folder / f"c-{file}")],
                    1,
                )


if __name__ == "__main__":
    main()
