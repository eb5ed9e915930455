"""The losses of networks that predict a distribution over colours."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photochrom.color.bins import soft_encode, zhang_bins
from photochrom.workbench.datasets.batches import Batch, Batches, validation_picture
from photochrom.workbench.networks.annealed_mean import AnnealedMeanNetwork, Classifier
from photochrom.workbench.networks.guided import Guided
from photochrom.workbench.training.recipe import Loss

SAMPLE = 4000  # training pictures whose colours are counted
MOST_AB, CODES_PER_UNIT = 128, 4  # of the grid on which colours are encoded
CODES = 2 * MOST_AB * CODES_PER_UNIT + 1


@dataclass(frozen=True)
class Tensors:
    """A batch as tensors: channels first, on the network's device."""

    lightness: Tensor  # (N, 1, S, S)
    ab: Tensor  # (N, 2, S, S)
    hint_ab: Tensor  # (N, 2, S, S)
    hint_mask: Tensor  # (N, 1, S, S)
    global_mask: Tensor  # (N, 2)
    label: Tensor  # (N,), -1 where there is none

    @classmethod
    def of(cls, batch: Batch, device: torch.device) -> "Tensors":
        """Convert (N, S, S, C) arrays to (N, C, S, S) tensors."""
        planes = [batch.lightness[..., None], batch.ab, batch.hint_ab, batch.hint_mask[..., None]]
        lightness, ab, hint_ab, hint_mask = (
            torch.from_numpy(p).to(device).permute(0, 3, 1, 2) for p in planes
        )
        guidance, label = (torch.from_numpy(v).to(device) for v in (batch.global_mask, batch.label))
        return cls(lightness, ab, hint_ab, hint_mask, guidance, label)


def choose_bins(batches: Batches, count: int, sample: int = SAMPLE) -> tuple[Tensor, Tensor]:
    """Choose the `count` bins of Zhang et al. that the training pictures use most, and their prior.

    Centres (count, 2), and softly encoded shares (count,), at least 1e-5 each, of sum 1.
    """
    bins = zhang_bins()
    total = _shares(bins, batches, sample)
    kept = np.sort(np.argsort(-total, kind="stable")[:count])
    return torch.from_numpy(bins[kept]), _prior(total[kept])


def prior_of(centres: Tensor, batches: Batches) -> Tensor:
    """Return the share of each colour of a palette in the training pictures; see `choose_bins`."""
    return _prior(_shares(centres.numpy(), batches, SAMPLE))


def _prior(total: np.ndarray) -> Tensor:
    prior = np.clip(total / total.sum(), 1e-5, None)
    return torch.from_numpy(prior / prior.sum()).float()


def _shares(bins: np.ndarray, batches: Batches, sample: int) -> np.ndarray:
    """Count the softly encoded colours of pictures, each as often as training draws it: (Q,)."""
    total = np.zeros(len(bins))
    drawn, times = np.unique(batches.draw(sample), return_counts=True)
    for index, often in zip(drawn, times, strict=True):
        _, ab = validation_picture(batches.cache[index], 32)
        indices, weights = soft_encode(ab.reshape(-1, 2), bins)
        np.add.at(total, indices.ravel(), often * weights.ravel())
    return total


def distribution_loss(
    network: Guided, tensors: Tensors, loss: Loss, random: torch.Generator
) -> dict[str, Tensor]:
    """Return the losses of a network that takes hints and guidance; see `colour_terms`.

    The guidance is the picture's own histogram or chroma.
    """
    rows = _rows(loss, random)
    truth = _truth(tensors.ab, 4, rows)
    pictures, bins = truth.shape[0], network.centres.shape[0]
    flat = truth.reshape(-1, 2)
    indices, weights = _encode(flat, network, loss)
    histogram = _histograms(indices[:, 0].reshape(pictures, -1), bins)
    chroma = torch.linalg.vector_norm(flat, dim=1).reshape(pictures, -1).mean(1, keepdim=True)
    logits = network.distribution(
        tensors.lightness,
        tensors.hint_ab,
        tensors.hint_mask,
        torch.cat((histogram, chroma), 1),
        tensors.global_mask,
    )
    return colour_terms(logits[:, :, rows], flat, indices, weights, network, loss)


def classification_loss(
    network: Classifier, tensors: Tensors, loss: Loss, random: torch.Generator
) -> dict[str, Tensor]:
    """Return the losses of a network that takes lightness only; see `colour_terms`."""
    rows = _rows(loss, random)
    logits = network.distribution(tensors.lightness)
    stride = tensors.ab.shape[-1] // logits.shape[-1]
    flat = _truth(tensors.ab, stride, rows).reshape(-1, 2)
    indices, weights = _encode(flat, network, loss)
    colourful = (tensors.ab.abs().amax(dim=(1, 2, 3)) > loss.least_ab) | (loss.least_ab == 0)
    weights = weights * colourful.repeat_interleave(len(flat) // len(tensors.ab))[:, None]
    return colour_terms(logits[:, :, rows], flat, indices, weights, network, loss)


def _rows(loss: Loss, random: torch.Generator) -> slice:
    return slice(int(torch.randint(loss.row_step, (1,), generator=random)), None, loss.row_step)


def _truth(ab: Tensor, stride: int, rows: slice) -> Tensor:
    """(N, 2, H, W) -> (N, h / step, w, 2)."""
    return F.avg_pool2d(ab, stride)[:, :, rows].permute(0, 2, 3, 1)


def _encode(flat: Tensor, network: AnnealedMeanNetwork, loss: Loss) -> tuple[Tensor, Tensor]:
    """Look the codes of colours up, (N, neighbours); searching the bins takes a tenth of a step."""
    neighbours = min(loss.neighbours, len(network.centres))
    centres = network.centres.cpu().numpy().tobytes()
    indices, weights = _codes(centres, neighbours, loss.sigma, flat.device)
    cells = ((flat + MOST_AB) * CODES_PER_UNIT).round().clamp(0, CODES - 1).long()
    number = cells[:, 0] * CODES + cells[:, 1]
    return indices[number], weights[number]


@lru_cache(maxsize=2)
def _codes(
    centres: bytes, neighbours: int, sigma: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Encode every colour of a grid, (CODES * CODES, neighbours), b fastest."""
    bins = np.frombuffer(centres, np.float32).reshape(-1, 2)
    axis = np.arange(CODES, dtype=np.float32) / CODES_PER_UNIT - MOST_AB
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    parts = [soft_encode(part, bins, neighbours, sigma) for part in np.array_split(grid, CODES)]
    indices, weights = (np.concatenate(each) for each in zip(*parts, strict=True))
    return torch.from_numpy(indices).to(device), torch.from_numpy(weights).float().to(device)


def colour_terms(
    logits: Tensor,
    truth: Tensor,
    indices: Tensor,
    weights: Tensor,
    network: AnnealedMeanNetwork,
    loss: Loss,
) -> dict[str, Tensor]:
    """Cross-entropy against softly encoded colours, and Huber on the expected colour.

    Zhang et al. 2016, equation 2. Without the class rebalancing the distribution stays
    calibrated, and serves confidence, suggestions and hints; vividness is chosen afterwards.

    Parameters
    ----------
    logits : tensor, (N, Q, h, w)
    truth : tensor, (N * h * w, 2)
        ab units.
    indices, weights : tensors, (N * h * w, neighbours)
        The truth's soft encoding.
    network :
        With its `centres` and `prior`.

    Returns
    -------
    dict of str to tensor
        'loss', and for the log 'cross_entropy' and 'rmse' (of the expected ab, ab units).
    """
    logs = torch.log_softmax(logits.permute(0, 2, 3, 1).flatten(0, 2).float(), dim=1)
    each = -(logs.gather(1, indices) * weights).sum(1)
    cross_entropy = each.mean()
    if loss.rebalance:
        minimised = (each * rarity(network.prior, loss.rebalance)[indices[:, 0]]).mean()
    else:
        minimised = cross_entropy
    expected = logs.exp() @ network.centres
    huber = F.huber_loss(expected, truth, delta=10.0) / 10.0
    with torch.no_grad():
        rmse = F.mse_loss(expected, truth).sqrt()
    return {
        "loss": minimised + loss.huber * huber,
        "cross_entropy": cross_entropy.detach(),
        "rmse": rmse,
    }


def rarity(prior: Tensor, share: float) -> Tensor:
    """Return weights of the bins by rarity, (Q,), whose mean over the prior is 1.

    Zhang et al. 2016, equation 4: the inverse of the prior mixed with the uniform distribution.
    """
    weights = 1 / (share * prior + (1 - share) / len(prior))
    return weights / (weights * prior).sum()


def _histograms(nearest: Tensor, bins: int) -> Tensor:
    """Count each picture's nearest bins: (N, P) of indices -> (N, bins) of shares."""
    counts = torch.zeros(len(nearest), bins, device=nearest.device)
    counts.scatter_add_(1, nearest, torch.ones_like(nearest, dtype=counts.dtype))
    return counts / nearest.shape[1]
