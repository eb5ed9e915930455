"""A part of a photograph is what the whole has there."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image
from skimage import data

from photochrom.errors import InvalidValueError
from photochrom.photo.crop import coloured_crop, original_crop
from photochrom.photo.field import ColourField
from photochrom.photo.join import join
from photochrom.photo.orientation import to_upright
from photochrom.photo.photo import Photo
from photochrom.photo.rasterize import Overlay

WIDTH, HEIGHT = 400, 300
WINDOW = 130, 60, 150, 110


def photo_of(orientation: int, pixels: np.ndarray) -> Photo:
    """A TIFF whose stored rows are these."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "TIFF", exif=exif)
    return Photo.open(content.getvalue())


def field() -> ColourField:
    """A field of 20 x 15 cells that differs from left to right and from top to bottom."""
    random = np.random.default_rng(3)
    ab = random.uniform(-20, 20, (15, 20, 2)).astype(np.float32)
    touch = Overlay(np.array([[200.0, 110.0]]), 14.0, np.array([0.0, -40.0], np.float32))
    slope = np.full_like(ab, 0.1)
    return ColourField(slope, ab, ab - 10, ab + 10, (touch,))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_coloured_part_is_what_the_joined_whole_has_there(orientation):
    swaps = orientation >= 5
    stored = data.camera()[:WIDTH, :HEIGHT] if swaps else data.camera()[:HEIGHT, :WIDTH]
    photo = photo_of(orientation, np.ascontiguousarray(stored))
    assert photo.upright_size == (WIDTH, HEIGHT)
    whole = join(photo.tone(), field().stored(orientation, WIDTH, HEIGHT))
    upright = to_upright(whole.numpy(), orientation).astype(float)
    left, top, width, height = WINDOW
    there = upright[top : top + height, left : left + width]
    part = coloured_crop(photo, field(), WINDOW, 10_000).astype(float)
    assert part.shape == there.shape
    assert np.abs(part - there).mean() < 1.5  # the whole is coloured in steps of a few pixels
    assert np.percentile(np.abs(part - there), 99) < 10
    near = part[40:60, 60:80]  # the touch
    assert np.abs(near - there[40:60, 60:80]).mean() < 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_part_as_it_came_is_the_pixels_of_the_file(orientation):
    stored = np.ascontiguousarray(data.astronaut()[:WIDTH, :HEIGHT])
    photo = photo_of(orientation, stored)
    upright = to_upright(stored, orientation)
    part = original_crop(photo, (30, 20, 90, 70), 10_000)
    np.testing.assert_array_equal(part, upright[20:90, 30:120])


def test_a_part_of_sixteen_bits_is_shown_in_eight():
    deep = (data.camera()[:64, :64].astype(np.uint16)) * 257
    part = original_crop(photo_of(1, deep), (0, 0, 64, 64), 10_000)
    assert np.abs(part[..., 0].astype(int) - data.camera()[:64, :64]).max() <= 1


@pytest.mark.parametrize("window", [(-1, 0, 9, 9), (0, 0, 0, 9), (395, 0, 9, 9), (0, 292, 9, 9)])
def test_a_part_outside_is_refused(window):
    photo = photo_of(1, data.camera()[:HEIGHT, :WIDTH])
    with pytest.raises(InvalidValueError, match="inside the picture of 400 x 300"):
        original_crop(photo, window, 100)
