"""Small built-in data sets, to try training without a download."""

from pathlib import Path

import numpy as np

from photochrom.errors import DataError
from photochrom.extras import require
from photochrom.photo.atomic import atomic_target
from photochrom.workbench.datasets.cache_folders import default_root

PREFIX = "builtin:"
# Photographs of scikit-image, public domain or CC0.
PHOTOGRAPHS = ("astronaut", "cat", "coffee", "rocket")
CROPS = 64  # of each photograph
SMALLEST_PX, SIZE_PX = 96, 64


def builtin(name: str, root: Path | None = None) -> Path:
    """Create a built-in data set and return its folder of PNG files, one subfolder per photograph.

    'builtin:tiny' has 256 crops, 64 pixels wide, of four photographs. It is written below `root`,
    or `$XDG_CACHE_HOME/photochrom` or `~/.cache/photochrom`.

    Raise DataError if there is no such data set, and MissingExtraError if scikit-image, which
    brings the photographs, is not installed.
    """
    if name != f"{PREFIX}tiny":
        raise DataError(f"No built-in data set '{name}'. Available: {PREFIX}tiny.")
    require("train", name, "skimage")
    from PIL import Image
    from skimage import data

    folder = (root or default_root()) / "builtin-tiny"
    for photograph in PHOTOGRAPHS:
        target = folder / photograph
        target.mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(getattr(data, photograph)())
        random = np.random.default_rng(len(photograph))
        for number in range(CROPS):
            file = target / f"{number:03d}.png"
            side = int(random.integers(SMALLEST_PX, min(pixels.size) + 1))
            left, top = (int(random.integers(0, length - side + 1)) for length in pixels.size)
            if not file.exists():
                box = (left, top, left + side, top + side)
                crop = pixels.resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS, box)
                with atomic_target(file) as part:
                    crop.save(part, "png")
    return folder
