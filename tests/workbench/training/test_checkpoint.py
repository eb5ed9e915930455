import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.conftest import SMALL_FLAGSHIP

from photochrom.errors import CheckpointError, WeightsError
from photochrom.workbench.networks.photochrom2 import Config, Photochrom2
from photochrom.workbench.networks.pretrained_bodies import timm_body
from photochrom.workbench.networks.resnet18 import Config as Resnet18Config
from photochrom.workbench.networks.resnet18 import Resnet18
from photochrom.workbench.training.checkpoint import (
    initial_weights,
    load_strictly,
    network_of,
    read_checkpoint,
    save_atomically,
    table_of,
)
from photochrom.workbench.training.recipe import Phase, Recipe


class Harmful:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a checkpoint was run')",))


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(3)
    return Photochrom2(Config(**SMALL_FLAGSHIP))


@pytest.fixture
def fresh():
    torch.manual_seed(4)
    return Photochrom2(Config(**SMALL_FLAGSHIP))


@pytest.fixture
def checkpoint(trained, tmp_path):
    recipe = Recipe("x", "photochrom2", (Phase(1),), config=SMALL_FLAGSHIP)
    state = {"recipe": table_of(recipe), "network": {}, "average": trained.state_dict()}
    save_atomically(state, tmp_path / "best.pt")
    return tmp_path / "best.pt"


def same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def save_tensors(network, path):
    save_file({name: t.contiguous() for name, t in network.state_dict().items()}, path)


def test_a_checkpoint_rebuilds_its_network_without_its_recipes_file(trained, checkpoint):
    module, recipe = network_of(read_checkpoint(checkpoint), checkpoint)
    assert same(module, trained)
    assert recipe == Recipe("x", "photochrom2", (Phase(1),), config=SMALL_FLAGSHIP)


def test_nothing_is_left_beside_a_checkpoint(checkpoint):
    assert [f.name for f in checkpoint.parent.iterdir()] == ["best.pt"]


def test_a_network_starts_from_a_checkpoint(trained, fresh, checkpoint):
    initial_weights(fresh, checkpoint)
    assert same(fresh, trained)


def test_a_network_starts_from_safetensors(trained, fresh, tmp_path):
    save_tensors(trained, tmp_path / "w.safetensors")
    initial_weights(fresh, tmp_path / "w.safetensors")
    assert same(fresh, trained)


def test_a_network_starts_from_an_exported_network(exported_network, fresh):
    initial_weights(fresh, exported_network.path)
    for name, weight in exported_network.network.state_dict().items():
        torch.testing.assert_close(fresh.state_dict()[name], weight, atol=1e-6, rtol=2**-10)


def test_a_network_of_another_depth_is_refused_by_name(trained, fresh, tmp_path):
    deep = Photochrom2(Config(**{**SMALL_FLAGSHIP, "mixers": (2, 1, 1)}))
    for name, network in (("trained", trained), ("deep", deep)):
        save_tensors(network, tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match=r"0 tensors are missing .*, \d+ unknown \(mixers32"):
        initial_weights(fresh, tmp_path / "deep.safetensors")
    with pytest.raises(CheckpointError, match=r"\d+ tensors are missing \(mixers32.*, 0 unknown"):
        initial_weights(deep, tmp_path / "trained.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkpoint", "safetensors", "onnx"])
def test_weights_of_another_shape_are_refused_by_name(
    checkpoint, trained, exported_network, tmp_path, kind
):
    save_tensors(trained, tmp_path / "w.safetensors")
    paths = {"checkpoint": checkpoint, "safetensors": tmp_path / "w.safetensors"}
    path = paths.get(kind, exported_network.path)
    other = Photochrom2(Config(**{**SMALL_FLAGSHIP, "bins": 24}))
    before = copy.deepcopy(other)
    with pytest.raises(CheckpointError, match=r"[a-z]\S+ needs shape .* got \(") as raised:
        initial_weights(other, path)
    assert str(path) in str(raised.value)
    assert same(other, before)


def test_missing_and_unknown_tensors_are_counted_and_named(fresh, checkpoint):
    weights = dict(fresh.state_dict())
    weights["head.wait"] = weights.pop("head.weight")
    with pytest.raises(CheckpointError, match=r"1 tensors .* \(head\.weight\), 1 .*\(head\.wait\)"):
        load_strictly(fresh, weights, checkpoint)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".onnx"])
@pytest.mark.parametrize("content", [None, b"", b"not weights", b"\x80\x02" + bytes(50)])
def test_a_file_that_is_none_is_refused(fresh, tmp_path, suffix, content):
    path = tmp_path / f"w{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((WeightsError, CheckpointError), match=path.name):
        initial_weights(fresh, path)


def test_a_truncated_checkpoint_is_refused(checkpoint):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_checkpoint(checkpoint)


def test_another_programs_checkpoint_is_refused(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of photochrom"):
        read_checkpoint(tmp_path / "other.pt")


def test_a_checkpoints_code_is_never_run(tmp_path):
    torch.save({"recipe": Harmful(), "network": {}, "average": {}}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "bad.pt")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_network_takes_its_body_from_a_resnets_own_file(tmp_path, suffix):
    torch.manual_seed(6)
    theirs = timm_body("resnet18", pretrained=False).state_dict()
    theirs["conv1.weight"] = torch.randn(64, 3, 7, 7)
    path = tmp_path / f"resnet18{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(theirs, path)
    network = Resnet18(Resnet18Config())
    before = copy.deepcopy(network)
    assert initial_weights(network, path) is False
    body = network.trunk.body
    torch.testing.assert_close(body[0].weight, theirs["conv1.weight"].sum(1, keepdim=True))
    torch.testing.assert_close(body[5][1].bn2.bias, theirs["layer2.1.bn2.bias"])
    torch.testing.assert_close(body[5][1].conv2.weight, theirs["layer2.1.conv2.weight"])
    assert same(network.colour, before.colour)
    assert same(network.trunk.up, before.trunk.up)


def test_a_body_of_another_shape_is_refused(tmp_path):
    theirs = timm_body("resnet18", pretrained=False).state_dict()
    del theirs["layer1.0.conv1.weight"]
    torch.save(theirs, tmp_path / "resnet18.pth")
    with pytest.raises(CheckpointError, match=r"1 tensors are missing \(trunk\.body\.4\.0\.conv1"):
        initial_weights(Resnet18(Resnet18Config()), tmp_path / "resnet18.pth")


def test_a_full_disk_leaves_the_checkpoint_before(checkpoint, monkeypatch):
    before = checkpoint.read_bytes()

    def fill(state, file):
        Path(file).write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file\nmore")

    monkeypatch.setattr(torch, "save", fill)
    with pytest.raises(CheckpointError, match=r"cannot be written \(PytorchStreamWriter.*file\)"):
        save_atomically({}, checkpoint)
    assert checkpoint.read_bytes() == before
    assert [f.name for f in checkpoint.parent.iterdir()] == ["best.pt"]
