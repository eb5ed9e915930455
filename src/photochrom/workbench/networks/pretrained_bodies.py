"""Bodies of the classic networks, on one input channel, through timm."""

from typing import Any

from torch import Tensor

from photochrom.errors import CheckpointError
from photochrom.workbench.networks.encoder import import_timm

# A ResNet's layers, as timm and torchvision name them, in the order in which they are run.
RESNET_LAYERS = ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4")
STEM = "conv1.weight"
MOBILENET = "mobilenetv1_100"  # as timm names it
MOBILENET_STEM = "conv_stem.weight"


def timm_body(name: str, pretrained: bool, **options: object) -> Any:
    """Build a timm model that sees one channel; a colour stem is summed over its channels.

    Raise MissingExtraError if timm is not installed, and CheckpointError if the weights are not in
    timm's cache and cannot be downloaded.
    """
    timm = import_timm()
    try:
        return timm.create_model(name, in_chans=1, pretrained=pretrained, **options)
    except Exception as error:  # the hub raises many kinds where it cannot be reached
        if not pretrained:
            raise
        raise CheckpointError(
            f"{name} needs its ImageNet weights, which timm could not fetch ({error}). Connect "
            "to the internet once, so that timm can cache them, or start from your own weights: "
            "--init FILE."
        ) from error


def resnet_body(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Rename the weights of a ResNet to those of its layers one after the other.

    They are named as timm and torchvision do; the classifier `fc` is left out, and the stem's
    channels are summed to one.
    """
    places = {name: str(number) for number, name in enumerate(RESNET_LAYERS)}
    split = {name: name.partition(".") for name in weights}
    return {
        f"{prefix}{places[layer]}.{rest}": weights[name].sum(1, keepdim=True)
        if name == STEM
        else weights[name]
        for name, (layer, _, rest) in split.items()
        if layer in places
    }
