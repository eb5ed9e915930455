"""Compare the results of two working trees, pixel by pixel: for changes that must change nothing.

    python benchmarks/same_pixels.py ../photochrom-before PHOTOS [PHOTOS ...]

Each photograph is coloured by both trees: automatically, with a point, a stroke and a region, from
a palette, and by `levin` with the same hints. Prints each difference; the exit code is 1 if there
is one.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = """
import hashlib, io, json, sys
import numpy as np
from PIL import Image
import photochrom

def digest(content):
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    return hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()[:16]

print("ready", photochrom.__file__, file=sys.stderr)
colorizer, levin = photochrom.Colorizer(), photochrom.Colorizer("levin")
for line in sys.stdin:
    path = line.strip()
    found = {}
    try:
        with Image.open(path) as image:
            width, height = image.size
        wide = width * 0.1
        hints = [
            photochrom.Hint.point(width * 0.3, height * 0.4, "#a03030", radius=6),
            photochrom.Hint.stroke([(wide, wide), (width * 0.5, wide)], "#3050a0", width=9),
            photochrom.Hint.region([(wide, height * 0.7), (width * 0.4, height * 0.7),
                                    (width * 0.3, height * 0.9)], "#508040"),
        ]
        content = open(path, "rb").read()
        found["automatic"] = digest(colorizer.colorize(content))
        found["hints"] = digest(colorizer.colorize(content, hints=hints))
        found["palette"] = digest(colorizer.colorize(content, palette="autumn"))
        found["levin"] = digest(levin.colorize(content, hints=hints))
    except photochrom.PhotochromError as error:
        found["error"] = str(error)
    print(json.dumps(found), flush=True)
"""


def results(tree: Path, photos: list[Path]) -> list[dict[str, str]]:
    """Colour photographs by a tree; return the hashes of their pixels."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    words = "\n".join(map(str, photos))
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=words,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tree / "src") in done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> int:
    """Compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="another working tree")
    parser.add_argument("photos", type=Path, nargs="+", help="photographs, or folders of them")
    words = parser.parse_args()
    photos = [
        file
        for path in words.photos
        for file in (sorted(path.iterdir()) if path.is_dir() else [path])
        if file.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
    ]
    trees = words.before.resolve(), ROOT.resolve()
    before, after = (results(tree, photos) for tree in trees)
    differ = 0
    for photo, old, new in zip(photos, before, after, strict=True):
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                differ += 1
                print(f"{photo}: {name} differs")
    print(f"{len(photos)} photographs, {differ} differences")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
