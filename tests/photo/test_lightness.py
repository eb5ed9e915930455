import numpy as np
import pytest
import pyvips

from photochrom.color import lab
from photochrom.photo.lightness import lightness_table, srgb_table
from photochrom.photo.photo import Photo
from photochrom.photo.profiles import fits, is_srgb, srgb_profile


def test_a_gray_picture_keeps_its_own_codes(gray):
    tone = Photo.from_array(gray).tone()
    np.testing.assert_array_equal(tone.codes.numpy(), gray)
    np.testing.assert_array_equal(tone.luminance, lab.srgb_to_linear(np.arange(256) / 255))


def test_sixteen_bit_gray_keeps_its_own_codes():
    ramp = np.arange(0, 65536, 7, dtype=np.uint16).reshape(1, -1)
    tone = Photo.from_array(ramp).tone()
    np.testing.assert_array_equal(tone.codes.numpy(), ramp)
    assert tone.luminance.shape == (65536,)


@pytest.mark.parametrize(("dtype", "step"), [(np.uint8, 1), (np.uint16, 3)])
def test_equal_channels_are_exact_to_a_twentieth_of_a_level(dtype, step, lightness):
    top = np.iinfo(dtype).max
    ramp = np.arange(0, top + 1, step).astype(dtype).reshape(1, -1, 1)
    found = lightness(Photo.from_array(np.repeat(ramp, 3, axis=2)))
    expected = lab.luminance_to_lightness(lab.srgb_to_linear(ramp[..., 0] / top))
    assert np.abs(found - expected).max() * 2.55 < 0.05


def test_the_lightness_of_colours_is_that_of_the_color_room(rgb, lightness):
    expected = lab.rgb_to_lab(rgb / 255)[..., 0]
    assert np.abs(lightness(Photo.from_array(rgb)) - expected).max() * 2.55 < 0.05


def test_a_gray_gamma_profile_makes_the_table(save, gray, gray_gamma_profile):
    photo = Photo.open(save(gray, "gamma.png", icc_profile=gray_gamma_profile))
    tone = photo.tone()
    assert photo.profile == gray_gamma_profile
    expected = (np.arange(256) / 255) ** (round(2.2 * 256) / 256)
    np.testing.assert_allclose(tone.luminance, expected, atol=1e-12)
    np.testing.assert_array_equal(tone.codes.numpy(), gray)


def test_adobe_rgb_is_read_through_its_profile(save, rgb, adobe_rgb_profile, lightness):
    photo = Photo.open(save(rgb, "adobe.png", icc_profile=adobe_rgb_profile))
    linear = (rgb / 255) ** (563 / 256)
    luminance = linear @ (0.2973450, 0.6273635, 0.0752914)  # Adobe RGB (1998), 4.3.5.3: D65
    expected = lab.luminance_to_lightness(luminance)
    error = lightness(photo) - expected
    assert np.abs(error).max() * 2.55 < 0.1
    assert np.abs(expected - lab.rgb_to_lab(rgb / 255)[..., 0]).max() > 1  # the profile matters


def test_the_codes_are_told_apart_by_name_and_size_only(rgb, gray):
    assert Photo.from_array(gray).tone().codes.bands == 1
    tone = Photo.from_array(rgb).tone()
    assert (tone.codes.bands, tone.codes.format) == (1, "ushort")
    assert (tone.codes.width, tone.codes.height) == (144, 96)


@pytest.mark.parametrize("table", [srgb_table(256), srgb_table(65536), lightness_table()])
def test_every_table_rises_from_black_to_white(table):
    assert table.dtype == np.float64
    assert (np.diff(table) > 0).all()
    assert (table[0], table[-1]) == (0.0, pytest.approx(1.0, abs=1e-12))


def test_srgb_profiles_are_known_and_others_are_not(adobe_rgb_profile):
    assert is_srgb(srgb_profile())
    assert not is_srgb(adobe_rgb_profile)
    assert not is_srgb(bytes(pyvips.Image.profile_load("p3")))


def test_a_profile_fits_only_pictures_of_its_own_bands(adobe_rgb_profile, gray_gamma_profile):
    assert fits(adobe_rgb_profile, 3)
    assert fits(gray_gamma_profile, 1)
    assert not fits(adobe_rgb_profile, 1)
    assert not fits(gray_gamma_profile, 3)
    assert not fits(adobe_rgb_profile[:100], 3)
