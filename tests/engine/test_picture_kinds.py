"""What callers have pictures in, and what they get back with them."""

import io
import os

import numpy as np
import pytest
import pyvips
import torch
from PIL import Image
from skimage import data
from tests.conftest import drawn_picture

import photochrom
from photochrom.engine.colorize import Colorizer
from photochrom.errors import DtypeError, InvalidValueError, ShapeError
from photochrom.photo.photo import Photo
from photochrom.photo.reading import Reading


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer("photochrom", threads=1, short_side_px=64)


@pytest.fixture(scope="module")
def gray():
    return np.array(Image.fromarray(drawn_picture(5, 90, 120)).convert("L"))


@pytest.fixture
def path(tmp_path, gray):
    Image.fromarray(gray).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def is_coloured(rgb):
    return np.ptp(np.asarray(rgb).astype(float), axis=-1).mean() > 2


def test_open_files_and_bytes_in_memory_give_bytes_in_memory(colorizer, path):
    content = path.read_bytes()
    expected = colorizer.colorize(content)
    with path.open("rb") as file:
        from_file = colorizer.colorize(file)
    written = io.BytesIO()
    written.write(content)  # nobody has gone back to the start
    for result in (from_file, colorizer.colorize(io.BytesIO(content)), colorizer.colorize(written)):
        assert isinstance(result, io.BytesIO)
        assert result.tell() == 0
        assert result.read() == expected


def test_a_text_file_is_refused_in_words(colorizer, path):
    with (
        path.open("r", encoding="latin-1") as file,
        pytest.raises(DtypeError, match="must be opened for binary reading"),
    ):
        colorizer.colorize(file)


def test_a_list_gives_a_list_and_an_iterator_gives_one_at_a_time(colorizer, gray, path):
    alone = colorizer.colorize(gray)
    several = colorizer.colorize([gray, path.read_bytes()])
    assert (several[0] == alone).all()
    assert isinstance(several[1], bytes)
    drawn = []

    def pictures():
        for number in range(3):
            drawn.append(number)
            yield gray

    results = colorizer.colorize(pictures())
    assert drawn == []
    assert (next(results) == alone).all()
    assert drawn == [0]
    assert len(list(results)) == 2
    assert colorizer.colorize([]) == []


def test_a_list_of_numbers_says_what_to_give(colorizer, gray):
    with pytest.raises(DtypeError, match="numpy.array"):
        colorizer.colorize(gray.tolist())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_a_tensor_comes_back_with_its_axes_and_type(colorizer, gray, dtype):
    plain = torch.from_numpy(gray)
    scaled = plain if dtype == torch.uint8 else plain.to(dtype) / 255
    expected = colorizer.colorize(scaled.numpy())
    for tensor, to_array in (
        (scaled, lambda t: t.permute(1, 2, 0)),
        (scaled[None], lambda t: t.permute(1, 2, 0)),
        (scaled[None].repeat(3, 1, 1), lambda t: t.permute(1, 2, 0)),
        (scaled[..., None], lambda t: t),
    ):
        result = colorizer.colorize(tensor)
        assert result.dtype == dtype
        error = np.abs(to_array(result).numpy().astype(float) - expected.astype(float)).mean()
        assert error < (1 if dtype == torch.uint8 else 0.004)
    batch = colorizer.colorize(torch.stack([scaled[None]] * 2))
    assert batch.shape == (2, 3, *gray.shape)
    assert is_coloured(
        batch[1].permute(1, 2, 0).double().numpy() * (255 if dtype != torch.uint8 else 1)
    )


def test_the_method_gray_gives_three_bands_as_the_others_do(gray):
    colorizer = photochrom.Colorizer("gray")
    plain = torch.from_numpy(gray)
    assert torch.equal(colorizer.colorize(plain), plain.expand(3, *gray.shape))
    assert np.array_equal(colorizer.colorize(gray), np.repeat(gray[..., None], 3, axis=-1))


def test_tensors_of_other_shapes_are_refused(colorizer):
    with pytest.raises(ShapeError, match="a batch"):
        colorizer.colorize(torch.zeros(5))
    with pytest.raises(ShapeError, match="at least one picture"):
        colorizer.colorize(torch.zeros(0, 1, 8, 8))


def test_a_target_may_be_a_string(colorizer, path):
    target = str(path.with_name("b.jpg"))
    coloured = colorizer.colorize_file(str(path), target)
    assert str(coloured.target) == target
    assert is_coloured(Image.open(target))


def test_run_gives_picture_notes_and_confidence(colorizer, gray, path):
    result = colorizer.run(gray)
    assert (result.image == colorizer.colorize(gray)).all()
    assert result.confidence.ndim == 2
    assert np.allclose(result.confidence, colorizer.confidence(gray))
    dots = (np.indices(gray.shape).sum(0) % 2 * 255).astype(np.uint8)
    assert any("black or white" in note for note in colorizer.run(dots).notes)
    from_file = colorizer.run(path)
    assert from_file.image == path.with_name("a-color.png")
    assert from_file.confidence.shape == result.confidence.shape
    toned = np.repeat(gray[..., None], 3, -1) * np.array([1.0, 0.9, 0.7])
    assert any("toned" in n for n in colorizer.run(Image.fromarray(toned.astype(np.uint8))).notes)
    with pytest.raises(DtypeError, match="a single picture"):
        colorizer.run([gray])


def test_a_method_that_does_not_know_gives_no_confidence(gray):
    result = Colorizer("gray").run(gray)
    assert (result.confidence, result.notes) == (None, ())
    assert (result.image == gray[..., None]).all()


@pytest.mark.parametrize("kind", ["pil", "bytesio", "file", "tensor", "path"])
def test_a_reference_may_be_any_picture(colorizer, gray, tmp_path, kind):
    rgb = drawn_picture(9)
    saved = tmp_path / "reference.png"
    Image.fromarray(rgb).save(saved)
    given = {
        "pil": lambda: Image.fromarray(rgb),
        "bytesio": lambda: io.BytesIO(saved.read_bytes()),
        "file": lambda: saved.open("rb"),
        "tensor": lambda: torch.from_numpy(rgb).permute(2, 0, 1),
        "path": lambda: str(saved),
    }[kind]()
    result = colorizer.colorize(gray, reference=given)
    if kind == "file":
        given.close()
    assert np.abs(result.astype(float) - colorizer.colorize(gray, reference=rgb)).mean() < 1


def test_suggestions_and_confidence_take_any_picture(colorizer, gray):
    image = Image.fromarray(gray)
    assert colorizer.suggest(image, 60, 45) == colorizer.suggest(gray, 60, 45)
    assert np.allclose(colorizer.confidence(torch.from_numpy(gray)), colorizer.confidence(gray))


def test_the_face_takes_a_reading(gray):
    rgb = photochrom.colorize(255 - gray, short_side_px=64)
    with pytest.raises(InvalidValueError, match="A reading applies only to files"):
        photochrom.colorize(255 - gray, short_side_px=64, reading=Reading(negative=True))
    assert is_coloured(rgb)
    negative = pyvips.Image.new_from_array(255 - gray).copy(interpretation="b-w").pngsave_buffer()
    positive = photochrom.colorize(negative, short_side_px=64, reading=Reading(negative=True))
    found = Photo.open(positive).lightness_codes() / 655.35
    assert np.corrcoef(found.ravel(), gray.ravel())[0, 1] > 0.95


def test_sidecars_and_times_go_with_the_photograph(colorizer, path):
    os.utime(path, ns=(10**18, 10**18 + 123))
    path.with_suffix(".xmp").write_text("<adobe/>", "utf-8")
    path.with_name("a.png.xmp").write_text("<darktable/>", "utf-8")
    target = path.with_name("b.png")
    coloured = colorizer.colorize_file(path, target, keep_time=True)
    assert target.with_suffix(".xmp").read_text("utf-8") == "<adobe/>"
    assert path.with_name("b.png.xmp").read_text("utf-8") == "<darktable/>"
    assert target.stat().st_mtime_ns == 10**18 + 123
    assert sum("was copied to" in note for note in coloured.notes) == 2
    path.with_suffix(".xmp").write_text("<changed/>", "utf-8")
    again = colorizer.colorize_file(path, target)
    assert any("already exists and differs" in note for note in again.notes)
    assert target.with_suffix(".xmp").read_text("utf-8") == "<adobe/>"


def test_what_is_lost_of_a_damaged_photograph_stays_gray(colorizer, gray, tmp_path):
    grain = np.random.default_rng(0).normal(0, 6, (270, 120))
    tall = (np.tile(gray, (3, 1)) + grain).clip(0, 255).astype(np.uint8)
    image = pyvips.Image.new_from_array(tall).copy(interpretation="b-w")
    content = image.pngsave_buffer()
    result = colorizer.colorize(content[: len(content) // 2], reading=Reading(salvage=True))
    rgb = pyvips.Image.new_from_buffer(result, "").numpy()
    assert np.ptp(rgb[-40:].astype(int), axis=-1).max() == 0
    assert abs(int(rgb[-1, 0, 0]) - 119) <= 1
    assert is_coloured(rgb[:60])


def test_dots_bear_colour_once_their_mean_is_taken(gray):
    colorizer = Colorizer("photochrom", threads=1)
    dots = np.random.default_rng(0).random((270, 360)) * 255 < np.kron(gray, np.ones((3, 3)))
    content = (
        pyvips.Image.new_from_array(dots.astype(np.uint8) * 255)
        .copy(interpretation="b-w")
        .tiffsave_buffer(bitdepth=1)
    )
    plain = colorizer.run(content)
    assert any("--descreen" in note for note in plain.notes)
    meant = colorizer.run(content, reading=Reading(descreen=True))
    assert not any("cannot show colour" in note for note in meant.notes)

    def chroma(data):
        return np.hypot(
            *pyvips.Image.new_from_buffer(data, "").colourspace("lab").numpy().T[1:]
        ).mean()

    assert chroma(plain.image) < 1 < 4 < chroma(meant.image)


@pytest.mark.slow
def test_a_gray_negative_is_offered_to_be_inverted_and_is_not_inverted():
    colorizer = Colorizer("photochrom", threads=1)  # a smaller copy shows too little texture
    gray = np.array(Image.fromarray(data.astronaut()).convert("L"))
    light = np.clip((gray / 255) ** 2.2, 0.01, 1)
    film = np.round((0.8 * (light / 0.01) ** -0.6) ** (1 / 2.2) * 255).astype(np.uint8)
    result = colorizer.run(film)
    assert any("--negative" in note for note in result.notes)
    assert np.corrcoef(result.image.mean(-1).ravel(), film.ravel())[0, 1] > 0.99
    assert not any("--negative" in note for note in colorizer.run(gray).notes)


def test_a_colour_negative_is_offered_to_be_inverted_and_is_not_inverted(colorizer):
    rgb = data.astronaut()[::4, ::4] / 255
    light = np.clip(rgb**2.2, 0.02, 1)
    through = np.array([0.62, 0.34, 0.17]) * (light / 0.02) ** -0.6
    film = np.round(through ** (1 / 2.2) * 255).astype(np.uint8)
    assert any("--negative" in note for note in colorizer.run(film).notes)
    assert not any("--negative" in note for note in colorizer.run(data.astronaut()[::4, ::4]).notes)
