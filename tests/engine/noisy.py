"""Methods whose colours are known, for the tests of films."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from photochrom.colorization.method import MethodInfo, Prediction, Request
from photochrom.engine.page_colouring import PageColorizer
from photochrom.photo.resize import resize


def true_ab(lightness: np.ndarray) -> np.ndarray:
    """Return the colours that belong to a lightness, (h, w, 2)."""
    return np.stack((lightness * 0.5 - 20, 25 - lightness * 0.4), axis=-1).astype(np.float32)


class Noisy:
    """A method that is right on average, and differs from frame to frame, always alike."""

    info = MethodInfo("noisy", "none", "none", short_side_px=64)

    def __init__(self, noise: float = 12.0) -> None:
        self.noise = noise
        self.seen = 0

    def predict(self, request: Request) -> Prediction:
        """Return the true colours with smooth noise that the picture seeds."""
        self.seen += 1
        lightness = request.lightness
        random = np.random.default_rng(np.asarray(lightness * 1000, np.int64).ravel() % 2**31)
        coarse = random.normal(0, self.noise, (4, 5, 2)).astype(np.float32)
        ab = true_ab(lightness) + resize(coarse, *lightness.shape)
        return Prediction(ab[None])


class ByBrightness:
    """A method that colours dark pictures red and bright ones blue."""

    info = MethodInfo("by-brightness", "none", "none", short_side_px=64)

    def predict(self, request: Request) -> Prediction:
        """Return one colour for the whole picture."""
        ab = (50.0, 30.0) if request.lightness.mean() < 50 else (10.0, -50.0)
        return Prediction(np.full((1, *request.lightness.shape, 2), ab, np.float32))


def colorizer_of(method: Any) -> PageColorizer:
    """Return a colorizer that uses a method of the tests."""
    made = PageColorizer("gray")
    made.method = method
    return made


def frame(pts: int) -> SimpleNamespace:
    """Return what the engine needs of a frame where its pictures do not matter."""
    return SimpleNamespace(pts=pts, duration=1, luma=None)
