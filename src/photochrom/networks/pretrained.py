"""Bodies of the classic networks, on one input channel, through timm."""

from typing import Any

from photochrom.errors import CheckpointError
from photochrom.networks.encoder import import_timm


def timm_body(name: str, pretrained: bool, **options: Any) -> Any:
    """Build a timm model that sees one channel; a colour stem is summed over its channels.

    Parameters
    ----------
    name : str
        As timm names it.
    pretrained : bool
        Load the ImageNet weights that timm knows.
    **options
        For timm's constructor.

    Returns
    -------
    Module

    Raises
    ------
    MissingExtraError
        If timm is not installed.
    CheckpointError
        If the weights are neither in timm's cache nor to be had from the network.
    """
    timm = import_timm()
    try:
        return timm.create_model(name, in_chans=1, pretrained=pretrained, **options)
    except Exception as error:  # the hub raises many kinds where it cannot be reached
        if not pretrained:
            raise
        raise CheckpointError(
            f"{name} needs its ImageNet weights, which timm could not fetch ({error}). Connect "
            "once, so that they stay in its cache; or start from weights you have: --init FILE, "
            "with pretrained = false in the recipe."
        ) from error
