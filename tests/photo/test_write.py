import os
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from photochrom.errors import (
    InvalidValueError,
    ShapeError,
    UnsupportedFormatError,
    UnwritablePhotoError,
)
from photochrom.photo.metadata.conversion import Marker
from photochrom.photo.photo import Photo
from photochrom.photo.tiff import read_number
from photochrom.photo.write import needs_sixteen_bit, photo_to_array, write_photo

MARKER = Marker(method="gray", version="0.1.0", weights="ab" * 32, recipe="cd" * 8)


def write_neutral(photo, neutral, target=None, **options):
    wide = needs_sixteen_bit(photo, options.get("format"))
    pages = [neutral(photo, page, wide) for page in range(photo.pages)]
    return write_photo(photo, pages, target, marker=MARKER, **options)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_a_coloured_file_is_of_the_same_kind_and_bears_the_marker(save, gray, neutral, suffix):
    photo = Photo.open(save(gray, f"a.{suffix}"))
    target = photo.path.with_name(f"b.{suffix}")
    written = write_neutral(photo, neutral, target)
    assert (written.path, written.data, written.notes) == (target, None, ())
    back = Photo.open(target)
    assert (back.format, back.width, back.height, back.bands) == (photo.format, 144, 96, 3)
    assert back.marker == MARKER


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_gray_page_may_stay_pixel_for_pixel(save, gray, gray_gamma_profile, suffix):
    photo = Photo.open(save(gray, f"a.{suffix}", icc_profile=gray_gamma_profile))
    before = photo.tone().codes.numpy()
    data = write_photo(photo, [None], None, marker=MARKER, quality=100).data
    back = Photo.open(data)
    assert back.is_gray
    assert back.profile == gray_gamma_profile
    assert np.abs(back.tone().codes.numpy().astype(int) - before).max() <= (suffix == "jpg")


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        *(("tif", {"compression": c}) for c in (None, "group4", "tiff_lzw", "tiff_adobe_deflate")),
    ],
)
def test_a_bilevel_page_that_stays_keeps_its_single_bit(save, gray, suffix, options):
    photo = Photo.open(save(Image.fromarray(gray).convert("1"), f"a.{suffix}", **options))
    back = Photo.open(write_photo(photo, [None], None, marker=None).data)
    assert back.bit_depth == 1
    np.testing.assert_array_equal(back.tone().codes.numpy(), photo.tone().codes.numpy())


def test_only_gray_pages_may_stay(rgb):
    with pytest.raises(InvalidValueError, match="only a gray page can stay unchanged"):
        write_photo(Photo.from_array(rgb), [None], None, marker=None, format="png")


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("bits", "bound"), [(8, 0.3), (16, 0.05)])
def test_lossless_files_keep_the_lightness(tmp_path, gray, neutral, lightness, suffix, bits, bound):
    pixels = gray if bits == 8 else (gray.astype(np.uint16) * 257 + np.arange(144, dtype=np.uint16))
    path = tmp_path / f"a.{suffix}"
    pyvips.Image.new_from_array(pixels).copy(
        interpretation="b-w" if bits == 8 else "grey16"
    ).write_to_file(str(path))
    photo = Photo.open(path)
    back = Photo.open(write_neutral(photo, neutral).data)
    assert (back.bit_depth, back.bands) == (bits, 3)
    assert np.abs(lightness(photo) - lightness(back)).mean() * 2.55 <= bound


def test_a_float_tiff_stays_float_in_its_own_range(save, gray, neutral, lightness):
    photo = Photo.open(save(gray.astype(np.float32) * 4, "a.tif"), float_range=(0, 1020))
    data = write_neutral(photo, neutral).data
    back = Photo.open(data, float_range=(0, 1020))
    assert (back.bit_depth, back.bands, back.notes) == (32, 3, ())
    assert np.abs(lightness(photo) - lightness(back)).mean() * 2.55 <= 0.05


@pytest.mark.parametrize(("dtype", "top"), [("uint32", 2**32 - 1), ("int16", 2**15 - 1)])
def test_alpha_of_other_integers_keeps_its_share(tmp_path, neutral, dtype, top):
    low = np.iinfo(dtype).min
    picture = np.full((20, 30, 4), low + (top - low) // 2, dtype)
    picture[..., 3] = top
    picture[:, :10, 3] = low
    image = pyvips.Image.new_from_array(picture).copy(interpretation="srgb")
    image.tiffsave(str(tmp_path / "a.tif"))
    back = Photo.open(write_neutral(Photo.open(tmp_path / "a.tif"), neutral, format="tiff").data)
    alpha = back.alpha().numpy()
    assert (alpha[:, :10] == 0).all() and (alpha[:, 10:] == 65535).all()


def test_alpha_comes_back_untouched(save, gray, neutral):
    alpha = np.tile(np.arange(144, dtype=np.uint8), (96, 1))
    photo = Photo.open(save(np.stack((gray, alpha), axis=-1), "a.png"))
    for kind in ("png", "tiff"):
        back = Photo.open(write_neutral(photo, neutral, format=kind).data)
        np.testing.assert_array_equal(back.alpha().numpy(), alpha)
    jpeg = write_neutral(photo, neutral, format="jpeg")
    assert jpeg.notes == ("JPEG holds no transparency: everything is opaque.",)


def test_an_rgb_profile_is_restored(save, rgb, adobe_rgb_profile, neutral, lightness):
    photo = Photo.open(save(rgb, "a.png", icc_profile=adobe_rgb_profile))
    assert needs_sixteen_bit(photo)
    back = Photo.open(write_neutral(photo, neutral).data)
    assert back.profile == adobe_rgb_profile
    assert back.bit_depth == 8
    assert np.abs(lightness(photo) - lightness(back)).mean() * 2.55 <= 0.3


def test_colours_in_a_restored_profile_are_those_that_were_painted(save, rgb, adobe_rgb_profile):
    photo = Photo.open(save(rgb, "a.png", icc_profile=adobe_rgb_profile))
    painted = (rgb.astype(np.uint16) * 257)[::-1].copy()
    page = pyvips.Image.new_from_array(painted).copy(interpretation="rgb16")
    path = photo.path.with_name("b.png")
    write_photo(photo, [page], path, marker=None)
    with Image.open(path) as written:  # LittleCMS through Pillow, an outside authority
        source = ImageCms.ImageCmsProfile(__import__("io").BytesIO(written.info["icc_profile"]))
        seen = ImageCms.profileToProfile(
            written, source, ImageCms.createProfile("sRGB"), renderingIntent=1
        )
    assert np.abs(np.asarray(seen).astype(int) - rgb[::-1]).max() <= 3


def test_a_plain_srgb_profile_is_kept_without_a_conversion(save, rgb, neutral):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = Photo.open(save(rgb, "a.png", icc_profile=srgb))
    assert not needs_sixteen_bit(photo)
    page = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb")
    data = write_photo(photo, [page], None, marker=None).data
    back = Photo.open(data)
    assert back.profile == srgb
    np.testing.assert_array_equal(back.stored().numpy(), rgb)


def test_a_gray_profile_becomes_srgb_and_is_said(
    save, gray, gray_gamma_profile, neutral, lightness
):
    photo = Photo.open(save(gray, "a.png", icc_profile=gray_gamma_profile))
    written = write_neutral(photo, neutral)
    assert written.notes == ("The gray profile became sRGB.",)
    back = Photo.open(written.data)
    assert back.profile is not None
    assert np.abs(lightness(photo) - lightness(back)).mean() * 2.55 <= 0.3


@pytest.mark.parametrize("sizes", [[(96, 144), (96, 144), (96, 144)], [(96, 144), (31, 20)]])
def test_all_pages_of_a_tiff_are_written(save, gray, neutral, sizes):
    arrays = [np.ascontiguousarray(gray[:h, :w]) // (i + 1) for i, (h, w) in enumerate(sizes)]
    pages = [Image.fromarray(array) for array in arrays]
    photo = Photo.open(save(pages[0], "a.tif", save_all=True, append_images=pages[1:]))
    target = photo.path.with_name("b.tif")
    write_neutral(photo, neutral, target)
    back = Photo.open(target)
    assert back.pages == len(sizes)
    for page, array in enumerate(arrays):
        expected = np.repeat(array[..., None], 3, axis=2)
        np.testing.assert_array_equal(back.stored(page).numpy(), expected)
    with Image.open(target) as other:  # another reader agrees
        assert other.n_frames == len(sizes)
        other.seek(len(sizes) - 1)
        np.testing.assert_array_equal(np.asarray(other)[..., 0], arrays[-1])
    one = write_neutral(photo, neutral, format="png")
    assert f"the other {len(sizes) - 1} are left out" in one.notes[0]


def test_tiles_and_compression_of_a_tiff_are_kept(tmp_path, gray, neutral):
    path = tmp_path / "a.tif"
    image = pyvips.Image.new_from_array(gray).copy(interpretation="b-w")
    image.tiffsave(str(path), tile=True, tile_width=64, tile_height=32, compression="lzw")
    photo = Photo.open(path)
    target = tmp_path / "b.tif"
    write_neutral(photo, neutral, target)
    with Image.open(target) as written:
        assert written.info["compression"] == "tiff_lzw"
        assert (written.tag_v2[322], written.tag_v2[323]) == (64, 32)


@pytest.mark.parametrize(("source", "expected"), [(60, 90), (97, 97)])
def test_jpeg_quality_is_the_sources_own_but_at_least_ninety(save, gray, neutral, source, expected):
    photo = Photo.open(save(gray, "a.jpg", quality=source))
    assert Photo.open(write_neutral(photo, neutral).data).jpeg_quality == expected
    assert Photo.open(write_neutral(photo, neutral, quality=41).data).jpeg_quality == 41


def test_cmyk_becomes_srgb_and_is_said(save, rgb, neutral, lightness):
    photo = Photo.open(save(Image.fromarray(rgb).convert("CMYK"), "a.jpg", quality=95))
    written = write_neutral(photo, neutral, format="png")
    assert "CMYK became sRGB." in written.notes
    assert np.abs(lightness(photo) - lightness(Photo.open(written.data))).mean() * 2.55 < 0.3


@pytest.mark.parametrize(
    ("options", "target", "error", "message"),
    [
        ({"quality": 0}, None, InvalidValueError, "quality must be 1 to 100; got 0"),
        ({"quality": 101}, None, InvalidValueError, "got 101"),
        ({"format": "gif"}, None, UnsupportedFormatError, "'gif' is not one of them"),
        ({}, "a.bmp", UnsupportedFormatError, "'.bmp' is not one of them"),
        ({}, "missing/a.png", UnwritablePhotoError, "No such file or directory"),
        ({}, "a.png/b.png", UnwritablePhotoError, "cannot be written"),
    ],
)
def test_wrong_wishes_are_refused(save, gray, neutral, options, target, error, message):
    photo = Photo.open(save(gray, "a.png"))
    path = None if target is None else photo.path.parent / target
    with pytest.raises(error, match=message):
        write_neutral(photo, neutral, path, **options)
    assert [p.name for p in photo.path.parent.iterdir()] == ["a.png"]


def test_pages_of_another_size_or_number_are_refused(gray, rgb):
    photo = Photo.from_array(gray)
    small = pyvips.Image.new_from_array(rgb[:50]).copy(interpretation="srgb")
    with pytest.raises(ShapeError, match="page 1 needs 3 bands of 144 x 96; it has 3 of 144 x 50"):
        write_photo(photo, [small], None, marker=None)
    with pytest.raises(InvalidValueError, match="needs 1 pages; got 0"):
        write_photo(photo, [], None, marker=None)


def test_a_picture_too_wide_for_the_format_is_refused():
    photo = Photo.from_array(np.zeros((1, 20000), np.uint8))
    with pytest.raises(UnwritablePhotoError, match="WEBP holds at most 16383 pixels a side"):
        write_photo(photo, [None], None, marker=None, format="webp")


FULL_DISK = """
import resource, signal, sys
import numpy as np, pyvips
from photochrom.errors import UnwritablePhotoError
from photochrom.photo.photo import Photo
from photochrom.photo.write import write_photo
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
photo = Photo.from_array(noise)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    write_photo(photo, [None], sys.argv[1], marker=None)
except UnwritablePhotoError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a limit on file sizes")
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_a_disk_that_is_full_is_an_error_and_leaves_nothing(tmp_path, suffix):
    target = tmp_path / f"a.{suffix}"
    target.write_bytes(b"what was there")
    command = [sys.executable, "-c", FULL_DISK, str(target)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"{target}: cannot be written (File too large).\n"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"what was there"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission_is_an_error(save, gray, neutral, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(UnwritablePhotoError, match="Permission denied"):
        write_neutral(Photo.from_array(gray), neutral, folder / "a.png")


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float64", 1)]
)
@pytest.mark.parametrize("alpha", [False, True])
def test_an_array_comes_back_as_its_own_kind(gray, neutral, dtype, top, alpha):
    source = (gray / 255 * top).round(0 if top > 1 else 9).astype(dtype)
    if alpha:
        source = np.stack((source, source[::-1]), axis=-1)
    photo = Photo.from_array(source)
    result = photo_to_array(neutral(photo, sixteen_bit=needs_sixteen_bit(photo, "tiff")), photo)
    assert result.shape == (96, 144, 4 if alpha else 3)
    assert result.dtype == source.dtype
    tone = source[..., :1] if alpha else source[..., None]
    np.testing.assert_allclose(result[..., :3], np.repeat(tone, 3, axis=2), atol=top * 2e-5)
    if alpha:
        np.testing.assert_array_equal(result[..., 3], source[..., 1])


def test_only_an_array_becomes_an_array(save, gray, neutral):
    photo = Photo.open(save(gray, "a.png"))
    with pytest.raises(InvalidValueError, match="not created from an array"):
        photo_to_array(neutral(photo), photo)


def test_a_lossless_webp_stays_lossless_also_behind_a_profile(
    save, rgb, adobe_rgb_profile, neutral
):
    for options in ({}, {"icc_profile": adobe_rgb_profile}):
        photo = Photo.open(save(rgb, "a.webp", lossless=True, **options))
        assert b"VP8L" in write_photo(photo, [neutral(photo)], None, marker=None).data
    photo = Photo.open(save(rgb, "b.webp", icc_profile=adobe_rgb_profile))
    assert b"VP8L" not in write_photo(photo, [neutral(photo)], None, marker=None).data


def test_each_page_keeps_its_own_profile_resolution_and_compression(
    tmp_path, rgb, adobe_rgb_profile, neutral
):
    first, second = Image.fromarray(rgb), Image.fromarray(rgb[:60])
    own = {"icc_profile": adobe_rgb_profile, "compression": "tiff_lzw", "dpi": (600, 600)}
    second.encoderinfo = own
    path = tmp_path / "two.tif"
    first.save(path, save_all=True, append_images=[second], compression="jpeg", dpi=(300, 300))
    photo = Photo.open(path)
    pages = [neutral(photo, page) for page in range(2)]
    back = Photo.open(write_photo(photo, pages, None, marker=None).data)
    assert [device.profile for device in map(back.device, range(2))] == [None, own["icc_profile"]]
    assert [round(back.metadata_of(p).resolution["xres"] * 25.4) for p in range(2)] == [300, 600]
    tags = [read_number(back.path, 259, back.directory_at(page)) for page in range(2)]
    assert tags == [7, 5]


def test_pages_are_asked_for_one_after_the_other(tmp_path, rgb, neutral):
    path, asked = tmp_path / "many.tif", []
    page = Image.fromarray(rgb)
    page.save(path, save_all=True, append_images=[page] * 5)
    photo = Photo.open(path)

    def pages():
        for number in range(photo.pages):
            asked.append(sorted(p.stat().st_size for p in tmp_path.glob(".*.part")))
            yield neutral(photo, number)

    write_photo(photo, pages(), tmp_path / "out.tif", marker=None)
    assert len(asked) == 6
    assert all(after > before for before, after in pairwise(size for (size,) in asked))
