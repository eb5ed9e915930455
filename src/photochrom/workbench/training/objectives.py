"""The objectives of training, by their names in recipes.

An objective returns its terms, of which 'loss' is minimised and the others are logged, and the
generated colours, if any, for a critic.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from photochrom.errors import RecipeError
from photochrom.workbench.networks.annealed_mean import Classifier
from photochrom.workbench.networks.fusion import Fusion
from photochrom.workbench.networks.guided import Guided
from photochrom.workbench.networks.nogan import Nogan
from photochrom.workbench.networks.outputs import ColourNetwork, Painter
from photochrom.workbench.training.recipe import Loss, Recipe
from photochrom.workbench.training.step import Tensors, classification_loss, distribution_loss

COLOURLESS = 10.0  # chroma in ab units below which a place is background
WINDOW = 5  # pixels over which the chroma is averaged for that


class Answer(NamedTuple):
    """The value of an objective for a network on a batch."""

    terms: dict[str, Tensor]
    painted: Tensor | None = None  # in the network's own scale


Objective = Callable[[Any, Tensors, Loss, torch.Generator], Answer]


def check_fit(recipe: Recipe, network: ColourNetwork) -> None:
    """Raise RecipeError if a network does not support the recipe's sizes or kind of loss."""
    for phase in recipe.phases:
        if phase.size_px % network.stride:
            raise RecipeError(
                f"recipe {recipe.name}, phases: '{recipe.network}' needs a size_px that is a "
                f"multiple of {network.stride}; got {phase.size_px}."
            )
    is_classifier = isinstance(network, Classifier)
    serves = {
        "distribution": hasattr(network, "distribution") and not is_classifier,
        "classification": is_classifier,
        "regression": hasattr(network, "paint"),
        "fusion": hasattr(network, "paint_and_classify"),
        "features": hasattr(network, "ab_of"),
    }
    if not serves[recipe.loss.kind]:
        fitting = ", ".join(kind for kind, fits in serves.items() if fits)
        raise RecipeError(
            f"recipe {recipe.name}, loss, kind: '{recipe.network}' takes {fitting}; got "
            f"{recipe.loss.kind!r}."
        )


def objective(loss: Loss) -> Objective:
    """Return the objective of a recipe's loss."""
    return OBJECTIVES[loss.kind](loss)


def _distribution(network: Guided, tensors: Tensors, loss: Loss, random: torch.Generator) -> Answer:
    return Answer(distribution_loss(network, tensors, loss, random))


def _classification(
    network: Classifier, tensors: Tensors, loss: Loss, random: torch.Generator
) -> Answer:
    return Answer(classification_loss(network, tensors, loss, random))


def _regression(network: Painter, tensors: Tensors, loss: Loss, random: torch.Generator) -> Answer:
    painted = network.paint(tensors.lightness)
    return Answer({"loss": loss.weight * colour_distance(network, painted, tensors, loss)}, painted)


def _fusion(network: Fusion, tensors: Tensors, loss: Loss, random: torch.Generator) -> Answer:
    """Return the loss of colours, and of the picture's class if known (Iizuka et al. 2016)."""
    painted, logits = network.paint_and_classify(tensors.lightness)
    colour = loss.weight * colour_distance(network, painted, tensors, loss)
    known = tensors.label >= 0
    label = F.cross_entropy(logits[known].float(), tensors.label[known], reduction="sum")
    label = label / known.sum().clamp(min=1)
    total = colour + loss.class_weight * label
    return Answer({"loss": total, "colour": colour.detach(), "class": label.detach()}, painted)


class _Features:
    """Distance of ImageNet features of painted and true colours (Johnson et al. 2016)."""

    def __init__(self) -> None:
        self.measure: Any = None

    def __call__(
        self, network: Nogan, tensors: Tensors, loss: Loss, random: torch.Generator
    ) -> Answer:
        from photochrom.workbench.networks.feature_loss import FeatureLoss

        if self.measure is None:
            # Its random start must not shift what a resumed run draws after it.
            with torch.random.fork_rng(devices=()):
                measure = FeatureLoss()
            self.measure = measure.to(tensors.ab.device).eval().requires_grad_(False)
        painted = network.paint(tensors.lightness)
        ab = network.ab_of(painted)
        distance = self.measure(tensors.lightness, ab, tensors.ab)
        return Answer({"loss": loss.weight * distance}, painted)


# kind -> made anew for each run
OBJECTIVES: dict[str, Callable[[Loss], Objective]] = {
    "distribution": lambda loss: _distribution,
    "classification": lambda loss: _classification,
    "regression": lambda loss: _regression,
    "fusion": lambda loss: _fusion,
    "features": lambda loss: _Features(),
}


def colour_distance(network: Painter, painted: Tensor, tensors: Tensors, loss: Loss) -> Tensor:
    """Return the distance of generated colours from the true ones, in the network's own scale.

    `painted` is (N, C, h, w); the truth, if it is larger, is averaged. The mean is over channels
    and places.
    """
    truth = network.scaled(tensors.lightness, tensors.ab)
    size = (painted.shape[-2], painted.shape[-1])
    # Where the sizes are the same this changes nothing.
    truth, ab = F.adaptive_avg_pool2d(truth, size), F.adaptive_avg_pool2d(tensors.ab, size)
    error = painted.float() - truth
    each = (error.abs() if loss.distance == "l1" else error**2).mean(1)  # (N, h, w)
    weighted: Tensor = each * background_weights(ab) if loss.balance else each
    return weighted.mean()


def background_weights(ab: Tensor) -> Tensor:
    """Return weights that balance nearly gray places and others: ab (N, 2, h, w) -> (N, h, w).

    Their mean over each picture is 1; all are 1 if it has only one kind of place.
    """
    smooth = F.avg_pool2d(ab, WINDOW, 1, WINDOW // 2, count_include_pad=False)
    background = (torch.linalg.vector_norm(smooth, dim=1) < COLOURLESS).float()
    share = background.mean(dim=(1, 2), keepdim=True)
    weights = background / (2 * share).clamp(min=1e-6)
    weights = weights + (1 - background) / (2 * (1 - share)).clamp(min=1e-6)
    one_kind = (share == 0) | (share == 1)
    return torch.where(one_kind, torch.ones_like(weights), weights)
