"""HEIC, JPEG 2000, BMP and camera raw: read with all that they carry."""

import io
import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from skimage.color import rgb2lab
from tests.conftest import encoded
from tests.photo import made

from photochrom.errors import PhotoTooLargeError, UnreadablePhotoError, UnsupportedFormatError
from photochrom.photo.photo import Photo
from photochrom.photo.reading import Reading
from photochrom.photo.write import write_photo


def star(rgb, top=255):
    three = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, -1)
    return rgb2lab(three / top)[..., 0]


def heic(rgb, mode="RGB", **options):
    """Return a HEIC without loss, but for what 4:4:4 in YCbCr rounds."""
    buffer = io.BytesIO()
    file = pillow_heif.from_bytes(mode, rgb.shape[1::-1], rgb.tobytes())
    file.save(buffer, quality=-1, chroma=444, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("as_bytes", [False, True])
def test_heic_is_read_in_its_colours_with_exif_xmp_and_profile(
    tmp_path, rgb, exif, xmp, adobe_rgb_profile, as_bytes
):
    data = heic(rgb, exif=exif.tobytes(), xmp=xmp, icc_profile=adobe_rgb_profile)
    path = tmp_path / "a.heic"
    path.write_bytes(data)
    photo = Photo.open(data if as_bytes else path)
    assert (photo.format, photo.width, photo.height, photo.bit_depth) == ("heic", 144, 96, 8)
    assert photo.profile == adobe_rgb_profile
    weights = np.array([0.31111, 0.62567, 0.06322])
    luminance = (rgb / 255) ** (563 / 256) @ weights
    expected = np.where(
        luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, 24389 / 27 * luminance
    )
    assert np.abs(photo.lightness_codes() / 655.35 - expected).mean() < 0.5
    assert b"shelf" in photo.metadata.xmp
    assert b"Kodak" in photo.metadata.exif


def test_heic_becomes_a_jpeg_with_its_metadata_and_it_is_said(tmp_path, rgb, exif, neutral):
    data = heic(rgb, exif=exif.tobytes())
    photo = Photo.open(data)
    written = write_photo(photo, [neutral(photo)], None, marker=None)
    assert written.format == "jpeg"
    assert any("HEIC cannot be written: the result is JPEG" in note for note in written.notes)
    back = Photo.open(written.data)
    assert np.abs(back.lightness_codes() / 655.35 - photo.lightness_codes() / 655.35).mean() < 1
    with Image.open(io.BytesIO(written.data)) as image:
        assert image.getexif()[0x010F].strip("\0") == "Kodak"


def test_heic_of_10_bits_keeps_its_depth_where_the_target_holds_it(neutral):
    ramp = np.add.outer(np.arange(64) * 8, np.arange(64) * 8).clip(0, 1023)
    deep = np.repeat((ramp * 64).astype("<u2")[..., None], 3, -1)
    photo = Photo.open(heic(deep, "RGB;16"))
    assert photo.headers[0].bit_depth == 10
    assert np.abs(photo.lightness_codes() / 655.35 - star(ramp, 1023)).mean() < 0.15
    pages = [neutral(photo, 0, True)]
    written = write_photo(photo, pages, None, marker=None, format="avif", quality=95)
    assert Photo.open(written.data).headers[0].bit_depth == 10
    assert any(
        "10 bits became 8" in note
        for note in write_photo(photo, [neutral(photo)], None, marker=None).notes
    )


def test_a_turned_heic_is_upright(rgb):
    buffer = io.BytesIO()
    block = Image.Exif()
    block[0x0112] = 6
    pillow_heif.register_heif_opener()
    Image.fromarray(rgb).save(buffer, "HEIF", quality=-1, chroma=444, exif=block.tobytes())
    photo = Photo.open(buffer.getvalue())
    assert photo.upright_size == (96, 144)
    turned = np.rot90(star(rgb), -1)
    small = photo.small_lightness(96, 144)
    assert np.abs(small - turned).mean() < 1


def test_heic_has_alpha(rgb):
    alpha = np.add.outer(np.arange(96), np.arange(144)).astype(np.uint8)
    photo = Photo.open(heic(np.dstack([rgb, alpha]), "RGBA"))
    assert photo.has_alpha
    assert np.abs(photo.alpha().numpy().astype(int) - alpha).max() <= 2


def test_display_p3_that_nclx_alone_names_is_heeded(rgb):
    data = bytearray(heic(rgb))
    at = data.index(b"nclx") + 4
    data[at : at + 4] = struct.pack(">HH", 12, 13)
    photo = Photo.open(bytes(data))
    linear = np.where(rgb <= 10, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2290, 0.6917, 0.0793])
    expected = np.where(
        luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, 24389 / 27 * luminance
    )
    assert np.abs(photo.lightness_codes() / 655.35 - expected).mean() < 0.5


def test_a_large_heic_is_refused_before_it_is_decoded(rgb, monkeypatch):
    data = heic(rgb)
    monkeypatch.setattr("photochrom.photo.source.decoded", lambda *_: pytest.fail("decoded"))
    with pytest.raises(PhotoTooLargeError, match="144 x 96"):
        Photo.open(data, max_megapixels=0.01)
    assert Photo.open(data).width == 144


@pytest.mark.parametrize("kind", ["heic", "jp2", "bmp"])
def test_one_that_is_cut_short_says_so(tmp_path, rgb, kind):
    data = heic(rgb) if kind == "heic" else encoded(rgb, {"jp2": "JPEG2000", "bmp": "BMP"}[kind])
    with pytest.raises(UnreadablePhotoError, match=r"This file is cut short: copy it again\.$"):
        Photo.open(data[: len(data) // 2]).lightness_codes()


@pytest.mark.parametrize("kind", ["jp2", "bmp", "heic"])
def test_whatever_a_decoder_raises_is_one_line_about_the_file(rgb, kind, monkeypatch):
    class OddError(Exception):
        pass

    def fail(*_, **__):
        raise OddError("a bomb\nof many lines")

    data = heic(rgb) if kind == "heic" else encoded(rgb, {"jp2": "JPEG2000", "bmp": "BMP"}[kind])
    monkeypatch.setattr(pillow_heif, "open_heif", fail)
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(UnreadablePhotoError, match="a bomb") as caught:
        Photo.open(data)
    assert "\n" not in str(caught.value)


def test_jpeg_2000_is_read_and_becomes_a_tiff(rgb, gray, neutral):
    for pixels in (rgb, gray):
        photo = Photo.open(encoded(pixels, "JPEG2000"))
        assert (photo.format, photo.bands) == ("jp2", 3 if pixels.ndim == 3 else 1)
        assert np.abs(photo.lightness_codes() / 655.35 - star(pixels)).max() < 0.1
    written = write_photo(photo, [neutral(photo)], None, marker=None)
    assert written.format == "tiff"
    assert any("JPEG 2000 cannot be written" in note for note in written.notes)


def test_jpeg_2000_keeps_16_bits_of_gray():
    ramp = np.arange(96 * 64, dtype=np.uint16).reshape(64, 96) * 10
    photo = Photo.open(encoded(ramp, "JPEG2000"))
    assert photo.bit_depth == 16
    assert (photo.tone().codes.numpy() == ramp).all()


def test_jpeg_2000_brings_profile_xmp_and_resolution(rgb, xmp, adobe_rgb_profile):
    def box(kind, content):
        return struct.pack(">I4s", len(content) + 8, kind) + content

    plain = encoded(rgb, "JPEG2000")
    at = plain.index(b"jp2h") - 4
    size = int.from_bytes(plain[at : at + 4], "big")
    colr = box(b"colr", b"\2\0\0" + adobe_rgb_profile)
    res = box(b"res ", box(b"resc", struct.pack(">4H2b", 11811, 1, 11811, 1, 0, 0)))
    head = plain[at + 8 : at + size].split(struct.pack(">I4s", 15, b"colr"))[0]
    more = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + xmp)
    photo = Photo.open(plain[:at] + box(b"jp2h", head + colr + res) + more + plain[at + size :])
    assert photo.profile == adobe_rgb_profile
    assert b"shelf" in photo.metadata.xmp
    assert abs(photo.metadata.resolution["xres"] * 25.4 - 300) < 0.1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_is_read_with_its_resolution(rgb, mode):
    image = Image.fromarray(rgb).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "BMP", dpi=(300, 300))
    photo = Photo.open(buffer.getvalue())
    assert photo.format == "bmp"
    assert photo.bands == (3 if mode in ("RGB", "P") else 1)
    assert photo.bit_depth == (1 if mode == "1" else 8)
    assert (
        np.abs(photo.lightness_codes() / 655.35 - star(np.asarray(image.convert("RGB")))).max()
        < 0.1
    )
    assert abs(photo.metadata.resolution["xres"] * 25.4 - 300) < 0.5


def test_a_bmp_that_is_none_is_no_picture():
    with pytest.raises(UnreadablePhotoError, match="not a picture"):
        Photo.open(b"BMW, my first car, was blue and never started in the winter.")


def raw_file(pixels, order="<", **more):
    """Return a small camera raw: numbers of a sensor, and the camera's own JPEG behind them."""
    preview = encoded(pixels, "JPEG", quality=95, subsampling=0)
    tiny = encoded(pixels[::8, ::8], "JPEG")
    tags = made.baseline(64, 32, bits=(16,), photometric=32803, **more)
    return made.tiff((tags, [bytes(64 * 32 * 2)]), order=order) + tiny + b"\0" + preview


@pytest.mark.parametrize("name", ["a.nef", "a.dng", "a.tif", None])
def test_camera_raw_is_coloured_by_its_largest_preview(tmp_path, name):
    from skimage import data

    pixels = data.astronaut()
    source = raw_file(pixels)
    if name:
        source_path = tmp_path / name
        source_path.write_bytes(source)
        source = source_path
    photo = Photo.open(source)
    assert (photo.format, photo.width, photo.height) == ("raw", 512, 512)
    assert any("preview of 512 x 512" in note for note in photo.notes)
    assert np.abs(photo.lightness_codes() / 655.35 - star(pixels)).mean() < 1.5


def test_the_preview_stands_as_the_raw_file_says():
    from skimage import data

    photo = Photo.open(raw_file(data.astronaut()[:400], ">", t274=(3, [8])))
    assert (photo.orientation, photo.upright_size) == (8, (400, 512))


def test_camera_raw_without_a_preview_says_what_to_do(tmp_path, gray):
    path = tmp_path / "a.cr2"
    path.write_bytes(encoded(gray, "TIFF"))
    with pytest.raises(UnsupportedFormatError, match="without an embedded preview.*develop"):
        Photo.open(path)


def test_jpeg_xl_is_named_where_libvips_lacks_it():
    from photochrom.photo.sniff import LOADERS

    if "jxl" in LOADERS:
        pytest.skip("this libvips reads JPEG XL")
    with pytest.raises(UnsupportedFormatError, match="JPEG XL is not supported"):
        Photo.open(b"\xff\x0a" + bytes(40))


@pytest.mark.parametrize("kind", ["BMP", "JPEG2000", "JPEG"])
def test_a_negative_of_any_kind_says_that_it_was_inverted(kind):
    ramp = np.tile(np.linspace(20, 235, 96).astype(np.uint8), (64, 1))
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, kind)
    photo = Photo.open(buffer.getvalue(), reading=Reading(negative=True))
    assert any(note.startswith("Inverted as a negative") for note in photo.notes)
    assert photo.small_lightness(96, 64)[0, 0] > photo.small_lightness(96, 64)[0, -1]


@pytest.mark.parametrize("words", [True, False])
def test_a_previews_own_exif_goes_before_the_raw_files(tmp_path, words):
    picture = Image.fromarray(np.full((240, 320), 90, np.uint8))
    own = Image.Exif()
    own.update({271: "Preview", 274: 3})
    preview, around = io.BytesIO(), io.BytesIO()
    picture.save(preview, "JPEG", **({"exif": own} if words else {}))
    picture.resize((8, 8)).save(around, "TIFF", tiffinfo={271: "Maker", 274: 6})
    path = tmp_path / "a.nef"
    path.write_bytes(around.getvalue() + preview.getvalue())
    photo = Photo.open(path)
    assert photo.orientation == (3 if words else 6)
    assert (b"Preview" if words else b"Maker") in photo.metadata.exif
