"""A colorizer, bins and a hinted portrait for the tests of the engine."""

import numpy as np
import pytest
from skimage import data

from photochrom.color.bins import zhang_bins
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.options.hint import Hint


@pytest.fixture(scope="session")
def colorizer():
    return Colorizer("photochrom", threads=1)


@pytest.fixture(scope="session")
def centres():
    return zhang_bins()


@pytest.fixture(scope="session")
def portrait_colours():
    """Return ab of a portrait without and with one blue hint on its suit, and where the suit is."""
    rgb = data.astronaut()[::2, ::2]
    gray = np.round(rgb_to_lab(rgb / 255.0)[..., 0] * 2.55).astype(np.uint8)
    colorizer = Colorizer()
    hint = Hint.point(50, 220, "#2040c0", 4, reach="thing")
    plain, hinted = (
        rgb_to_lab(colorizer.colorize(gray, hints=hints) / 255.0)[..., 1:]
        for hints in ((), (hint,))
    )
    suit = np.zeros(gray.shape, bool)
    suit[200:250, 30:75] = True
    return plain, hinted, suit
