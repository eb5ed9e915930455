"""Checkpoints hold everything that a run needs to continue exactly, or to be exported."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from photochrom.errors import CheckpointError
from photochrom.networks import network
from photochrom.training.recipe import Recipe, network_config, recipe_from_table


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or not a checkpoint of photochrom.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint.") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(f"{path}: is not a readable checkpoint ({error}).") from error
    if not isinstance(state, dict) or not {"recipe", "network", "average"} <= state.keys():
        raise CheckpointError(f"{path}: is not a checkpoint of photochrom.")
    return state


def recipe_of(state: dict[str, Any], path: Path) -> Recipe:
    """Give the recipe that a checkpoint was made by."""
    return recipe_from_table(state["recipe"], str(path))


def network_of(state: dict[str, Any], path: Path) -> tuple[nn.Module, Recipe]:
    """Rebuild a checkpoint's network with its averaged weights, for export or `--init`."""
    recipe = recipe_of(state, path)
    kind = network(recipe.network)
    module = kind.build(
        network_config(kind.config, recipe.config, f"{path}, config"), pretrained=False
    )
    load_strictly(module, state["average"], path)
    return module, recipe


def load_strictly(module: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Load weights, every name and shape of them.

    Raises
    ------
    CheckpointError
        If a tensor is missing, unknown, or of another shape.
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
                f"{path}: {name} needs shape {tuple(ours[name].shape)}; "
                f"it is {tuple(tensor.shape)}."
            )
    module.load_state_dict(weights, strict=True)


def initial_weights(module: nn.Module, path: Path) -> None:
    """Start a network from a checkpoint, or from a safetensors file with its tensors.

    Raises
    ------
    CheckpointError
        If the file does not fit.
    """
    if path.suffix == ".safetensors":
        load_strictly(module, _read_safetensors(path), path)
    elif path.suffix == ".onnx":
        from photochrom.training.export import weights_of

        load_strictly(module, weights_of(path), path)
    else:
        load_strictly(module, read_checkpoint(path)["average"], path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: is not a readable safetensors file ({error}).") from error


def table_of(recipe: Recipe) -> dict[str, Any]:
    """Give a recipe as plain tables, as a checkpoint stores it."""
    return dataclasses.asdict(recipe)
