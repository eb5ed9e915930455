"""Colours that are described without an ICC profile: the L* that the numbers say."""

import struct

import numpy as np
import pytest
import pyvips
from skimage import color
from tests.photo import made

from photochrom.photo.photo import Photo
from photochrom.photo.write import needs_sixteen_bit, write_photo

RAMP = np.tile(np.linspace(0, 255, 96).round().astype(np.uint8), (24, 1))
P3 = np.array([[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]])
TO_SRGB = np.linalg.inv(
    np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
)


def star(luminance):
    """CIE 15: L* of Y."""
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, 24389 / 27 * luminance)


def seen(photo):
    return photo.lightness_codes() / 655.35


def sixteen(values):
    return np.round(values * 65535).astype(np.uint16)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.6])
@pytest.mark.parametrize("shape", ["gray", "rgb"])
def test_a_png_is_as_light_as_its_gama_chunk_says(gamma, shape):
    pixels = RAMP if shape == "gray" else np.repeat(RAMP[..., None], 3, -1)
    chunk = (b"gAMA", struct.pack(">I", round(100000 / gamma)))
    photo = Photo.open(made.png(pixels, [chunk]))
    assert np.abs(seen(photo) - star((RAMP / 255) ** gamma)).mean() < 0.1
    assert "The colours are read as gAMA describes them." in photo.notes


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000))],
        [
            (b"gAMA", struct.pack(">I", 45455)),
            (b"cHRM", struct.pack(">8I", *(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))),
        ],
        [(b"cICP", bytes([1, 13, 0, 1]))],
        [(b"gAMA", struct.pack(">I", 0))],
        [(b"cICP", bytes([1, 13, 0, 1])), (b"gAMA", struct.pack(">I", 100000))],
    ],
)
def test_a_png_that_says_srgb_or_nothing_keeps_its_codes(chunks):
    photo = Photo.open(made.png(RAMP, chunks))
    assert photo.notes == ()
    assert (photo.tone().codes.numpy() == RAMP).all()
    assert (
        np.abs(seen(photo) - color.rgb2lab(np.repeat(RAMP[..., None], 3, -1))[..., 0]).max() < 0.1
    )


def test_a_linear_scan_is_written_as_light_as_a_viewer_shows_it(neutral):
    photo = Photo.open(made.png(sixteen(RAMP / 255), [(b"gAMA", struct.pack(">I", 100000))]))
    written = write_photo(photo, [neutral(photo, 0, True)], None, marker=None)
    back = Photo.open(written.data)
    assert back.bit_depth == 16
    assert np.abs(seen(back) - star(RAMP / 255)).mean() < 0.05
    assert "The gray profile became sRGB." in written.notes


def test_primaries_of_chrm_and_of_cicp_are_read_and_restored(rgb):
    linear = np.where(rgb <= 10, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    expected = star(linear @ P3[1])
    corners = (
        b"cHRM",
        struct.pack(">8I", *(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
    )
    for chunk in (corners, (b"cICP", bytes([12, 13, 0, 1]))):
        photo = Photo.open(made.png(rgb, [chunk]))
        assert np.abs(seen(photo) - expected).mean() < 0.1
        assert needs_sixteen_bit(photo)
        wide = (linear @ P3.T @ TO_SRGB.T).clip(0, 1)
        srgb = np.where(wide <= 0.0031308, 12.92 * wide, 1.055 * wide ** (1 / 2.4) - 0.055)
        page = pyvips.Image.new_from_array(sixteen(srgb)).copy(interpretation="rgb16")
        back = Photo.open(write_photo(photo, [page], None, marker=None).data)
        assert back.profile is not None
        assert np.abs(seen(back) - expected).mean() < 0.5


def avif(primaries, transfer, pixels=RAMP):
    image = pyvips.Image.new_from_array(np.repeat(pixels[..., None], 3, -1))
    data = bytearray(
        image.copy(interpretation="srgb").heifsave_buffer(compression="av1", lossless=True)
    )
    at = data.index(b"nclx") + 4
    data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def pq(code):
    root = code ** (32 / 2523)
    light = (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
    return light * 10000


@pytest.mark.parametrize(
    ("primaries", "transfer", "luminance"),
    [
        (1, 13, None),
        (2, 2, None),
        (1, 4, lambda code: code**2.2),
        (9, 8, lambda code: code),
        (9, 16, lambda code: np.minimum(pq(code) / 203, 1)),
    ],
)
def test_an_avif_is_as_light_as_its_nclx_says(primaries, transfer, luminance):
    photo = Photo.open(avif(primaries, transfer))
    expected = color.rgb2lab(np.repeat(RAMP[..., None], 3, -1))[..., 0]
    if luminance is not None:
        expected = star(luminance(RAMP / 255))
        assert any("nclx" in note for note in photo.notes)
    assert np.abs(seen(photo) - expected).mean() < 0.2


def test_hdr_becomes_srgb_and_it_is_said(neutral):
    photo = Photo.open(avif(9, 16))
    assert any("HDR" in note and "clipped" in note for note in photo.notes)
    written = write_photo(photo, [neutral(photo, 0, False)], None, marker=None, format="png")
    back = Photo.open(written.data)
    assert np.abs(seen(back) - seen(photo)).mean() < 0.3


def test_adobe_rgb_is_told_by_exif_too(save, rgb):
    from PIL import Image

    block = Image.Exif()
    block.get_ifd(0x8769).update({0xA001: 0xFFFF, 0xA005: {1: "R03"}})
    photo = Photo.open(save(rgb, "a.jpg", exif=block, quality=100, subsampling=0))
    with Image.open(photo.path) as image:
        codes = np.asarray(image) / 255
    weights = np.array([0.2973, 0.6274, 0.0753])
    assert np.abs(seen(photo) - star(codes ** (563 / 256) @ weights)).mean() < 0.2


def lab_of(gamma):
    """Give L*a*b* (D50) of RGB with sRGB's primaries and another gamma."""

    def to_lab(cube):
        linear = cube**gamma
        srgb = np.where(
            linear <= 0.0031308,
            12.92 * linear,
            1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055,
        )
        return color.rgb2lab(srgb[None])[0]

    return to_lab


@pytest.mark.parametrize("back", [None, lambda cube: cube, lambda cube: cube * 0 + [0, 0.3, 0]])
def test_a_profile_without_a_way_back_becomes_srgb_and_it_is_said(rgb, neutral, back):
    profile = made.table_profile(lab_of(1.8), back=back)
    image = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    photo = Photo.open(image.tiffsave_buffer())
    assert any("no way back" in note for note in photo.notes)
    assert (
        np.abs(seen(photo) - lab_of(1.8)(rgb.reshape(-1, 3) / 255)[:, 0].reshape(96, 144)).mean()
        < 0.5
    )
    assert not needs_sixteen_bit(photo)
    written = write_photo(photo, [neutral(photo)], None, marker=None)
    assert np.abs(seen(Photo.open(written.data)) - seen(photo)).mean() < 0.3


def test_a_profile_with_a_sound_way_back_is_restored(rgb, adobe_rgb_profile):
    image = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", adobe_rgb_profile)
    photo = Photo.open(image.tiffsave_buffer())
    assert photo.notes == ()
    assert needs_sixteen_bit(photo)
