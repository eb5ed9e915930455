"""A contact sheet: photographs beside their colourings.

Old photographs have no truth to measure against, so look at them.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.errors import InvalidValueError, UnwritableFileError
from photochrom.extras import require
from photochrom.workbench.datasets.sources import read_pictures
from photochrom.workbench.evaluation.evaluation_pictures import decode_rgb, make_sample
from photochrom.workbench.evaluation.scoring import finish

MARGIN_PX, CAPTION_PX = 8, 18
SUFFIXES = (".png", ".jpg", ".jpeg")


def contact_sheet(
    data: Path,
    predict_ab: Callable[[Floats], Floats],
    output: Path,
    *,
    tile_px: int = 256,
    columns: int = 4,
    limit: int | None = None,
) -> int:
    """Colour the photographs of a folder, and draw pairs of input and result.

    Parameters
    ----------
    data : Path
        A folder of pictures or a Parquet file.
    predict_ab : callable
        Lightness (h, w) float32 in [0, 100] -> ab (h, w, 2), such as `Colorizer.predict_ab`.
    output : Path
        A .png or .jpg file.
    limit : int, optional
        At most so many photographs.

    Returns
    -------
    int
        Number of photographs on the sheet.

    Raises
    ------
    DataError
        If there is no picture, or one cannot be used.
    InvalidValueError
        If the suffix is another, or a number is out of its range.
    MissingExtraError
        If Pillow, which comes with the extra `evaluate`, is not installed.
    UnwritableFileError
        If the sheet cannot be written.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise InvalidValueError(f"a sheet is one of {', '.join(SUFFIXES)}; got {output.name!r}.")
    if tile_px < 16 or columns < 1:
        raise InvalidValueError(
            f"tile_px must be at least 16 and columns at least 1; got {tile_px}, {columns}."
        )
    pairs: list[tuple[str, Bytes, Bytes]] = []
    for one in read_pictures(data):
        if limit is not None and len(pairs) == limit:
            break
        sample = make_sample(_shrink(decode_rgb(one.image, one.key), tile_px))
        gray = finish(sample, np.zeros((*sample.lightness.shape, 2), np.float32))
        coloured = finish(sample, predict_ab(sample.lightness))
        pairs.append((Path(one.key).stem, gray, coloured))
    sheet = _lay_out(pairs, tile_px, columns)
    try:
        _pillow().fromarray(sheet).save(output, quality=92)
    except OSError as error:
        raise UnwritableFileError(f"{output}: the sheet was not written ({error}).") from error
    return len(pairs)


def _pillow() -> Any:
    require("evaluate", "A contact sheet", "PIL")
    from PIL import Image

    return Image


def _shrink(rgb: Bytes, long_side_px: int) -> Bytes:
    scale = long_side_px / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = tuple(max(11, round(scale * side)) for side in rgb.shape[1::-1])
    image = _pillow()
    return np.asarray(image.fromarray(rgb).resize(size, image.Resampling.LANCZOS))


def _lay_out(pairs: Iterable[tuple[str, Bytes, Bytes]], tile_px: int, columns: int) -> Bytes:
    """Draw pairs with their captions on a dark background, row by row: (H, W, 3)."""
    from PIL import ImageDraw

    pairs = list(pairs)
    rows = -(-len(pairs) // columns)
    cell_height, cell_width = tile_px + CAPTION_PX + MARGIN_PX, 2 * tile_px + 2 * MARGIN_PX
    ground = np.full((rows * cell_height + MARGIN_PX, columns * cell_width, 3), 24, np.uint8)
    captions = []
    for number, (caption, gray, coloured) in enumerate(pairs):
        top = MARGIN_PX + number // columns * cell_height
        left = MARGIN_PX // 2 + number % columns * cell_width
        height, width = gray.shape[:2]
        for x, tile in ((left, gray), (left + width + 2, coloured)):
            ground[top : top + height, x : x + width] = tile
        captions.append(((left, top + height + 2), caption))
    image = _pillow().fromarray(ground)
    draw = ImageDraw.Draw(image)
    for place, caption in captions:
        draw.text(place, caption, fill=(220, 220, 220))
    return np.asarray(image)
