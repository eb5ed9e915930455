#!/usr/bin/env python3
"""How well files keep their lightness; see docs/benchmarks.md.

    python benchmarks/lightness.py FOLDER

For each photograph of the folder, made gray first: mean |dL| in levels of 255 between what was read
and what was written, as 16-bit PNG, 8-bit PNG and JPEG; for JPEG beside the error of the gray
picture written at the same quality.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pyvips

from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer

LONG_SIDE_PX = 1600


def lightness(image: pyvips.Image) -> np.ndarray:
    """Return L* in levels of 255 of an sRGB or gray picture, alpha ignored."""
    pixels = image.numpy()
    top = np.iinfo(pixels.dtype).max
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, -1)
    return rgb_to_lab(pixels / top)[..., 0] * 2.55


def main() -> None:
    colorizer = Colorizer()
    print(
        "| photo | 16-bit PNG | 8-bit PNG | JPEG | gray JPEG | ratio |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for photo in sorted(Path(sys.argv[1]).glob("*.jpg")):
            deep = pyvips.Image.thumbnail(str(photo), LONG_SIDE_PX).colourspace("grey16")[0]
            deep = deep.cast("ushort").copy(interpretation="grey16").copy_memory()
            gray = deep.colourspace("b-w").cast("uchar")
            errors = []
            for suffix, image in ((".16.png", deep), (".8.png", gray)):
                source, target = folder / f"a{suffix}", folder / f"c{suffix}"
                image.pngsave(str(source), keep="none")
                colorizer.colorize_file(source, target)
                written = pyvips.Image.new_from_file(str(target))
                errors.append(np.abs(lightness(written) - lightness(image)).mean())
            source = folder / "a.8.png"
            colorizer.colorize_file(source, folder / "c.jpg", quality=92)
            gray.jpegsave(str(folder / "g.jpg"), Q=92, keep="none")
            for file in ("c.jpg", "g.jpg"):
                written = pyvips.Image.new_from_file(str(folder / file))
                errors.append(np.abs(lightness(written) - lightness(gray)).mean())
            row = " | ".join(f"{e:.3f}" for e in (*errors, errors[2] / errors[3]))
            print(f"| {photo.name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
