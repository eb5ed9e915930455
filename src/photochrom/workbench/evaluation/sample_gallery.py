"""Pictures for a report: some photographs, and histograms of the colours of each row."""

from collections import defaultdict
from collections.abc import Mapping
from threading import Lock

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.difference import chroma, hue
from photochrom.color.gamut import lab_to_bytes
from photochrom.color.lab import bytes_to_lab
from photochrom.workbench.datasets.picture_files import fitting, resized
from photochrom.workbench.evaluation.class_prior import ClassPrior
from photochrom.workbench.evaluation.compared_rows import REFERENCES
from photochrom.workbench.evaluation.evaluation_pictures import Sample
from photochrom.workbench.evaluation.scoring import TRUTH, Record

PICTURES = 60
THUMBNAIL_PX = 256  # longer side
HUE_BINS = 36  # of 10 degrees
CHROMA_BINS, CHROMA_STEP = 40, 2.5  # ab units; what lies beyond is in the last bin
SHOWN = "gray"  # under this name lies what the methods were shown


class Gallery:
    """An observer that keeps thumbnails of some photographs and histograms of all.

    A limited number of photographs is kept, drawn at random, in the order of the data. `pictures`
    has them by key and by the name of the row, 'gray' and 'truth' too.
    """

    def __init__(self, class_prior: ClassPrior, most: int = PICTURES, seed: int = 0) -> None:
        order = np.random.default_rng(seed).permutation(len(class_prior.keys))
        chosen = sorted(order[:most])
        self.pictures: dict[str, dict[str, Bytes]] = {class_prior.keys[i]: {} for i in chosen}
        self._hues: dict[str, Floats] = defaultdict(lambda: np.zeros(HUE_BINS))
        self._chromas: dict[str, Floats] = defaultdict(lambda: np.zeros(CHROMA_BINS))
        self._lock = Lock()

    def __call__(self, sample: Sample, name: str, rgb: Bytes) -> Record:
        """Look at a finished picture; it adds nothing to the record."""
        if name in REFERENCES:
            return {}
        hues, chromas = _histograms(rgb)
        with self._lock:
            self._hues[name] += hues
            self._chromas[name] += chromas
        kept = self.pictures.get(sample.key)
        if kept is not None:
            kept[name] = resized(rgb, fitting(rgb, THUMBNAIL_PX))
            if name == TRUTH:
                no_colour = np.zeros_like(sample.lightness)
                gray = lab_to_bytes(np.stack([sample.lightness, no_colour, no_colour], axis=-1))
                kept[SHOWN] = resized(gray, fitting(gray, THUMBNAIL_PX))
        return {}

    @property
    def names(self) -> list[str]:
        """The methods, as the tables name them."""
        return [name for name in self._hues if name != TRUTH]

    @property
    def hues(self) -> Mapping[str, Floats]:
        """Name of a row or 'truth' -> share of its colour in each ten degrees of hue, (36,)."""
        return {name: counts / max(counts.sum(), 1e-9) for name, counts in self._hues.items()}

    @property
    def chromas(self) -> Mapping[str, Floats]:
        """Name of a row or 'truth' -> share of its pixels in each 2.5 ab units of chroma, (40,)."""
        return {name: counts / max(counts.sum(), 1e-9) for name, counts in self._chromas.items()}


def _histograms(rgb: Bytes) -> tuple[Floats, Floats]:
    """Count hues, each pixel by its chroma (gray has no hue), and chromas; of a grid of pixels."""
    step = max(1, min(rgb.shape[:2]) // 64)
    ab = bytes_to_lab(rgb[::step, ::step])[..., 1:].reshape(-1, 2)
    strength = chroma(ab)
    sector = (hue(ab) * (HUE_BINS / 360)).astype(np.int64) % HUE_BINS
    level = (strength / CHROMA_STEP).astype(np.int64).clip(0, CHROMA_BINS - 1)
    hues = np.bincount(sector, weights=strength, minlength=HUE_BINS) / strength.size
    return hues, np.bincount(level, minlength=CHROMA_BINS) / strength.size
