"""Files that somebody else made: refused before ONNX Runtime opens them, by what they hold."""

import json
import time
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from photochrom.colorization import network
from photochrom.colorization.catalogue import WEIGHTS
from photochrom.colorization.method import METADATA_KEY, Request
from photochrom.colorization.network import NetworkMethod
from photochrom.colorization.network_file import check_description, check_graph
from photochrom.errors import MethodOutputError, WeightsError
from photochrom.workbench.training.export import weights_of

DEEP = 20


def value(name, shape=(1, 1, "h", "w")):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model_of(*nodes, initializers=(), functions=(), sparse=()):
    """Return a model from lightness to ab of these nodes."""
    graph = helper.make_graph(
        list(nodes), "graph", [value("lightness")], [value("ab")], list(initializers)
    )
    graph.sparse_initializer.extend(sparse)
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, functions=list(functions), opset_imports=imports)


def identity():
    return helper.make_node("Identity", ["lightness"], ["ab"])


def external(name="weight"):
    """Return a tensor whose values lie in a file of this machine."""
    tensor = numpy_helper.from_array(np.zeros(8, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/hostname"
    return tensor


def within(*nodes, initializers=()):
    """Return a node that has these in a graph of its own."""
    inner = helper.make_graph(list(nodes), "inner", [], [value("out")], list(initializers))
    condition = helper.make_node("Constant", [], ["yes"], value_int=1)
    other = helper.make_graph([], "other", [], [value("out")])
    branch = helper.make_node("If", ["yes"], ["ab"], then_branch=inner, else_branch=other)
    return condition, branch


def endless():
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"])],
        "body",
        [helper.make_tensor_value_info(n, TensorProto.BOOL, ()) for n in ("i", "go")],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, ())],
    )
    return helper.make_node("Loop", ["", "yes"], ["ab"], body=body)


def deep(levels):
    nodes = (identity(),)
    for _ in range(levels):
        nodes = within(*nodes)
    return nodes


def multiplying():
    made = helper.make_node("Add", ["x", "x"], ["y"])
    return helper.make_function("own", "F", ["x"], ["y"], [made], [helper.make_opsetid("", 18)])


def sparse_with_external_values():
    indices = numpy_helper.from_array(np.arange(8), "indices")
    return helper.make_sparse_tensor(external(), indices, [100])


HOSTILE = {
    "external weights": (model_of(identity(), initializers=[external()]), "refers to another file"),
    "external in a branch": (
        model_of(*within(identity(), initializers=[external()])),
        "refers to another file",
    ),
    "external constant": (
        model_of(helper.make_node("Constant", [], ["ab"], value=external())),
        "refers to another file",
    ),
    "external sparse": (
        model_of(identity(), sparse=[sparse_with_external_values()]),
        "refers to another file",
    ),
    "loop": (model_of(endless()), "the operator Loop, which may never end"),
    "loop in a branch": (model_of(*within(endless())), "the operator Loop"),
    "scan": (model_of(helper.make_node("Scan", ["lightness"], ["ab"])), "the operator Scan"),
    "function": (model_of(identity(), functions=[multiplying()]), "defines functions"),
    "too deep": (model_of(*deep(DEEP)), "graphs nested"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_reads_other_files_or_repeats_is_refused_before_it_is_opened(
    name, tmp_path, monkeypatch
):
    model, said = HOSTILE[name]
    path = tmp_path / "hostile.onnx"
    path.write_bytes(model.SerializeToString())
    monkeypatch.setattr(network, "_open_session", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(WeightsError, match=rf"hostile\.onnx: .*{said}"):
        NetworkMethod(path)
    with pytest.raises(WeightsError, match=said):  # the same by --init
        weights_of(path)


def test_what_photochrom_exports_and_ships_is_let_through(exported_network):
    check_graph(exported_network.path.read_bytes(), "exported")
    check_graph((WEIGHTS / "photochrom.onnx").read_bytes(), "shipped")
    check_graph(model_of(*deep(2)).SerializeToString(), "branches")


@pytest.mark.parametrize(
    "content", [b"\xff" * 100, b"\x3a\xff\xff\xff\xff\x0f", b"\x0b", b"\x38\x01"]
)
def test_what_is_no_message_is_told_so(content):
    with pytest.raises(WeightsError, match="file: is not a network, or not a readable"):
        check_graph(content, "file")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_let_through_and_nothing_else(content):
    try:
        check_graph(content, "file")
    except WeightsError as error:
        assert str(error).startswith("file: ")


def test_a_file_cut_off_anywhere_is_refused_or_has_no_more_in_it(exported_network):
    content = exported_network.path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(WeightsError, match="cut off"):
            check_graph(content[: int(share * len(content))], "file")


def test_the_time_is_linear_in_the_number_of_nodes():
    def seconds(nodes):
        content = model_of(*[identity()] * nodes).SerializeToString()
        taken = []
        for _ in range(3):
            begun = time.process_time()
            check_graph(content, "file")
            taken.append(time.process_time() - begun)
        return min(taken)

    assert seconds(20_000) < 6 * max(seconds(10_000), 1e-3)


def test_too_many_nodes_are_refused(monkeypatch):
    monkeypatch.setattr("photochrom.colorization.network_file.MOST_NODES", 10)
    with pytest.raises(WeightsError, match="more than 10 nodes"):
        check_graph(model_of(*[identity()] * 11).SerializeToString(), "file")


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("views", [[1.0, True]] * 9),
        ("views", [[1e9, True]]),
        ("views", [[-1.0, True]]),
        ("views", [[float("nan"), True]]),
        ("views", [[1.0, 1]]),
        ("views", [[1.0]]),
        ("views", 7),
        ("views", "ab"),
        ("stride", 0),
        ("stride", 2.5),
        ("stride", True),
        ("stride", "8"),
        ("short_side_px", 10**9),
        ("short_side_px", -1),
        ("working_px", [320, 192]),
        ("working_px", [0, 10]),
        ("working_px", [192]),
        ("accepts", ["telepathy"]),
        ("accepts", "hints"),
        ("centres", [[0.0, float("inf")]]),
        ("centres", [[0.0, 0.0]] * 5000),
        ("vividness_path", []),
        ("vividness_path", [[0.0, 1.0, 0.0]]),
        ("vividness_path", [[0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]),
        ("vividness_path", [[1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]]),
        ("vividness_path", [[0.0, 1.0, 0.0, float("nan")]]),
        ("vividness", 2),
        ("name", ""),
        ("name", 5),
        ("name", "\x1b[2J"),
        ("paper", "x" * 2000),
        ("licence", None),
    ],
)
def test_a_description_that_no_network_can_mean_is_refused_by_its_field(field, bad, tmp_path):
    table = {"name": "small", "paper": "none", "licence": "none", field: bad}
    model = model_of(identity())
    model.ir_version = 9
    helper.set_model_props(model, {METADATA_KEY: json.dumps(table)})
    path = tmp_path / "absurd.onnx"
    onnx.save(model, path)
    with pytest.raises(WeightsError, match=rf"absurd\.onnx: its description needs .* as {field}; "):
        NetworkMethod(path, threads=1)


def test_every_field_of_a_description_has_its_rule(exported_network):
    for field, bad in exported_network.info.to_table().items():
        if field != "weights_sha256":  # of the file itself, taken anew
            with pytest.raises(WeightsError, match=f" as {field}; "):
                check_description(replace(exported_network.info, **{field: object()}), bad)


@pytest.mark.slow
def test_a_network_that_takes_too_long_is_ended(tmp_path, exported_network, monkeypatch):
    side = 700
    products = [helper.make_node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(2000)]
    begin = helper.make_node("Expand", ["lightness", "large"], ["wide"])
    first = helper.make_node("Squeeze", ["wide", "axes"], ["m0"])
    last = helper.make_node("ReduceMax", ["m2000"], ["most"], keepdims=1)
    ab = helper.make_node("Expand", ["most", "two"], ["ab"])
    shapes = {"large": [1, 1, side, side], "axes": [0, 1], "two": [1, 2, 1, 1]}
    initializers = [numpy_helper.from_array(np.array(v), k) for k, v in shapes.items()]
    model = model_of(begin, first, *products, last, ab, initializers=initializers)
    model.ir_version = 9
    table = replace(exported_network.info, stride=1, views=(), centres=()).to_table()
    helper.set_model_props(model, {METADATA_KEY: json.dumps(table)})
    onnx.save(model, tmp_path / "slow.onnx")
    monkeypatch.setattr(network, "RUN_SECONDS", 1.0)
    method = NetworkMethod(tmp_path / "slow.onnx", threads=1)
    with pytest.raises(MethodOutputError, match=r"'small' failed: it took longer than 1 seconds"):
        method.predict(Request(np.zeros((1, 1), np.float32)))
