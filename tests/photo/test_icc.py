import struct

import numpy as np
import pytest
import pyvips

from photochrom.color import lab
from photochrom.photo import lightness, profiles
from photochrom.photo.icc import MOST_KEPT, SAMPLES, curve_profile
from photochrom.photo.lightness import import_xyz
from photochrom.photo.photo import Photo
from photochrom.photo.profiles import srgb_profile
from photochrom.photo.write import write_photo

P3 = bytes(pyvips.Image.profile_load("p3"))


def with_tag(profile, name, content):
    """Replace a tag's content by appending it and pointing there."""
    whole = bytearray(profile)
    at = whole.index(name, 128)
    whole[at + 4 : at + 12] = struct.pack(">II", len(whole), len(content))
    whole += content
    whole[:4] = struct.pack(">I", len(whole))
    return bytes(whole)


def para(kind, *numbers):
    fixed = b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + fixed


def curv(*numbers):
    return b"curv" + bytes(4) + struct.pack(f">I{len(numbers)}H", len(numbers), *numbers)


def test_the_srgb_profile_is_srgb():
    exact = curve_profile(srgb_profile())
    np.testing.assert_allclose(
        exact.linear(256)[:, 1], lab.srgb_to_linear(np.arange(256) / 255), atol=2e-4
    )
    np.testing.assert_allclose(exact.luminance_weights(), lab.LUMINANCE, atol=2e-4)
    np.testing.assert_allclose(exact.from_srgb(), np.eye(3), atol=1e-3)


def test_adobe_rgb_has_the_weights_of_its_specification(adobe_rgb_profile):
    weights = curve_profile(adobe_rgb_profile).luminance_weights()
    np.testing.assert_allclose(weights, (0.2973450, 0.6273635, 0.0752914), atol=1e-4)


@pytest.mark.parametrize("profile", [P3, srgb_profile()])
def test_bright_colours_are_as_little_cms_sees_them(rgb, profile):
    image = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb")
    theirs = import_xyz(image, profile).numpy()[..., 1] / 100
    exact = curve_profile(profile)
    table = exact.linear(256) * exact.luminance_weights()
    ours = sum(table[rgb[..., i], i] for i in range(3))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (curv(), SAMPLES),
        (curv(round(1.8 * 256)), SAMPLES ** (461 / 256)),
        (curv(0, 16384, 65535), np.interp(SAMPLES, [0, 0.5, 1], [0, 16384 / 65535, 1])),
        (para(0, 2.0), SAMPLES**2),
        (para(1, 2.0, 1.25, -0.25), np.clip(1.25 * SAMPLES - 0.25, 0, None) ** 2),
        (para(2, 2.0, 1.0, -0.5, 0.125), np.clip(SAMPLES - 0.5, 0, None) ** 2 + 0.125),
        (
            para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
            lab.srgb_to_linear(SAMPLES),
        ),
        (
            para(4, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25, 0.0),
            np.where(SAMPLES < 0.5, SAMPLES / 4, SAMPLES / 2 + 0.25),
        ),
    ],
)
def test_every_kind_of_curve_is_that_of_the_standard(gray_gamma_profile, tag, expected):
    exact = curve_profile(with_tag(gray_gamma_profile, b"kTRC", tag))
    assert exact.to_xyz is None
    np.testing.assert_allclose(exact.curves[:, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    "tag", [b"", b"curv", curv(65535, 0), curv(0, 0), para(9, 1.0), b"what" + bytes(8)]
)
def test_curves_that_cannot_be_used_are_left_to_little_cms(gray_gamma_profile, tag):
    assert curve_profile(with_tag(gray_gamma_profile, b"kTRC", tag)) is None


def test_profiles_of_tables_are_left_to_little_cms(adobe_rgb_profile):
    with_table = with_tag(adobe_rgb_profile, b"cprt", b"").replace(b"cprt", b"A2B0")
    assert curve_profile(with_table) is None
    assert curve_profile(bytes(pyvips.Image.profile_load("cmyk"))) is None
    assert curve_profile(b"") is None


@pytest.mark.parametrize("name", ["p3", "adobe"])
@pytest.mark.parametrize(("bits", "bound"), [(16, 0.05), (8, 0.3)])
def test_a_restored_profile_keeps_the_lightness(
    tmp_path, rgb, adobe_rgb_profile, neutral, lightness, name, bits, bound
):
    pixels = rgb if bits == 8 else rgb.astype(np.uint16) * 257
    image = pyvips.Image.new_from_array(pixels)
    image = image.copy(interpretation="srgb" if bits == 8 else "rgb16")
    profile = P3 if name == "p3" else adobe_rgb_profile
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    image.tiffsave(str(tmp_path / "a.tif"))
    photo = Photo.open(tmp_path / "a.tif")
    data = write_photo(photo, [neutral(photo, sixteen_bit=True)], None, marker=None).data
    back = Photo.open(data)
    assert (back.profile, back.bit_depth) == (profile, bits)
    assert np.ptp(back.stored().numpy().astype(int), axis=-1).max() == 0  # gray stays gray
    assert np.abs(lightness(photo) - lightness(back)).mean() * 2.55 <= bound


@pytest.mark.slow
def test_strangers_profiles_do_not_fill_the_memory(save, rgb, adobe_rgb_profile):
    for date in range(2 * MOST_KEPT):
        profile = adobe_rgb_profile[:24] + bytes([date]) + adobe_rgb_profile[25:]
        photo = Photo.open(save(rgb[:8, :8], "a.png", icc_profile=profile))
        photo.small_lightness(4, 4)
    kept = [f.cache_info() for f in (curve_profile, lightness._weighted_light, profiles.is_srgb)]
    assert all(info.misses >= 2 * MOST_KEPT for info in kept)
    assert all(info.currsize <= MOST_KEPT for info in kept)
