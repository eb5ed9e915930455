"""Resizing with libvips: every pixel's centre stays on its place."""

import numpy as np
import pytest
import pyvips

from photochrom.photo.headers import array_of, resize_image

KINDS = [np.uint8, np.uint16]


def resized(array, width, height):
    return array_of(resize_image(pyvips.Image.new_from_array(array), width, height))


def picture(kind, height=45, width=60):
    y, x = np.mgrid[:height, :width] / width
    waves = 0.5 + 0.3 * np.sin(9 * x + 1) * np.cos(7 * y)
    return (waves * np.iinfo(kind).max).astype(kind)[..., None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "height"), [(97, 130), (97, 45), (60, 130), (97, 30)])
def test_an_enlarged_picture_is_the_same_mirrored(kind, width, height):
    whole = resized(picture(kind), width, height).astype(int)
    turned = resized(picture(kind)[::-1, ::-1], width, height)[::-1, ::-1]
    # A shift of half a pixel changed one value in two by more than 1 % of the range.
    assert np.abs(whole - turned).max() <= 0.01 * np.iinfo(kind).max


@pytest.mark.parametrize("kind", KINDS)
def test_an_enlarged_ramp_has_its_values_at_pixel_centres(kind):
    steps = np.arange(20) * (10 if kind is np.uint8 else 2560)
    ramp = np.tile(steps.astype(kind), (5, 1))[..., None]
    large = resized(ramp, 80, 5)[2, 8:-8, 0]
    wanted = np.interp((np.arange(80) + 0.5) / 4 - 0.5, np.arange(20), steps)[8:-8]
    np.testing.assert_allclose(large, wanted, atol=steps[1] / 8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "height"), [(60, 45), (41, 45), (31, 17), (7, 5), (1, 1)])
def test_a_smaller_picture_is_libvips_own_to_the_bit(kind, width, height):
    image = pyvips.Image.new_from_array(picture(kind))
    own = image.resize(width / image.width, vscale=height / image.height)
    np.testing.assert_array_equal(array_of(resize_image(image, width, height)), array_of(own))


def test_one_pixel_fills_any_size():
    assert (resized(np.full((1, 1, 1), 77, np.uint8), 9, 4) == 77).all()
