"""A figure with one row per picture: gray, each method, truth."""

from pathlib import Path

from photochrom.color.arrays import Bytes
from photochrom.errors import InvalidValueError, UnwritableFileError
from photochrom.workbench.datasets.picture_files import Filter, fitting, resized
from photochrom.workbench.evaluation.sample_gallery import SHOWN, Gallery
from photochrom.workbench.evaluation.scoring import TRUTH

PICTURES = 8
GAP_PX, CAPTION_PX = 6, 26
GROUND, INK = (255, 255, 255), (40, 38, 36)


def draw_figure(gallery: Gallery, target: Path, most: int = PICTURES, tile_px: int = 256) -> int:
    """Draw the first pictures of a gallery, the names of the columns above them; return how many.

    The longer side of each has `tile_px`; small pictures are enlarged without smoothing.

    Raise InvalidValueError if the suffix is another, or there would be no row, and
    UnwritableFileError if the file cannot be written.
    """
    check_figure(target)
    from PIL import Image, ImageDraw, ImageFont

    names = [SHOWN, *gallery.names, TRUTH]
    rows = [[_fitted(shown[n], tile_px) for n in names] for shown in gallery.pictures.values()]
    rows = rows[:most]
    if not rows:
        raise InvalidValueError(f"a figure needs at least 1 picture; {most} were asked for.")
    heights = [row[0].shape[0] + GAP_PX for row in rows]
    width, height = len(names) * (tile_px + GAP_PX) + GAP_PX, CAPTION_PX + sum(heights) + GAP_PX
    figure = Image.new("RGB", (width, height), GROUND)
    draw, font = ImageDraw.Draw(figure), ImageFont.load_default(size=15)
    for column, name in enumerate(names):
        middle = GAP_PX + column * (tile_px + GAP_PX) + tile_px / 2
        draw.text((middle, CAPTION_PX / 2), name, fill=INK, font=font, anchor="mm")
    top = CAPTION_PX
    for row, step in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = GAP_PX + column * (tile_px + GAP_PX) + (tile_px - tile.shape[1]) // 2
            figure.paste(Image.fromarray(tile), (left, top))
        top += step
    try:
        figure.save(target)
    except OSError as error:
        raise UnwritableFileError(f"{target}: the figure was not written ({error}).") from error
    return len(rows)


def check_figure(target: Path) -> None:
    """Refuse names of files other than .png, before anything is measured."""
    if target.suffix.lower() != ".png":
        raise InvalidValueError(f"a figure is a .png file; got {target.name!r}.")


def _fitted(rgb: Bytes, tile_px: int) -> Bytes:
    how: Filter = "NEAREST" if max(rgb.shape[:2]) < tile_px else "LANCZOS"
    return resized(rgb, fitting(rgb, tile_px, enlarge=True), how)
