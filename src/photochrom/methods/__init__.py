"""From lightness to ab: one file a paper, and one catalogue.

`photochrom.methods()` gives the description of every method by its name.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photochrom.methods.method import MethodInfo


class _Methods(ModuleType):
    """The room, callable: its name in the public face is what a person would call."""

    def __call__(self) -> "dict[str, MethodInfo]":
        """Give the description of every method by its name."""
        from photochrom.methods.catalogue import CATALOGUE, load_method

        return {name: load_method(name).info for name in CATALOGUE}


sys.modules[__name__].__class__ = _Methods
