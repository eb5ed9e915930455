import copy

import pytest
import torch
from safetensors.torch import save_file

from photochrom.errors import CheckpointError
from photochrom.networks.photochrom import Config, Photochrom
from photochrom.training.checkpoint import (
    initial_weights,
    load_strictly,
    network_of,
    read_checkpoint,
    save_atomically,
    table_of,
)
from photochrom.training.recipe import Phase, Recipe

SHAPE = {"bins": 20, "context": 16, "context_layers": 1, "decoder": (16, 16, 16)}


class Harmful:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a checkpoint was run')",))


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(3)
    return Photochrom(Config(**SHAPE))


@pytest.fixture
def fresh():
    torch.manual_seed(4)
    return Photochrom(Config(**SHAPE))


@pytest.fixture
def checkpoint(trained, tmp_path):
    recipe = Recipe("x", "photochrom", (Phase(1),), config=SHAPE)
    state = {"recipe": table_of(recipe), "network": {}, "average": trained.state_dict()}
    save_atomically(state, tmp_path / "best.pt")
    return tmp_path / "best.pt"


def same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_checkpoint_rebuilds_its_network_without_its_recipes_file(trained, checkpoint):
    module, recipe = network_of(read_checkpoint(checkpoint), checkpoint)
    assert same(module, trained)
    assert recipe == Recipe("x", "photochrom", (Phase(1),), config=SHAPE)


def test_nothing_is_left_beside_a_checkpoint(checkpoint):
    assert [f.name for f in checkpoint.parent.iterdir()] == ["best.pt"]


def test_a_network_starts_from_a_checkpoint(trained, fresh, checkpoint):
    initial_weights(fresh, checkpoint)
    assert same(fresh, trained)


def test_a_network_starts_from_safetensors(trained, fresh, tmp_path):
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    initial_weights(fresh, tmp_path / "w.safetensors")
    assert same(fresh, trained)


def test_a_network_starts_from_an_exported_network(exported_network, fresh):
    initial_weights(fresh, exported_network.path)
    for name, weight in exported_network.network.state_dict().items():
        torch.testing.assert_close(fresh.state_dict()[name], weight, atol=1e-6, rtol=2**-10)


@pytest.mark.parametrize("kind", ["checkpoint", "safetensors", "onnx"])
def test_weights_of_another_shape_are_refused_by_name(
    checkpoint, trained, exported_network, tmp_path, kind
):
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    paths = {"checkpoint": checkpoint, "safetensors": tmp_path / "w.safetensors"}
    path = paths.get(kind, exported_network.path)
    other = Photochrom(Config(**{**SHAPE, "bins": 24}))
    before = copy.deepcopy(other)
    with pytest.raises(CheckpointError, match=r"[a-z]\S+ needs shape .* it is \(") as raised:
        initial_weights(other, path)
    assert str(path) in str(raised.value)
    assert same(other, before)


def test_missing_and_unknown_tensors_are_counted_and_named(fresh, checkpoint):
    weights = dict(fresh.state_dict())
    weights["head.wait"] = weights.pop("head.weight")
    with pytest.raises(CheckpointError, match=r"1 tensors .* \(head\.weight\), 1 .*\(head\.wait\)"):
        load_strictly(fresh, weights, checkpoint)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"not weights", b"\x80\x02" + bytes(50)])
def test_a_file_that_is_none_is_refused(fresh, tmp_path, suffix, content):
    path = tmp_path / f"w{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=path.name):
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
