"""Networks, one file a paper; each is a Config and a module."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

from photochrom.errors import UnknownMethodError


class Network(NamedTuple):
    """How a network of a recipe is built: `build(config, pretrained)`."""

    config: type[Any]
    build: Callable[..., Any]


def network(name: str) -> Network:
    """Find a network by its name; imports torch.

    Parameters
    ----------
    name : str
        As a recipe names it.

    Returns
    -------
    Network

    Raises
    ------
    UnknownMethodError
        If there is none of that name.
    """
    from photochrom.networks import photochrom

    networks = {"photochrom": Network(photochrom.Config, photochrom.Photochrom)}
    if name not in networks:
        close = get_close_matches(name, networks, 1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        raise UnknownMethodError(f"Unknown network '{name}'.{meant} All: {', '.join(networks)}.")
    return networks[name]
