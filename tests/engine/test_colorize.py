import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps
from skimage import data
from tests.conftest import drawn_picture, encoded

import photochrom
from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import rgb_to_lab
from photochrom.colorization.catalogue import CATALOGUE
from photochrom.colorization.method import Hints
from photochrom.engine import page_colouring
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.output_names import beside
from photochrom.errors import (
    DtypeError,
    InvalidValueError,
    ShapeError,
    UnwritablePhotoError,
)
from photochrom.options.hint import Hint
from photochrom.options.look import Look
from photochrom.photo.orientation import to_stored

LEVEL = 255 / 100  # 8-bit levels in a unit of L*


@pytest.fixture(scope="module")
def gray():
    return np.array(Image.fromarray(drawn_picture(5, 150, 200)).convert("L"))


def lightness_of(rgb):
    top = np.iinfo(rgb.dtype).max if rgb.dtype.kind == "u" else 1
    return rgb_to_lab(rgb[..., :3] / top)[..., 0] * LEVEL


def lightness_of_gray(gray):
    return lightness_of(np.repeat(gray[..., None], 3, -1))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_arrays_come_back_in_colour_with_their_dtype_and_lightness(colorizer, gray, dtype):
    scale = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    source = (gray.astype(np.float64) * scale).astype(dtype)
    colour = colorizer.colorize(source)
    assert colour.shape == (*gray.shape, 3)
    assert colour.dtype == dtype
    error = np.abs(lightness_of(colour) - lightness_of_gray(source)).mean()
    assert error < (0.3 if dtype == np.uint8 else 0.05)
    assert np.ptp(colour.astype(float), axis=-1).mean() > 2 * scale


def test_a_picture_with_alpha_keeps_it(colorizer, gray):
    alpha = np.arange(gray.size, dtype=np.uint8).reshape(gray.shape)
    colour = colorizer.colorize(np.stack((gray, alpha), -1))
    assert np.array_equal(colour[..., 3], alpha)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_bytes_come_back_as_bytes_of_the_same_format(colorizer, gray, kind):
    with Image.open(io.BytesIO(colorizer.colorize(encoded(gray, kind)))) as colour:
        assert colour.format == kind
        assert colour.size == gray.shape[::-1]
        assert colour.mode == "RGB"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16"])
def test_a_pil_image_comes_back_as_one(colorizer, gray, mode):
    picture = (
        Image.fromarray(gray.astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(gray).convert(mode)
    )
    picture.info["dpi"] = (300, 300)
    colour = colorizer.colorize(picture)
    assert isinstance(colour, Image.Image)
    assert colour.size == picture.size
    assert colour.info["dpi"] == (300, 300)


@pytest.mark.slow
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_pil_image_is_seen_upright(colorizer, gray, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = io.BytesIO()
    Image.fromarray(to_stored(gray, orientation)).save(content, "PNG", exif=exif)
    hint = photochrom.Hint.point(20, 30, "#c02020", radius=8)
    coloured = colorizer.colorize(Image.open(content), hints=[hint])
    upright = colorizer.colorize(gray, hints=[hint])
    assert coloured.getexif()[ExifTags.Base.Orientation] == orientation
    shown = np.asarray(ImageOps.exif_transpose(coloured))
    np.testing.assert_array_equal(shown, upright)


@pytest.mark.slow
def test_a_path_gives_the_path_of_the_file_beside_it(colorizer, gray, tmp_path):
    (tmp_path / "old.jpg").write_bytes(encoded(gray, "JPEG"))
    target = colorizer.colorize(tmp_path / "old.jpg")
    assert target == tmp_path / "old-color.jpg"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old-color.jpg", "old.jpg"]


def test_method_gray_on_a_gray_file_gives_identical_pixels(gray):
    content = photochrom.colorize(encoded(gray, "PNG"), method="gray")
    with Image.open(io.BytesIO(content)) as kept:
        assert kept.mode == "L"
        assert np.array_equal(np.array(kept), gray)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (10, 3), (37, 53)])
def test_every_method_colours_every_shape(name, shape):
    source = np.linspace(0, 255, shape[0] * shape[1]).astype(np.uint8).reshape(shape)
    given = {
        "hints": [photochrom.Hint.point(0, 0, "#a04030")],
        "reference": drawn_picture(3),
    }
    required = {k: given[k] for k in photochrom.methods()[name].requires}
    assert photochrom.colorize(source, method=name, **required).shape[:2] == shape


@pytest.mark.parametrize("level", [0, 255])
def test_pure_black_and_pure_white_stay_so(colorizer, level):
    colour = colorizer.colorize(np.full((40, 50), level, np.uint8))
    assert (colour == level).all()


@pytest.mark.slow
def test_saturation_zero_is_gray_and_more_is_more_colourful(gray):
    spreads = [
        np.ptp(photochrom.colorize(gray, saturation=s).astype(int), axis=-1).mean()
        for s in (0.0, 0.5, 1.0)
    ]
    assert spreads[0] == 0
    assert spreads[1] < spreads[2]


@pytest.mark.slow
def test_vividness_makes_colours_bolder(gray):
    calm, bold = (photochrom.colorize(gray, vividness=v) for v in (0.0, 1.0))
    assert np.ptp(calm.astype(int), axis=-1).mean() < np.ptp(bold.astype(int), axis=-1).mean()


@pytest.mark.slow
def test_stored_orientation_does_not_change_the_colours(gray):
    colorizer = Colorizer("photochrom", vividness=0.0, threads=1)  # bold looks amplify rounding
    upright = Image.open(io.BytesIO(colorizer.colorize(encoded(gray, "PNG"))))
    turned = Image.fromarray(gray).transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6
    result = Image.open(io.BytesIO(colorizer.colorize(encoded(np.array(turned), "PNG", exif=exif))))
    assert result.getexif()[0x0112] == 6
    stood = np.array(result.transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(stood - np.array(upright)).mean() < 1.5


@pytest.mark.slow
def test_colour_follows_a_hint_where_it_is(colorizer):
    lightness = np.full((128, 128), 55, np.float32)
    ab, mask = np.zeros((128, 128, 2), np.float32), np.zeros((128, 128), np.float32)
    ab[40:60, 40:60], mask[40:60, 40:60] = (40, -30), 1
    hinted = colorizer.predict_ab(lightness, hints=Hints(ab, mask))
    assert np.abs(hinted[46:54, 46:54] - (40, -30)).mean() < 3


@pytest.mark.slow
def test_the_array_path_and_the_file_path_agree(colorizer):
    gray = np.array(Image.fromarray(data.astronaut()).convert("L"))
    lightness = lightness_of_gray(gray).astype(np.float32) / LEVEL
    ab = colorizer.predict_ab(lightness)
    joined = colorizer.colorize((gray / 255).astype(np.float64))
    inside = rgb_to_lab(lab_to_rgb(np.concatenate((lightness[..., None], ab), -1)).rgb)
    assert np.abs(rgb_to_lab(joined)[..., 1:] - inside[..., 1:]).mean() < 2.0


def test_a_source_in_colour_is_coloured_anew_and_that_is_said(colorizer, tmp_path):
    Image.fromarray(drawn_picture(1)).save(tmp_path / "c.png")
    notes = colorizer.colorize_file(tmp_path / "c.png").notes
    assert any("recoloured" in note for note in notes)


def test_the_original_is_never_replaced(colorizer, gray, tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(encoded(gray, "PNG"))
    with pytest.raises(UnwritablePhotoError, match="replace the original"):
        colorizer.colorize_file(path, path)
    assert path.read_bytes() == encoded(gray, "PNG")


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        (np.zeros((3, 4, 5), np.uint8), ShapeError),
        (np.zeros((0, 4), np.uint8), ShapeError),
        (np.zeros((4, 4), np.complex64), DtypeError),
        (np.full((4, 4), np.nan, np.float32), InvalidValueError),
        (np.full((4, 4), 300.0), InvalidValueError),
        (7, DtypeError),
        (None, DtypeError),
    ],
)
def test_what_is_no_picture_is_refused(colorizer, picture, error):
    with pytest.raises(error):
        colorizer.colorize(picture)


@pytest.mark.parametrize(
    "wrong", [{"vividness": 1.5}, {"saturation": -1}, {"saturation": 9}, {"short_side_px": 8}]
)
def test_a_look_out_of_range_is_refused(wrong):
    with pytest.raises(InvalidValueError, match="must"):
        Look(**wrong)


def test_formats_that_are_not_written_become_others(tmp_path):
    assert beside(tmp_path / "a.gif").name == "a-color.png"
    assert beside(tmp_path / "a.HEIC").name == "a-color.jpg"
    assert beside(tmp_path / "a.b.tif", tmp_path / "out").name == "a.b-color.tif"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["I", "RGBa", "La"])
def test_seldom_pil_modes_are_coloured_as_their_plain_kind(colorizer, gray, mode):
    plain = {"I": "I;16", "RGBa": "RGBA", "La": "LA"}[mode]
    if mode == "I":
        deep = gray.astype(np.uint16) * 257
        seldom, usual = Image.fromarray(deep.astype(np.int32)), Image.fromarray(deep)
    else:
        usual = Image.fromarray(gray).convert(plain)
        seldom = usual.convert(mode)
    assert (seldom.mode, usual.mode) == (mode, plain)
    np.testing.assert_array_equal(
        np.asarray(colorizer.colorize(seldom)), np.asarray(colorizer.colorize(usual))
    )


@pytest.mark.parametrize("pixels", [np.float32([[0.5, 0.7]]), np.int32([[-4, 9]])])
def test_a_pil_image_without_a_range_is_refused(colorizer, pixels):
    with pytest.raises(DtypeError, match="does not define black and white"):
        colorizer.colorize(Image.fromarray(pixels))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_the_order_of_an_arrays_bytes_does_not_matter(colorizer, gray, kind):
    top = 65535 if kind is np.uint16 else 1
    array = (gray / 255 * top).astype(kind)
    swapped = array.astype(array.dtype.newbyteorder())
    assert swapped.dtype != array.dtype
    np.testing.assert_array_equal(colorizer.colorize(swapped), colorizer.colorize(array))


def test_a_path_never_takes_the_place_of_another_programs_file(colorizer, gray, tmp_path):
    Image.fromarray(gray).save(tmp_path / "a.png")
    Image.fromarray(gray).save(tmp_path / "a-color.png")
    theirs = (tmp_path / "a-color.png").read_bytes()
    assert colorizer.colorize(tmp_path / "a.png").name == "a-color-2.png"
    assert colorizer.colorize(tmp_path / "a.png").name == "a-color-2.png"
    assert (tmp_path / "a-color.png").read_bytes() == theirs


def test_a_hint_outside_the_picture_is_said(colorizer, gray):
    hints = [Hint("point", ((x, 20),), (170, 51, 34), 4) for x in (20, 5000)]
    content = encoded(gray, "PNG")
    notes = colorizer.colorize_file(content, guidance=Guidance(tuple(hints))).notes
    assert (
        "hints outside the 200 x 150 pixels of the upright picture, which have no effect: 1 of 2"
        in (notes)
    )
    inside = colorizer.colorize_file(content, guidance=Guidance((hints[0],)))
    assert not any("outside" in note for note in inside.notes)


@pytest.mark.slow
def test_a_tiff_of_many_pages_holds_few_files_open(tmp_path, monkeypatch):
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("the system does not tell which files are open")
    pages = [Image.fromarray(drawn_picture(seed, 32, 32)) for seed in range(24)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    opened, real = [], page_colouring.join

    def counted(*args, **options):
        opened.append(len(list(folder.iterdir())))
        return real(*args, **options)

    monkeypatch.setattr(page_colouring, "join", counted)
    Colorizer("gray").colorize_file(tmp_path / "a.tif", tmp_path / "b.tif")
    assert len(opened) == 24
    assert opened[-1] <= opened[1] + 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["path", "array", "pil", "bytes"])
def test_a_notebook_shows_before_and_after_side_by_side(kind, tmp_path):
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L"))
    path = tmp_path / "old.png"
    Image.fromarray(gray).save(path)
    given = {
        "path": path,
        "array": gray,
        "pil": Image.fromarray(gray),
        "bytes": path.read_bytes(),
    }[kind]
    shown = Colorizer().show(given, hints=[Hint.point(250, 300, "#2050c0", radius=40)])
    assert shown.before.shape == shown.after.shape == (512, 512, 3)
    assert (shown.before == gray[..., None]).all()
    blue = shown.after[300, 250].astype(int)
    assert blue[2] > blue[0]
    png = Image.open(io.BytesIO(shown._repr_png_()))
    assert png.size == (1032, 512) and list(tmp_path.iterdir()) == [path]


def test_a_large_photograph_is_shown_small():
    gray = np.tile(np.arange(0, 240, 0.1).astype(np.uint8), (1200, 1))
    shown = Colorizer("gray").show(gray)
    assert shown.before.shape == (512, 1024, 3) and np.ptp(shown.after, axis=-1).max() == 0
