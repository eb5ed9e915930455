import io
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data
from tests.conftest import encoded

from photochrom.color.gray_conversions import lightness
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.engine.restore import UNIT, grain_of, levels, restore, restored_photo
from photochrom.errors import DtypeError, MissingExtraError, ShapeError
from photochrom.photo.photo import Photo

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")


def gray_of(name):
    return np.round(lightness(getattr(data, name)() / 255) * 255).astype(np.uint8)


def lightness_of(picture):
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    return rgb_to_lab(rgb / 255)[..., 0]


def codes_of(picture):
    return np.round(lightness_of(picture) * UNIT).astype(np.uint16)


def psnr(one, other):
    return 10 * np.log10(100**2 / ((one - other) ** 2).mean())


def dusty(gray, specks=40, size=1.0):
    random = np.random.default_rng(1)
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]]
    out = gray.copy()
    for _ in range(specks):
        row, column = (random.integers(3, side - 3) for side in gray.shape)
        out[(y - row) ** 2 + (x - column) ** 2 <= (size * random.uniform(0.8, 2.2)) ** 2] = 250
    return out


def scratched(gray, places=(0.2, 0.45, 0.7)):
    out = gray.copy()
    rows = np.arange(len(gray) // 10, len(gray) * 8 // 10)
    for place in places:
        out[rows, (place * gray.shape[1] + 0.05 * rows).astype(int)] = 248
    return out


def faded(gray):
    return np.round(60 + gray * (125 / 255)).astype(np.uint8)


def stained(gray):
    """Print on paper that has yellowed, most towards the edges."""
    y, x = np.mgrid[-1 : 1 : gray.shape[0] * 1j, -1 : 1 : gray.shape[1] * 1j]
    stain = ((x**2 + y**2) / 1.4).clip(0, 1)[..., None] * (0.02, 0.1, 0.45) + (0, 0.03, 0.12)
    linear = (gray[..., None] / 255) ** 2.2 * (1 - stain)
    return np.round(linear ** (1 / 2.2) * 255).astype(np.uint8)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_clean_photograph_stays_as_it_is(name):
    codes = codes_of(gray_of(name))
    restored = restore(codes)
    assert restored.codes is codes
    assert restored.notes == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_faded_stained_scratched_and_dusty_print_comes_nearer_to_the_photograph(name):
    gray = gray_of(name)
    print_ = stained(faded(scratched(dusty(gray))))
    before = lightness_of(print_)
    restored = restore(codes_of(print_), print_[::6, ::6].copy())
    truth = lightness_of(gray)
    assert psnr(restored.codes / UNIT, truth) > psnr(before, truth) + 6
    said = ", ".join(restored.notes)
    assert all(word in said for word in ("stained paper", "tones levelled (from", "repaired"))


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_dust_and_scratches_are_counted_and_mended_and_nothing_else_changes(name):
    gray = gray_of(name)
    spoiled = scratched(dusty(gray))
    restored = restore(codes_of(spoiled))
    changed = restored.codes != codes_of(spoiled)
    spoilt = spoiled != gray
    assert "specks and" in restored.notes[0]
    assert "scratch" in restored.notes[0]
    assert psnr(restored.codes / UNIT, lightness_of(gray)) > 1.5 + psnr(
        lightness_of(spoiled), lightness_of(gray)
    )
    assert (changed & spoilt).sum() > 0.4 * spoilt.sum()
    assert changed.mean() < 0.03


def test_stars_an_eye_and_letters_stay():
    y, x = np.mgrid[:400, :600]
    picture = np.full((400, 600), 30, np.uint8)  # a night sky above a lit wall
    picture[200:] = 150
    random = np.random.default_rng(0)
    for row, column in zip(random.integers(5, 195, 60), random.integers(5, 595, 60), strict=True):
        picture[row : row + 2, column : column + 2] = 255
    for column in range(100, 500, 9):
        picture[300:308, column : column + 1] = 255  # a line of white letters
        picture[300, column : column + 4] = 255
    for inside, level in ((20, 220), (9, 20), (2, 255)):
        picture[(y - 250) ** 2 + (x - 300) ** 2 < inside**2] = level
    assert restore(codes_of(picture)).notes == ()


def test_a_dark_wire_and_a_bright_edge_are_no_scratches():
    picture = np.tile(np.linspace(150, 230, 600).astype(np.uint8), (400, 1))
    np.fill_diagonal(picture[:, 100:], 20)
    picture[200:] //= 3
    picture[198:200] = 250
    assert restore(codes_of(picture)).notes == ()


def test_levels_are_widened_as_far_as_the_print_is_faded_and_by_two_at_most():
    assert levels(2, 70) == (2, 70)
    assert levels(20, 99) == (20, 99)
    assert levels(20, 80) == pytest.approx((3, 96))
    deep, light = levels(11, 80)
    assert 3 < deep < 11
    assert 80 < light < 96
    deep, light = levels(50, 60)
    assert light - deep == pytest.approx(20)


def test_levelling_clips_nothing():
    ramp = np.tile(np.linspace(18, 82, 512) * UNIT, (512, 1)).astype(np.uint16)
    ramp[:2], ramp[2:4] = 0, 65535
    codes = restore(ramp).codes
    assert (np.diff(codes[4].astype(int))[np.diff(ramp[4].astype(int)) > 0] > 0).all()
    assert codes[0, 0] == 0
    assert codes[2, 0] == 65535


@pytest.mark.parametrize("name", ["chelsea", "rocket"])
def test_strong_grain_is_calmed_but_not_to_plastic(name):
    gray = gray_of(name)
    noise = np.random.default_rng(0).normal(0, 12, gray.shape)
    grainy = np.clip(gray + noise, 0, 255).astype(np.uint8)
    restored = restore(codes_of(grainy))
    assert any("grain of" in note for note in restored.notes)
    truth = lightness_of(gray)
    assert psnr(restored.codes / UNIT, truth) > psnr(lightness_of(grainy), truth) + 2
    left = grain_of((restored.codes / UNIT).astype(np.float32))
    assert 0.5 < left < 0.7 * grain_of(lightness_of(grainy).astype(np.float32))


def test_grain_is_measured():
    noise = np.random.default_rng(0).normal(50, 4, (512, 512)).astype(np.float32)
    assert grain_of(noise) == pytest.approx(4, rel=0.15)
    assert grain_of(np.full((9, 9), 50, np.float32)) == 0


@pytest.mark.slow
def test_a_large_print_is_mended_across_its_tiles():
    clean = np.kron(gray_of("chelsea")[:, :450], np.ones((5, 5), np.uint8))
    spoiled = dusty(clean, 60, size=2.0)
    restored = restore(codes_of(spoiled))
    truth = lightness_of(clean)
    assert psnr(restored.codes / UNIT, truth) > psnr(lightness_of(spoiled), truth) + 3
    assert restore(codes_of(clean)).notes == ()


def test_every_page_of_a_photo_is_mended_and_said():
    pages = [Image.fromarray(page) for page in (faded(gray_of("coffee")), gray_of("coffee"))]
    content = io.BytesIO()
    pages[0].save(content, "TIFF", save_all=True, append_images=pages[1:])
    photo = Photo.open(content.getvalue())
    restored, notes = restored_photo(photo)
    assert notes[0].startswith("restored page 1: tones levelled (from 6")
    assert notes[1] == "restored page 2: nothing to repair"
    small = restored.small_lightness(60, 40)
    assert np.abs(small - restored.small_lightness(60, 40, 1)).mean() < 4
    assert np.abs(photo.small_lightness(60, 40) - small).mean() > 7
    assert np.array_equal(restored.small_lightness(60, 40, 1), photo.small_lightness(60, 40, 1))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["photochrom", "gray"])
def test_a_restored_photo_is_coloured_with_its_metadata_and_depth(method):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Ernemann"
    deep = faded(gray_of("chelsea")).astype(np.uint16) * 257
    source = encoded(np.rot90(deep), "PNG", exif=exif)
    done = Colorizer(method, restore=True, threads=1).colorize_file(source)
    assert any(note.startswith("restored: tones levelled") for note in done.notes)
    photo = Photo.open(done.content)
    assert (photo.bit_depth, photo.orientation) == (16, 6)
    with Image.open(io.BytesIO(done.content)) as picture:
        assert picture.getexif()[0x010F] == "Ernemann"
    expected, _ = restored_photo(Photo.open(source))
    error = np.abs(photo.lightness_codes().astype(int) - expected.lightness_codes())
    assert error.mean() / UNIT < 0.05


def test_an_array_is_restored_too_and_the_marker_knows_it():
    plain, restoring = Colorizer("gray"), Colorizer("gray", restore=True)
    picture = faded(gray_of("coffee"))
    assert np.ptp(restoring.colorize(picture)) > 1.5 * np.ptp(plain.colorize(picture))
    assert plain.marker() != restoring.marker()


@pytest.mark.slow
@pytest.mark.parametrize("tone", [(1.0, 0.8, 0.55), (1.0, 0.55, 0.8)])
def test_a_tone_is_not_taken_for_colour_and_that_is_said(tone):
    toned = (gray_of("coffee")[..., None] * np.array(tone)).astype(np.uint8)
    notes = Colorizer("photochrom", threads=1).colorize_file(encoded(toned, "PNG")).notes
    assert any(note.startswith("a toned original (") for note in notes)


def test_without_the_extra_the_line_to_run_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[restore\]'"):
        Colorizer("gray", restore=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (40, 50)])
def test_every_shape_is_restored(shape):
    assert restore(np.full(shape, 30000, np.uint16)).codes.shape == shape


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (np.zeros((4, 4), np.uint8), DtypeError),
        (np.zeros((4, 4, 3), np.uint16), ShapeError),
        (np.zeros((0, 4), np.uint16), ShapeError),
    ],
)
def test_what_is_no_lightness_is_refused(wrong, error):
    with pytest.raises(error, match="must"):
        restore(wrong)
