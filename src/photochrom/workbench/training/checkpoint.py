"""Checkpoints hold everything that a run needs to continue exactly, or to be exported."""

import copy
import dataclasses
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor, nn

from photochrom.errors import CheckpointError, PhotoError
from photochrom.photo.atomic import atomic_target
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.networks import network
from photochrom.workbench.networks.outputs import ColourNetwork
from photochrom.workbench.networks.pretrained_bodies import (
    MOBILENET,
    MOBILENET_STEM,
    STEM,
    resnet_body,
)
from photochrom.workbench.training.recipe import Recipe, recipe_from_table

SAME_AB = 0.5  # between the bins of two files, ab units: a graph stores them as float16


class CriticState(TypedDict):
    """The state of a critic in a checkpoint."""

    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    running_loss: float


class State(TypedDict):
    """The contents of a checkpoint; older ones lack what is not required."""

    recipe: dict[str, Any]
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    step: int
    seconds: float
    best: float
    worse: NotRequired[int]
    sums: NotRequired[dict[str, tuple[float, int]]]
    asked: NotRequired[list[dict[str, Any]]]
    optimizer: NotRequired[dict[str, Any]]  # of the last checkpoint alone, as is the critic
    critic: NotRequired[CriticState]


def save_atomically(state: State, path: Path) -> None:
    """Write a checkpoint completely or not at all.

    Raise CheckpointError if it cannot be written; the previous one is kept.
    """
    try:
        with atomic_target(path) as part:
            torch.save(state, part)
    except (PhotoError, RuntimeError) as error:  # torch says so of a full disk
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path}: the checkpoint cannot be written ({reason}).") from error


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint without running code from it.

    Raise CheckpointError if the file is missing, damaged, or not a checkpoint of photochrom.
    """
    try:
        state: State = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint.") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(f"{path}: is not a readable checkpoint ({error}).") from error
    if not isinstance(state, dict) or not {"recipe", "network", "average"} <= state.keys():
        raise CheckpointError(f"{path}: is not a checkpoint of photochrom.")
    return state


def recipe_of(state: State, path: Path) -> Recipe:
    """Return the recipe of a checkpoint."""
    return recipe_from_table(state["recipe"], str(path))


def network_of(state: State, path: Path) -> tuple[ColourNetwork, Recipe]:
    """Rebuild a checkpoint's network with its averaged weights, for export or `--init`."""
    recipe = recipe_of(state, path)
    kind = network(recipe.network)
    module: ColourNetwork = kind.build(
        checked(kind.config, recipe.config, f"{path}, config"), pretrained=False
    )
    load_strictly(module, state["average"], path)
    return module, recipe


def load_strictly(module: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Load weights whose names and shapes must all match.

    Raise CheckpointError if a tensor is missing, unknown, or of another shape.
    """
    ours = module.state_dict()
    counters = {k: v for k, v in ours.items() if k.endswith("num_batches_tracked")}
    weights = {**counters, **weights}  # a graph does not hold them, and nothing depends on them
    missing, unknown = ours.keys() - weights.keys(), weights.keys() - ours.keys()
    if missing or unknown:
        raise CheckpointError(
            f"{path}: does not fit the network: {len(missing)} tensors are missing "
            f"({', '.join(sorted(missing)[:3])}), {len(unknown)} unknown "
            f"({', '.join(sorted(unknown)[:3])})."
        )
    for name, tensor in weights.items():
        if tensor.shape != ours[name].shape:
            raise CheckpointError(
                f"{path}: {name} needs shape {tuple(ours[name].shape)}; got {tuple(tensor.shape)}."
            )
    module.load_state_dict(weights, strict=True)


def initial_weights(module: nn.Module, path: Path) -> bool:
    """Start a network from a checkpoint, a file with its tensors, or an export.

    A ResNet's own file (.safetensors or .pth, of timm or torchvision) initialises the body of a
    network built on it; the rest is unchanged.

    Return whether they are a whole network's, its colours included. Raise CheckpointError if the
    file does not fit.
    """
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        _names_in(path)  # an error where it is damaged
        weights = load_file(path)
    elif path.suffix == ".pth":
        weights = _read_pickled(path)
    elif path.suffix == ".onnx":
        from photochrom.workbench.training.export import weights_of

        weights = weights_of(path)
    else:
        weights = read_checkpoint(path)["average"]
    prefix = getattr(module, "resnet_prefix", "")
    is_body = bool(prefix) and STEM in weights
    if is_body:
        ours = module.state_dict()
        body = {k: v for k, v in resnet_body(weights, prefix).items() if k in ours}
        weights = {**{k: v for k, v in ours.items() if not k.startswith(prefix)}, **body}
    load_strictly(module, weights, path)
    return not is_body


def average_with(module: nn.Module, path: Path) -> None:
    """Average a network's weights, in place, with those of another training.

    Source: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022. It helps if one training started from
    the other.

    Raise CheckpointError if the file does not fit, or its bins are different colours.
    """
    other = copy.deepcopy(module)
    initial_weights(other, path)
    ours, theirs = module.state_dict(), other.state_dict()
    if "centres" in ours and (ours["centres"] - theirs["centres"]).abs().max() > SAME_AB:
        raise CheckpointError(
            f"{path}: its bins are different colours, so the weights cannot be averaged."
        )
    middle = {k: (v + theirs[k]) / 2 for k, v in ours.items() if v.is_floating_point()}
    module.load_state_dict({**ours, **middle})


def with_encoder(recipe: Recipe, init: Path | None) -> tuple[Recipe, Path | None]:
    """Name the file of a network's encoder in its configuration, wherever the run is repeated.

    If `init` is a file of MobileNet for a network that is built on one, it becomes the encoder's,
    and None takes its place.
    """
    fields = {field.name for field in dataclasses.fields(network(recipe.network).config)}
    if "encoder_weights" not in fields:
        return recipe, init
    named = str(recipe.config.get("encoder_weights", ""))
    if init is not None and init.suffix == ".safetensors" and MOBILENET_STEM in _names_in(init):
        named, init = str(init), None
        recipe = dataclasses.replace(recipe, config={**recipe.config, "encoder": MOBILENET})
    if not named:
        return recipe, init
    if Path(named).is_file():
        named = str(Path(named).resolve())
    return dataclasses.replace(recipe, config={**recipe.config, "encoder_weights": named}), init


def _read_pickled(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(f"{path}: is not a readable file of weights ({error}).") from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise CheckpointError(f"{path}: does not contain named tensors.")
    return state


def _names_in(path: Path) -> set[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: is not a readable safetensors file ({error}).") from error


def table_of(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain tables, the form in a checkpoint."""
    return dataclasses.asdict(recipe)
