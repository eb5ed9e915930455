"""Judge a network on pictures that it never sees, cheaply enough to do it often."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from photochrom.data.batches import Batch, Batches, validation_picture
from photochrom.data.reveal import reveal_patches
from photochrom.training.recipe import Recipe
from photochrom.training.step import Tensors, distribution_loss

BATCH = 50
HINTS = 10  # patches a picture in the judgement with hints


@dataclass(frozen=True)
class Validation:
    """Validation pictures, decoded at one size.

    Attributes
    ----------
    lightness : float32 array, (N, S, S)
    ab : float32 array, (N, S, S, 2)
    """

    lightness: np.ndarray
    ab: np.ndarray

    @classmethod
    def of(cls, batches: Batches, keys: frozenset[str], recipe: Recipe) -> "Validation":
        """Take the pictures with these keys, at the first phase's size."""
        cache, size_px = batches.cache, recipe.phases[0].size_px
        indices = np.flatnonzero(np.isin(cache.keys, list(keys)))
        pairs = [validation_picture(cache[int(i)], size_px) for i in indices]
        if not pairs:
            return cls(np.zeros((0, size_px, size_px)), np.zeros((0, size_px, size_px, 2)))
        return cls(*(np.stack(column) for column in zip(*pairs, strict=True)))

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.lightness)

    @torch.no_grad()
    def judge(self, run: Any) -> dict[str, float]:
        """Score a run's moving average.

        Parameters
        ----------
        run : photochrom.training.loop.Run

        Returns
        -------
        dict of str to float
            'cross_entropy' and 'rmse' (ab units) without hints; 'hinted_rmse' with ten patches.
        """
        weights = {k: v.clone() for k, v in run.network.state_dict().items()}
        run.network.load_state_dict(run.average, strict=True)
        plain, hinted = self._terms(run, 0), self._terms(run, HINTS)
        run.network.load_state_dict(weights, strict=True)
        return {
            "cross_entropy": plain["cross_entropy"],
            "rmse": plain["rmse"],
            "hinted_rmse": hinted["rmse"],
        }

    def _terms(self, run: Any, hints: int) -> dict[str, float]:
        loss = replace(run.recipe.loss, row_step=1)
        sums: dict[str, float] = {}
        for start in range(0, len(self), BATCH):
            batch = self._batch(slice(start, start + BATCH), hints)
            tensors = Tensors.of(batch, run.fabric.device)
            terms = distribution_loss(run.wrapped, tensors, loss, torch.Generator())
            for name, term in terms.items():
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
        return Batch(lightness, ab, hint_ab, mask, np.zeros((len(ab), 2), np.float32))
