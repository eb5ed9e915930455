import os
import struct
import zlib

import numpy as np
import pytest
from tests.photo import made

from photochrom.errors import (
    DtypeError,
    PhotoTooLargeError,
    UnreadablePhotoError,
    UnsupportedFormatError,
)
from photochrom.photo.photo import Photo
from photochrom.photo.write import write_photo

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", UnreadablePhotoError, "the file is empty"),
        (b"Dear diary, today", UnreadablePhotoError, "not a picture"),
        (SVG, UnsupportedFormatError, "SVG is not supported"),
        (b"%PDF-1.7\n", UnsupportedFormatError, "PDF is not supported"),
        (b"\0\0\0\x0cJXL " + bytes(60), UnsupportedFormatError, "JPEG XL is not supported"),
        (b"8BPS" + bytes(60), UnsupportedFormatError, "Photoshop is not supported"),
        (b"P5\n2 2\n255\nabcd", UnsupportedFormatError, "PNM is not supported"),
        (b"\0\0\0\x18ftypmp42" + bytes(20), UnsupportedFormatError, "a film, not a picture"),
        (b"\0\0\0\x18ftypcrx " + bytes(20), UnsupportedFormatError, "without an embedded preview"),
        (b"\x08\xf2\xa6\xb6" + bytes(80), UnsupportedFormatError, "libvips is not supported"),
        (b"\xff\xd8\xff\xe0" + bytes(30), UnreadablePhotoError, "truncated or corrupt"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), UnreadablePhotoError, "truncated or corrupt"),
        (b"II*\0\x08\0\0\0", UnreadablePhotoError, "truncated or corrupt"),
        (b"II*\0\xff\xff\xff\xff", UnreadablePhotoError, "truncated or corrupt"),
        (b"GIF89a" + bytes(3), UnreadablePhotoError, "truncated or corrupt"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", UnreadablePhotoError, "truncated or corrupt"),
    ],
)
@pytest.mark.parametrize("as_bytes", [False, True])
def test_what_is_no_picture_is_refused_in_one_line(tmp_path, content, error, message, as_bytes):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        Photo.open(content if as_bytes else path)
    assert "\n" not in str(caught.value)
    assert ("in memory" if as_bytes else str(path)) in str(caught.value)


def test_a_damaged_heic_is_called_so():
    brand = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    with pytest.raises(UnreadablePhotoError, match=r"truncated or corrupt"):
        Photo.open(brand + bytes(40))


def test_an_error_that_names_bytes_of_the_file_is_one_line_and_does_not_stay(save, rgb):
    path = save(rgb, "a.avif")
    whole = path.read_bytes()
    at = whole.index(b"av01", whole.index(b"infe"))
    damaged = whole[:at] + b"\xa3\xff\x1b0" + whole[at + 4 :]
    for _ in range(2):
        with pytest.raises(UnreadablePhotoError, match="truncated or corrupt") as caught:
            Photo.open(damaged).lightness_codes()
        assert str(caught.value).isprintable()
    assert Photo.open(path).width == rgb.shape[1]


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(UnreadablePhotoError, match="is a folder; a picture is needed"):
        Photo.open(tmp_path)
    with pytest.raises(UnreadablePhotoError, match=r"lost\.jpg: no such file"):
        Photo.open(tmp_path / "lost.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_is_named(save, gray):
    path = save(gray, "a.png")
    path.chmod(0)
    with pytest.raises(UnreadablePhotoError, match="no permission to read"):
        Photo.open(path)


def test_something_else_is_no_picture():
    with pytest.raises(DtypeError, match="got a int"):
        Photo.open(7)


def test_camera_raw_inside_a_tiff_is_not_taken_for_its_thumbnail(save, gray):
    path = save(gray, "a.tif")
    with pytest.raises(UnsupportedFormatError, match="camera raw without an embedded preview"):
        Photo.open(path.rename(path.with_suffix(".nef")))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "gif"])
def test_a_truncated_file_is_an_error_and_leaves_nothing(save, rgb, tmp_path, suffix, neutral):
    path = save(rgb, f"a.{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    target = tmp_path / "out" / "b.png"
    target.parent.mkdir()
    with pytest.raises(UnreadablePhotoError, match="truncated or corrupt") as caught:
        Photo.open(path).small_lightness(24, 16)
    assert "\n" not in str(caught.value)
    with pytest.raises(UnreadablePhotoError, match="truncated or corrupt"):
        photo = Photo.open(path)
        write_photo(photo, [neutral(photo)], target, marker=None)
    assert list(target.parent.iterdir()) == []


def _png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = zlib.compress(bytes(1000))
    chunk = b"IDAT" + data
    rest = struct.pack(">I", len(data)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + rest + b"\0\0\0\0IEND\xaeB`\x82"


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(PhotoTooLargeError, match=r"at most 1000 megapixels.*2500.*50000 x 50000"):
        Photo.open(_png_header(50000, 50000))


def test_the_limit_can_be_set(gray, save):
    path = save(gray, "a.png")
    with pytest.raises(PhotoTooLargeError, match=r"0\.001 megapixels"):
        Photo.open(path, max_megapixels=0.001)
    assert Photo.open(path, max_megapixels=1).width == 144


def test_every_page_is_measured(save):
    from PIL import Image

    pages = [Image.new("L", (10, 10)), Image.new("L", (400, 400))]
    path = save(pages[0], "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(PhotoTooLargeError, match="400 x 400"):
        Photo.open(path, max_megapixels=0.1)


def test_a_damaged_tiff_directory_is_said_and_the_picture_still_read(save, gray, iim):
    path = save(gray, "a.tif", tiffinfo={33723: iim})
    whole = bytearray(path.read_bytes())
    at = whole.index(struct.pack("<HH", 33723, 7))
    whole[at + 4 : at + 8] = struct.pack("<I", 1 << 30)
    photo = Photo.open(bytes(whole))
    assert photo.notes[0].startswith("IPTC of the TIFF is damaged and left out")
    np.testing.assert_array_equal(photo.tone().codes.numpy(), gray)


def test_a_name_that_a_file_gives_cannot_control_a_terminal(gray):
    escape = b"\x1b[3m"
    photo = Photo.open(made.png(gray, [(escape, b"")]))
    assert "PNG chunks left out: ?[3m." in photo.notes


def test_a_header_that_is_refused_without_a_reason_says_so(gray):
    head = made.png(gray)
    with pytest.raises(UnreadablePhotoError, match="the decoder gives no reason"):
        Photo.open(head[:16] + bytes(8) + head[24:])  # 0 x 0 pixels
