"""Export a trained network to one ONNX file that needs nothing else.

The graph holds all that turns the network's output into ab; the file's metadata holds the
MethodInfo. Weights are stored as float16 and widened when the file is loaded: half the size, and
within 0.5 ab units of the float32 network (a test holds it there).
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from photochrom.errors import WeightsError
from photochrom.methods.method import METADATA_KEY, MethodInfo
from photochrom.networks.photochrom import STRIDE
from photochrom.training.checkpoint import network_of, read_checkpoint
from photochrom.training.recipe import Recipe

OPSET = 18
SMALL = 16  # tensors with fewer numbers stay float32
INPUTS = (
    "lightness",
    "hint_ab",
    "hint_mask",
    "histogram",
    "global_mask",
    "temperature",
    "rebalance",
)
OUTPUTS = ("ab", "confidence", "logits")


def export(checkpoint: Path, target: Path, info: dict[str, Any] | None = None) -> MethodInfo:
    """Write a checkpoint's averaged network as ONNX.

    Parameters
    ----------
    checkpoint : Path
        `best.pt` or `last.pt` of a run.
    target : Path
        The .onnx file.
    info : dict, optional
        Fields of MethodInfo that replace the defaults (name, vividness path, licence ...).

    Returns
    -------
    MethodInfo
        What was written into the file.

    Raises
    ------
    CheckpointError
        If the checkpoint is missing or damaged.
    WeightsError
        If `info` has a field that MethodInfo has not.
    """
    network, recipe = network_of(read_checkpoint(checkpoint), checkpoint)
    return export_network(network, recipe, target, info)


def example_inputs(network: Any, height: int = 96, width: int = 64) -> tuple[Tensor, ...]:
    """Give inputs of the right shapes, two pictures each, neutral wishes."""
    bins = network.centres.shape[0]
    return (
        torch.rand(2, 1, height, width) * 100,
        torch.zeros(2, 2, height, width),
        torch.zeros(2, 1, height, width),
        torch.zeros(2, bins + 1),
        torch.zeros(2, 2),
        torch.ones(1),
        torch.zeros(1),
    )


def export_network(
    network: nn.Module, recipe: Recipe, target: Path, info: dict[str, Any] | None = None
) -> MethodInfo:
    """Write a network as ONNX; see `export`."""
    import onnx

    described = _description(network, recipe, info or {})
    network.eval()
    batch, high, wide = (torch.export.Dim(n, min=1) for n in ("batch", "high", "wide"))
    plane = {0: batch, 2: STRIDE * high, 3: STRIDE * wide}
    shapes = (plane, plane, plane, {0: batch}, {0: batch}, None, None)
    with warnings.catch_warnings():
        # torch warns of its own calls, and that inputs which share a size share its name.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        program = torch.onnx.export(
            network,
            example_inputs(network),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=shapes,
            optimize=False,  # ONNX Runtime folds constants itself; here names stay for `--init`
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _store_as_half(model)
    _forget_traces(model)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(described.to_table())})
    part = target.with_suffix(".part")
    onnx.save(model, part)
    part.replace(target)
    return described


def _description(network: Any, recipe: Recipe, info: dict[str, Any]) -> MethodInfo:
    return MethodInfo.from_table(
        {
            "name": recipe.name,
            "paper": "photochrom 2026, after Zhang et al. 2016 and 2017",
            "working_px": (128, 320),
            "stride": STRIDE,
            "accepts": ("hints", "histogram", "chroma", "vividness"),
            "licence": "see its model card",
            "centres": network.centres.double().tolist(),
            **info,
        }
    )


def _store_as_half(model: Any) -> None:
    """Store large float32 weights as float16, each followed by a cast back to float32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < SMALL:
            continue
        name = weight.name
        stored = numpy_helper.from_array(values.astype(np.float16), _half_name(name))
        weight.CopyFrom(stored)
        casts.append(helper.make_node("Cast", [_half_name(name)], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    del model.graph.value_info[:]


def _forget_traces(model: Any) -> None:
    """Remove what torch notes of each node: stack traces, which name the maker's folders."""
    graph = model.graph
    parts = (graph.node, graph.input, graph.output, graph.initializer)
    for part in (graph, *(item for items in parts for item in items)):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def _half_name(name: str) -> str:
    return f"{name}.float16"


def weights_of(path: Path) -> dict[str, Tensor]:
    """Read an exported network's weights back by their names in torch, for `--init`.

    Raises
    ------
    WeightsError
        If the file is not an exported network.
    """
    import onnx
    from onnx import numpy_helper

    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf raises many kinds for a damaged file
        raise WeightsError(f"{path}: is not a readable ONNX file ({error}).") from error
    weights = {
        w.name.removesuffix(".float16"): torch.from_numpy(numpy_helper.to_array(w).copy())
        for w in model.graph.initializer
    }
    return {k: v.float() for k, v in weights.items() if "." in k or k in {"centres", "prior"}}
