import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from photochrom.colorization.catalogue import load_method
from photochrom.colorization.method import METADATA_KEY, Hints, Request
from photochrom.colorization.network import NetworkMethod
from photochrom.errors import InvalidValueError, ShapeError, WeightsError
from photochrom.photo.resize import resize

PLAIN = Request(np.linspace(0, 100, 64 * 96, dtype=np.float32).reshape(64, 96))


@pytest.fixture(scope="module")
def method(exported_network):
    return NetworkMethod(exported_network.path, threads=1)


def described_as(path, target, description):
    """Write the network again with another description, or with none."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: description} if description else {})
    onnx.save(model, target)
    return target


def test_a_prediction_has_its_shapes_types_and_ranges(method):
    prediction = method.predict(replace(PLAIN, distribution=True))
    assert prediction.ab.shape == (1, 16, 24, 2)
    assert prediction.confidence.shape == (16, 24)
    assert prediction.distribution.shape == (20, 16, 24)
    assert {prediction.ab.dtype, prediction.confidence.dtype} == {np.dtype(np.float32)}
    assert prediction.confidence.min() >= 0
    assert prediction.confidence.max() <= 1
    assert method.predict(PLAIN).distribution is None


@pytest.fixture(scope="module")
def looking_around(exported_network, tmp_path_factory):
    """Describe the same network as one that looks at other views as well, and give a maker."""

    def made(*views):
        table = json.dumps(replace(exported_network.info, views=views).to_table())
        target = tmp_path_factory.mktemp("views") / "views.onnx"
        return NetworkMethod(described_as(exported_network.path, target, table), threads=1)

    return made


def wished():
    """Ask for colours on one side, a histogram, a chroma and the distribution."""
    mask = np.zeros((64, 96), np.float32)
    mask[20:28, 60:80] = 1
    hints = Hints(mask[..., None] * np.array([50, -20], np.float32), mask)
    histogram = np.eye(20, dtype=np.float32)[3]
    return replace(PLAIN, hints=hints, histogram=histogram, chroma=30.0, distribution=True)


def turned(request):
    """Mirror a request."""
    hints = request.hints and Hints(request.hints.ab[:, ::-1], request.hints.mask[:, ::-1])
    return replace(request, lightness=request.lightness[:, ::-1], hints=hints)


def test_the_same_question_without_hints_is_answered_once(method, monkeypatch):
    class Counting:
        def __init__(self, session):
            self.session, self.runs = session, 0

        def run(self, *asked):
            self.runs += 1
            return self.session.run(*asked)

    monkeypatch.setattr(method, "_opened", Counting(method._session))
    hints = Hints(np.zeros((*PLAIN.lightness.shape, 2)), np.ones(PLAIN.lightness.shape))
    other = replace(PLAIN, lightness=PLAIN.lightness + 1)
    first = method.predict(other).ab
    np.testing.assert_array_equal(method.predict(replace(other)).ab, first)
    assert method._session.runs == 1
    method.predict(replace(other, vividness=0.9))
    assert method._session.runs == 2
    method.predict(replace(other, hints=hints))
    method.predict(replace(other, hints=hints))
    assert method._session.runs == 4


@pytest.mark.parametrize(
    "request_",
    [replace(PLAIN, distribution=True), replace(wished(), hints=None)],
    ids=["plain", "wished"],
)
def test_who_looks_at_the_mirror_image_too_does_not_mind_the_side(method, looking_around, request_):
    here, there = (looking_around((1.0, True)).predict(r) for r in (request_, turned(request_)))
    one, other = method.predict(request_), method.predict(turned(request_))
    assert np.abs(one.ab - other.ab[:, :, ::-1]).max() > 0.5
    np.testing.assert_allclose(here.ab, there.ab[:, :, ::-1], atol=1e-2)
    np.testing.assert_allclose(here.distribution, there.distribution[..., ::-1], atol=1e-3)
    logits = (one.distribution + other.distribution[..., ::-1]) / 2
    np.testing.assert_allclose(here.distribution, logits, atol=1e-3)
    assert here.ab.shape == one.ab.shape


def test_three_views_have_a_third_of_the_say_each(method, looking_around):
    request_ = replace(PLAIN, distribution=True)
    found = looking_around((1.0, True), (1.0, True)).predict(request_).distribution
    one, other = (method.predict(r).distribution for r in (request_, turned(request_)))
    np.testing.assert_allclose(found, (one + 2 * other[..., ::-1]) / 3, atol=1e-3)


def test_a_smaller_view_has_half_a_say(method, looking_around):
    request_ = replace(PLAIN, distribution=True)
    smaller = resize(PLAIN.lightness[..., None], 32, 64)[..., 0]
    other = method.predict(replace(request_, lightness=smaller)).distribution
    other = np.moveaxis(resize(np.moveaxis(other, 0, -1), 16, 24), -1, 0)
    own = method.predict(request_).distribution
    found = looking_around((0.6, False)).predict(request_)
    np.testing.assert_allclose(found.distribution, (own + other) / 2, atol=1e-3)
    assert np.abs(own - other).max() > 0.5


def test_where_there_are_hints_the_other_views_alone_are_waited_for(method, looking_around):
    mask = np.zeros((64, 96), np.float32)
    mask[21:27, 61:79] = 1
    hints = Hints(np.full((64, 96, 2), (50, -20), np.float32), mask)
    asked = replace(PLAIN, hints=hints, distribution=True)
    found = looking_around((0.6, True), (0.6, False)).predict(asked).distribution
    small, share = (resize(plane[..., None], 32, 64)[..., 0] for plane in (PLAIN.lightness, mask))
    assert 0 < share[share > 0].min() < 1  # hints that fill a part of a pixel keep their colour
    asked = replace(asked, lightness=small, hints=None)
    without = method.predict(asked).distribution
    whole = np.array([50, -20], np.float32) / np.maximum(share, 1e-6)[..., None]
    smaller = Hints(whole * (share > 0)[..., None], share)
    asked = replace(asked, hints=smaller)
    one, other = (method.predict(r).distribution for r in (asked, turned(asked)))
    assert np.abs(one - other[..., ::-1]).max() > 0.05
    np.testing.assert_allclose(found, (one + other[..., ::-1]) / 2, atol=1e-3)
    assert np.abs(found - without).max() > 0.05


def test_the_same_request_gives_the_same_colours(method):
    np.testing.assert_array_equal(method.predict(PLAIN).ab, method.predict(PLAIN).ab)


def test_a_path_is_a_method(exported_network, method):
    named = load_method(exported_network.path, threads=1)
    assert named.info == method.info
    np.testing.assert_array_equal(named.predict(PLAIN).ab, method.predict(PLAIN).ab)


def test_the_default_vividness_is_the_described_one(method):
    default = method.predict(replace(PLAIN, vividness=method.info.vividness)).ab
    np.testing.assert_array_equal(default, method.predict(PLAIN).ab)


def test_what_lies_outside_the_mask_is_no_hint(method):
    mask = np.zeros((64, 96), np.float32)
    mask[20:24, 30:34] = 1
    clean = np.where(mask[..., None] > 0, 40.0, 0.0) * np.ones(2)
    noisy = np.where(mask[..., None] > 0, 40.0, -99.0) * np.ones(2)
    given = [method.predict(replace(PLAIN, hints=Hints(ab, mask))).ab for ab in (clean, noisy)]
    np.testing.assert_array_equal(given[0], given[1])


@pytest.mark.parametrize("shape", [(19,), (21,), (1, 20)])
def test_a_histogram_over_other_bins_is_refused(method, shape):
    with pytest.raises(InvalidValueError, match=r"'small' needs a histogram over its 20 bins"):
        method.predict(replace(PLAIN, histogram=np.zeros(shape, np.float32)))


@pytest.mark.parametrize("size", [(33, 64), (64, 40), (1, 1)])
def test_a_size_off_the_stride_is_refused(method, size):
    with pytest.raises(ShapeError, match=r"'small' needs sides that are multiples of 32"):
        method.predict(Request(np.full(size, 50, np.float32)))


def test_the_right_hash_is_taken_and_a_wrong_one_refused(exported_network):
    path = exported_network.path
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert NetworkMethod(path, digest).info.weights_sha256 == digest
    with pytest.raises(WeightsError, match=rf"must be 0{{16}}\.\.\.; got {digest[:16]}"):
        NetworkMethod(path, "0" * 64)


def test_a_damaged_file_is_refused(exported_network, tmp_path):
    content = exported_network.path.read_bytes()
    (tmp_path / "half.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=r"half\.onnx: is not a network"):
        load_method(tmp_path / "half.onnx")


@pytest.mark.parametrize("content", [b"", b"not a network"])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    (tmp_path / "text.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"text\.onnx"):
        load_method(tmp_path / "text.onnx")


@pytest.mark.parametrize("name", ["none.onnx", "folder.onnx"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(WeightsError, match=rf"{name}: cannot read the network"):
        load_method(tmp_path / name)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, "without photochrom's description.*photochrom export"),
        ("{", "is not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"name": "x"}', "needs name, paper and licence"),
    ],
)
def test_another_description_than_photochroms_is_refused(
    exported_network, tmp_path, description, message
):
    path = described_as(exported_network.path, tmp_path / "other.onnx", description)
    with pytest.raises(WeightsError, match=message):
        load_method(path)


def test_an_unknown_device_is_answered_with_those_that_are_there(exported_network):
    with pytest.raises(InvalidValueError, match=r"'abacus' is not available\. .* has: .*cpu"):
        load_method(exported_network.path, device="abacus")


def test_a_graph_with_inputs_that_are_no_more_still_runs(exported_network, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported_network.path)
    for name in ("contrast", "reward"):
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])
        )
    onnx.save(model, tmp_path / "older.onnx")
    older = NetworkMethod(tmp_path / "older.onnx").predict(PLAIN)
    np.testing.assert_array_equal(older.ab, NetworkMethod(exported_network.path).predict(PLAIN).ab)


ON_ONE_CORE = """
import os
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from photochrom.colorization.catalogue import load_method
method = load_method("photochrom")
for task in Path("/proc/self/task").iterdir():
    print(sorted(os.sched_getaffinity(int(task.name))))
"""


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the machine has one core")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not on this system")
def test_a_network_stays_on_the_cores_that_its_process_may_use():
    done = subprocess.run([sys.executable, "-c", ON_ONE_CORE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {str([min(os.sched_getaffinity(0))])}
