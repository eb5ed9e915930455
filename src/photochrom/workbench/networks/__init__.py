"""Networks, one file a paper; each is a Config and a module."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

from photochrom.errors import UnknownMethodError


class Network(NamedTuple):
    """How a network of a recipe is built: `build(config, pretrained)`."""

    config: type[Any]
    build: Callable[..., Any]


# name -> its module, configuration and class
NETWORKS = {
    "photochrom2": ("photochrom2", "Config", "Photochrom2"),
    "fusion": ("fusion", "Config", "Fusion"),
    "resnet18": ("resnet18", "Config", "Resnet18"),
    "resnet18-classifier": ("resnet18", "ClassifierConfig", "Resnet18Classifier"),
    "resnet50-regression": ("resnet50", "Config", "Resnet50Regression"),
    "resnet50-palette": ("resnet50", "PaletteConfig", "Resnet50Palette"),
    "mobilenet-fusion": ("mobilenet_fusion", "Config", "MobilenetFusion"),
    "pix2pix": ("pix2pix", "Config", "Pix2pix"),
    "patch-critic": ("critics", "PatchCriticConfig", "PatchCritic"),
    "unet": ("unet", "Config", "UNet"),
    "dcgan": ("dcgan", "Config", "DcganGenerator"),
    "dcgan-critic": ("critics", "DcganCriticConfig", "DcganCritic"),
    "nogan": ("nogan", "Config", "Nogan"),
    "nogan-critic": ("critics", "NoganCriticConfig", "NoganCritic"),
}


def network(name: str) -> Network:
    """Return a network by its name; imports torch.

    Raise UnknownMethodError if there is none of that name.
    """
    if name not in NETWORKS:
        close = get_close_matches(name, NETWORKS, 1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        raise UnknownMethodError(f"Unknown network '{name}'.{meant} All: {', '.join(NETWORKS)}.")
    where, config, module = NETWORKS[name]
    loaded = import_module(f"photochrom.workbench.networks.{where}")
    return Network(getattr(loaded, config), getattr(loaded, module))
