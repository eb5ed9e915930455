import copy
import dataclasses
import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.conftest import drawn_picture

import photochrom.workbench.networks.photochrom2
from photochrom.color.lab import rgb_to_lab
from photochrom.colorization.method import Hints, MethodInfo, Request
from photochrom.colorization.network import NetworkMethod
from photochrom.errors import CheckpointError, UnwritableFileError, WeightsError
from photochrom.workbench.networks.fusion import Config as FusionConfig
from photochrom.workbench.networks.fusion import Fusion
from photochrom.workbench.networks.photochrom2 import Photochrom2
from photochrom.workbench.training.checkpoint import (
    initial_weights,
    read_checkpoint,
    save_atomically,
    table_of,
)
from photochrom.workbench.training.export import (
    FIXED,
    export,
    export_network,
    is_learnt,
    weights_of,
)
from photochrom.workbench.training.network_inputs import input_names
from photochrom.workbench.training.recipe import Phase, Recipe

# Largest differences between torch and ONNX Runtime: ab units, confidence in [0, 1], logits.
TOLERANCES = {
    "weights before they were stored as float16": {"ab": 0.5, "confidence": 0.01, "logits": 0.05},
    "the same weights": {"ab": 1e-2, "confidence": 1e-3, "logits": 1e-3},
}
SIZES = [(64, 96), (160, 32)]
WISHES = {
    "nothing": {},
    "hints": {"hints": True},
    "a histogram": {"histogram": np.eye(20, dtype=np.float32)[3]},
    "chroma": {"chroma": 35.0},
    "calm": {"vividness": 0.0},
    "bold, with hints and wishes": {
        "hints": True,
        "histogram": np.full(20, 0.05, np.float32),
        "chroma": 20.0,
        "vividness": 0.8,
    },
}


@pytest.fixture(scope="module")
def method(exported_network):
    return NetworkMethod(exported_network.path, threads=1)


@pytest.fixture(scope="module")
def networks(exported_network):
    """Give the network as it was, and with the weights that lie in the file."""
    stored = Photochrom2(exported_network.network.config).eval()
    initial_weights(stored, exported_network.path)
    return dict(zip(TOLERANCES, (exported_network.network, stored), strict=True))


def request_of(height, width, guidance):
    lightness = rgb_to_lab(drawn_picture(1, height, width) / 255.0)[..., 0].astype(np.float32)
    guidance = dict(guidance)
    if guidance.pop("hints", False):
        ab = np.full((height, width, 2), 7.0, np.float32)
        mask = np.zeros((height, width), np.float32)
        ab[9:15, 10:20], mask[9:15, 10:20] = (50, -20), 1
        guidance["hints"] = Hints(ab, mask)
    return Request(lightness, **guidance)


@torch.no_grad()
def in_torch(network, request, info):
    """Colour with the network itself, the inputs made by hand."""
    size = request.lightness.shape
    mask = torch.zeros(1, 1, *size)
    ab = torch.zeros(1, 2, *size)
    if request.hints is not None:
        mask[0, 0] = torch.from_numpy(request.hints.mask)
        ab[0] = torch.from_numpy(request.hints.ab).permute(2, 0, 1) * mask[0]
    histogram, known = torch.zeros(1, 21), torch.zeros(1, 2)
    if request.histogram is not None:
        histogram[0, :20], known[0, 0] = torch.from_numpy(request.histogram), 1
    if request.chroma is not None:
        histogram[0, 20], known[0, 1] = request.chroma, 1
    vividness = info.vividness if request.vividness is None else request.vividness
    for before, after in pairwise(info.vividness_path):
        if before[0] <= vividness <= after[0]:
            share = (vividness - before[0]) / (after[0] - before[0])
            look = [a + share * (b - a) for a, b in zip(before[1:], after[1:], strict=True)]
    lightness = torch.from_numpy(request.lightness)[None, None]
    settings = (torch.tensor([look[i]]) for i in (0, 1, 3))
    alone = torch.zeros(1, 20, 1, 1), torch.zeros(1)
    result = network(lightness, ab, mask, histogram, known, *alone, *settings)
    # (1, C, h, w) -> (h, w, C)
    return {
        "ab": (result.ab * look[2])[0].permute(1, 2, 0).numpy(),
        "confidence": result.confidence[0, 0].numpy(),
        "logits": result.logits[0].numpy(),
    }


@pytest.mark.parametrize("against", TOLERANCES)
@pytest.mark.parametrize("guidance", WISHES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_file_gives_what_torch_gives(
    method, networks, exported_network, height, width, guidance, against
):
    request = replace(request_of(height, width, WISHES[guidance]), distribution=True)
    prediction = method.predict(request)
    expected = in_torch(networks[against], request, exported_network.info)
    ours = {
        "ab": prediction.ab[0],
        "confidence": prediction.confidence,
        "logits": prediction.distribution,
    }
    for name, tolerance in TOLERANCES[against].items():
        assert ours[name].shape == expected[name].shape
        assert np.abs(ours[name] - expected[name]).max() <= tolerance, name
    assert np.ptp(ours["ab"]) > 1  # there is something to compare


@pytest.mark.parametrize("guidance", ["hints", "a histogram", "chroma", "calm"])
def test_every_wish_reaches_the_graph(method, guidance):
    plain = method.predict(request_of(64, 96, {})).ab
    assert np.abs(method.predict(request_of(64, 96, WISHES[guidance])).ab - plain).max() > 0.2


@pytest.mark.slow
def test_another_pictures_style_reaches_the_graph_at_its_own_size(tmp_path):
    torch.manual_seed(0)
    network = Fusion(FusionConfig(width=0.05, classes=2, global_px=32)).eval()
    with torch.no_grad():  # colours as wide as a trained network's
        network.fuse_overall.weight.mul_(40)
        network.colour[6].weight.mul_(40)
    path = tmp_path / "fusion.onnx"
    info = export_network(network, Recipe("x", "fusion", (Phase(1),)), path)
    tolerance = TOLERANCES["weights before they were stored as float16"]["ab"]
    assert info.accepts == ("reference",)
    method, plain = NetworkMethod(path, threads=1), request_of(64, 96, {})
    reference = rgb_to_lab(drawn_picture(7, 50, 41) / 255.0).astype(np.float32)
    for style, request in (
        (plain.lightness, plain),
        (reference[..., 0], replace(plain, reference=reference)),
    ):
        with torch.no_grad():
            given = (torch.from_numpy(p)[None, None] for p in (plain.lightness, style))
            expected = network(*given).ab[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(method.predict(request).ab[0], expected, atol=tolerance)
    own, lent = (method.predict(r).ab for r in (plain, replace(plain, reference=reference)))
    assert np.abs(own - lent).max() > 4 * tolerance


def test_the_batch_of_the_graph_is_free(exported_network):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported_network.path)
    random = np.random.default_rng(0)
    feed = {
        "lightness": random.uniform(0, 100, (3, 1, 32, 64)),
        "hint_ab": np.zeros((3, 2, 32, 64)),
        "hint_mask": np.zeros((3, 1, 32, 64)),
        "histogram": np.zeros((3, 21)),
        "global_mask": np.zeros((3, 2)),
        "others": random.uniform(-1, 1, (3, 20, 4, 5)),
    }
    look = {n: np.full(1, 0.5, np.float32) for n in FIXED}
    feed = {k: v.astype(np.float32) for k, v in feed.items()}
    (together,) = session.run(["ab"], {**feed, **look})
    (alone,) = session.run(["ab"], {**{k: v[1:2] for k, v in feed.items()}, **look})
    assert together.shape == (3, 2, 8, 16)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-2)


def test_the_description_lies_in_the_file(method, exported_network):
    info = exported_network.info
    assert info == MethodInfo.from_table(json.loads(json.dumps(info.to_table())))
    digest = hashlib.sha256(exported_network.path.read_bytes()).hexdigest()
    assert method.info == replace(info, weights_sha256=digest)
    assert (info.name, info.licence, info.stride) == ("small", "none", 32)
    np.testing.assert_array_equal(np.array(info.centres), exported_network.network.centres.numpy())


def test_the_file_runs_where_there_is_no_torch(exported_network):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from photochrom.colorization.catalogue import load_method\n"
        "from photochrom.colorization.method import Request\n"
        "method = load_method(sys.argv[1], threads=1)\n"
        "print(method.predict(Request(np.full((32, 64), 50, np.float32))).ab.shape)"
    )
    command = [sys.executable, "-c", program, str(exported_network.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 8, 16, 2)"


def test_the_file_holds_every_weight_rounded_to_float16(exported_network):
    ours, stored = exported_network.network.state_dict(), weights_of(exported_network.path)
    assert stored.keys() == ours.keys()
    for name, weight in stored.items():
        torch.testing.assert_close(weight, ours[name], atol=1e-6, rtol=2**-10)
    numbers = sum(w.numel() for w in ours.values())
    assert exported_network.path.stat().st_size < 2.2 * numbers


def test_the_graph_is_simple_and_its_inputs_are_the_networks_alone(exported_network):
    graph = onnx.load(exported_network.path).graph
    assert [i.name for i in graph.input] == input_names(exported_network.network)
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["Constant"] == kinds["CastLike"] == 0
    learnt = {name for name in exported_network.network.state_dict() if is_learnt(name)}
    assert learnt == weights_of(exported_network.path).keys()


def test_the_file_names_no_folder_of_the_machine_it_was_made_on(exported_network):
    content = exported_network.path.read_bytes()
    source = Path(photochrom.workbench.networks.photochrom2.__file__)
    assert not any(str(folder).encode() in content for folder in (source.parent, sys.prefix))
    assert b"forward" not in content  # of torch's stack traces


def test_nothing_is_left_beside_the_file(exported_network):
    assert [f.name for f in exported_network.path.parent.iterdir()] == ["small.onnx"]


def test_a_description_with_an_unknown_field_is_refused(tmp_path, exported_network):
    recipe = Recipe("x", "photochrom2", (Phase(1),))
    with pytest.raises(WeightsError, match=r"it has .*lisence"):
        export_network(exported_network.network, recipe, tmp_path / "x.onnx", {"lisence": "MIT"})
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_is_missing_or_does_not_fit_its_recipe_is_refused(
    tmp_path, exported_network
):
    network = exported_network.network
    with pytest.raises(CheckpointError, match=r"none\.pt: no such checkpoint"):
        export(tmp_path / "none.pt", tmp_path / "x.onnx")
    recipe = Recipe("x", "photochrom2", (Phase(1),), config={"bins": 20})
    state = {"recipe": table_of(recipe), "network": {}, "average": network.state_dict()}
    save_atomically(state, tmp_path / "wide.pt")
    with pytest.raises(CheckpointError, match=r"wide\.pt"):
        export(tmp_path / "wide.pt", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


@pytest.fixture
def trained(exported_network, tmp_path):
    """Give a checkpoint of the same network, with other weights."""
    network = copy.deepcopy(exported_network.network)
    with torch.no_grad():
        network.head.bias.add_(1.0)
        network.context_in.weight.mul_(-1.0)
    recipe = Recipe("x", "photochrom2", (Phase(1),), config=dataclasses.asdict(network.config))
    state = {"recipe": table_of(recipe), "network": {}, "average": network.state_dict()}
    save_atomically(state, tmp_path / "trained.pt")
    return network, tmp_path / "trained.pt"


@pytest.mark.slow
@pytest.mark.long
def test_the_mean_of_two_trainings_can_be_exported(trained, exported_network, tmp_path):
    network, checkpoint = trained
    export(checkpoint, tmp_path / "mean.onnx", average=exported_network.path)
    weights, other = weights_of(tmp_path / "mean.onnx"), exported_network.network.state_dict()
    assert not torch.equal(network.head.bias, other["head.bias"])
    for name, ours in network.state_dict().items():
        if ours.is_floating_point():
            middle = (ours + other[name]) / 2
            torch.testing.assert_close(weights[name], middle, atol=2e-3, rtol=2e-3)
    prior = weights["prior"]
    assert float(prior.sum()) == pytest.approx(1, abs=1e-3)


def test_trainings_with_other_bins_have_no_mean(trained, exported_network, tmp_path):
    network, checkpoint = trained
    network.centres.add_(10.0)
    save_atomically({**read_checkpoint(checkpoint), "average": network.state_dict()}, checkpoint)
    with pytest.raises(CheckpointError, match=r"small\.onnx: its bins are different colours"):
        export(checkpoint, tmp_path / "mean.onnx", average=exported_network.path)
    assert not (tmp_path / "mean.onnx").exists()


def test_a_folder_that_is_not_there_is_told_before_any_work(exported_network, tmp_path):
    network, _, _ = exported_network
    with pytest.raises(UnwritableFileError, match="missing does not exist"):
        export_network(network, None, tmp_path / "missing" / "a.onnx")
