"""The meaning of a page's stored values, and their conversion to 8 or 16 bits.

After `Device.without_alpha` a picture is uchar or ushort and gray (1 band), RGB (3) or CMYK (4).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from photochrom.errors import InvalidValueError, UnsupportedFormatError
from photochrom.photo.array_source import ArraySource
from photochrom.photo.cicp import from_gamma
from photochrom.photo.open_file import Header, unreadable
from photochrom.photo.profiles import describe_space, fits, has_way_back, is_srgb
from photochrom.photo.reading import Reading
from photochrom.photo.source import FileSource

INTEGERS: dict[str, Any] = {"char": np.int8, "short": np.int16, "int": np.int32, "uint": np.uint32}
PLAIN = ("b-w", "grey16", "srgb", "rgb16", "rgb", "scrgb", "multiband", "cmyk")


@dataclass(frozen=True)
class Device:
    """The meaning of a page's numbers.

    Attributes
    ----------
    bands : int
        1 gray, 3 RGB, 4 CMYK; without alpha.
    stored_bands : int
        The same, before other colour spaces (Lab) have become RGB.
    bit_depth : int
        1, 8, 16 or 32.
    profile : bytes or None
        The embedded profile, if it is usable.
    conversion : bytes, str or None
        What to convert colours through: a profile, the name of one of libvips' own, or None for
        plain sRGB.
    float_range : (low, high) or None
        Black and white of numbers that are neither uchar nor ushort.
    converts : bool
        Whether the colour space is one that libvips turns into RGB first, such as Lab.
    notes : tuple of str
    restores : bool
        Whether colours are brought back to `profile`; else they stay sRGB.
    """

    bands: int
    stored_bands: int
    bit_depth: int
    profile: bytes | None
    conversion: bytes | str | None
    float_range: tuple[float, float] | None
    converts: bool
    notes: tuple[str, ...]
    restores: bool = True

    def without_alpha(self, image: pyvips.Image) -> pyvips.Image:
        """Return the tone or colours of a decoded page as uchar or ushort, without its alpha."""
        colour = image.extract_band(0, n=self.stored_bands)
        if self.converts:
            return colour.colourspace("rgb16")
        if self.float_range is not None:
            colour = _quantise(colour, *self.float_range)
        wide = colour.format == "ushort"
        gray, rgb = ("grey16", "rgb16") if wide else ("b-w", "srgb")
        return colour.copy(interpretation={1: gray, 3: rgb, 4: "cmyk"}[self.bands])


def _quantise(image: pyvips.Image, low: float, high: float) -> pyvips.Image:
    """Bring [low, high] to ushort; NaN becomes black."""
    numbers = (image == image).ifthenelse(image, low)  # NaN alone differs from itself
    return numbers.linear(65535 / (high - low), 0.5 - low * 65535 / (high - low)).cast("ushort")


def describe_device(
    source: FileSource | ArraySource,
    page: int,
    header: Header,
    profile: bytes | None,
    float_range: tuple[float, float] | None,
) -> Device:
    """Return the meaning of the numbers of a page.

    Raises
    ------
    UnsupportedFormatError
        If the page has a number of bands that no picture has.
    InvalidValueError
        If `float_range` is empty or not finite.
    """
    stored_bands = header.bands - header.has_alpha
    converts = header.interpretation not in PLAIN
    bands = 3 if converts else stored_bands
    if bands not in (1, 3, 4) or (bands == 4 and header.interpretation != "cmyk"):
        raise UnsupportedFormatError(
            f"{source.name}: must be gray, RGB or CMYK; page {page + 1} has {stored_bands} bands "
            f"({header.interpretation})."
        )
    notes: list[str] = []
    limits = None
    if not converts and header.band_format not in ("uchar", "ushort"):
        limits = _check_range(float_range, header.band_format)
        notes += _range_notes(source, page, stored_bands, limits, float_range is not None)
    given = None if converts else profile
    usable, restores, said = _choose_profile(source, page, header, bands, given)
    notes += said
    conversion: bytes | str | None = usable
    if bands == 4 and usable is None:
        notes.append("CMYK without a usable profile: libvips' own CMYK profile is assumed.")
        conversion = "cmyk"
    elif bands == 3 and usable is not None:
        if is_srgb(usable):
            conversion = None
        elif restores and not has_way_back(usable):
            restores = False
            notes.append(
                "The embedded profile has no inverse table, or a wrong one: the result is sRGB."
            )
    depth = _bit_depth(header, source)
    return Device(
        bands, stored_bands, depth, usable, conversion, limits, converts, tuple(notes), restores
    )


def _choose_profile(
    source: ArraySource | FileSource,
    page: int,
    header: Header,
    bands: int,
    embedded: bytes | None,
) -> tuple[bytes | None, bool, list[str]]:
    """Return the profile to read a page with, whether to write it again, and notes."""
    declared = None
    if isinstance(source, FileSource) and bands in (1, 3) and header.interpretation in PLAIN:
        declared = source.declared(page, header.fields, gray=bands == 1)
    notes: list[str] = []
    if embedded is not None and not (declared and declared.beats_icc):
        if fits(embedded, bands):
            return embedded, True, notes + _not_used(source.reading)
        notes.append(
            f"The embedded profile is for {describe_space(embedded)} or damaged, and the picture "
            f"has {bands} band{'s' * (bands > 1)}: it is ignored."
        )
    if declared is not None and declared.unused:
        notes.append(declared.unused)
        declared = None
    if declared is not None:
        if declared.profile is None or not fits(declared.profile, bands):
            return None, True, notes + _not_used(source.reading)
        if declared.is_hdr:
            notes.append(
                f"HDR ({declared.source}): light above reference white (203 cd/m2) is clipped, and "
                "the result is sRGB."
            )
        else:
            notes.append(f"The colours are read as described by {declared.source}.")
        return declared.profile, not declared.is_hdr, notes + _not_used(source.reading)
    return _given_profile(source.reading, bands, notes)


def _given_profile(
    reading: Reading, bands: int, notes: list[str]
) -> tuple[bytes | None, bool, list[str]]:
    """Apply the given reading to a picture that does not define its colours."""
    profile, what = reading.profile, "the given profile"
    if profile is not None and not fits(profile, bands):
        notes.append(
            f"The given profile is for {describe_space(profile)}, and the picture has {bands} "
            f"band{'s' * (bands > 1)}: it is not used."
        )
        return None, True, notes
    if reading.gamma is not None and bands in (1, 3):
        named = from_gamma(reading.gamma, None, gray=bands == 1, source="")
        profile, what = named.profile, f"gamma {reading.gamma:g}"
    if profile is not None:
        notes.append(f"Read through {what}; the result is sRGB.")
    return profile, False, notes


def _not_used(reading: Reading) -> list[str]:
    if (reading.profile is None and reading.gamma is None) or reading.negative:
        return []
    return ["The picture defines its own colours: the given profile is not used."]


def _bit_depth(header: Header, source: FileSource | ArraySource) -> int:
    if header.bands == 1 and header.bit_depth == 1:
        return 1
    if isinstance(source, ArraySource) and source.array.dtype == bool:
        return 1
    return {"uchar": 8, "char": 8, "ushort": 16, "short": 16}.get(header.band_format, 32)


def _check_range(asked: tuple[float, float] | None, band_format: str) -> tuple[float, float]:
    if asked is None and band_format in INTEGERS:
        limits = np.iinfo(INTEGERS[band_format])
        return float(limits.min), float(limits.max)
    return check_float_range(asked or (0.0, 1.0))


def check_float_range(asked: tuple[float, float]) -> tuple[float, float]:
    """Return the values of black and white; raise InvalidValueError unless low < high."""
    low, high = asked
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidValueError(
            f"float_range needs two finite numbers, low < high; got ({low}, {high})."
        )
    return float(low), float(high)


def _range_notes(
    source: FileSource | ArraySource,
    page: int,
    bands: int,
    limits: tuple[float, float],
    declared: bool,
) -> list[str]:
    """Count NaN and out-of-range values in one pass, since they would be lost silently."""
    low, high = limits
    numbers = source.open(page).extract_band(0, n=bands)
    total = numbers.width * numbers.height * bands
    missing = (numbers != numbers).bandmean()
    outside = ((numbers < low) | (numbers > high)).bandmean()
    try:
        shares = missing.bandjoin(outside).stats().numpy()[1:, 4] / 255  # column 4: the mean
    except pyvips.Error as error:
        path = source.path if isinstance(source, FileSource) else None
        raise unreadable(source.name, error, source.kind, path) from error
    counts = [round(float(share) * total) for share in shares]
    notes = []
    if counts[0]:
        notes.append(f"{counts[0]} of {total} values are NaN: they become black.")
    if counts[1]:
        hint = "" if declared else " Set float_range=(low, high) if that is not intended."
        notes.append(
            f"{counts[1]} of {total} values lie outside [{low:g}, {high:g}]: clipped.{hint}"
        )
    return notes
