import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.color import lab
from photochrom.errors import DtypeError, InvalidValueError, ShapeError, UnreadablePhotoError
from photochrom.photo import decoder_excerpt
from photochrom.photo.orientation import to_upright
from photochrom.photo.photo import Photo


def test_a_jpeg_tells_what_it_is(jpeg_with_everything):
    photo = Photo.open(jpeg_with_everything)
    assert (photo.format, photo.width, photo.height, photo.bands) == ("jpeg", 144, 96, 1)
    assert (photo.orientation, photo.upright_size) == (6, (96, 144))
    assert (photo.bit_depth, photo.pages, photo.jpeg_quality) == (8, 1, 95)
    assert photo.is_gray
    assert not photo.is_colour
    assert not photo.has_alpha
    assert photo.marker is None
    assert photo.notes == ()


@pytest.mark.parametrize("make", [bytes, io.BytesIO, str, Path], ids=lambda made: made.__name__)
def test_paths_bytes_and_files_give_the_same_picture(save, gray, make):
    path = save(gray, "a.png")
    source = make(path if make in (str, Path) else path.read_bytes())
    np.testing.assert_array_equal(Photo.open(source).tone().codes.numpy(), gray)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_small_copy_is_upright(save, gray, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Photo.open(save(gray, "a.png", exif=exif))
    expected = lab.rgb_to_lab(np.repeat(gray[..., None], 3, axis=2) / 255)[..., 0]
    found = photo.small_lightness(*photo.upright_size)
    np.testing.assert_allclose(found, to_upright(expected, orientation), atol=0.01)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "gif"])
@pytest.mark.parametrize("size", [(1, 1), (37, 21), (144, 96), (200, 150)])
def test_the_small_copy_has_exactly_the_size_asked(save, rgb, suffix, size):
    photo = Photo.open(save(rgb, f"a.{suffix}"))
    small = photo.small_lightness(*size)
    assert small.shape == size[::-1]
    assert small.dtype == np.float32
    assert 0 <= small.min() <= small.max() <= 100
    assert photo.small_rgb(*size).shape == (*size[::-1], 3)
    assert photo.small_rgb(*size).dtype == np.uint8


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
def test_a_reduced_photo_has_the_small_copy_of_the_whole_one(save, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (480, 640), dtype=np.uint8)
    photo = Photo.open(save(noise, f"a.{suffix}"))
    small = photo.small_lightness(64, 48)  # from a decoder that shrinks by 4
    np.testing.assert_array_equal(photo.reduced(200).small_lightness(64, 48), small)


def test_a_small_copy_shrunk_on_load_is_the_mean_of_what_it_covers(save):
    big = np.repeat(np.repeat(np.linspace(20, 230, 64).astype(np.uint8)[None], 16, 1), 512, 0)
    photo = Photo.open(save(big, "a.jpg", quality=95))
    level = np.interp(photo.small_lightness(64, 32)[16], *_curve())
    np.testing.assert_allclose(level[2:-2], np.linspace(20, 230, 64).astype(int)[2:-2], atol=3)


def _curve():
    levels = np.arange(256)
    return lab.luminance_to_lightness(lab.srgb_to_linear(levels / 255)), levels


@pytest.mark.parametrize(
    ("mode", "gray_file", "colour"),
    [("1", True, False), ("L", True, False), ("RGB", False, True), ("P", False, True)],
)
def test_gray_and_colour_are_told_apart(save, rgb, gray, mode, gray_file, colour):
    photo = Photo.open(save(Image.fromarray(rgb).convert(mode), "a.png"))
    assert (photo.is_gray, photo.is_colour) == (gray_file, colour)
    same = Photo.open(save(np.repeat(gray[..., None], 3, axis=2), "gray-in-rgb.png"))
    assert (same.is_gray, same.is_colour) == (False, False)


def test_one_bit_tiff_is_black_and_white(save, gray):
    photo = Photo.open(save(Image.fromarray(gray).convert("1"), "a.tif"))
    assert photo.bit_depth == 1
    assert set(np.unique(photo.tone().codes.numpy())) == {0, 255}


def test_cmyk_is_read_and_the_assumption_said(save, rgb):
    photo = Photo.open(save(Image.fromarray(rgb).convert("CMYK"), "a.jpg", quality=98))
    assert "CMYK" in photo.notes[0]
    ours = photo.small_lightness(36, 24)
    assert (
        np.corrcoef(ours.ravel(), Photo.from_array(rgb).small_lightness(36, 24).ravel())[0, 1]
        > 0.97
    )


def test_sixteen_bit_gray_with_alpha_keeps_both(tmp_path):
    pixels = np.zeros((8, 9, 2), np.uint16)
    pixels[..., 0] = np.arange(72).reshape(8, 9) * 900
    pixels[..., 1] = 65535 - pixels[..., 0]
    import pyvips

    path = tmp_path / "a.png"
    pyvips.Image.new_from_array(pixels).copy(interpretation="grey16").pngsave(str(path))
    photo = Photo.open(path)
    assert (photo.is_gray, photo.has_alpha, photo.bit_depth, photo.bands) == (True, True, 16, 2)
    np.testing.assert_array_equal(photo.tone().codes.numpy(), pixels[..., 0])
    np.testing.assert_array_equal(photo.alpha().numpy(), pixels[..., 1])


def test_transparent_places_keep_their_colour(save, gray):
    hidden = np.stack((gray, gray, gray, np.zeros_like(gray)), axis=-1)
    photo = Photo.open(save(hidden, "a.png"))
    plain = Photo.from_array(gray)
    np.testing.assert_allclose(
        photo.small_lightness(20, 15), plain.small_lightness(20, 15), atol=0.02
    )


def test_a_float_tiff_has_the_range_that_is_declared(save):
    values = np.linspace(0, 1000, 600, dtype=np.float32).reshape(20, 30)
    photo = Photo.open(save(values, "a.tif"), float_range=(0, 1000))
    assert photo.bit_depth == 32
    assert photo.notes == ()
    np.testing.assert_allclose(photo.tone().codes.numpy(), values * 65.535, atol=0.51)


def test_floats_outside_the_range_and_nan_are_counted(save):
    values = np.full((20, 30), 0.5, np.float32)
    values[0, :3], values[1, :7] = np.nan, 2.0
    photo = Photo.open(save(values, "a.tif"))
    assert photo.notes[0] == "3 of 600 values are NaN: they become black."
    assert photo.notes[1].startswith("7 of 600 values lie outside [0, 1]: clipped.")
    codes = photo.tone().codes.numpy()
    assert (codes[0, 0], codes[1, 0], codes[5, 5]) == (0, 65535, 32768)


@pytest.mark.parametrize("limits", [(1, 0), (0, float("nan")), (0, float("inf"))])
def test_an_empty_float_range_is_refused(save, limits):
    path = save(np.zeros((4, 4), np.float32), "a.tif")
    with pytest.raises(InvalidValueError, match="two finite numbers, low < high"):
        Photo.open(path, float_range=limits)


def test_every_page_of_a_tiff_is_there(save, gray):
    pages = [Image.fromarray(gray), Image.fromarray(255 - gray[:50, :60])]
    photo = Photo.open(save(pages[0], "a.tif", save_all=True, append_images=pages[1:]))
    assert photo.pages == 2
    np.testing.assert_array_equal(photo.tone(1).codes.numpy(), 255 - gray[:50, :60])
    assert photo.headers[1].upright_size == (60, 50)
    with pytest.raises(InvalidValueError, match="page must be 0 to 1; got 2"):
        photo.tone(2)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_used_and_said(save, rgb, suffix):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb), Image.fromarray(rgb)]
    photo = Photo.open(save(frames[0], f"a.{suffix}", save_all=True, append_images=frames[1:]))
    assert photo.pages == 1
    assert photo.notes == ("The file is animated (3 frames): only the first frame is used.",)
    assert photo.height == 96
    expected = Photo.from_array(rgb).small_lightness(12, 8)
    assert np.abs(photo.small_lightness(12, 8) - expected).mean() < 3


@pytest.mark.parametrize(
    ("name", "options", "buffers"),
    [
        ("a.jpg", {}, False),
        ("b.jpg", {"progressive": True}, True),
        ("a.png", {}, False),
        ("a.webp", {}, True),
        ("a.avif", {}, True),
        ("a.tif", {}, False),
    ],
)
def test_a_decoder_that_buffers_says_so(save, rgb, name, options, buffers):
    assert Photo.open(save(rgb, name, **options)).headers[0].streams != buffers


def test_a_profile_for_another_kind_of_picture_is_ignored_and_said(save, gray, adobe_rgb_profile):
    photo = Photo.open(save(gray, "a.tif", icc_profile=adobe_rgb_profile))
    assert photo.profile is None
    assert "for RGB or damaged, and the picture has 1 band: it is ignored" in photo.notes[0]


def test_tall_strips_and_single_pixels_are_pictures(save):
    for shape in ((20000, 1), (1, 1), (1, 20000)):
        photo = Photo.open(save(np.full(shape, 119, np.uint8), "a.png"))
        assert photo.small_lightness(1, 2) == pytest.approx(50.03, abs=0.05)


@pytest.mark.parametrize(
    ("array", "bands", "depth", "alpha"),
    [
        (np.zeros((3, 4), np.uint8), 1, 8, False),
        (np.zeros((3, 4, 1), np.uint16), 1, 16, False),
        (np.zeros((3, 4, 2), np.uint8), 2, 8, True),
        (np.zeros((3, 4, 3), np.float32), 3, 32, False),
        (np.zeros((3, 4, 4), np.float64), 4, 32, True),
        (np.zeros((3, 4), np.float16), 1, 32, False),
        (np.zeros((3, 4), bool), 1, 1, False),
    ],
)
def test_arrays_of_every_kind_are_taken(array, bands, depth, alpha):
    photo = Photo.from_array(array)
    assert (photo.bands, photo.bit_depth, photo.has_alpha) == (bands, depth, alpha)
    assert photo.small_lightness(2, 2).shape == (2, 2)


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros((3, 4, 5), np.uint8), ShapeError, r"got \(3, 4, 5\)"),
        (np.zeros(3, np.uint8), ShapeError, r"got \(3,\)"),
        (np.zeros((0, 4), np.uint8), ShapeError, "at least one pixel"),
        (np.zeros((3, 4), np.int64), DtypeError, "got int64"),
        (np.zeros((3, 4), complex), DtypeError, "got complex128"),
        (np.full((3, 4), np.nan), InvalidValueError, "12 of 12 values are NaN"),
        (np.full((3, 4), 255.0), InvalidValueError, r"got \[255, 255\]"),
        ([[1, 2]], DtypeError, "got a list"),
    ],
)
def test_wrong_arrays_are_refused_with_what_they_are(array, error, message):
    with pytest.raises(error, match=message):
        Photo.from_array(array)


def test_a_size_of_nothing_is_refused(gray):
    with pytest.raises(InvalidValueError, match="got 0 x 5"):
        Photo.from_array(gray).small_lightness(0, 5)


def test_a_file_that_has_changed_is_read_anew(tmp_path):
    path = tmp_path / "same.png"
    for level in (30, 200):
        Image.fromarray(np.full((40, 50), level, np.uint8)).save(path)
        tone = Photo.open(path).tone()
        assert tone.codes.avg() == level


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "gif"])
def test_a_large_file_is_read_in_pieces_with_the_same_pixels(save, rgb, suffix, monkeypatch):
    path = save(rgb, f"a.{suffix}")
    at_once = Photo.open(path).tone().codes.numpy()
    monkeypatch.setattr(decoder_excerpt, "IN_MEMORY", 0)
    photo = Photo.open(path)
    np.testing.assert_array_equal(photo.tone().codes.numpy(), at_once)
    path.write_bytes(path.read_bytes()[:200])  # cut short while it is open
    with pytest.raises(UnreadablePhotoError, match="truncated or corrupt"):
        photo.lightness_codes()
