"""The law of lightness in a film: luma is never changed, and chroma gives way before RGB does."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.films import Look, codes, ground, scene, write_film

from photochrom.color.lab import linear_to_srgb
from photochrom.engine.guided import fit_field
from photochrom.photo.field import ColourField
from photochrom.photo.video import VideoFacts, describe
from photochrom.photo.video_codecs import choose_encoding
from photochrom.photo.video_planes import (
    chroma_planes,
    gray_levels,
    interlaced_chroma,
    levels_of,
    small_lightness,
    stored_field,
    upright,
)
from photochrom.photo.video_segments import widened


@pytest.fixture(scope="module")
def facts_of(tmp_path_factory):
    """Give a function: the facts of a drawn film of a format."""
    folder = tmp_path_factory.mktemp("facts")

    def made(**look) -> VideoFacts:
        path = folder / f"{abs(hash(tuple(look.items())))}.mkv"
        return describe(write_film(path, scene(1), Look(**look)))

    return made


def field_of(a: float, b: float, shape=(9, 12)) -> ColourField:
    """Return a field of one colour, in ab units."""
    ab = np.broadcast_to(np.array([a, b], np.float32), (*shape, 2)).copy()
    return fit_field(ground(3, *shape).astype(np.float32) * 100, ab)


def to_rgb(luma, cb, cr, facts):
    """Return R'G'B' before clipping, by the definition in ITU-R BT.601 and 709."""
    levels, (red, blue) = levels_of(facts), facts.weights
    y = (luma.astype(float) - levels.black) / (levels.white - levels.black)
    cb, cr = ((plane.astype(float) - levels.middle) / levels.span for plane in (cb, cr))
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    return np.stack((r, (y - red * r - blue * b) / (1 - red - blue), b), axis=-1)


RANGES = [
    {"format": "yuv444p"},
    {"format": "yuv444p", "range": 2, "full": True},
    {"format": "yuv444p", "matrix": 1},
    {"format": "yuv444p10le", "matrix": 9},
    {"format": "yuv444p12le", "range": 2, "full": True},
]


@pytest.mark.parametrize("look", RANGES, ids=str)
@pytest.mark.parametrize("colour", [(0, 0), (30, -20), (-60, 60), (110, 110), (-110, -110)])
def test_rgb_stays_in_its_range_whatever_the_colour(facts_of, look, colour):
    facts = facts_of(**look)
    bits, full = facts.plane.bits, facts.full_range
    luma = codes(np.linspace(-0.1, 1.1, 72 * 96).reshape(72, 96), bits, full)
    cb, cr = chroma_planes(luma, field_of(*colour), facts)
    rgb = to_rgb(luma, cb, cr, facts)
    inside = (luma >= levels_of(facts).black) & (luma <= levels_of(facts).white)
    half = 0.5 * 2 / levels_of(facts).span  # of a code of chroma, as it shows in R or B
    assert rgb[inside].min() >= -half * 1.02
    assert rgb[inside].max() <= 1 + half * 1.02
    if colour != (0, 0):
        assert np.ptp(rgb[36], axis=-1).max() > 0.05  # it is coloured where there is room


@pytest.mark.parametrize("look", RANGES, ids=str)
def test_no_colour_is_the_middle_code_exactly(facts_of, look):
    facts = facts_of(**look)
    luma = codes(ground(1), facts.plane.bits, facts.full_range)
    for plane in chroma_planes(luma, field_of(0, 0), facts):
        assert (plane == 2 ** (facts.plane.bits - 1)).all()


@pytest.mark.parametrize(
    ("format", "size"),
    [("yuv420p", (36, 48)), ("yuv422p", (72, 48)), ("yuv411p", (72, 24)), ("yuv440p", (36, 96))],
)
def test_chroma_has_the_size_of_the_format(facts_of, format, size):
    facts = facts_of(format=format)
    luma = codes(ground(1))
    for draw in (chroma_planes, interlaced_chroma):
        assert [plane.shape for plane in draw(luma, field_of(40, 0), facts)] == [size] * 2
        assert [plane.dtype for plane in draw(luma, field_of(40, 0), facts)] == [np.uint8] * 2
    odd = chroma_planes(luma[:71, :95], field_of(40, 0), facts)[0].shape
    assert odd == (-(-71 // facts.plane.down), -(-95 // facts.plane.across))


def test_a_gray_of_the_film_is_a_gray_of_srgb_for_its_colour(facts_of):
    from photochrom.color.lab import lab_to_linear, rgb_to_lab

    facts = facts_of(format="yuv444p16le", range=2, full=True)
    lab = np.array([60.0, 12.0, -16.0])
    expected = linear_to_srgb(lab_to_linear(lab))
    gray = rgb_to_lab(np.linspace(0, 1, 4096)[:, None].repeat(3, axis=1))[:, 0]
    luma = np.full((8, 8), np.interp(60.0, gray, np.linspace(0, 65535, 4096)), np.uint16)
    rgb = to_rgb(luma, *chroma_planes(luma, field_of(12, -16, (4, 4)), facts), facts)[4, 4]
    weights = np.array([facts.weights[0], 1 - sum(facts.weights), facts.weights[1]])
    assert rgb @ weights == pytest.approx(luma[0, 0] / 65535, abs=1e-4)
    assert rgb - rgb @ weights == pytest.approx(expected - expected @ weights, abs=2e-3)


def test_each_field_of_an_interlaced_frame_has_its_own_chroma(facts_of):
    facts = facts_of(format="yuv420p")
    luma = np.empty((72, 96), np.uint8)
    luma[0::2], luma[1::2] = 235, 126  # white has no room for colour
    cb, cr = interlaced_chroma(luma, field_of(60, 40), facts)
    assert (cb[0::2] == 128).all()
    assert (cr[0::2] == 128).all()
    assert (cr[1::2] > 140).all()


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_wider_luma_keeps_every_code_apart_and_comes_back(facts_of, bits):
    from photochrom.photo.video_codecs import Encoding

    for look in ({"format": "gray", "range": 1}, {"format": "gray", "range": 2, "full": True}):
        facts = facts_of(**look)
        wide = Encoding("ffv1", facts.plane._replace(format=f"yuv420p{bits}le", bits=bits), None)
        every = np.arange(256, dtype=np.uint8)[None]
        stored = widened(every, facts, wide)
        top = 2**bits - 1
        back = stored / top * 255 if facts.full_range else stored / 2 ** (bits - 8)
        assert np.array_equal(np.round(back), every)


def test_lightness_is_that_of_an_upright_picture(facts_of):
    from dataclasses import replace

    facts = facts_of(format="gray", range=2, full=True)
    luma = np.zeros((72, 96), np.uint8)
    luma[:, 48:] = 255
    turned = replace(facts, rotation=90)
    lightness = small_lightness(luma, turned, 48, 36)
    assert lightness.shape == (48, 36)
    assert lightness[2].max() == pytest.approx(100, abs=0.01)  # the right is above, turned left
    assert lightness[-3].max() == pytest.approx(0, abs=0.01)
    planes = np.arange(72 * 96 * 8, dtype=np.float32).reshape(72, 96, 8)
    there = ColourField.of(np.ascontiguousarray(upright(planes, 90)))
    assert np.array_equal(stored_field(there, 90).planes, planes)


def test_a_frame_is_written_with_all_its_grays(facts_of):
    facts = facts_of(format="yuv420p")
    assert gray_levels(np.array([[0, 16, 126, 235, 255]], np.uint8), facts).tolist() == [
        [0, 0, 128, 255, 255]
    ]
    deep = facts_of(format="yuv420p10le")
    assert gray_levels(np.array([[64, 940]], np.uint16), deep).tolist() == [[0, 65535]]


@pytest.mark.parametrize("name", ["h264", "h265", "av1", "vp9", "ffv1", "prores"])
def test_a_codec_stores_no_fewer_bits_and_no_less_chroma_than_a_film_has(facts_of, name):
    from photochrom.errors import UnsupportedFormatError

    for format in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le", "gray16le"):
        facts = facts_of(format=format)
        try:
            encoding, notes = choose_encoding(name, facts, None)
        except UnsupportedFormatError as error:
            assert f"{name} does not store" in str(error)
            assert "Use " in str(error)
            continue
        assert encoding.plane.bits >= facts.plane.bits
        assert (encoding.plane.across, encoding.plane.down) <= (
            facts.plane.across,
            facts.plane.down,
        )
        assert bool(notes) == (encoding.plane != facts.plane)


def test_a_film_of_an_odd_size_is_stored_in_whole_chroma_samples(tmp_path: Path):
    film = write_film(tmp_path / "odd.mkv", scene(1, height=71, width=95))
    for name, format in (("h264", "yuv444p"), ("h265", "yuv444p"), ("ffv1", "yuv420p")):
        encoding, notes = choose_encoding(name, describe(film), None)
        assert encoding.plane.format == format
        assert bool(notes) == (name != "ffv1")
    narrow = write_film(tmp_path / "narrow.mkv", scene(1, height=71, width=96))
    assert choose_encoding("h264", describe(narrow), None)[0].plane.format == "yuv422p"
    assert describe(narrow).rate == Fraction(24)
