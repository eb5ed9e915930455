import io

import numpy as np
import pytest
from PIL import Image
from skimage import color, data, transform
from tests.conftest import drawn_picture

from photochrom.color.gray_conversions import lightness
from photochrom.errors import DtypeError, ShapeError
from photochrom.photo.photo import Photo
from photochrom.photo.tint_detection import find_stain, find_tint

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")
TONES = {  # linear light of silver and of paper
    "sepia": ((0.02, 0.008, 0.002), (0.9, 0.8, 0.6)),
    "cyanotype": ((0.01, 0.04, 0.15), (0.85, 0.9, 0.9)),
    "selenium": ((0.03, 0.012, 0.04), (0.8, 0.72, 0.85)),
    "yellowed": ((0.05, 0.045, 0.02), (0.85, 0.82, 0.5)),
}


def sample(name):
    picture = getattr(data, name)()
    size = (96 * picture.shape[0] // picture.shape[1], 96)
    return transform.resize(picture, size, anti_aliasing=True)


def toned(rgb, tone, yellow_edges=0.0):
    """Print a picture's lightness in one tone, on paper that yellows towards its edges."""
    gray = lightness(rgb)[..., None]
    silver, paper = (np.array(part) for part in TONES[tone])
    printed = silver * (paper / silver) ** gray
    y, x = np.mgrid[-1 : 1 : len(rgb) * 1j, -1 : 1 : rgb.shape[1] * 1j]
    stain = yellow_edges * ((x**2 + y**2) / 2)[..., None]
    return as_bytes((printed * (1 - stain * (0.05, 0.2, 0.8))) ** (1 / 2.2))


def as_bytes(rgb):
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def as_jpeg(rgb, quality):
    content = io.BytesIO()
    large = Image.fromarray(rgb).resize((rgb.shape[1] * 6, rgb.shape[0] * 6))
    large.save(content, "JPEG", quality=quality)
    return content.getvalue()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_colour_photograph_is_in_colour(name):
    assert find_tint(as_bytes(sample(name))).kind == "colour"


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("edges", [0.0, 0.4])
@pytest.mark.parametrize("tone", TONES)
def test_a_toned_print_is_toned_and_its_tone_is_named(name, tone, edges):
    tint = find_tint(toned(sample(name), tone, edges))
    assert tint.kind == "toned"
    assert tint.explained > 0.95
    assert edges or tint.name == tone


@pytest.mark.parametrize("name", SAMPLES)
def test_a_gray_picture_with_the_colours_of_its_file_is_neutral(name):
    gray = np.repeat(as_bytes(lightness(sample(name)))[..., None], 3, axis=-1)
    assert find_tint(gray).kind == "neutral"
    noise = np.random.default_rng(0).normal(0, 3, gray.shape)
    assert find_tint(np.clip(gray + noise, 0, 255).astype(np.uint8)).kind == "neutral"


@pytest.mark.parametrize("quality", [30, 75])
def test_the_blocks_of_a_jpeg_do_not_make_a_sepia_print_a_colour_photograph(quality):
    photo = Photo.open(as_jpeg(toned(sample("astronaut"), "sepia", 0.3), quality))
    assert photo.tint.kind == "toned"
    assert photo.is_colour


def test_a_print_of_which_much_is_coloured_by_hand_is_in_colour():
    print_ = toned(sample("astronaut"), "sepia").astype(float)
    print_[40:, :48] *= (1.0, 0.6, 0.6)
    print_[:40, 48:] *= (0.6, 0.8, 1.0)
    assert find_tint(print_.astype(np.uint8)).kind == "colour"


@pytest.mark.parametrize("seed", range(5))
def test_drawn_colours_are_colour(seed):
    assert find_tint(drawn_picture(seed)).kind == "colour"


def test_the_mean_tone_is_that_of_an_independent_conversion():
    flat = np.full((40, 60, 3), (200, 180, 140), np.uint8)
    assert find_tint(flat).ab == pytest.approx(color.rgb2lab(flat)[0, 0, 1:], abs=0.1)


def test_a_gray_file_is_neutral():
    assert Photo.from_array(np.full((9, 9), 70, np.uint8)).tint.kind == "neutral"


def test_a_stain_is_found_where_the_paper_is_yellower():
    assert find_stain(toned(sample("coffee"), "sepia")) is None
    lift = find_stain(toned(sample("coffee"), "sepia", 0.5))
    height, width = lift.shape
    corners = lift[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert lift.min() == 0
    assert corners.min() > 2 * lift[height // 2, width // 2] + 0.01


def test_no_stain_is_found_in_a_colour_photograph():
    assert find_stain(as_bytes(sample("chelsea"))) is None


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 90, 3), (70, 1, 3), (3, 2, 3)])
def test_every_shape_has_a_tint(shape):
    assert find_tint(np.full(shape, 128, np.uint8)).kind == "neutral"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (np.zeros((4, 4), np.uint8), ShapeError),
        (np.zeros((0, 4, 3), np.uint8), ShapeError),
        (np.zeros((4, 4, 3)), DtypeError),
    ],
)
def test_what_is_no_small_picture_is_refused(wrong, error):
    with pytest.raises(error, match="must"):
        find_tint(wrong)
