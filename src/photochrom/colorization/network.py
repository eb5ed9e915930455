"""Run an exported network: the only module that imports ONNX Runtime.

Everything from lightness to ab is in the file's graph (see
`photochrom.workbench.training.export`), and its MethodInfo in the file's metadata, so
a path to an .onnx file is a method.
"""

import dataclasses
import hashlib
import json
import os
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from photochrom.colorization.method import METADATA_KEY, MethodInfo, Prediction, Request
from photochrom.colorization.network_file import (
    RUN_SECONDS,
    check_description,
    check_graph,
    run_within,
)
from photochrom.errors import InvalidValueError, MethodOutputError, ShapeError, WeightsError
from photochrom.photo.cores import cores
from photochrom.photo.given_files import MOST_NETWORK_BYTES, read_given
from photochrom.photo.resize import resize

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Cached predictions without hints: moving a hint needs the same one repeatedly.
KEPT_ANSWERS = 4
ITSELF = (1.0, False)  # the picture itself, as a view
PLANES = {"lightness", "style", "hint_ab", "hint_mask"}  # inputs of a picture's size
RETIRED_INPUTS = ("contrast", "reward")  # of graphs exported by earlier versions
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
_NETWORKS: "weakref.WeakSet[NetworkMethod]" = weakref.WeakSet()
# The parent's sessions: closing them would wait for threads that do not exist here.
_LEFT: "list[InferenceSession | None]" = []


class NetworkMethod:
    """A network in an ONNX file, as a method.

    Parameters
    ----------
    path : Path
        The .onnx file, made by `photochrom export`.
    sha256 : str, optional
        Expected SHA-256 of the file.
    device : str
        'cpu', 'cuda', 'coreml' or 'directml', if the installed ONNX Runtime supports it.
    threads : int
        Threads per run; 0 leaves it to ONNX Runtime.

    Raises
    ------
    WeightsError
        If the file is missing, does not match `sha256`, or was not made by photochrom.
    InvalidValueError
        If the installed ONNX Runtime does not support the device.
    """

    def __init__(
        self, path: Path, sha256: str | None = None, device: str = "cpu", threads: int = 0
    ) -> None:
        content = _read(path)
        digest = hashlib.sha256(content).hexdigest()
        if sha256 is not None and digest != sha256:
            raise WeightsError(
                f"{path}: its SHA-256 must be {sha256[:16]}...; got {digest[:16]}... "
                "The file is damaged; install photochrom again."
            )
        if sha256 is None:
            check_graph(content, path)
        self._path, self._digest, self._device, self._threads = path, digest, device, threads
        self._opened: InferenceSession | None = _open_session(content, path, device, threads)
        table = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if table is None:
            raise WeightsError(
                f"{path}: an ONNX file without photochrom's description. "
                "Make it from a checkpoint: photochrom export CHECKPOINT FILE.onnx"
            )
        info = MethodInfo.from_table(_parse(table, path))
        check_description(info, path)
        self.info = dataclasses.replace(info, weights_sha256=digest)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._kept: OrderedDict[bytes, dict[str, np.ndarray]] = OrderedDict()
        self._keeping = Lock()
        _NETWORKS.add(self)

    @property
    def _session(self) -> "InferenceSession":
        """The open network; after a fork, which copies no threads, it is opened again."""
        if self._opened is None:
            content = _read(self._path)
            if hashlib.sha256(content).hexdigest() != self._digest:
                raise WeightsError(f"{self._path}: the file has changed since it was opened.")
            self._opened = _open_session(content, self._path, self._device, self._threads)
        return self._opened

    def predict(self, request: Request) -> Prediction:
        """Run the network on one picture.

        Raises
        ------
        ShapeError
            If a side is not a multiple of the network's stride.
        MethodOutputError
            If ONNX Runtime fails.
        """
        if any(side % self.info.stride for side in request.lightness.shape):
            raise ShapeError(
                f"'{self.info.name}' needs sides that are multiples of {self.info.stride}; "
                f"the lightness has {request.lightness.shape}."
            )
        feed = {k: v for k, v in self._feed(request).items() if k in self._inputs}
        if request.hints:  # speed matters
            values = self._look_around(feed, self.info.views or (ITSELF,))
        else:
            values = self._recall(feed)
        ab = np.moveaxis(values["ab"], 1, -1)  # (1, 2, h, w) of the graph -> (1, h, w, 2)
        gives_logits = request.distribution and "logits" in self._outputs
        return Prediction(
            ab=self.info.look(request.vividness).shown(ab),
            confidence=values["confidence"][0, 0] if "confidence" in values else None,
            distribution=values["logits"][0] if gives_logits else None,
        )

    def _recall(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the network, or return a cached prediction."""
        asked = hashlib.blake2b()
        for value in feed.values():
            asked.update(repr(value.shape).encode() + value.tobytes())
        with self._keeping:
            known = self._kept.pop(asked.digest(), None)
        views = (*self.info.views, ITSELF)
        values = self._look_around(feed, views) if known is None else known
        for value in values.values():
            value.flags.writeable = False  # the cached array is shared
        with self._keeping:
            self._kept[asked.digest()] = values
            while len(self._kept) > KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return values

    def _look_around(
        self, feed: dict[str, np.ndarray], views: tuple[tuple[float, bool], ...]
    ) -> dict[str, np.ndarray]:
        """Run the network on views; each is given the output of the previous ones."""
        values: dict[str, np.ndarray] = {}
        sizes = {scale: _scaled(feed, scale, self.info.stride) for scale in {s for s, _ in views}}
        for count, (scale, mirrored) in enumerate(views, start=1):
            view = sizes[scale]
            if values:
                share = np.array([1 - 1 / count], np.float32)
                view = {**view, "others": values["logits"], "others_share": share}
            outputs = self._outputs if count == len(views) else ["logits"]
            values = _turned(self._run(outputs, _turned(view, mirrored)), mirrored)
        return values

    def _run(self, wanted: list[str], feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            options = runtime().RunOptions()
            answer = run_within(self._session, options, wanted, feed, RUN_SECONDS)
            return dict(zip(wanted, answer, strict=True))
        except Exception as error:  # ONNX Runtime raises its own kinds, all from Exception
            raise MethodOutputError(f"The network '{self.info.name}' failed: {error}") from error

    def _feed(self, request: Request) -> dict[str, np.ndarray]:
        height, width = request.lightness.shape
        bins = len(self.info.centres)
        hint_ab = np.zeros((1, 2, height, width), np.float32)
        mask = np.zeros((1, 1, height, width), np.float32)
        if request.hints is not None:
            mask[0, 0] = request.hints.mask
            hint_ab[0] = np.moveaxis(request.hints.ab, -1, 0) * request.hints.mask
        guidance = np.zeros((1, bins + 1), np.float32)
        known = np.zeros((1, 2), np.float32)
        if request.histogram is not None:
            if request.histogram.shape != (bins,):
                raise InvalidValueError(
                    f"'{self.info.name}' needs a histogram over its {bins} bins; "
                    f"it has shape {request.histogram.shape}."
                )
            guidance[0, :-1], known[0, 0] = request.histogram, 1
        if request.chroma is not None:
            guidance[0, -1], known[0, 1] = request.chroma, 1
        look = self.info.look(request.vividness)
        # The style comes from the lightness of another picture or, without one, of this picture.
        style = request.lightness if request.reference is None else request.reference[..., 0]
        return {
            "lightness": request.lightness[None, None].astype(np.float32),
            "style": style[None, None].astype(np.float32),
            "hint_ab": hint_ab,
            "hint_mask": mask,
            "histogram": guidance,
            "global_mask": known,
            "temperature": np.array([look.temperature], np.float32),
            "rebalance": np.array([look.rebalance], np.float32),
            "evenness": np.array([look.evenness], np.float32),
            **{name: np.zeros(1, np.float32) for name in RETIRED_INPUTS},
            "others": np.zeros((1, bins, 1, 1), np.float32),
            "others_share": np.zeros(1, np.float32),
        }


def _scaled(feed: dict[str, np.ndarray], scale: float, stride: int) -> dict[str, np.ndarray]:
    """Resize a picture's planes, (1, C, h, w), to multiples of the stride."""
    if scale == 1:
        return feed
    scaled = dict(feed)
    for name in PLANES & feed.keys():
        value = feed[name]
        high, wide = (max(1, round(side * scale / stride)) * stride for side in value.shape[2:])
        resized = (resize(plane[..., None], high, wide)[..., 0] for plane in value[0])
        scaled[name] = np.stack(list(resized))[None]  # a plane at a time: twice as fast
    if "hint_ab" in scaled:  # a colour that fills half a pixel must not become grayer
        scaled["hint_ab"] = scaled["hint_ab"] / np.maximum(scaled["hint_mask"], 1e-6)
    return scaled


def _turned(values: dict[str, np.ndarray], mirrored: bool) -> dict[str, np.ndarray]:
    """Mirror planes, (1, C, h, w), or leave them as they are."""
    return {k: v[..., ::-1] if mirrored and v.ndim == 4 else v for k, v in values.items()}


def _forget_threads() -> None:
    """Discard the parent's sessions and locks, which may have been held during the fork."""
    for network in list(_NETWORKS):
        _LEFT.append(network._opened)
        network._opened, network._keeping = None, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def _read(path: Path) -> bytes:
    try:
        return read_given(path, MOST_NETWORK_BYTES)
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the network ({error.strerror}).") from error


def _parse(table: str, path: Path) -> dict[str, object]:
    try:
        parsed = json.loads(table)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its description is not JSON ({error}).") from error
    if not isinstance(parsed, dict):
        raise WeightsError(f"{path}: its description must be a JSON object; got {table[:40]}.")
    return parsed


def runtime() -> ModuleType:
    """Import ONNX Runtime, which is slow, without telemetry, and return it."""
    # The variable is read once, during the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # the calling program may have imported it first
    module: ModuleType = onnxruntime
    return module


def _open_session(content: bytes, path: Path, device: str, threads: int) -> "InferenceSession":
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _threads()
    options.log_severity_level = 3
    # The highest level takes 20 ms longer to load and runs in three quarters of the time.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Idle threads sleep: a spinning one would block a core that libvips needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=_providers(device, onnxruntime.get_available_providers())
        )
    except (InvalidValueError, MemoryError):
        raise
    except Exception as error:  # ONNX Runtime raises its own kinds, all from Exception
        raise WeightsError(f"{path}: not a network that ONNX Runtime can run ({error}).") from error


def _threads() -> int:
    """Return the cores that this process may use, or 0 for all of the machine's.

    With 0 ONNX Runtime chooses, and binds its threads to cores that others may have been given.
    """
    allowed = cores()
    return allowed if allowed < (os.cpu_count() or 1) else 0


def _providers(device: str, available: Iterable[str]) -> list[str]:
    wanted = PROVIDERS.get(device)
    present = [name for name, provider in PROVIDERS.items() if provider in available]
    if wanted is None or device not in present:
        raise InvalidValueError(
            f"The device '{device}' is not available. This ONNX Runtime has: {', '.join(present)}. "
            "For CUDA install onnxruntime-gpu, for DirectML onnxruntime-directml."
        )
    return list(dict.fromkeys((wanted, PROVIDERS["cpu"])))
