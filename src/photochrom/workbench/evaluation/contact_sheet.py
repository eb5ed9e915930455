"""A contact sheet: photographs beside their colourings.

Old photographs have no truth to measure against, so look at them.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.errors import InvalidValueError, UnwritableFileError
from photochrom.extras import require
from photochrom.workbench.datasets.picture_files import fitting, resized
from photochrom.workbench.datasets.sources import read_pictures
from photochrom.workbench.evaluation.evaluation_pictures import decode_rgb, make_sample
from photochrom.workbench.evaluation.metrics import SSIM_WINDOW_PX
from photochrom.workbench.evaluation.scoring import finish

if TYPE_CHECKING:
    from PIL import Image

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
    require("evaluate", "A contact sheet", "PIL")
    pairs: list[tuple[str, Bytes, Bytes]] = []
    for one in read_pictures(data):
        if limit is not None and len(pairs) == limit:
            break
        rgb = decode_rgb(one.image, one.key)
        sample = make_sample(resized(rgb, fitting(rgb, tile_px, least_px=SSIM_WINDOW_PX)))
        gray = finish(sample, np.zeros((*sample.lightness.shape, 2), np.float32))
        coloured = finish(sample, predict_ab(sample.lightness))
        pairs.append((Path(one.key).stem, gray, coloured))
    try:
        _lay_out(pairs, tile_px, columns).save(output, quality=92)
    except OSError as error:
        raise UnwritableFileError(f"{output}: the sheet was not written ({error}).") from error
    return len(pairs)


def _lay_out(
    pairs: Sequence[tuple[str, Bytes, Bytes]], tile_px: int, columns: int
) -> "Image.Image":
    """Draw pairs with their captions on a dark background, row by row."""
    from PIL import Image, ImageDraw

    rows = -(-len(pairs) // columns)
    cell_height, cell_width = tile_px + CAPTION_PX + MARGIN_PX, 2 * tile_px + 2 * MARGIN_PX
    size = columns * cell_width, rows * cell_height + MARGIN_PX
    sheet = Image.new("RGB", size, (24, 24, 24))
    captions = []
    for number, (caption, gray, coloured) in enumerate(pairs):
        top = MARGIN_PX + number // columns * cell_height
        left = MARGIN_PX // 2 + number % columns * cell_width
        height, width = gray.shape[:2]
        for x, tile in ((left, gray), (left + width + 2, coloured)):
            sheet.paste(Image.fromarray(tile), (x, top))
        captions.append(((left, top + height + 2), caption))
    draw = ImageDraw.Draw(sheet)
    for place, caption in captions:
        draw.text(place, caption, fill=(220, 220, 220))
    return sheet
