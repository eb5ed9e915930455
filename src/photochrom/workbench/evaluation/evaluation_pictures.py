"""The photographs of an evaluation, and their conversion to gray."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.gray_conversions import GRAYS
from photochrom.color.lab import bytes_to_lab, luminance_to_lightness, rgb_to_lab, srgb_to_linear
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.picture_files import decode, resized
from photochrom.workbench.datasets.sources import open_source, rows_of
from photochrom.workbench.evaluation.metrics import SSIM_WINDOW_PX


@dataclass(frozen=True)
class Sample:
    """One photograph: its truth, and the lightness that methods receive.

    key, source : what the data set calls it, and where it is from ('' where unknown)
    rgb : uint8 array, (h, w, 3), the true sRGB
    lab : float32 array, (h, w, 3), the truth in CIE L*a*b*
    lightness : float32 array, (h, w), L* in [0, 100] of the gray picture
    """

    key: str
    source: str
    rgb: Bytes
    lab: Floats
    lightness: Floats


def decode_rgb(image: bytes, key: str) -> Bytes:
    """Decode a photograph at its stored size: upright sRGB, uint8 (h, w, 3).

    Raise DataError if it cannot be decoded, or a side is shorter than the window of SSIM.
    """
    rgb = decode(image)
    if rgb is None:
        raise DataError(f"{key}: not a picture that can be decoded. Remove it from the data.")
    if min(rgb.shape[:2]) < SSIM_WINDOW_PX:
        raise DataError(
            f"{key}: a side needs at least {SSIM_WINDOW_PX} pixels to be judged; the picture has "
            f"{rgb.shape[1]} x {rgb.shape[0]}. Remove it from the data."
        )
    return rgb


def make_sample(rgb: Bytes, gray: str = "lightness", key: str = "", source: str = "") -> Sample:
    """Convert a photograph, uint8 sRGB (h, w, 3), to gray, and keep its truth.

    `gray` is a name of `photochrom.color.gray_conversions.GRAYS`. Any but 'lightness' changes only
    what the method is shown: its ab is joined with the true lightness, so that the error is that of
    the colour alone. Raise InvalidValueError if there is no such gray.
    """
    if gray not in GRAYS:
        raise InvalidValueError(f"gray must be one of {', '.join(GRAYS)}; got {gray!r}.")
    encoded = rgb.astype(np.float32) / 255
    lab = rgb_to_lab(encoded)
    if gray == "lightness":
        lightness = lab[..., 0].clip(0, 100)
    else:
        lightness = luminance_to_lightness(srgb_to_linear(GRAYS[gray](encoded))).clip(0, 100)
    return Sample(key, source, rgb, lab, np.ascontiguousarray(lightness))


def reduced(sample: Sample, short_side_px: int) -> Sample:
    """Return a photograph reduced to a short side, or unchanged if it is not larger."""
    height, width = sample.rgb.shape[:2]
    scale = short_side_px / min(height, width)
    if scale >= 1:
        return sample
    size = round(scale * height), round(scale * width)
    rgb = reduce_rgb(sample.rgb, size)
    lightness = reduce_planes(sample.lightness[..., None], size)[..., 0]
    return Sample(sample.key, sample.source, rgb, bytes_to_lab(rgb), lightness)


# Both by Pillow's mean over areas, not by `photochrom.photo.resize`, which brings libvips along:
# stored evaluations are read without it.


def reduce_rgb(rgb: Bytes, size: tuple[int, int]) -> Bytes:
    """Reduce uint8 sRGB (h, w, 3) to a smaller picture of (height, width)."""
    return resized(rgb, size[::-1], "BOX")


def reduce_planes(planes: Floats, size: tuple[int, int]) -> Floats:
    """Reduce float planes (h, w, n) to a smaller size of (height, width): float32."""
    each = np.moveaxis(planes, -1, 0).astype(np.float32)
    return np.stack([resized(plane, size[::-1], "BOX") for plane in each], axis=-1)


def read_samples(
    data: Path,
    gray: str = "lightness",
    limit: int | None = None,
    keys: Collection[str] | None = None,
) -> Iterator[Sample]:
    """Read photographs one by one.

    Parameters
    ----------
    data : Path
        As `workbench.datasets.sources.open_source` takes it; of a folder of pictures each folder
        in it counts as a source.
    gray : str
        As for `make_sample`.
    limit : int, optional
        At most so many.
    keys : collection of str, optional
        Only these.

    Yields
    ------
    Sample
        In the order of the data.

    Raises
    ------
    DataError
        If there is nothing to read, or a picture cannot be used.
    InvalidValueError
        If there is no such gray.
    MissingExtraError
        If Parquet is read and pyarrow is not installed.
    """
    opened = open_source(str(data))
    wanted = None if keys is None else frozenset(keys)
    chosen = (each for each in rows_of(opened) if wanted is None or each.key in wanted)
    for one in islice(chosen, limit):
        source = one.source if opened.published else one.label or one.source
        yield make_sample(decode_rgb(one.image, one.key), gray, one.key, source)
