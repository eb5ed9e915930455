"""Render the pixels of a page for writing: depth, profile, transparency."""

import pyvips

from photochrom.photo.formats import FORMATS
from photochrom.photo.photo import Photo
from photochrom.photo.profiles import srgb_profile, srgb_to_profile

ALPHA_RANGES = {  # of integer samples; those of floats go from 0 to 1
    "uchar": (0, 255),
    "ushort": (0, 65535),
    "uint": (0, 2**32 - 1),
    "char": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
}


def restored_profile(photo: Photo, page: int) -> bytes | None:
    """Return the RGB profile that colours must be converted to, if sRGB will not do."""
    device = photo.device(page)
    wanted = device.bands == 3 and device.conversion is not None and device.restores
    return device.profile if wanted else None


def coloured_page(
    photo: Photo, page: int, colour: pyvips.Image, bits: int, notes: list[str]
) -> tuple[pyvips.Image, bytes | None]:
    """Convert sRGB to the depth and profile of the file; return both, and notes."""
    device, wanted = photo.device(page), restored_profile(photo, page)
    if wanted is not None:
        image = srgb_to_profile(colour, wanted, sixteen_bit=bits > 8)
        return _to_bits(photo, page, image, bits), wanted
    if device.bands == 4:
        notes.append("CMYK became sRGB.")
    elif device.bands == 1 and device.profile is not None:
        notes.append("The gray profile became sRGB.")
    profile = device.profile
    if profile is not None and (device.bands != 3 or not device.restores):
        profile = srgb_profile()
    return _to_bits(photo, page, colour, bits), profile


def unchanged_page(photo: Photo, page: int, bits: int, notes: list[str]) -> pyvips.Image:
    """Return a gray page as it is stored, converted only to a depth that the target can hold."""
    header = photo.headers[page]
    image = photo.stored(page).extract_band(0)
    stored_bits = {"uchar": 8, "ushort": 16, "float": 32}.get(header.band_format)
    if stored_bits == (16 if 8 < bits < 32 else bits):
        return image
    if stored_bits is None:
        notes.append(
            f"Samples of type '{header.band_format}' were converted to {bits} bits, unsigned."
        )
    return _to_bits(photo, page, photo.tone(page).codes, bits)


def _to_bits(photo: Photo, page: int, image: pyvips.Image, bits: int) -> pyvips.Image:
    """Convert uchar or ushort to the depth of the file."""
    gray = image.bands == 1
    if bits == 8:
        narrow = image if image.format == "uchar" else image.linear(255 / 65535, 0.5).cast("uchar")
        return narrow.copy(interpretation="b-w" if gray else "srgb")
    wide = image if image.format == "ushort" else (image * 257).cast("ushort")
    if bits < 32:
        return wide.copy(interpretation="grey16" if gray else "rgb16")
    low, high = photo.device(page).float_range or (0.0, 1.0)
    numbers = wide.linear((high - low) / 65535, low).cast("float")
    return numbers.copy(interpretation="b-w" if gray else "scrgb")


def with_alpha(
    photo: Photo, page: int, image: pyvips.Image, target_format: str, notes: list[str]
) -> pyvips.Image:
    """Add the source's transparency, in the depth of the image."""
    alpha = photo.alpha(page)
    if alpha is None:
        return image
    if not FORMATS[target_format].holds_alpha:
        notes.append(f"{target_format.upper()} holds no transparency: everything is opaque.")
        return image
    if image.format != alpha.format and image.format in ALPHA_RANGES:
        _, top = ALPHA_RANGES[image.format]
        low, high = ALPHA_RANGES.get(alpha.format, (0, 1))
        factor = top / (high - low)
        alpha = alpha.linear(factor, 0.5 - low * factor).cast(image.format)
    return image.bandjoin(alpha.cast(image.format)).copy(interpretation=image.interpretation)


def note_depth(photo: Photo, page: int, target_format: str, bits: int, notes: list[str]) -> None:
    """Add a note if a sample has fewer bits than in the source."""
    header = photo.headers[page]
    stored = header.bit_depth if header.bit_depth in (10, 12) else photo.device(page).bit_depth
    if stored > bits:
        kind = "float" if header.band_format in ("float", "double") else f"{stored} bits"
        notes.append(f"{kind} became {bits} bits a channel in {target_format.upper()}.")
