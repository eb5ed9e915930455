"""Colours that are described without an ICC profile: the L* that the numbers say."""

import struct

import numpy as np
import pytest
import pyvips
from skimage import color
from tests.photo import made
from tests.photo.made import seen, star

from photochrom.photo.cicp import from_gamma
from photochrom.photo.photo import Photo
from photochrom.photo.reading import Reading
from photochrom.photo.write import needs_sixteen_bit, write_photo

RAMP = np.tile(np.linspace(0, 255, 96).round().astype(np.uint8), (24, 1))
P3 = np.array([[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]])
TO_SRGB = np.linalg.inv(
    np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
)


def sixteen(values):
    return np.round(values * 65535).astype(np.uint16)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.6])
@pytest.mark.parametrize("shape", ["gray", "rgb"])
def test_a_png_is_as_light_as_its_gama_chunk_says(gamma, shape):
    pixels = RAMP if shape == "gray" else np.repeat(RAMP[..., None], 3, -1)
    chunk = (b"gAMA", struct.pack(">I", round(100000 / gamma)))
    photo = Photo.open(made.png(pixels, [chunk]))
    assert np.abs(seen(photo) - star((RAMP / 255) ** gamma)).mean() < 0.1
    assert "The colours are read as described by gAMA." in photo.notes


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
    """Return L*a*b* (D50) of RGB with sRGB's primaries and another gamma."""

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
    assert any("no inverse table" in note for note in photo.notes)
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


def tagged(pixels, order="<", **tags):
    """Return a TIFF with tags that describe its colours."""
    bits = (8 * pixels.itemsize,) * (pixels.shape[2] if pixels.ndim == 3 else 1)
    height, width = pixels.shape[:2]
    page = made.baseline(
        width, height, bits=bits, **({"photometric": 2} if pixels.ndim == 3 else {}) | tags
    )
    return made.tiff((page, [pixels.astype(f"{order}u{pixels.itemsize}").tobytes()]), order=order)


def transfer(gamma, bits=8):
    return np.round(np.linspace(0, 1, 1 << bits) ** gamma * 65535).astype(int).tolist()


def rational(*values):
    return (5, [part for v in values for part in (round(v * 10000), 10000)])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.6])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_is_as_light_as_its_transfer_function_says(order, gamma, bits):
    pixels = RAMP if bits == 8 else sixteen(RAMP / 255)
    for shown in (pixels, np.repeat(pixels[..., None], 3, -1)):
        photo = Photo.open(tagged(shown, order, t301=(3, transfer(gamma, bits))))
        assert np.abs(seen(photo) - star((RAMP / 255) ** gamma)).mean() < 0.1
        assert "The colours are read as described by TransferFunction." in photo.notes


def test_each_colour_of_a_tiff_has_its_own_transfer_function(rgb):
    gammas = (1.0, 1.8, 2.6)
    table = [number for gamma in gammas for number in transfer(gamma)]
    photo = Photo.open(tagged(rgb, t301=(3, table)))
    luminance = ((rgb / 255) ** np.array(gammas)) @ (0.2126, 0.7152, 0.0722)
    assert np.abs(seen(photo) - star(luminance)).mean() < 0.1


def test_chromaticities_of_a_tiff_are_read_and_restored(rgb):
    corners = rational(0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    linear = np.where(rgb <= 10, rgb / 3294.6, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    for white in ({"t318": rational(0.3127, 0.329)}, {}):
        photo = Photo.open(tagged(rgb, t319=corners, **white))
        assert np.abs(seen(photo) - star(linear @ P3[1])).mean() < 0.1
        assert "The colours are read as described by PrimaryChromaticities." in photo.notes
    page = pyvips.Image.new_from_array(np.full((*rgb.shape[:2], 3), 30000, np.uint16))
    page = page.copy(interpretation="rgb16")
    assert Photo.open(write_photo(photo, [page], None, marker=None).data).profile is not None


def test_a_tiff_that_says_srgb_keeps_its_codes(rgb):
    curve = np.where(
        (code := np.arange(256) / 255) <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4
    )
    photo = Photo.open(
        tagged(
            rgb,
            t301=(3, np.round(curve * 65535).astype(int).tolist()),
            t318=rational(0.3127, 0.329),
            t319=rational(0.64, 0.33, 0.3, 0.6, 0.15, 0.06),
        )
    )
    assert (photo.notes, photo.profile) == ((), None)
    assert Photo.open(tagged(rgb, t318=rational(0.3457, 0.3585))).notes == ()


def test_a_page_of_a_tiff_has_its_own_colours():
    plain, linear = (made.baseline(96, 24, **tags) for tags in ({}, {"t301": (3, transfer(1.0))}))
    photo = Photo.open(made.tiff((plain, [RAMP.tobytes()]), (linear, [RAMP.tobytes()])))
    codes = [photo.lightness_codes(page) / 655.35 for page in (0, 1)]
    assert np.abs(codes[1] - star(RAMP / 255)).mean() < 0.1
    assert np.abs(codes[0] - codes[1]).mean() > 5


def test_a_profile_goes_before_the_tags_of_a_tiff():
    icc = list(made_profile(1.8))
    photo = Photo.open(tagged(RAMP, t34675=(1, icc), t301=(3, transfer(1.0))))
    assert np.abs(seen(photo) - star((RAMP / 255) ** 1.8)).mean() < 0.1


def made_profile(gamma):
    return from_gamma(gamma, None, gray=True, source="").profile


@pytest.mark.parametrize(
    "tags",
    [
        {"t301": (3, transfer(1.0)[:-1])},
        {"t301": (3, transfer(1.0)[::-1])},
        {"t301": (3, [0] * 256)},
        {"t301": (4, transfer(1.0))},
        {"t301": (3, transfer(1.0)), "photometric": 0},
        {"t301": (3, transfer(1.0)), "t342": (3, [0, 255])},
        {"t301": (3, transfer(1.0) + transfer(1.8) + transfer(2.2))},
        {"t301": (3, transfer(1.0) * 1000)},
    ],
)
def test_a_transfer_function_that_does_not_fit_is_not_used_and_it_is_said(tags):
    photo = Photo.open(tagged(RAMP, **tags))
    assert photo.notes == ("The TIFF's TransferFunction does not fit its samples: it is not used.",)
    plain = Photo.open(tagged(RAMP, **{k: v for k, v in tags.items() if k == "photometric"}))
    assert (photo.lightness_codes() == plain.lightness_codes()).all()
    given = Photo.open(tagged(RAMP, **tags), reading=Reading(gamma=1.0))
    assert (given.lightness_codes() != photo.lightness_codes()).any()


@pytest.mark.parametrize(
    "corners", [(5, [0, 0] * 6), rational(*[0.3] * 6), rational(0.6, 0.3), rational(*[0.0] * 6)]
)
def test_chromaticities_that_are_none_are_passed_over(rgb, corners):
    photo = Photo.open(tagged(rgb, t319=corners))
    assert (photo.notes, photo.profile) == ((), None)
