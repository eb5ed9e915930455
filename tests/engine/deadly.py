"""A colorizer that fails as its photographs are named, for the tests of runs on clusters."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from photochrom.engine.colorize import Colorizer
from photochrom.engine.result import Coloured
from photochrom.photo.atomic import atomic_target


class Deadly(Colorizer):
    """Kills its process, or wants all memory, and notes each try in a folder.

    Parameters
    ----------
    notes : str
        Folder.
    """

    def __init__(self, notes: str) -> None:
        super().__init__("gray")
        self.notes = Path(notes)

    def colorize_file(self, source: Any, target: Any = None, **options: Any) -> Coloured:
        """Colour a file, unless its name wants something else."""
        tries = self.notes / Path(source).stem
        before = tries.stat().st_size if tries.exists() else 0
        with tries.open("a") as file:
            file.write("x")
        number = {"crashes": signal.SIGSEGV, "killed": signal.SIGKILL}.get(tries.name)
        if tries.name == "killed once" and not before:
            number = signal.SIGKILL
        if number is not None:
            with atomic_target(target) as part:
                part.write_text("half")
                os.kill(os.getpid(), number)
        if tries.name == "hungry":
            np.ones(10**10)
        return super().colorize_file(source, target, **options)


class Slow(Colorizer):
    """A colorizer that takes half a second longer."""

    def colorize_file(self, *given: Any, **options: Any) -> Coloured:
        """Colour a file, later."""
        time.sleep(0.5)
        return super().colorize_file(*given, **options)
