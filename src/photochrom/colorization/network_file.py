"""What a network's file may hold: anybody may have made it, so it is looked at before it is opened.

Refused are external data (other files of this machine, read into the network), what repeats (loops
that may never end, functions whose copies multiply) and descriptions whose numbers would cost any
time or memory. The file is Protocol Buffers; only the few fields of ONNX's schema
(onnx/onnx.proto3) that decide this are followed, and their sizes, never their contents, so that the
time is linear in the number of nodes and weights.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from threading import Timer
from typing import Any

from photochrom.colorization.method import CAPABILITIES, MethodInfo
from photochrom.errors import MethodOutputError, WeightsError

REPEATING = (b"Loop", b"Scan", b"SequenceMap")
DEEPEST = 16  # graphs within graphs
MOST_NODES = 200_000
MOST_VIEWS = 8
SCALES = (1 / 8, 4.0)  # of a view
LARGEST_PX = 4096  # short side that a network asks to see
MOST_BINS = 4096
LONGEST = 1000  # characters of a text
RUN_SECONDS = 120.0  # for one look at a picture, which takes about one

# Numbers of the fields in ONNX's messages.
MODEL_GRAPH, MODEL_FUNCTIONS = 7, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_OPERATOR, NODE_ATTRIBUTE = 4, 5
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
SPARSE_TENSORS = (1, 2)  # its values, its indices

Field = tuple[int, Any]  # number; a memoryview, or an int


class _DamagedError(Exception):
    """The bytes are no message."""


def check_graph(content: bytes, where: object) -> None:
    """Refuse a network's file for what it holds, before it is opened.

    Parameters
    ----------
    content : bytes
        The file.
    where : object
        What errors call it.

    Raises
    ------
    WeightsError
        If it is damaged, refers to other files, or has what repeats.
    """
    try:
        _Walk(where).model(memoryview(content))
    except _DamagedError as error:
        raise WeightsError(
            f"{where}: is not a network, and not a readable ONNX file ({error})."
        ) from error


class _Walk:
    """Goes through a model's graphs."""

    def __init__(self, where: object) -> None:
        self.where, self.nodes = where, 0

    def refuse(self, why: str) -> WeightsError:
        return WeightsError(
            f"{self.where}: {why}. Make the network's file with photochrom export, which never "
            "writes such."
        )

    def model(self, message: memoryview) -> None:
        for number, value in _fields(message):
            if number == MODEL_GRAPH:
                self.graph(_bytes(value), 0)
            elif number == MODEL_FUNCTIONS:
                raise self.refuse("needs a plain graph; it has functions of its own")

    def graph(self, message: memoryview, depth: int) -> None:
        if depth > DEEPEST:
            raise self.refuse(f"has graphs within graphs, more than {DEEPEST} deep")
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
            if number == NODE_OPERATOR and bytes(_bytes(value)) in REPEATING:
                name = bytes(value).decode()
                raise self.refuse(f"has the operator {name}, which repeats and may never end")
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
                raise self.refuse("needs all of its weights in the file; it names another file")


def _bytes(value: Any) -> memoryview:
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
    """Refuse a network's description whose numbers no network can mean.

    Parameters
    ----------
    info : MethodInfo
        As the file gives it; of any types.
    where : object
        What errors call the file.

    Raises
    ------
    WeightsError
        If a field is of another type, or outside its range; it is named.
    """
    for name, fits, needs in RULES:
        value = getattr(info, name)
        try:
            is_fine = fits(value)
        except (TypeError, ValueError):  # of another shape than any rule expects
            is_fine = False
        if not is_fine:
            raise WeightsError(
                f"{where}: its description needs {needs} as {name}; it has {repr(value)[:60]}."
            )


def _is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value) and least <= value <= most


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and _is_number(value, 1, most)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()


def _are_pixels(value: Any) -> bool:
    smallest, largest = value
    return _is_count(smallest, 1_000_000) and _is_count(largest, 1_000_000) and smallest <= largest


def _are_capabilities(value: Any) -> bool:
    return isinstance(value, tuple) and set(value) <= CAPABILITIES.keys()


def _are_centres(value: Any) -> bool:
    return len(value) <= MOST_BINS and all(
        _is_number(a, -200, 200) and _is_number(b, -200, 200) for a, b in value
    )


def _is_path(value: Any) -> bool:
    same = len({len(point) for point in value}) == 1
    rising = all(one[0] <= other[0] for one, other in pairwise(value))
    numbers = all(_is_number(number, -1000, 1000) for point in value for number in point)
    return 1 <= len(value) <= 100 and same and 4 <= len(value[0]) <= 7 and numbers and rising


def _are_views(value: Any) -> bool:
    return len(value) <= MOST_VIEWS and all(
        _is_number(scale, *SCALES) and isinstance(mirrored, bool) for scale, mirrored in value
    )


# field, what it has to fulfil, and that in words
RULES: tuple[tuple[str, Any, str], ...] = (
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
    session: Any, options: Any, wanted: list[str], feed: dict[str, Any], seconds: float
) -> list[Any]:
    """Run a network, and end it when it takes too long.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    options : onnxruntime.RunOptions
        Of this run alone.
    wanted, feed :
        As it takes them.
    seconds : float
        After which it ends, between two nodes.

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
        answer: list[Any] = session.run(wanted, feed, options)
        return answer
    except Exception as error:  # ONNX Runtime raises its own kinds, all from Exception
        if ended:
            raise MethodOutputError(
                f"it took longer than {seconds:.0f} seconds to look at one picture"
            ) from error
        raise
    finally:
        watch.cancel()
