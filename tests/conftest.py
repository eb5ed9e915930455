"""Pictures and networks that several rooms' tests need."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def drawn_picture(seed: int, height: int = 72, width: int = 96) -> np.ndarray:
    """Draw coloured discs on a coloured gradient, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    first, second = random.uniform(0, 255, (2, 3))
    picture = first + (second - first) * ((x + y) / 2)[..., None]
    for _ in range(4):
        centre, radius = random.uniform(0, 1, 2), random.uniform(0.1, 0.3)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        picture[inside] = random.uniform(0, 255, 3) * (0.6 + 0.4 * x[inside][:, None])
    return picture.round().astype(np.uint8)


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with two sources of six and four coloured PNGs."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(10):
        source = folder / ("discs" if seed < 6 else "dots")
        source.mkdir(exist_ok=True)
        Image.fromarray(drawn_picture(seed)).save(source / f"{seed}.png")
    return folder
