import numpy as np
import pytest
from skimage import data

from photochrom.color.lab import rgb_to_lab


@pytest.fixture(scope="session")
def small_pictures():
    """Name -> L*a*b* (h, w, 3) float32, of about 50 x 70 pixels."""
    whole = {"astronaut": data.astronaut(), "chelsea": data.chelsea(), "coffee": data.coffee()}
    small = {name: rgb[::8, ::8] / 255 for name, rgb in whole.items()}
    return {name: rgb_to_lab(rgb).astype(np.float32) for name, rgb in small.items()}


@pytest.fixture(scope="session")
def ab_error(small_pictures):
    """Return a function: the mean absolute ab error of a method on a small picture."""

    def measure(method, name, **guidance):
        from photochrom.colorization.method import Request

        lab = small_pictures[name]
        ab = method.predict(Request(lab[..., 0], **guidance)).ab[0]
        assert ab.shape == lab[..., 1:].shape
        return float(np.abs(ab - lab[..., 1:]).mean())

    return measure


@pytest.fixture(scope="session")
def revealed(small_pictures):
    """Return a function: twenty true patches of a small picture, as hints."""

    def hints(name):
        from photochrom.colorization.method import Hints
        from photochrom.workbench.evaluation.revealed_hints import paint, reveal

        truth = small_pictures[name][..., 1:]
        return Hints(*paint(reveal(truth, 20, name), truth.shape[:2]))

    return hints
