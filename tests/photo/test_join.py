import io

import numpy as np
import pytest
from PIL import Image

from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import luminance_to_lightness, rgb_to_lab
from photochrom.engine.guided import apply_field
from photochrom.errors import PhotoError
from photochrom.photo.field import ColourField
from photochrom.photo.join import join
from photochrom.photo.photo import Photo
from photochrom.photo.write import write_photo


def smooth(random, low, high, bands=2):
    """Draw (6, 8, bands) without jumps."""
    noise = random.uniform(low, high, (9, 11, bands))
    return sum(noise[i : i + 6, j : j + 8] for i in range(4) for j in range(4)) / 16


@pytest.fixture
def field():
    random = np.random.default_rng(3)
    planes = smooth(random, -0.3, 0.3), smooth(random, -60, 60)
    bound = smooth(random, 20, 60)
    return ColourField(*(p.astype(np.float32) for p in (*planes, -bound, bound)))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(120, 160), (301, 17), (15, 900), (700, 1200)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_stream_is_the_formula_of_the_engine_and_of_color(field, shape, dtype):
    top = np.iinfo(dtype).max
    y, x = np.mgrid[: shape[0], : shape[1]]
    source = ((0.5 + 0.5 * np.sin(x / 37) * np.cos(y / 23)) * top).astype(dtype)
    tone = Photo.from_array(source).tone()
    lightness = luminance_to_lightness(tone.luminance)[source]
    expected = lab_to_rgb(
        np.concatenate((lightness[..., None], apply_field(field, lightness)), axis=-1)
    ).rgb
    joined = join(tone, field, sixteen_bit=True).numpy().reshape(*shape, 3) / 65535
    error = np.abs(joined - expected)
    assert error.mean() < 0.004
    assert error.max() < 0.12  # the field is repeated over a few pixels
    kept = np.abs(rgb_to_lab(joined)[..., 0] - lightness)
    assert kept.mean() < 0.02


def test_the_gamut_is_kept_without_moving_lightness():
    source = np.arange(256, dtype=np.uint8)[None].repeat(4, 0)
    strong = [np.full((2, 2, 2), v, np.float32) for v in (0, 100, -110, 110)]
    tone = Photo.from_array(source).tone()
    joined = join(tone, ColourField(*strong), sixteen_bit=True).numpy() / 65535
    lightness = rgb_to_lab(joined)[..., 0]
    assert np.abs(lightness - luminance_to_lightness(tone.luminance)[source]).max() < 0.05


def test_a_damaged_source_is_an_error_and_not_a_gray_rest(field, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (900, 900)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=95)
    (tmp_path / "cut.jpg").write_bytes(content.getvalue()[:200_000])
    photo = Photo.open(tmp_path / "cut.jpg")
    with pytest.raises(PhotoError, match=r"cut\.jpg"):
        write_photo(photo, [join(photo.tone(), field)], tmp_path / "out.jpg", marker=None)
    assert not (tmp_path / "out.jpg").exists()
