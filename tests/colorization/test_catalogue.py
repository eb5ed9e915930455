import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from skimage import data, transform
from tests.conftest import drawn_picture

from photochrom.color.lab import rgb_to_lab
from photochrom.colorization import catalogue
from photochrom.colorization.catalogue import CATALOGUE, WEIGHTS, begin_loading, load_method
from photochrom.colorization.gray import Gray
from photochrom.colorization.method import CAPABILITIES, Hints, MethodInfo, Request, checked
from photochrom.errors import InvalidValueError, UnknownMethodError
from photochrom.extras import how_to_install

SIZES = [(1, 1), (1, 3), (5, 1), (4, 6)]  # in strides of the method


@pytest.fixture(scope="module", params=sorted(CATALOGUE))
def method(request):
    return load_method(request.param, threads=1)


def request_of(method, high=4, wide=6, **guidance):
    """Return a drawn picture of so many strides a side, with what the method cannot do without."""
    height, width = high * method.info.stride, wide * method.info.stride
    lab = rgb_to_lab(drawn_picture(2, height, width) / 255.0).astype(np.float32)
    needed = {
        "hints": Hints(lab[..., 1:], np.ones((height, width), np.float32)),
        "reference": lab,
        "histogram": np.full(len(method.info.centres), 1 / max(1, len(method.info.centres))),
        "chroma": 20.0,
        "vividness": 0.5,
    }
    required = {name: needed[name] for name in method.info.requires}
    return Request(lab[..., 0], **{**required, **guidance})


def test_a_method_describes_itself(method):
    info = method.info
    assert CATALOGUE.keys() >= {info.name}
    assert info.paper
    assert info.licence
    assert MethodInfo.from_table(info.to_table()) == info
    assert set(info.requires) <= set(info.accepts) <= set(CAPABILITIES)
    assert info.working_px[0] <= info.short_side_px <= info.working_px[1]
    assert info.stride >= 1


def test_the_path_of_vividness_goes_from_calm_to_bold(method):
    path = method.info.vividness_path
    assert (path[0][0], path[-1][0]) == (0, 1)
    assert all(after[0] > before[0] for before, after in pairwise(path))
    assert all(temperature > 0 and saturation > 0 for _, temperature, _, saturation, *_ in path)
    assert 0 <= method.info.vividness <= 1


@pytest.mark.parametrize(("high", "wide"), SIZES)
def test_every_size_gives_finite_colours_no_larger_than_the_picture(method, high, wide):
    request = request_of(method, high, wide)
    prediction = checked(method.predict(request), method.info.name)
    candidates, height, width, _ = prediction.ab.shape
    assert candidates == 1
    assert 1 <= height <= request.lightness.shape[0]
    assert 1 <= width <= request.lightness.shape[1]
    assert prediction.ab.dtype == np.float32
    assert np.abs(prediction.ab).max() <= 150
    if prediction.confidence is not None:
        assert prediction.confidence.shape == (height, width)
        assert 0 <= prediction.confidence.min() <= prediction.confidence.max() <= 1


def test_the_same_request_gives_the_same_colours(method):
    request = request_of(method)
    np.testing.assert_array_equal(method.predict(request).ab, method.predict(request).ab)


@pytest.mark.parametrize("level", [0, 50, 100])
def test_black_gray_and_white_pictures_are_coloured_too(method, level):
    request = request_of(method)
    flat = replace(request, lightness=np.full_like(request.lightness, level))
    checked(method.predict(flat), method.info.name)


def test_what_a_method_accepts_it_takes(method):
    whole = replace(method.info, requires=method.info.accepts)
    request = request_of(type("Described", (), {"info": whole}))
    checked(method.predict(request), method.info.name)


def test_what_a_method_requires_it_asks_for(method):
    for name in method.info.requires:
        lacking = replace(request_of(method), **{name: None})
        with pytest.raises(InvalidValueError, match=rf"'{method.info.name}' needs .*{name}"):
            method.predict(lacking)


@pytest.mark.slow
def test_methods_are_listed_without_scipy_and_name_the_line_to_run_when_used():
    code = """
import sys
sys.modules["scipy"] = None  # as if it were not installed
import numpy as np
import photochrom
from photochrom.colorization.catalogue import load_method
from photochrom.colorization.method import Hints, Request
print(sorted(photochrom.methods()))
plane = np.full((3, 4), 50, np.float32)
mask = np.eye(3, 4, dtype=np.float32)
request = Request(plane, Hints(np.zeros((3, 4, 2)), mask), reference=np.zeros((3, 4, 3)))
for name in ("levin", "welsh", "rbf", "transfer"):
    try:
        print(name, load_method(name).predict(request).ab.shape)
    except photochrom.errors.MissingExtraError as error:
        print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    listed, *used = ran.stdout.splitlines()
    assert listed == str(sorted(CATALOGUE)), ran.stderr
    needs = f"needs scipy, which is not installed. {how_to_install('methods')}"
    assert used == [
        f"'levin' {needs}",
        f"'welsh' {needs}",
        "rbf (1, 3, 4, 2)",
        "transfer (1, 3, 4, 2)",
    ]


@pytest.mark.slow
def test_bold_has_more_chroma_than_calm(method):
    if "vividness" not in method.info.accepts:
        assert method.info.vividness_path == MethodInfo("a", "b", "c").vividness_path
        return
    side = 6 * method.info.stride
    for picture in (data.astronaut(), data.coffee()[:, :400], data.chelsea()[:, :300]):
        lightness = rgb_to_lab(transform.resize(picture, (side, side)))[..., 0].astype(np.float32)
        calm, usual, bold = (
            np.linalg.norm(method.predict(Request(lightness, vividness=v)).ab, axis=-1).mean()
            for v in (0.0, method.info.vividness, 1.0)
        )
        assert calm < usual < bold


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("*.onnx")), ids=lambda path: path.name)
def test_shipped_weights_hold_no_traces_of_the_machine_that_made_them(path):
    assert b"stack_trace" not in path.read_bytes()


def test_gray_leaves_the_photograph_as_it_is():
    prediction = Gray().predict(Request(np.zeros((7, 5), np.float32)))
    assert prediction.ab.shape == (1, 1, 1, 2)
    assert not prediction.ab.any()


def test_an_unknown_method_is_answered_with_the_nearest_name_and_all_of_them():
    with pytest.raises(UnknownMethodError, match=r"'grey'\. Did you mean 'gray'\? All: .*gray, "):
        load_method("grey")
    with pytest.raises(UnknownMethodError, match=r"'xyz'\. All: .* or a path to an \.onnx file"):
        load_method("xyz")


def test_a_method_that_was_begun_is_the_one_that_is_loaded_and_only_once():
    begin_loading("photochrom", threads=1)
    begun = catalogue._BEGUN["photochrom", "cpu", 1]
    begin_loading("photochrom", threads=1)
    assert catalogue._BEGUN["photochrom", "cpu", 1] is begun
    assert load_method("photochrom", threads=1) is begun.result()
    assert load_method("photochrom", threads=1) is not begun.result()


def test_what_is_wrong_with_a_begun_method_is_told_when_it_is_loaded():
    begin_loading("grey")
    with pytest.raises(UnknownMethodError, match=r"'grey'\. Did you mean 'gray'"):
        load_method("grey")
