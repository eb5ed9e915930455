"""What every classic network does; what is one's own is tested in its own file."""

import copy
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from photochrom.color.bins import zhang_bins
from photochrom.errors import CheckpointError, InvalidValueError
from photochrom.workbench.networks import fusion, mobilenet_fusion, resnet18, resnet50

BINS = 12
TINY50 = {"width": 1 / 16, "layers": (1, 1, 1, 1)}


class Kind(NamedTuple):
    build: Any
    config: Any
    output_stride: int
    paints: bool


KINDS = {
    "fusion": Kind(fusion.Fusion, fusion.Config(1 / 16, classes=5, global_px=64), 1, True),
    "resnet18": Kind(resnet18.Resnet18, resnet18.Config(), 1, True),
    "resnet18 deeper": Kind(resnet18.Resnet18, resnet18.Config(stages=3), 1, True),
    "resnet18 classifier": Kind(
        resnet18.Resnet18Classifier, resnet18.ClassifierConfig(bins=BINS), 4, False
    ),
    "resnet50": Kind(resnet50.Resnet50Regression, resnet50.Config(**TINY50), 1, True),
    "resnet50 palette": Kind(
        resnet50.Resnet50Palette, resnet50.PaletteConfig(**TINY50, bins=BINS), 4, False
    ),
    "mobilenet fusion": Kind(
        mobilenet_fusion.MobilenetFusion,
        mobilenet_fusion.Config(probabilities_px=64, bins=BINS, decoder=(16, 16, 16, 16)),
        4,
        False,
    ),
}
# One of each body: exporting takes the most time of all.
EXPORTED = ["fusion", "resnet18", "resnet50 palette", "mobilenet fusion"]
AB_TOLERANCE, LOGIT_TOLERANCE = 1e-2, 1e-3


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stirred(name):
    """Give a network as if the layers that start at zero had learnt something."""
    torch.manual_seed(0)
    kind = KINDS[name]
    made = kind.build(kind.config)
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    if not kind.paints:
        made.centres.copy_(torch.from_numpy(zhang_bins()[::20][:BINS]))
        made.prior.copy_(torch.softmax(torch.randn(BINS), 0))
    return made


@pytest.fixture(scope="module")
def networks():
    return {name: stirred(name).eval() for name in KINDS}


def lightness(height, width, pictures=2):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(pictures, 1, height, width, generator=generator) * 100


def inputs(name, height, width, pictures=2):
    """Give what `forward` takes: with a style of another size, or with a look."""
    given = (lightness(height, width, pictures),)
    if name == "fusion":
        return (*given, 100 - lightness(height + 3, width + 5, pictures))
    return given if KINDS[name].paints else (*given, torch.full((1,), 0.5), torch.full((1,), 0.3))


def raw(name, made, given):
    """Give what is learnt: painted, or logits; with the class logits of the one that has them."""
    if name == "fusion":
        return torch.cat([t.flatten() for t in made.paint_and_classify(given)])
    return made.paint(given) if KINDS[name].paints else made.distribution(given)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("high", "wide"), [(3, 3), (3, 7)])
def test_every_multiple_of_the_stride_gives_colours_of_the_stated_size(networks, name, high, wide):
    made, shrunk = networks[name], KINDS[name].output_stride
    height, width = high * made.stride, wide * made.stride
    with torch.no_grad():
        given = made(*inputs(name, height, width))
    assert given.ab.shape == (2, 2, height // shrunk, width // shrunk)
    assert all(torch.isfinite(t).all() for t in given)
    if not KINDS[name].paints:
        assert given.logits.shape == (2, BINS, height // shrunk, width // shrunk)
        assert given.confidence.shape == (2, 1, height // shrunk, width // shrunk)


@pytest.mark.parametrize("name", KINDS)
def test_every_parameter_that_learns_gets_a_finite_gradient(name):
    made = stirred(name).train()
    learnt = raw(name, made, lightness(64, 64))
    (learnt * torch.linspace(-1, 1, learnt.numel()).reshape(learnt.shape)).sum().backward()
    learning = [(n, p) for n, p in made.named_parameters() if p.requires_grad]
    assert [n for n, p in learning if p.grad is None or not p.grad.any()] == []
    assert all(torch.isfinite(p.grad).all() for _, p in learning)


@pytest.mark.parametrize("name", KINDS)
def test_the_encoders_parameters_are_the_networks_own_and_not_all(networks, name):
    made = networks[name]
    encoder = {id(p) for p in made.encoder_parameters()}
    rest = [p for p in made.parameters() if id(p) not in encoder and p.requires_grad]
    assert encoder <= {id(p) for p in made.parameters() if p.requires_grad}
    assert rest
    assert bool(encoder) == (name != "fusion")


@pytest.mark.parametrize("name", [k for k in KINDS if KINDS[k].paints])
def test_the_scaled_truth_painted_is_the_truth(networks, monkeypatch, name):
    made, given = networks[name], inputs(name, 48, 64)
    ab = torch.linspace(-110, 110, 2 * 2 * 48 * 64).reshape(2, 2, 48, 64)
    scaled = made.scaled(given[0], ab)
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    painting = "_colour" if name == "fusion" else "paint"
    monkeypatch.setattr(made, painting, lambda *_: scaled)
    torch.testing.assert_close(made(*given).ab, ab, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", [k for k in KINDS if KINDS[k].paints])
def test_training_starts_near_gray(name):
    torch.manual_seed(0)
    kind = KINDS[name]
    with torch.no_grad():
        ab = kind.build(kind.config)(*inputs(name, 64, 64)).ab
    assert ab.abs().mean() < 40


@pytest.mark.parametrize("name", KINDS)
def test_the_weights_carry_over_to_a_fresh_network(networks, name):
    made, kind = networks[name], KINDS[name]
    other = kind.build(kind.config).eval()
    given = inputs(name, 48, 48)
    with torch.no_grad():
        assert not torch.equal(made(*given).ab, other(*given).ab)
        other.load_state_dict(copy.deepcopy(made.state_dict()), strict=True)
        assert torch.equal(made(*given).ab, other(*given).ab)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_the_exported_graph_agrees_with_torch_at_every_size(networks, tmp_path, name):
    import onnxruntime

    made, given = networks[name], inputs(name, 96, 64)
    batch, high, wide = (torch.export.Dim(n, min=1) for n in ("batch", "high", "wide"))
    free = {0: batch, 2: made.stride * high, 3: made.stride * wide}
    style = {0: batch, 2: torch.export.Dim("style_high"), 3: torch.export.Dim("style_wide")}
    shapes = {"fusion": (free, style)}.get(name, (free, None, None)[: len(given)])
    names = {"fusion": ["lightness", "style"]}.get(name, ["lightness", "temperature", "rebalance"])
    with warnings.catch_warnings():
        # torch warns of its own calls, and that inputs which share a size share its name.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        torch.onnx.export(
            made,
            given,
            tmp_path / "made.onnx",
            dynamo=True,
            opset_version=18,
            input_names=names[: len(given)],
            dynamic_shapes=shapes,
            optimize=False,
            verbose=False,
        )
    session = onnxruntime.InferenceSession(tmp_path / "made.onnx")
    for height, width, pictures in ((48, 80, 1), (112, 48, 3)):
        given = inputs(name, height, width, pictures)
        feed = {n: t.numpy() for n, t in zip(names, given, strict=False)}
        with torch.no_grad():
            expected = made(*given)
        ab, *others = session.run(None, feed)
        np.testing.assert_allclose(ab, expected.ab, atol=AB_TOLERANCE)
        for ours, theirs in zip(others, expected[1:], strict=True):
            np.testing.assert_allclose(ours, theirs, atol=LOGIT_TOLERANCE)


@pytest.mark.parametrize(
    "build",
    [
        lambda: resnet18.Resnet18(resnet18.Config(), pretrained=True),
        lambda: resnet50.Resnet50Regression(resnet50.Config(), pretrained=True),
        lambda: mobilenet_fusion.MobilenetFusion(mobilenet_fusion.Config(), pretrained=True),
    ],
)
def test_weights_that_cannot_be_fetched_are_answered_with_the_offline_way(
    monkeypatch, tmp_path, build
):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"needs its ImageNet weights.*--init FILE"):
        build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: fusion.Config(global_px=100), "multiple of 32; got 100"),
        (lambda: resnet18.Resnet18(resnet18.Config(stages=4)), "2 or 3; got 4"),
        (lambda: resnet50.PaletteConfig(out_stride=3), "1, 2, 4 or 8; got 3"),
        (lambda: mobilenet_fusion.Config(probabilities="vgg"), "tf_efficientnet_lite0.*'vgg'"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(build, message):
    with pytest.raises(InvalidValueError, match=message):
        build()
