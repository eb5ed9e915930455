"""The owner decides, through the engine and at full size."""

import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from skimage import data
from tests.conftest import drawn_picture

import photochrom
from photochrom.color.difference import ciede2000
from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.reference import References
from photochrom.engine.sidecar import SCHEMA, Sidecar, read_sidecar
from photochrom.errors import InvalidValueError
from photochrom.options.hint import Hint

BLUE = (40, 70, 160)
RED = (160, 48, 32)


@pytest.fixture(scope="module")
def gray():
    return np.array(Image.fromarray(data.astronaut()).convert("L"))


@pytest.fixture(scope="module")
def plain(colorizer, gray):
    return colorizer.colorize(gray)


def shown_and_wanted(rgb, hint, inside):
    lab = rgb_to_lab(rgb / 255)[inside]
    wanted = np.concatenate((lab[..., :1], np.broadcast_to(hint.ab, (len(lab), 2))), -1)
    return ciede2000(lab, rgb_to_lab(lab_to_rgb(wanted).rgb))  # as far as the gamut allows


@pytest.mark.slow
@pytest.mark.parametrize("method", ["photochrom", "gray"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_hint_is_exact_at_full_size(gray, tmp_path, method, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = Image.fromarray(gray).resize((1024, 1024)).crop((0, 0, 1024, 900))
    large.save(tmp_path / "p.png", exif=exif)
    upright = np.array(large.transpose(Image.Transpose.ROTATE_270) if orientation == 6 else large)
    hint = Hint.point(400, 660, BLUE, 30)
    target = photochrom.colorize(tmp_path / "p.png", method=method, hints=[hint])
    result = Image.open(target)
    if orientation == 6:
        result = result.transpose(Image.Transpose.ROTATE_270)
    y, x = np.mgrid[: upright.shape[0], : upright.shape[1]] + 0.5
    inside = np.hypot(x - 400, y - 660) <= 30
    assert inside.sum() > 1000
    assert shown_and_wanted(np.array(result), hint, inside).mean() < 3


@pytest.mark.slow
def test_the_colour_flows_to_what_belongs_to_the_spot_and_not_to_the_rest(colorizer):
    """Two flat fields with an edge between them, and a hint in one that is not its own colour."""
    picture = np.full((300, 400), 90, np.uint8)
    picture[:, 200:] = 180
    before = colorizer.colorize(picture)
    own = rgb_to_lab(before[150, 60] / 255)
    other = max((BLUE, RED), key=lambda c: ciede2000(rgb_to_lab(np.array(c) / 255), own))
    after = colorizer.colorize(picture, hints=[Hint.point(60, 150, other, 12)])
    change = ciede2000(rgb_to_lab(before / 255), rgb_to_lab(after / 255))
    assert change[140:160, 80:120].mean() > 10
    assert change[:, 230:].mean() < 2


def test_a_region_can_be_kept_gray(colorizer, gray):
    corners = [(100, 300), (400, 300), (400, 500), (100, 500)]
    result = colorizer.colorize(gray, hints=[Hint.region(corners)])
    assert np.ptp(result[310:490, 110:390].astype(int), axis=-1).max() <= 2


def test_what_is_kept_shows_through_an_earlier_hint(colorizer, gray, plain):
    corners = [(100, 300), (400, 300), (400, 500), (100, 500)]
    kept = Hint.region([(200, 360), (300, 360), (300, 440), (200, 440)], keep=True)
    result = colorizer.colorize(gray, hints=[Hint.region(corners, RED), kept])
    inside, around = (slice(370, 430), slice(210, 290)), (slice(310, 340), slice(110, 390))
    change = ciede2000(rgb_to_lab(plain / 255), rgb_to_lab(result / 255))
    assert change[inside].mean() < 2
    assert change[around].mean() > 10


@pytest.mark.slow
def test_a_reference_and_a_palette_lead_the_colours(colorizer, gray):
    cool, warm = (colorizer.colorize(gray, palette=mood) for mood in ("seaside", "autumn"))
    b = [rgb_to_lab(p / 255)[..., 2].mean() for p in (cool, warm)]
    assert b[1] - b[0] > 10
    orange = np.zeros((60, 60, 3), np.uint8) + np.uint8([200, 110, 40])
    orange[:30] //= 2
    lent = colorizer.colorize(gray, reference=orange)
    assert rgb_to_lab(lent / 255)[..., 2].mean() > b[0] + 10


@pytest.mark.slow
def test_candidates_are_plausible_visibly_different_and_repeatable(colorizer, gray, plain):
    others = [colorizer.colorize(gray, candidate=n) for n in (1, 2)]
    pictures = [rgb_to_lab(p / 255) for p in (plain, *others)]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert (ciede2000(pictures[one], pictures[two]) > 5).mean() > 0.015
    for other in pictures[1:]:  # one thing changes, and what is around it hardly
        change = np.linalg.norm(other[..., 1:] - pictures[0][..., 1:], axis=-1)
        assert (change > 9).mean() < 0.35
        assert change[change < 9].mean() < 2
    assert np.array_equal(others[0], colorizer.colorize(gray, candidate=1))


@pytest.mark.slow
def test_a_hint_on_the_thing_that_a_candidate_changes_takes_its_place(colorizer, gray, plain):
    lab = [rgb_to_lab(p / 255) for p in (plain, colorizer.colorize(gray, candidate=1))]
    change = np.linalg.norm(lab[1][..., 1:] - lab[0][..., 1:], axis=-1)
    row, column = np.unravel_index(int(change.argmax()), change.shape)
    hint = Hint.point(float(column), float(row), BLUE, 6)
    hinted = [colorizer.colorize(gray, hints=[hint], candidate=n) for n in (0, 1)]
    assert np.array_equal(*hinted)


def test_suggestions_name_the_lightness_of_the_spot(colorizer, gray):
    found = colorizer.suggest(gray, 300, 350, 6)
    assert 2 <= len(found) <= 6
    lightness = rgb_to_lab(np.repeat(gray[344:356, 294:306, None], 3, -1) / 255)[..., 0].mean()
    for suggestion in found:
        assert rgb_to_lab(np.array(suggestion.rgb) / 255)[0] == pytest.approx(lightness, abs=4)


def test_a_spot_outside_and_a_method_of_one_opinion_are_refused(colorizer, gray):
    with pytest.raises(InvalidValueError, match="outside"):
        colorizer.suggest(gray, 600, 5)
    for ask in ("suggest", "confidence"):
        with pytest.raises(InvalidValueError, match="photochrom"):
            getattr(Colorizer("gray"), ask)(gray, *((5, 5) if ask == "suggest" else ()))


def test_confidence_is_a_map_of_shares(colorizer, gray):
    found = colorizer.confidence(gray)
    assert found.shape == (320, 320)
    assert 0 <= found.min() < found.max() <= 1


@pytest.mark.slow
def test_the_like_of_a_photograph_is_found_in_a_folder(colorizer, tmp_path):
    names = ("astronaut", "chelsea", "coffee", "rocket")
    for name in names:
        Image.fromarray(getattr(data, name)()).save(tmp_path / f"{name}.jpg")
    (tmp_path / "gray.png").write_bytes((tmp_path / "rocket.jpg").read_bytes()[:500])
    choice = References(tmp_path, sorted(tmp_path.iterdir()))
    for name in names:
        picture = np.asarray(Image.fromarray(getattr(data, name)()).convert("L"))[20:, 30:]
        lightness = rgb_to_lab(np.repeat(picture[..., None], 3, -1) / 255)[..., 0]
        found = choice.choose(lightness.astype(np.float32), colorizer.method)
        assert Path(found.name).stem == name


@pytest.mark.slow
def test_a_sidecar_repeats_the_result(gray, tmp_path):
    Image.fromarray(gray).save(tmp_path / "old.png")
    Image.fromarray(data.coffee()).save(tmp_path / "lender.png")
    colorizer = Colorizer("photochrom", saturation=1.3, threads=1)
    guidance = Guidance.of([Hint.point(60, 60, BLUE)], tmp_path / "lender.png", candidate=1, seed=3)
    first = colorizer.colorize_file(tmp_path / "old.png", guidance=guidance)
    text = Sidecar.of(colorizer, first.guidance, first.size).to_json()
    jsonschema.validate(json.loads(text), SCHEMA)
    (tmp_path / "old-color.json").write_text(text)
    read = read_sidecar(tmp_path / "old-color.json")
    again = read.colorizer(threads=1).colorize_file(
        tmp_path / "old.png", guidance=read.guidance_for(first.size)
    )
    assert again.content == first.content


def test_a_sidecar_fits_its_hints_to_a_larger_copy_and_refuses_another_shape():
    sidecar = Sidecar.of(Colorizer("gray"), Guidance((Hint.point(10, 20, BLUE, 4),)), (100, 50))
    assert sidecar.guidance_for((200, 100)).hints[0] == Hint.point(20, 40, BLUE, 8)
    with pytest.raises(InvalidValueError, match="another aspect ratio"):
        sidecar.guidance_for((50, 100))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"method": "gray", "look": {"x": 1}, "wishes": {}, "size": [1, 1]}']
)
def test_what_is_no_sidecar_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InvalidValueError, match="not a sidecar"):
        read_sidecar(tmp_path / "x.json")


def test_a_reference_that_changed_since_is_refused(tmp_path):
    colour_source = tmp_path / "lender.png"
    Image.fromarray(drawn_picture(1)).save(colour_source)
    guidance = Guidance.of(reference=colour_source)
    text = Sidecar.of(Colorizer("gray"), guidance, (10, 10)).to_json()
    (tmp_path / "x.json").write_text(text)
    Image.fromarray(drawn_picture(2)).save(colour_source)
    with pytest.raises(InvalidValueError, match="has changed"):
        read_sidecar(tmp_path / "x.json")


def test_the_marker_tells_wishes_apart(gray):
    content = io.BytesIO()
    Image.fromarray(gray).save(content, "PNG")
    colorizer = Colorizer("gray")
    hinted = Guidance((Hint.point(10, 20, BLUE),))
    assert colorizer.marker() != colorizer.marker(hinted)
    coloured = colorizer.colorize_file(content.getvalue(), guidance=hinted).content
    assert photochrom.engine.colorize.Photo.open(coloured).marker == colorizer.marker(hinted)


def test_the_published_schema_is_the_one_that_is_used():
    published = Path(__file__).parents[2] / "docs" / "sidecar.schema.json"
    assert json.loads(published.read_text()) == SCHEMA
