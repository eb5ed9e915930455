"""The benchmark that recolours one thing: its tasks are fair, and its measures are right."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.color.difference import chroma, hue
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.guidance import overlays_of

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "one_thing.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("one_thing", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["one_thing"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["one_thing"]


@pytest.fixture(scope="module")
def things(benchmark):
    return list(benchmark.built_in())


@pytest.fixture(scope="module")
def tasks(benchmark, things):
    return [(thing, benchmark.ask(thing)) for thing in things]


@pytest.fixture(scope="module")
def square(benchmark):
    """Red, mottled, 40 x 40 on a gray wall of 120 x 100."""
    random = np.random.default_rng(0)
    rgb = np.full((100, 120, 3), 128, np.uint8)
    rgb[30:70, 40:80] = np.clip((170, 60, 50) + random.normal(0, 8, (40, 40, 3)), 0, 255)
    mask = np.zeros((100, 120), bool)
    mask[30:70, 40:80] = True
    return benchmark.Thing("square", rgb, mask)


def test_every_built_in_thing_is_a_part_of_its_picture(things):
    assert len(things) >= 12
    for thing in things:
        assert thing.mask.shape == thing.rgb.shape[:2], thing.name
        assert 0.004 < thing.mask.mean() < 0.4, thing.name


def test_what_is_wanted_is_another_hue_on_the_thing_and_nothing_else(tasks):
    for thing, task in tasks:
        own, wanted = (
            rgb_to_lab(rgb / 255.0)[thing.mask].mean(0) for rgb in (thing.rgb, task.wanted)
        )
        turn = abs((hue(wanted[1:]) - hue(own[1:]) + 180) % 360 - 180)
        assert turn > 75, thing.name  # 90 or more, less what the gamut bends
        assert wanted[0] == pytest.approx(own[0], abs=0.7)
        assert chroma(wanted[1:]) > 15
        assert np.abs(task.wanted[~thing.mask].astype(int) - thing.rgb[~thing.mask]).max() <= 1


def test_the_hints_lie_on_the_thing_and_ask_for_its_lightness_and_new_hue(tasks):
    for thing, task in tasks:
        lightness = rgb_to_lab(thing.rgb / 255.0)[thing.mask][:, 0].mean()
        wanted = rgb_to_lab(task.wanted / 255.0)[thing.mask, 1:].mean(0)
        for kind, least in (("point", 1.0), ("stroke", 0.9), ("region", 0.6)):
            hint = task.hints[kind]
            (touch,) = overlays_of([hint])
            covered = touch.coverage(0, 0, *thing.mask.shape[::-1]) >= 1
            assert covered.any(), (thing.name, kind)
            # A region may cover the holes that are cut out of a thing.
            assert thing.mask[covered].mean() >= least, (thing.name, kind)
            assert rgb_to_lab(np.array(hint.colour) / 255.0)[0] == pytest.approx(lightness, abs=1)
            np.testing.assert_allclose(hint.ab, wanted, atol=12)  # bounded pixel by pixel


def test_a_region_is_the_outline_of_the_thing(benchmark, square):
    (touch,) = overlays_of([benchmark.ask(square).hints["region"]])
    covered = touch.coverage(0, 0, 120, 100) >= 1
    assert (covered ^ square.mask).sum() <= 4


def test_recolouring_exactly_the_thing_costs_nothing(benchmark, square):
    task = benchmark.ask(square)
    plain = np.zeros((100, 120, 2), np.float32)
    best = np.where(square.mask[..., None], benchmark.ab_of(task.wanted), plain)
    found = benchmark.Ruler(square.mask, task.wanted).score(plain, best)
    assert (found["inside"], found["outside"], found["outside_seen"]) == (0, 0, 0)
    wanted = rgb_to_lab(task.wanted / 255.0)[31:69, 41:79, 1:]
    rounding = pytest.approx(chroma(wanted).mean(), abs=0.05)
    assert found["inside_without"] == rounding


def test_a_flood_is_counted_outside_and_a_hint_that_does_nothing_inside(benchmark, square):
    task = benchmark.ask(square)
    ruler = benchmark.Ruler(square.mask, task.wanted)
    plain = np.zeros((100, 120, 2), np.float32)
    nothing = ruler.score(plain, plain)
    assert nothing["inside"] == nothing["inside_without"] > 25
    assert nothing["outside"] == 0
    flooded = ruler.score(plain, plain + np.float32([6, 8]))
    assert flooded["outside"] == pytest.approx(10)
    assert flooded["outside_seen"] == 1


def test_a_gray_thing_is_asked_for_with_a_chroma_of_25(benchmark, square):
    gray = np.full_like(square.rgb, 128)
    gray[30:70, 40:80] = (131, 129, 127)
    task = benchmark.ask(benchmark.Thing("gray", gray, square.mask))
    assert chroma(task.hints["point"].ab) == pytest.approx(25, abs=0.5)


def test_a_folder_of_pairs_is_read_and_a_bad_one_is_told(benchmark, square, tmp_path):
    with pytest.raises(SystemExit, match=r"needs pairs of NAME.jpg and NAME.png"):
        list(benchmark.read_folder(tmp_path))
    Image.fromarray(square.rgb).save(tmp_path / "square.jpg", quality=95, subsampling=0)
    with pytest.raises(SystemExit, match=r"needs square.png beside it"):
        list(benchmark.read_folder(tmp_path))
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "square.png")
    with pytest.raises(SystemExit, match="needs 120 x 100 pixels, white and black; it has 9 x 9"):
        list(benchmark.read_folder(tmp_path))
    Image.fromarray(square.mask).save(tmp_path / "square.png")
    (thing,) = benchmark.read_folder(tmp_path)
    np.testing.assert_array_equal(thing.mask, square.mask)


@pytest.mark.slow
def test_every_method_is_measured_by_every_kind_of_hint(benchmark, square):
    colorizers = {name: benchmark.Colorizer(name) for name in ("photochrom", "rbf")}
    records = benchmark.measure(square, colorizers, None)
    assert len(records) == 7
    rows = benchmark.summarise([*records, *records])
    assert [row["things"] for row in rows] == [2] * 7
    assert (rows[0]["outside"][0], rows[0]["hint"]) == (0, "outline")
    assert 0 < rows[0]["inside"][0] < 8  # it is mottled
    region = next(row for row in rows if (row["method"], row["hint"]) == ("photochrom", "region"))
    assert region["inside"][0] < 0.4 * region["inside_without"][0]
    assert len(benchmark.to_markdown(rows).splitlines()) == 9
