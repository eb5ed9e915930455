"""How a colour photograph becomes gray.

Sources: IEC 61966-2-1 with CIE 15:2004 (`lightness`: the luminance, encoded again), ITU-R
BT.601-7 (`bt601`) and BT.709-6 (`bt709`), both weighing gamma-encoded values. The two films weigh
linear light. `orthochromatic`: dyed with erythrosine, as plates were from the 1880s to the 1920s,
blind beyond about 590 nm (Langford, "Basic Photography", 7th edition, 2000, chapter 9).
`panchromatic`: "type A" of the first panchromatic films, high in blue and low in red (Baker,
"Photographic Emulsion Technique", 1941). Both books show curves, not numbers: the weights here are
read by eye for the sRGB primaries, rounded, and represent a type of film, not a product.

Every function takes sRGB, float (..., 3), each channel in [0, 1], and gives an sRGB-encoded gray,
float (...) in [0, 1], of the same dtype and library; gray colours keep their value. It raises
ShapeError if the last axis is not 3. NaN gives NaN.
"""

from collections.abc import Callable

from photochrom.color.arrays import array_namespace
from photochrom.color.lab import LUMINANCE, Array, check_last_axis, linear_to_srgb, srgb_to_linear

BT601 = (0.299, 0.587, 0.114)
BT709 = (0.2126, 0.7152, 0.0722)
ORTHOCHROMATIC = (0.02, 0.40, 0.58)
PANCHROMATIC = (0.25, 0.33, 0.42)


def _weigh(rgb: Array, weights: tuple[float, ...]) -> Array:
    """Return the weighted mean of the channels, exactly the common value where they are equal."""
    check_last_axis(rgb, 3, "rgb")
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    return green + weights[0] * (red - green) + weights[2] * (blue - green)


def _weigh_encoded(rgb: Array, weights: tuple[float, ...]) -> Array:
    return array_namespace(rgb).clip(_weigh(rgb, weights), 0.0, 1.0)


def _weigh_light(rgb: Array, weights: tuple[float, ...]) -> Array:
    gray = linear_to_srgb(_weigh(srgb_to_linear(rgb), weights))
    return array_namespace(rgb).clip(gray, 0.0, 1.0)


def lightness(rgb: Array) -> Array:
    """Return the gray of the same luminance, and so the same L*, as each colour."""
    return _weigh_light(rgb, LUMINANCE)


def bt601(rgb: Array) -> Array:
    """Return the luma of BT.601, which most software uses for `convert to gray`."""
    return _weigh_encoded(rgb, BT601)


def bt709(rgb: Array) -> Array:
    """Return the luma of BT.709, of high-definition television."""
    return _weigh_encoded(rgb, BT709)


def orthochromatic(rgb: Array) -> Array:
    """Return what a plate that is blind to red would show: dark lips, white skies."""
    return _weigh_light(rgb, ORTHOCHROMATIC)


def panchromatic(rgb: Array) -> Array:
    """Return what an early panchromatic film would show: all colours, blue too light."""
    return _weigh_light(rgb, PANCHROMATIC)


GRAYS: dict[str, Callable[[Array], Array]] = {
    "lightness": lightness,
    "bt601": bt601,
    "bt709": bt709,
    "orthochromatic": orthochromatic,
    "panchromatic": panchromatic,
}
