"""What the owner knows of a scan: negatives, profiles, gamma, screens, damage."""

import io

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import data
from skimage.color import rgb2gray, rgb2lab
from tests.photo.made import seen, star

from photochrom.errors import InvalidValueError, UnreadablePhotoError, UnsupportedFormatError
from photochrom.photo.descreen import descreened, dot_distance
from photochrom.photo.negative import looks_like_colour_negative
from photochrom.photo.negative_detection import features, looks_like_negative
from photochrom.photo.photo import Photo
from photochrom.photo.reading import Reading, read_profile
from photochrom.photo.write import write_photo

NEGATIVE = Reading(negative=True)


def encode(light):
    return np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    )


@pytest.fixture(scope="module")
def exposure():
    """A scene's light: seven stops, as film holds them."""
    gray = rgb2gray(data.astronaut()[::2, ::2])
    light = ((gray + 0.055) / 1.055) ** 2.4
    return np.clip(light / np.percentile(light, 99.5), 0.008, 1.0)


def film(exposure, base, gamma=0.6):
    """Return what a negative lets through: density rises with the logarithm of exposure."""
    through = (exposure / exposure.min()) ** -gamma
    return np.array(base) * (through[..., None] if np.ndim(base) else through)


def scan(light, bits):
    kind, top = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    codes = np.round(np.clip(light, 0, 1) * top).astype(kind)
    spaces = {2: ("b-w", "grey16"), 3: ("srgb", "rgb16")}[codes.ndim]
    return pyvips.Image.new_from_array(codes).copy(interpretation=spaces[bits == 16])


@pytest.mark.parametrize("base", [0.75, [0.62, 0.34, 0.17]], ids=["black-and-white", "orange"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_negative_becomes_the_scene_it_was_exposed_to(exposure, base, bits):
    picture = scan(encode(film(exposure, base)), bits).tiffsave_buffer()
    photo = Photo.open(picture, reading=NEGATIVE)
    error = np.abs(seen(photo) - star(exposure))
    assert error.mean() < (1.5 if bits == 8 else 0.6)
    assert np.corrcoef(seen(photo).ravel(), star(exposure).ravel())[0, 1] > 0.99
    assert "Inverted as a negative, in density." in photo.notes
    rgb = photo.small_rgb(64, 64)
    assert np.ptp(rgb.astype(int), axis=-1).mean() < 6  # the mask's orange is gone


def test_a_linear_negative_is_inverted_by_its_gamma(exposure):
    picture = scan(film(exposure, 0.8), 16).tiffsave_buffer()
    photo = Photo.open(picture, reading=Reading(negative=True, gamma=1.0))
    assert np.abs(seen(photo) - star(exposure)).mean() < 0.6


def test_a_picture_that_a_program_reversed_is_reversed_back():
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L"))
    picture = pyvips.Image.new_from_array(255 - gray).copy(interpretation="b-w").pngsave_buffer()
    photo = Photo.open(picture, reading=NEGATIVE)
    expected = rgb2lab(np.repeat(gray[..., None], 3, -1))[..., 0]
    assert np.abs(seen(photo) - expected).mean() < 1
    assert any("by reversing its codes" in note for note in photo.notes)


def test_a_holder_and_bare_light_beside_the_film_do_not_mislead(exposure):
    light = np.pad(film(exposure, 0.7), 8, constant_values=0.7)
    light = np.pad(light, ((0, 0), (0, 12)), constant_values=1.0)
    light = np.pad(light, 6, constant_values=0.0001)
    photo = Photo.open(scan(encode(light), 16).pngsave_buffer(), reading=NEGATIVE)
    inside = seen(photo)[14:-14, 14:-26]
    assert np.abs(inside - star(exposure)).mean() < 3


def test_a_negatives_result_is_srgb_and_its_alpha_stays(exposure, neutral, adobe_rgb_profile):
    image = scan(encode(film(exposure, [0.62, 0.34, 0.17])), 8)
    image = image.bandjoin(image[0])
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", adobe_rgb_profile)
    photo = Photo.open(image.tiffsave_buffer(), reading=NEGATIVE)
    assert photo.has_alpha
    assert photo.profile is None
    written = write_photo(photo, [neutral(photo)], None, marker=None)
    assert np.abs(seen(Photo.open(written.data)) - seen(photo)).mean() < 0.3


def test_what_has_no_density_is_refused():
    floats = pyvips.Image.black(8, 8).cast("float").tiffsave_buffer()
    with pytest.raises(
        UnsupportedFormatError, match="a negative must be gray or RGB of 8 or 16 bits"
    ):
        Photo.open(floats, reading=NEGATIVE)


def test_a_colour_negative_is_told_by_its_mask_and_sepia_and_sunsets_are_not(exposure):
    orange = np.round(encode(film(exposure, [0.62, 0.34, 0.17])) * 255).astype(np.uint8)
    assert looks_like_colour_negative(orange)
    gray = rgb2gray(data.astronaut())
    sepia = np.round(gray[..., None] ** [0.8, 1.0, 1.25] * 255).astype(np.uint8)
    for picture in (data.astronaut(), data.coffee(), data.chelsea(), data.rocket(), sepia):
        assert not looks_like_colour_negative(picture)


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_a_gray_negative_is_told_by_how_light_and_texture_lie(name):
    gray = rgb2gray(getattr(data, name)())
    light = np.clip(((gray + 0.055) / 1.055) ** 2.4, 0.01, 1)
    assert looks_like_negative(star(film(light, 0.8)))


@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee", "chelsea", "rocket"])
def test_photographs_and_faded_prints_are_not_taken_for_negatives(name):
    picture = getattr(data, name)()
    gray = picture / 255 if picture.ndim == 2 else rgb2gray(picture)
    lightness = star(((gray + 0.055) / 1.055) ** 2.4)
    assert not looks_like_negative(lightness)
    assert not looks_like_negative(25 + 0.6 * lightness)


def test_what_tells_a_negative_changes_its_sign_with_it():
    lightness = np.random.default_rng(0).random((60, 90)) * 100
    assert np.allclose(features(lightness), -features(100 - lightness))


def test_gamma_says_what_an_untagged_scan_means_and_the_result_is_srgb(exposure, neutral):
    for light in (exposure, np.repeat(exposure[..., None], 3, -1)):
        photo = Photo.open(scan(light, 16).tiffsave_buffer(), reading=Reading(gamma=1.0))
        assert np.abs(seen(photo) - star(exposure)).mean() < 0.05
        assert "Read through gamma 1; the result is sRGB." in photo.notes
        written = write_photo(photo, [neutral(photo, 0, True)], None, marker=None)
        assert np.abs(seen(Photo.open(written.data)) - star(exposure)).mean() < 0.05


def test_a_given_profile_is_used_where_the_file_has_none(rgb, adobe_rgb_profile, tmp_path):
    path = tmp_path / "scanner.icc"
    path.write_bytes(adobe_rgb_profile)
    reading = Reading(profile=read_profile(path))
    image = pyvips.Image.new_from_array(rgb).copy(interpretation="srgb")
    expected = star((rgb / 255) ** (563 / 256) @ [0.2973, 0.6274, 0.0753])
    photo = Photo.open(image.tiffsave_buffer(), reading=reading)
    assert np.abs(seen(photo) - expected).mean() < 0.1
    assert any("given profile; the result is sRGB" in note for note in photo.notes)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", adobe_rgb_profile)
    own = Photo.open(image.tiffsave_buffer(), reading=Reading(gamma=1.0))
    assert any("given profile is not used" in note for note in own.notes)
    assert np.abs(seen(own) - expected).mean() < 0.1


def test_a_profile_of_another_kind_is_not_used_and_it_is_said(gray, adobe_rgb_profile):
    image = pyvips.Image.new_from_array(gray).copy(interpretation="b-w").pngsave_buffer()
    photo = Photo.open(image, reading=Reading(profile=adobe_rgb_profile))
    assert any("is for RGB, and the picture has 1 band" in note for note in photo.notes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gamma": 9.0}, "must be 0.2 to 5"),
        ({"profile": b"no profile" * 20}, "not an ICC profile"),
        ({"profile": bytes(36) + b"acsp", "gamma": 1.0}, "not both"),
    ],
)
def test_readings_that_cannot_be_meant_are_refused(given, words):
    with pytest.raises(InvalidValueError, match=words):
        Reading(**given)


def test_a_missing_profile_is_named(tmp_path):
    with pytest.raises(UnreadablePhotoError, match=r"lost\.icc"):
        read_profile(tmp_path / "lost.icc")


@pytest.mark.parametrize("distance", [5.0, 8.0])
def test_a_halftone_becomes_the_mean_of_its_dots(distance):
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((400, 400))) / 255
    light = ((gray + 0.055) / 1.055) ** 2.4
    y, x = np.mgrid[:400, :400] * (2 * np.pi / distance)
    screen = (np.cos((x + y) / 2**0.5) + np.cos((x - y) / 2**0.5)) / 4 + 0.5
    ranked = np.searchsorted(np.sort(screen.ravel()), screen) / screen.size
    dots = (ranked < light).astype(np.uint8) * 255
    image = pyvips.Image.new_from_array(dots).copy(interpretation="b-w")
    photo = Photo.open(image.tiffsave_buffer(bitdepth=1))
    assert abs(dot_distance(photo.lightness_codes()) - distance) < 0.6
    mean, notes = descreened(photo)
    found = np.asarray(mean.small_lightness(50, 50))
    expected = star(light.reshape(50, 8, 50, 8).mean((1, 3)))
    assert np.abs(found - expected).mean() < 4
    middle = (seen(mean) > 10) & (seen(mean) < 95)
    assert middle.mean() > 0.7  # that can bear colour; none could before
    assert "descreened" in notes[0]


def jpeg(gray):
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_what_can_be_decoded_of_a_file_cut_short_stays_and_the_rest_is_mid_gray(rgb, suffix):
    tall = np.tile(rgb, (4, 1, 1))
    whole = pyvips.Image.new_from_array(tall).copy(interpretation="srgb").write_to_buffer(suffix)
    cut = whole[: len(whole) * 2 // 3]
    with pytest.raises(UnreadablePhotoError, match="This file is cut short: copy it again"):
        Photo.open(cut).lightness_codes()
    photo = Photo.open(cut, reading=Reading(salvage=True))
    found, sound = seen(photo), seen(Photo.open(whole))
    lost = int(photo.notes[0].split(" of 384 rows")[0].split()[-1])
    assert 50 < lost < 250
    assert (found[: 384 - lost] == sound[: 384 - lost]).all()
    assert np.abs(found[384 - lost :] - 50).max() < 0.2
    (place,) = photo.lost_places()
    assert place.window(144, 384)[1] <= 384 - lost


def test_strips_behind_a_damaged_one_are_read(rgb):
    tall = np.tile(rgb, (4, 1, 1))
    image = pyvips.Image.new_from_array(tall).copy(interpretation="srgb")
    buffer = io.BytesIO()
    Image.fromarray(tall).save(
        buffer, "TIFF", compression="tiff_adobe_deflate", strip_size=144 * 96
    )
    whole = bytearray(buffer.getvalue())
    at = whole.index(b"\x78")  # where the first strip begins
    with Image.open(buffer) as opened:
        offsets = opened.tag_v2[273]
    assert len(offsets) > 3
    whole[offsets[1] : offsets[1] + 20] = bytes(20)
    photo = Photo.open(bytes(whole), reading=Reading(salvage=True))
    found, sound = seen(photo), seen(Photo.open(buffer.getvalue()))
    same = (found == sound).all(axis=1)
    assert same[:16].all() and same[-96:].all()
    assert 10 < (~same).sum() < 100
    assert at and image.height == 384
    assert any("mid-gray" in note for note in photo.notes)


def test_a_sound_file_is_salvaged_as_it_is(save, rgb):
    path = save(rgb, "a.png")
    photo = Photo.open(path, reading=Reading(salvage=True))
    assert (photo.notes, photo.lost_places()) == ((), ())
    assert (seen(photo) == seen(Photo.open(path))).all()


def test_a_file_of_which_nothing_is_left_is_refused(save, rgb):
    data = save(rgb, "a.png").read_bytes()
    broken = data[:50] + bytes(len(data) - 50)
    with pytest.raises(UnreadablePhotoError):
        Photo.open(broken, reading=Reading(salvage=True)).lightness_codes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".gif", ".avif"])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_every_format_says_when_it_is_cut_short(rgb, suffix, share):
    tall = np.tile(rgb, (3, 2, 1))
    image = pyvips.Image.new_from_array(tall).copy(interpretation="srgb")
    whole = image.write_to_buffer(suffix)
    with pytest.raises(UnreadablePhotoError, match=r"This file is cut short: copy it again\.$"):
        Photo.open(whole[: int(len(whole) * share)]).lightness_codes()


def test_damage_inside_a_whole_file_is_not_called_short(rgb):
    tall = np.tile(rgb, (3, 2, 1))
    whole = bytearray(
        pyvips.Image.new_from_array(tall).copy(interpretation="srgb").write_to_buffer(".png")
    )
    whole[len(whole) // 2] ^= 255
    with pytest.raises(UnreadablePhotoError, match="truncated or corrupt") as caught:
        Photo.open(bytes(whole)).lightness_codes()
    assert "cut short" not in str(caught.value)


def test_a_jpeg_of_12_bits_is_not_called_corrupt(gray):
    whole = bytearray(jpeg(gray))
    whole[whole.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedFormatError, match="12 bits per sample; libvips does not read"):
        Photo.open(bytes(whole)).lightness_codes()


@pytest.mark.parametrize(
    "words", ["out of memory --- size == 40MB", "Insufficient memory (case 4)", "cannot allocate"]
)
def test_want_of_memory_is_not_blamed_on_the_file(words):
    from photochrom.photo.open_file import unreadable

    message = str(unreadable("a.png", pyvips.Error("unable to load", words), "png"))
    assert "not enough memory" in message
    assert "corrupt" not in message


def test_a_name_of_an_unknown_kind_is_told_with_the_remedy(save, gray, neutral, tmp_path):
    photo = Photo.open(save(gray, "a.png"))
    with pytest.raises(UnsupportedFormatError, match=r"b\.xyz: pictures can be written as .*\.jpg"):
        write_photo(photo, [neutral(photo)], tmp_path / "b.xyz", marker=None)
    odd = photo.path.rename(tmp_path / "a.scan")
    again = Photo.open(odd)
    written = write_photo(again, [neutral(again)], tmp_path / "a-color.scan", marker=None)
    assert written.format == "png"


def test_lost_rows_lie_where_they_are_in_a_smaller_copy_too():
    grain = np.random.default_rng(0).integers(0, 256, (240, 320), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grain).save(buffer, "JPEG")
    cut = buffer.getvalue()[: len(buffer.getvalue()) // 2]
    photo = Photo.open(cut, reading=Reading(salvage=True))
    (whole,), (small,) = photo.lost_places(), photo.reduced(160).lost_places()
    assert 0 < whole.points[0, 1] < 240
    assert np.allclose(small.points * 2, whole.points)
