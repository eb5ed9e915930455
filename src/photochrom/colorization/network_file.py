"""Checks of a network file, which is untrusted, before it is opened.

Rejected are external data (other files of this machine, read into the network), repetition (loops
that may never end, functions whose copies multiply), and descriptions whose numbers would need
unlimited time or memory. The file is Protocol Buffers; only the relevant fields of ONNX's schema
(onnx/onnx.proto3) are parsed, by their sizes and not their contents, so the time is linear in the
number of nodes and weights.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from threading import Timer
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from photochrom.colorization.method import CAPABILITIES, MethodInfo
from photochrom.errors import MethodOutputError, WeightsError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

REPEATING = (b"Loop", b"Scan", b"SequenceMap")
DEEPEST = 16  # graphs within graphs
MOST_NODES = 200_000
MOST_VIEWS = 8
SCALES = (1 / 8, 4.0)  # of a view
LARGEST_PX = 4096  # maximum short side of a network's input
MOST_BINS = 4096
LONGEST = 1000  # characters of a text
RUN_SECONDS = 120.0  # for one prediction, which takes about one

# Field numbers in ONNX's messages.
MODEL_GRAPH, MODEL_FUNCTIONS = 7, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_OPERATOR, NODE_ATTRIBUTE = 4, 5
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
SPARSE_TENSORS = (1, 2)  # its values, its indices

Field = tuple[int, memoryview | int]  # its number and its value


class _DamagedError(Exception):
    """The bytes are not a valid message."""


def check_graph(content: bytes, where: object) -> None:
    """Raise if the contents of a network file are not allowed, before it is opened.

    Parameters
    ----------
    content : bytes
        The file.
    where : object
        Name for messages.

    Raises
    ------
    WeightsError
        If it is damaged, refers to other files, or contains repetition.
    """
    try:
        _Walk(where).model(memoryview(content))
    except _DamagedError as error:
        raise WeightsError(
            f"{where}: is not a network, or not a readable ONNX file ({error})."
        ) from error


class _Walk:
    """Walk a model's graphs."""

    def __init__(self, where: object) -> None:
        self.where, self.nodes = where, 0

    def refuse(self, why: str) -> WeightsError:
        return WeightsError(
            f"{self.where}: {why}. Create the file with photochrom export, which never writes this."
        )

    def model(self, message: memoryview) -> None:
        for number, value in _fields(message):
            if number == MODEL_GRAPH:
                self.graph(_bytes(value), 0)
            elif number == MODEL_FUNCTIONS:
                raise self.refuse("needs a plain graph; it defines functions")

    def graph(self, message: memoryview, depth: int) -> None:
        if depth > DEEPEST:
            raise self.refuse(f"has graphs nested more than {DEEPEST} deep")
        for number, value in _fields(message):
            if number == GRAPH_NODE:
                self.node(_bytes(value), depth)
            elif number == GRAPH_INITIALIZER:
                self.tensor(_bytes(value))
            elif number == GRAPH_SPARSE:
                self.sparse(_bytes(value))

    def node(self, message: memoryview, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise self.refuse(f"has more than {MOST_NODES:,} nodes")
        for number, value in _fields(message):
            if number == NODE_OPERATOR and (name := bytes(_bytes(value))) in REPEATING:
                raise self.refuse(f"has the operator {name.decode()}, which may never end")
            if number == NODE_ATTRIBUTE:
                self.attribute(_bytes(value), depth)

    def attribute(self, message: memoryview, depth: int) -> None:
        for number, value in _fields(message):
            if number in ATTRIBUTE_TENSORS:
                self.tensor(_bytes(value))
            elif number in ATTRIBUTE_GRAPHS:
                self.graph(_bytes(value), depth + 1)
            elif number in ATTRIBUTE_SPARSE:
                self.sparse(_bytes(value))

    def sparse(self, message: memoryview) -> None:
        for number, value in _fields(message):
            if number in SPARSE_TENSORS:
                self.tensor(_bytes(value))

    def tensor(self, message: memoryview) -> None:
        for number, value in _fields(message):
            if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value):
                raise self.refuse("needs all weights in the file; it refers to another file")


def _bytes(value: memoryview | int) -> memoryview:
    if not isinstance(value, memoryview):
        raise _DamagedError("a number where a message should be")
    return value


def _fields(message: memoryview) -> Iterator[Field]:
    """Return the fields of a message, without looking into them."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise _DamagedError(f"a field of kind {kind}")
        if size > end - at:
            raise _DamagedError("it is cut off")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise _DamagedError("a number without an end")


def check_description(info: MethodInfo, where: object) -> None:
    """Raise if the description of a network is not valid.

    Parameters
    ----------
    info : MethodInfo
        As read from the file; its values may have any type.
    where : object
        Name for messages.

    Raises
    ------
    WeightsError
        If a field has another type, or is outside its range.
    """
    for name, fits, needs in RULES:
        value = getattr(info, name)
        try:
            is_fine = fits(value)
        except (TypeError, ValueError):  # not the structure that the rules expect
            is_fine = False
        if not is_fine:
            raise WeightsError(
                f"{where}: its description needs {needs} as {name}; got {repr(value)[:60]}."
            )


def _is_number(value: object, least: float = -math.inf, most: float = math.inf) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and least <= value <= most


def _is_count(value: object, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and _is_number(value, 1, most)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()


def _are_pixels(value: tuple[object, object]) -> bool:
    smallest, largest = value
    return _is_count(largest, 1_000_000) and _is_count(smallest, largest)


def _are_capabilities(value: object) -> bool:
    return isinstance(value, tuple) and set(value) <= CAPABILITIES.keys()


def _are_centres(value: Sequence[tuple[object, object]]) -> bool:
    return len(value) <= MOST_BINS and all(
        _is_number(a, -200, 200) and _is_number(b, -200, 200) for a, b in value
    )


def _is_path(value: Sequence[tuple[float, ...]]) -> bool:
    same = len({len(point) for point in value}) == 1
    rising = all(one[0] <= other[0] for one, other in pairwise(value))
    numbers = all(_is_number(number, -1000, 1000) for point in value for number in point)
    return 1 <= len(value) <= 100 and same and 4 <= len(value[0]) <= 7 and numbers and rising


def _are_views(value: Sequence[tuple[object, object]]) -> bool:
    return len(value) <= MOST_VIEWS and all(
        _is_number(scale, *SCALES) and isinstance(mirrored, bool) for scale, mirrored in value
    )


# field, its check, and the requirement in words
RULES: tuple[tuple[str, Callable[[Any], object], str], ...] = (
    ("name", lambda value: _is_text(value) and value, f"a text of 1 to {LONGEST} characters"),
    ("paper", _is_text, f"a text of at most {LONGEST} characters"),
    ("licence", _is_text, f"a text of at most {LONGEST} characters"),
    ("working_px", _are_pixels, "a smallest and a largest number of pixels"),
    ("short_side_px", lambda value: _is_count(value, LARGEST_PX), f"1 to {LARGEST_PX} pixels"),
    ("stride", lambda value: _is_count(value, 1024), "1 to 1024 pixels"),
    ("accepts", _are_capabilities, f"some of {', '.join(CAPABILITIES)}"),
    ("requires", _are_capabilities, f"some of {', '.join(CAPABILITIES)}"),
    ("centres", _are_centres, f"at most {MOST_BINS} pairs of a and b within 200"),
    ("vividness_path", _is_path, "rising points of 4 to 7 numbers each"),
    ("vividness", lambda value: _is_number(value, 0, 1), "0 to 1"),
    ("views", _are_views, f"at most {MOST_VIEWS} pairs of a scale from 1/8 to 4 and true or false"),
)


def run_within(
    session: "InferenceSession",
    options: "RunOptions",
    wanted: list[str],
    feed: dict[str, np.ndarray],
    seconds: float,
) -> list[np.ndarray]:
    """Run a network, and stop it if it takes too long.

    Parameters
    ----------
    session : InferenceSession
    options : RunOptions
        Options of this run only.
    wanted, feed :
        See `InferenceSession.run`.
    seconds : float
        Time limit, checked between two nodes.

    Raises
    ------
    MethodOutputError
        If it took too long.
    """
    ended = []

    def end() -> None:
        ended.append(True)
        options.terminate = True

    watch = Timer(seconds, end)
    watch.daemon = True
    watch.start()
    try:
        answer: list[np.ndarray] = session.run(wanted, feed, options)
        return answer
    except Exception as error:  # ONNX Runtime raises its own kinds, all from Exception
        if ended:
            raise MethodOutputError(
                f"it took longer than {seconds:.0f} seconds for one picture"
            ) from error
        raise
    finally:
        watch.cancel()
