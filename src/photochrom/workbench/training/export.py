"""Export a trained network to one self-contained ONNX file.

The graph includes the conversion of the network's output to ab; the file's metadata holds the
MethodInfo. Weights are stored as float16 and widened when the file is loaded: half the size, and
within 0.5 ab units of the float32 network (a test holds it there).
"""

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from photochrom.colorization.method import METADATA_KEY, MethodInfo
from photochrom.colorization.network_file import check_description, check_graph
from photochrom.errors import UnwritableFileError, WeightsError
from photochrom.photo.atomic import atomic_target
from photochrom.photo.given_files import MOST_NETWORK_BYTES, read_given
from photochrom.workbench.networks.annealed_mean import AnnealedMeanNetwork, Classifier
from photochrom.workbench.networks.outputs import ColourNetwork
from photochrom.workbench.training.checkpoint import average_with, network_of, read_checkpoint
from photochrom.workbench.training.network_inputs import input_names, neutral_inputs
from photochrom.workbench.training.recipe import Recipe

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
SMALL = 4096  # tensors with fewer numbers stay float32: a cast costs more than it saves
FIXED = ("temperature", "rebalance", "evenness", "others_share")  # one for all pictures
EXAMPLE = (2, 1)  # pictures, channels of the lightness that the graph is traced with


def export(
    checkpoint: Path,
    target: Path,
    info: dict[str, Any] | None = None,
    average: Path | None = None,
) -> MethodInfo:
    """Write a checkpoint's averaged network as ONNX.

    `info` has fields of MethodInfo that replace the defaults (name, vividness path, licence ...).
    `average` is another training of the same network, such as the one that this one began with: the
    mean of the two is exported.

    Raise CheckpointError if a checkpoint is missing, damaged or does not fit, WeightsError if
    `info` has a field that MethodInfo has not, and UnwritableFileError if the folder is missing,
    full or protected.
    """
    network, recipe = network_of(read_checkpoint(checkpoint), checkpoint)
    if average is not None:
        average_with(network, average)
    return export_network(network, recipe, target, info)


def example_inputs(network: ColourNetwork, strides: tuple[int, int] = (3, 2)) -> tuple[Tensor, ...]:
    """Return inputs of the right shapes, two pictures each, so many strides high and wide."""
    height, width = (count * network.stride for count in strides)
    given = neutral_inputs(network, torch.rand(*EXAMPLE, height, width) * 100)
    # What is one tensor twice would be one input of the graph: the style in the lightness's place.
    return tuple(tensor.clone() for tensor in given)


def export_network(
    network: ColourNetwork, recipe: Recipe, target: Path, info: dict[str, Any] | None = None
) -> MethodInfo:
    """Write a network as ONNX; see `export`."""
    import onnx

    if not target.parent.is_dir():  # told before any work
        raise UnwritableFileError(f"{target}: the folder {target.parent} does not exist.")
    described = _description(network, recipe, info or {})
    check_description(described, target)
    network.eval()
    names, inputs = input_names(network), example_inputs(network)
    with torch.no_grad():
        outputs = network(*inputs)._fields
    with warnings.catch_warnings():
        # torch warns of its own calls, and that inputs which share a size share its name.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        program = torch.onnx.export(
            network,
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=list(outputs),
            dynamic_shapes=_shapes(names, network.stride),
            optimize=False,  # by `_simplified`, which keeps the names
            verbose=False,
        )
    assert program is not None
    model = _simplified(program.model_proto)
    _store_as_half(model)
    _forget_traces(model)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(described.to_table())})
    with atomic_target(target) as part:
        onnx.save(model, part)
    return described


def _shapes(names: list[str], stride: int) -> tuple[Any, ...]:
    """Return which sizes of the inputs are dynamic."""
    batch, high, wide = (torch.export.Dim(n, min=1) for n in ("batch", "high", "wide"))
    plane = {0: batch, 2: stride * high, 3: stride * wide}
    style = {0: batch, 2: torch.export.Dim("style_high"), 3: torch.export.Dim("style_wide")}
    others = {0: batch, 2: torch.export.Dim("others_high"), 3: torch.export.Dim("others_wide")}
    free = {"style": style, "others": others, "histogram": {0: batch}, "global_mask": {0: batch}}
    return tuple(None if name in FIXED else free.get(name, plane) for name in names)


# What a network accepts, by the input that brings it.
ACCEPTS = {
    "hint_ab": "hints",
    "style": "reference",
    "histogram": "histogram",
    "global_mask": "chroma",
    "temperature": "vividness",
}


def _description(network: ColourNetwork, recipe: Recipe, info: dict[str, Any]) -> MethodInfo:
    names = input_names(network)
    seen = recipe.phases[-1].size_px  # what it was trained on last is what it sees
    if isinstance(network, AnnealedMeanNetwork):
        info = {"centres": network.centres.double().tolist(), **info}
    if isinstance(network, Classifier):
        info = {"vividness_path": network.vividness_path, **info}
    return MethodInfo.from_table(
        {
            "name": recipe.name,
            "paper": network.paper,
            "working_px": (min(network.working_px[0], seen), max(network.working_px[1], seen)),
            "short_side_px": seen,
            "stride": network.stride,
            "accepts": tuple(ACCEPTS[name] for name in names if name in ACCEPTS),
            "licence": "see its model card",
            **info,
        }
    )


def _simplified(model: "ModelProto") -> "ModelProto":
    """Fold constants, which removes more than half of the nodes."""
    from onnx import helper
    from onnxscript import optimizer

    count = len(model.graph.input)
    learnt = [w for w in model.graph.initializer if is_learnt(w.name)]
    # What could be given from outside is no constant, and keeps its name for `--init`.
    model.graph.input.extend(
        helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in learnt
    )
    logger = logging.getLogger("onnx_ir")  # tells of each of them that it is no constant
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        simplified = optimizer.optimize(model)
    finally:
        logger.setLevel(level)
    del simplified.graph.input[count:]
    return simplified


def _store_as_half(model: "ModelProto") -> None:
    """Store large float32 weights as float16, each followed by a cast back to float32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        name = weight.name
        if values.size < SMALL or not is_learnt(name):
            continue
        stored = numpy_helper.from_array(values.astype(np.float16), _half_name(name))
        weight.CopyFrom(stored)
        casts.append(helper.make_node("Cast", [_half_name(name)], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    del model.graph.value_info[:]


def _forget_traces(model: "ModelProto") -> None:
    """Remove torch's notes on each node: stack traces, which contain local paths."""
    graph = model.graph
    parts = (graph.node, graph.input, graph.output, graph.initializer)
    for part in (graph, *(item for items in parts for item in items)):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def _half_name(name: str) -> str:
    return f"{name}.float16"


def weights_of(path: Path) -> dict[str, Tensor]:
    """Read an exported network's weights back by their names in torch, for `--init`.

    Raise WeightsError if the file is not an exported network.
    """
    import onnx
    from onnx import numpy_helper

    try:
        content = read_given(path, MOST_NETWORK_BYTES)
        check_graph(content, path)  # so that no other file is read
        model = onnx.load_from_string(content)
    except WeightsError:
        raise
    except Exception as error:  # protobuf raises many kinds for a damaged file
        raise WeightsError(f"{path}: is not a readable ONNX file ({error}).") from error
    weights = {
        w.name.removesuffix(".float16"): torch.from_numpy(numpy_helper.to_array(w).copy())
        for w in model.graph.initializer
    }
    return {k: v.float() for k, v in weights.items() if is_learnt(k)}


def is_learnt(name: str) -> bool:
    """Return whether a tensor of a graph is stored in checkpoints, by its name."""
    return "." in name or name in {"centres", "prior"}
