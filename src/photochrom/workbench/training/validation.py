"""Validate a network on held-out pictures, cheaply enough to do it often."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from photochrom.workbench.datasets.batches import Batch, Batches, validation_picture
from photochrom.workbench.datasets.simulated_hints import reveal_patches
from photochrom.workbench.training.network_inputs import neutral_inputs
from photochrom.workbench.training.recipe import Recipe
from photochrom.workbench.training.step import Tensors

if TYPE_CHECKING:
    from photochrom.workbench.training.run_state import Run

BATCH = 50
HINTS = 10  # patches a picture in the judgement with hints


@dataclass(frozen=True)
class Validation:
    """Validation pictures, decoded at one size.

    lightness : float32 array, (N, S, S)
    ab : float32 array, (N, S, S, 2)
    score : which of the scores decides which checkpoint is the best: the smallest
    """

    lightness: np.ndarray
    ab: np.ndarray
    score: str

    @classmethod
    def of(cls, batches: Batches, keys: frozenset[str], recipe: Recipe) -> "Validation":
        """Take the pictures with these keys, at the first phase's size."""
        cache, size_px = batches.cache, recipe.phases[0].size_px
        score = score_name(recipe)
        indices = np.flatnonzero(np.isin(cache.keys, list(keys)))
        pairs = [validation_picture(cache[int(i)], size_px) for i in indices]
        if not pairs:
            return cls(np.zeros((0, size_px, size_px)), np.zeros((0, size_px, size_px, 2)), score)
        lightness, ab = (np.stack(column) for column in zip(*pairs, strict=True))
        return cls(lightness, ab, score)

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.lightness)

    @torch.no_grad()
    def judge(self, run: "Run") -> dict[str, float]:
        """Score a run's moving average.

        Return the objective's 'loss', 'rmse' (of the expected ab, ab units) and, of a distribution,
        'cross_entropy'; of a network that takes hints also 'hinted_rmse' with ten patches.
        """
        with averaged(run):
            scores = self._scores(run, 0)
            if run.recipe.loss.kind == "distribution":
                scores["hinted_rmse"] = self._scores(run, HINTS)["rmse"]
        return scores

    def _scores(self, run: "Run", hints: int) -> dict[str, float]:
        sums: dict[str, float] = {}
        for start in range(0, len(self), BATCH):
            batch = self._batch(slice(start, start + BATCH), hints)
            for name, term in _terms(run, Tensors.of(batch, run.fabric.device)).items():
                power = 2 if name == "rmse" else 1
                sums[name] = sums.get(name, 0.0) + float(term) ** power * len(batch.lightness)
        means = {name: total / len(self) for name, total in sums.items()}
        return {**means, "rmse": means["rmse"] ** 0.5}

    def _batch(self, part: slice, hints: int) -> Batch:
        lightness, ab = self.lightness[part], self.ab[part]
        hint_ab, mask = np.zeros_like(ab), np.zeros_like(lightness)
        for number in range(len(lightness)):
            random = np.random.default_rng((part.start, number))
            reveal_patches(ab[number], hint_ab[number], mask[number], hints, random)
        guidance, label = np.zeros((len(ab), 2), np.float32), np.full(len(ab), -1)
        return Batch(lightness, ab, hint_ab, mask, guidance, label)


def score_name(recipe: Recipe) -> str:
    """Return the name of the score that decides which checkpoint of a recipe is the best."""
    distributions = ("distribution", "classification")
    return "cross_entropy" if recipe.loss.kind in distributions else "rmse"


def _terms(run: "Run", tensors: Tensors) -> dict[str, torch.Tensor]:
    """Return the objective's terms, with the error of the painted ab where it does not give it."""
    loss = replace(run.recipe.loss, row_step=1)
    with run.fabric.autocast():
        answer = run.objective(run.wrapped, tensors, loss, torch.Generator())
        terms = {name: answer.terms[name] for name in answer.terms if name != "class"}
        if "rmse" not in terms:
            ab = run.network(*neutral_inputs(run.network, tensors.lightness)).ab.float()
            truth = F.adaptive_avg_pool2d(tensors.ab, ab.shape[-2:])
            terms["rmse"] = F.mse_loss(ab, truth).sqrt()
    return terms


@contextmanager
def averaged(run: "Run") -> Iterator[None]:
    """Use the moving average as a run's network within a block, in evaluation mode."""
    weights = {k: v.clone() for k, v in run.network.state_dict().items()}
    training = run.network.training
    run.network.load_state_dict(run.average, strict=True)
    run.network.eval()
    yield
    run.network.load_state_dict(weights, strict=True)
    run.network.train(training)
