"""Convert one picture to a standard size and format, or return why it is refused."""

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from photochrom.color.difference import chroma, hue
from photochrom.color.lab import linear_to_lab
from photochrom.errors import InvalidValueError
from photochrom.workbench.datasets.gray_rules import GRAY_RULES, channel_spread
from photochrom.workbench.datasets.near_duplicates import dhash
from photochrom.workbench.datasets.pca import reduce_rgb
from photochrom.workbench.datasets.picture_files import (
    LINEAR,
    READ_FORMATS,
    SMALLEST_SIDE_PX,
    Credit,
    Encoded,
    decode,
    resized,
)
from photochrom.workbench.datasets.shards import UNREADABLE

TOO_SMALL, GRAY = "too small", "gray"
FITS = ("keep", "crop", "stretch")
QUALITIES = {"avif": 75, "webp": 90, "jpeg": 92}
FORMATS = ("auto", "png", *QUALITIES)
LOSSLESS_SIDE_PX = 64  # to this side a PNG is small enough
STATISTICS_PX = 256  # hue, chroma and the gray rule are taken at this short side at most
KEPT_FORMATS = frozenset({"PNG", "JPEG", "WEBP", "AVIF"})


@dataclass(frozen=True)
class Standard:
    """Size and format of prepared pictures.

    Raise InvalidValueError if a value is outside its range, or two do not fit.

    size_px : side of the square, or the largest short side where the aspect is kept; 0: as they are
    fit : {'keep', 'crop', 'stretch'}; keep the aspect (nothing is enlarged), cut the middle square,
        or squash to a square
    smallest_px : pictures with a shorter side are refused; by default `size_px` for squares, else
        32
    gray_rule : a name of `GRAY_RULES`
    format : {'auto', 'png', 'avif', 'webp', 'jpeg'}; 'auto' leaves a picture's bytes alone where
        its pixels are not changed, and otherwise writes PNG to 64 pixels, AVIF (WebP where Pillow
        has none) above
    quality : 1..100, of a lossy format; 75, 90 and 92 by default
    pca : share of variance, in (0, 1), to which each picture is reduced
    """

    size_px: int = 256
    fit: str = "keep"
    smallest_px: int | None = None
    gray_rule: str = "spread"
    format: str = "auto"
    quality: int | None = None
    pca: float | None = None

    def __post_init__(self) -> None:
        _one_of("fit", self.fit, FITS)
        _one_of("gray rule", self.gray_rule, tuple(GRAY_RULES))
        _one_of("format", self.format, FORMATS)
        if self.smallest_px is not None and self.smallest_px < 1:
            raise InvalidValueError(
                f"The smallest side must be 1 pixel or more; got {self.smallest_px}."
            )
        if self.size_px < 0:
            raise InvalidValueError(f"The size must be 0 or more pixels; got {self.size_px}.")
        if self.size_px == 0 and (self.fit != "keep" or self.pca is not None):
            raise InvalidValueError("Fitting or reducing pictures needs a size above 0.")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InvalidValueError(f"The quality must be 1 to 100; got {self.quality}.")
        if self.pca is not None and not 0 < self.pca < 1:
            raise InvalidValueError(f"The share of variance must be in (0, 1); got {self.pca}.")

    @property
    def refused_below_px(self) -> int:
        """Shortest side that is accepted."""
        if self.smallest_px is not None:
            return self.smallest_px
        if self.fit != "keep":
            return self.size_px  # nothing is enlarged unless that is asked for
        return min(self.size_px, SMALLEST_SIDE_PX) if self.size_px else SMALLEST_SIDE_PX


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidValueError(f"Unknown {what} '{value}'. All: {', '.join(allowed)}.")


class Row(NamedTuple):
    """A prepared picture: the columns of the Parquet file.

    image : encoded picture
    width, height : pixels
    mean_hue : degrees in [0, 360): hue of the mean a and b, the circular mean weighed by chroma
    chroma : mean chroma in ab units
    spread : largest difference of two channels in any pixel, 0..255; 2 or less is gray
    dhash : 64-bit difference hash
    sha256 : of the pixels before they were encoded
    components : principal components kept; 0 without PCA
    credit : five columns of their own
    """

    image: bytes
    source: str
    label: str
    width: int
    height: int
    key: str
    mean_hue: float
    chroma: float
    spread: int
    dhash: int
    sha256: str
    components: int
    credit: Credit


def standardise(picture: Encoded, standard: Standard) -> Row | str:
    """Convert a picture to the standard.

    Parameters
    ----------
    picture : Encoded
        Empty bytes count as unreadable.

    Returns
    -------
    Row or str
        The prepared picture, or why it is refused: 'unreadable', 'too small' or 'gray'.
    """
    rgb = decode(picture.image)
    if rgb is None:
        return UNREADABLE
    if min(rgb.shape[:2]) < standard.refused_below_px:
        return TOO_SMALL
    pixels = fit_to(rgb, standard.size_px, standard.fit)
    small = fit_to(pixels, STATISTICS_PX, "keep")
    lab = linear_to_lab(LINEAR[small])
    if GRAY_RULES[standard.gray_rule].is_gray(small, lab):
        return GRAY
    ab, components = lab[..., 1:], 0
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    hash = dhash(pixels)
    if standard.pca is not None:
        pixels, components, _ = reduce_rgb(pixels, standard.pca)
    unchanged = pixels is rgb and standard.format == "auto" and _is_kept(picture.image)
    return Row(
        picture.image if unchanged else encode(pixels, standard.format, standard.quality),
        picture.source,
        picture.label,
        pixels.shape[1],
        pixels.shape[0],
        picture.key,
        float(hue(ab.mean(axis=(0, 1), dtype=np.float64))),
        float(chroma(ab).mean()),
        int(channel_spread(small).max()),
        hash,
        digest,
        components,
        picture.credit,
    )


def fit_to(rgb: np.ndarray, size_px: int, fit: str) -> np.ndarray:
    """Resize a picture.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    size_px : int
        As `Standard.size_px`.
    fit : {'keep', 'crop', 'stretch'}
        As `Standard.fit`.

    Returns
    -------
    uint8 array, (H', W', 3)
        `rgb` itself where nothing has to be done.
    """
    height, width = rgb.shape[:2]
    short = min(height, width)
    left, top, right, bottom = 0.0, 0.0, float(width), float(height)
    if fit == "keep":
        if size_px == 0 or short <= size_px:
            return rgb
        size = (round(width * size_px / short), round(height * size_px / short))
    else:
        size = (size_px, size_px)
    if fit == "crop":
        left, top = (width - short) / 2, (height - short) / 2
        right, bottom = left + short, top + short
    if size == (width, height):
        return rgb
    return resized(rgb, size, box=(left, top, right, bottom), reducing_gap=3.0)


def encode(rgb: np.ndarray, format: str = "auto", quality: int | None = None) -> bytes:
    """Encode a picture.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    format, quality :
        As in `Standard`.
    """
    from PIL import Image

    if format == "auto":
        format = "png" if max(rgb.shape[:2]) <= LOSSLESS_SIDE_PX else lossy_format()
    options: dict[str, object] = {}
    if format != "png":
        options["quality"] = quality or QUALITIES[format]
    if format == "avif":
        options |= {"subsampling": "4:4:4", "speed": 8, "max_threads": 1}
    elif format == "jpeg":
        options |= {"subsampling": 0}
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, format.upper(), **options)
    return out.getvalue()


@cache
def lossy_format() -> str:
    """Name the best lossy format that this Pillow writes."""
    from PIL import features

    return "avif" if features.check("avif") else "webp"


def _is_kept(image: bytes) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(image), formats=READ_FORMATS) as opened:
        return opened.format in KEPT_FORMATS
