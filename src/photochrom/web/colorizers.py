"""One colorizer a method for each process, whose network stays loaded; looks change by request."""

from copy import copy
from functools import cache

from photochrom.engine.colorize import Colorizer
from photochrom.engine.look import Look


@cache
def _loaded(method: str) -> Colorizer:
    return Colorizer(method)


def colorizer_of(method: str, look: Look = Look()) -> Colorizer:  # noqa: B008 - frozen
    """Give the colorizer of a method, with another look.

    Raises
    ------
    UnknownMethodError, WeightsError
        If the method is not usable.
    """
    colorizer = copy(_loaded(method))
    colorizer.look = look
    return colorizer
