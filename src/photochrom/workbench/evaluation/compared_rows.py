"""The rows of an evaluation: references, methods, and the settings of each curve.

A source of candidates takes a photograph and yields its colourings one by one, so that one
prediction can serve many settings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photochrom.color.arrays import Floats
from photochrom.workbench.evaluation.evaluation_pictures import Sample
from photochrom.workbench.evaluation.revealed_hints import paint, reveal, spread

# The training set's mean ab: one mean a picture over every fourth, without the sources that are
# left out of training.
MEAN_AB = (1.76, 6.51)

REFERENCES = ("gray", "mean-colour", "oracle-mean")

Part = Literal["rows", "vividness", "saturation", "hints"]


class Candidate(NamedTuple):
    """One colouring of one photograph.

    part : which table or curve it belongs to
    name : of the method or the reference
    setting : where on the curve: vividness, saturation, or revealed patches
    ab : float array, (h, w, 2)
    rgb : uint8 array, (h, w, 3), its own pixels where it is judged by them, lightness and all;
        without them the picture is finished from `ab` with the true lightness
    """

    part: Part
    name: str
    setting: float | None
    ab: Floats
    rgb: NDArray[np.uint8] | None = None


Predict = Callable[[Sample], Floats]
PredictHinted = Callable[[Sample, Floats, Floats], Floats]  # sample, hint ab, hint mask
Source = Callable[[Sample], Iterator[Candidate]]


def references(mean_ab: tuple[float, float], saturations: Sequence[float] = ()) -> Source:
    """Return the rows that every table has, and the curve of the mean colour times each saturation.

    `gray`: no colour. `mean-colour`: one sepia for all, the training set's mean a and b.
    `oracle-mean`: each photograph's own true mean colour, which no method can know.
    """

    def source(sample: Sample) -> Iterator[Candidate]:
        shape = (*sample.lightness.shape, 2)
        truth = sample.lab[..., 1:]
        mean = np.asarray(mean_ab, np.float32)
        for name, ab in zip(REFERENCES, (0, mean, truth.mean((0, 1))), strict=True):
            yield Candidate("rows", name, None, np.broadcast_to(np.float32(ab), shape))
        for factor in saturations:
            yield Candidate(
                "saturation", "mean-colour", factor, np.broadcast_to(factor * mean, shape)
            )

    return source


def method(name: str, predict: Predict, saturations: Sequence[float] = ()) -> Source:
    """Return a method's row, and its curve over saturation from the same prediction."""

    def source(sample: Sample) -> Iterator[Candidate]:
        ab = predict(sample)
        yield Candidate("rows", name, None, ab)
        for factor in saturations:
            yield Candidate("saturation", name, factor, factor * ab)

    return source


def vividness_curve(name: str, predict_at: Mapping[float, Predict]) -> Source:
    """Return a method's curve over vividness, from its prediction at each."""

    def source(sample: Sample) -> Iterator[Candidate]:
        for vividness, predict in predict_at.items():
            yield Candidate("vividness", name, vividness, predict(sample))

    return source


def hint_curve(name: str, predict: PredictHinted, counts: Sequence[int], seed: int = 0) -> Source:
    """Return a method's curve over revealed patches, at the same places for all methods."""

    def source(sample: Sample) -> Iterator[Candidate]:
        for count in counts:
            patches = reveal(sample.lab[..., 1:], count, sample.key, seed)
            ab = predict(sample, *paint(patches, sample.lightness.shape))
            yield Candidate("hints", name, count, ab)

    return source


def spread_curve(counts: Sequence[int], seed: int = 0) -> Source:
    """Return the curve of `rbf`: the same patches, interpolated without a network."""

    def source(sample: Sample) -> Iterator[Candidate]:
        for count in counts:
            patches = reveal(sample.lab[..., 1:], count, sample.key, seed)
            yield Candidate("hints", "rbf", count, spread(patches, sample.lightness))

    return source
