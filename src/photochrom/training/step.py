"""What one training step of each network minimises."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photochrom.color.bins import soft_encode, zhang_bins
from photochrom.data.batches import Batch, Batches, validation_picture
from photochrom.training.recipe import Loss


@dataclass(frozen=True)
class Tensors:
    """A batch as tensors: channels first, on the network's device."""

    lightness: Tensor  # (N, 1, S, S)
    ab: Tensor  # (N, 2, S, S)
    hint_ab: Tensor  # (N, 2, S, S)
    hint_mask: Tensor  # (N, 1, S, S)
    global_mask: Tensor  # (N, 2)

    @classmethod
    def of(cls, batch: Batch, device: torch.device) -> "Tensors":
        """Cross from (N, S, S, C) arrays to (N, C, S, S) tensors."""
        planes = [batch.lightness[..., None], batch.ab, batch.hint_ab, batch.hint_mask[..., None]]
        lightness, ab, hint_ab, hint_mask = (
            torch.from_numpy(p).to(device).permute(0, 3, 1, 2) for p in planes
        )
        wishes = torch.from_numpy(batch.global_mask).to(device)
        return cls(lightness, ab, hint_ab, hint_mask, wishes)


def choose_bins(batches: Batches, count: int, sample: int = 4000) -> tuple[Tensor, Tensor]:
    """Choose the bins that the training pictures use most, and their prior.

    Parameters
    ----------
    batches : Batches
        Where the pictures come from.
    count : int
        How many of the 313 bins of Zhang et al. are kept.
    sample : int
        Pictures that are looked at.

    Returns
    -------
    centres : float tensor, (count, 2)
    prior : float tensor, (count,)
        Softly encoded shares, at least 1e-5 each; sums to 1.
    """
    bins, total = zhang_bins(), np.zeros(313)
    drawn, times = np.unique(batches.draw(sample), return_counts=True)
    for index, often in zip(drawn, times, strict=True):
        _, ab = validation_picture(batches.cache[index], 32)
        indices, weights = soft_encode(ab.reshape(-1, 2), bins)
        np.add.at(total, indices.ravel(), often * weights.ravel())
    kept = np.sort(np.argsort(-total, kind="stable")[:count])
    prior = np.clip(total[kept] / total[kept].sum(), 1e-5, None)
    return torch.from_numpy(bins[kept]), torch.from_numpy(prior / prior.sum()).float()


def distribution_loss(
    network: Any, tensors: Tensors, loss: Loss, random: torch.Generator
) -> dict[str, Tensor]:
    """Cross-entropy against softly encoded colours, and Huber on the expected colour.

    Zhang et al. 2016, equation 2, without the class rebalancing: the distribution stays
    calibrated, and serves confidence, suggestions and hints; vividness is chosen afterwards.

    Parameters
    ----------
    network : Photochrom
        With its `centres`.
    tensors : Tensors
        The batch.
    loss : Loss
        Weights and widths.
    random : Generator
        Draws the rows.

    Returns
    -------
    dict of str to tensor
        'loss', and for the log 'cross_entropy' and 'rmse' (of the expected ab, ab units).
    """
    offset = int(torch.randint(loss.row_step, (1,), generator=random))
    rows = slice(offset, None, loss.row_step)
    truth = F.avg_pool2d(tensors.ab, 4)[:, :, rows].permute(0, 2, 3, 1)  # (N, h / step, w, 2)
    pictures, bins = truth.shape[0], network.centres.shape[0]
    truth = truth.reshape(-1, 2)
    indices, weights = soft_encode(truth, network.centres, sigma=loss.sigma)
    histogram = _histograms(indices[:, 0].reshape(pictures, -1), bins)
    chroma = torch.linalg.vector_norm(truth, dim=1).reshape(pictures, -1).mean(1, keepdim=True)
    logits = network.distribution(
        tensors.lightness,
        tensors.hint_ab,
        tensors.hint_mask,
        torch.cat((histogram, chroma), 1),
        tensors.global_mask,
    )
    logits = logits[:, :, rows].permute(0, 2, 3, 1).reshape(-1, bins)
    logs = torch.log_softmax(logits.float(), dim=1)
    cross_entropy = -(logs.gather(1, indices) * weights).sum(1).mean()
    expected = logs.exp() @ network.centres
    huber = F.huber_loss(expected, truth, delta=10.0) / 10.0
    with torch.no_grad():
        rmse = F.mse_loss(expected, truth).sqrt()
    return {
        "loss": cross_entropy + loss.huber * huber,
        "cross_entropy": cross_entropy.detach(),
        "rmse": rmse,
    }


def _histograms(nearest: Tensor, bins: int) -> Tensor:
    """Count each picture's nearest bins: (N, P) of indices -> (N, bins) of shares."""
    counts = torch.zeros(len(nearest), bins, device=nearest.device)
    counts.scatter_add_(1, nearest, torch.ones_like(nearest, dtype=counts.dtype))
    return counts / nearest.shape[1]
