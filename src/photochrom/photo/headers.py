"""Read the headers of a photo's pages, and small copies of pages."""

from dataclasses import replace

import numpy as np
import pyvips

from photochrom.photo.array_source import ArraySource
from photochrom.photo.budget import Budget, Spent
from photochrom.photo.open_file import Header, check_size, read_header
from photochrom.photo.resize import reduced_size
from photochrom.photo.source import FileSource


def array_of(image: pyvips.Image) -> np.ndarray:
    """Return (H, W, bands) whatever the size: pyvips drops axes of length 1."""
    return image.numpy().reshape(image.height, image.width, image.bands)


def resize_image(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Resize to exactly this size, each pixel's centre on its place in the other picture."""
    across, down = width / image.width, height / image.height
    if across < 1 or down < 1:
        image = image.resize(min(across, 1.0), vscale=min(down, 1.0))
    if across > 1 or down > 1:
        return _enlarged(image, width, height)
    return image.embed(0, 0, width, height, extend="copy")


def _enlarged(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Enlarge as libvips 8.19 will: up to 8.18 its `resize` moves pixels by half a new one."""
    across, down = width / image.width, height / image.height
    return image.affine(
        [across, 0, 0, down],
        interpolate=pyvips.Interpolate.new("bicubic"),
        idx=0.5 * (1 - 1 / across),
        idy=0.5 * (1 - 1 / down),
        oarea=[0, 0, width, height],
        extend="copy",
        premultiplied=True,
    )


def reduced_header(header: Header, long_side_px: int) -> Header:
    """Return the header of a page reduced to a maximum long side."""
    width, height = reduced_size(header.width, header.height, long_side_px)
    return replace(header, width=width, height=height)


def read_headers(
    source: FileSource | ArraySource, budget: Budget
) -> tuple[tuple[Header, ...], dict[str, None]]:
    """Return each page's header, within the budget, and notes on the pages."""
    if isinstance(source, ArraySource):
        header = read_header(source.open(0), source.kind)
        check_size(header, budget.max_megapixels, source.name)
        return (header,), {}
    spent = Spent(budget, source)
    headers, notes = [], dict[str, None]()
    for page in range(source.pages):
        carried = source.carried(page)
        spent.check_before(carried)
        # A negative is inverted through its profile, which does not apply to the positive.
        own = None if source.reading.negative else carried.profile
        profile = source.carriers.one_profile(own)
        header = read_header(source.head(page), source.kind, carried, profile)
        if source.is_decoded_whole:
            header = replace(header, streams=False)
        check_size(header, budget.max_megapixels, source.name)
        spent.check(header, carried)
        headers.append(header)
        notes |= dict.fromkeys(carried.notes)
        if own is not None and profile is None:
            notes["The profiles of all pages together are too large: further ones are ignored."] = (
                None
            )
    return tuple(headers), notes


def frame_notes(source: FileSource | ArraySource, header: Header) -> list[str]:
    """Return a note on an animation, of which only the first frame is coloured."""
    kind, frames = source.kind, header.frames
    if frames == 1 or kind == "tiff":
        return []
    if kind in ("avif", "heic"):
        return [f"The file has {frames} pictures: only the main one is used."]
    return [f"The file is animated ({frames} frames): only the first frame is used."]
