"""Adversarial training: a critic that tells real colours from generated ones.

After Goodfellow et al. 2014 and Isola et al. 2017: binary cross-entropy on logits, one-sided label
smoothing if the recipe requests it; as in DeOldify's NoGAN, the generator may have to wait until
the critic is good enough.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor

from photochrom.errors import RecipeError, ShapeError
from photochrom.workbench.networks.outputs import Painter
from photochrom.workbench.training.checkpoint import CriticState
from photochrom.workbench.training.recipe import Recipe, build_network

MEMORY = 0.9  # share of the past in the running mean of the critic's loss


class Adversary:
    """A critic with its optimizer, of a recipe that has one.

    `running_loss` is the running mean of its loss; a critic that guesses has log 2.
    """

    def __init__(self, recipe: Recipe, fabric: Fabric) -> None:
        assert recipe.critic is not None
        self.settings, self.name = recipe.critic, f"recipe {recipe.name}"
        self.phases = [phase for phase in recipe.phases if phase.learns != "network"]
        where = f"{self.name}, critic config"
        self.network: Any = build_network(self.settings.network, self.settings.config, False, where)
        self.optimizer: Any = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.settings.rate,
            betas=(self.settings.betas[0], self.settings.betas[1]),
            weight_decay=self.settings.weight_decay,
        )
        self.wrapped, self.optimizer = fabric.setup(self.network, self.optimizer)
        self.fabric, self.running_loss = fabric, 1.0

    @torch.no_grad()
    def check_sizes(self, painter: Painter) -> None:
        """Run the critic on one picture of each size of the recipe, before training.

        Raise RecipeError if a phase is too small for it.
        """
        learning = painter.training, self.network.training
        painter.eval()  # statistics, and spectral norms, stay as they are
        self.network.eval()
        for phase in self.phases:
            lightness = torch.full((1, 1, phase.size_px, phase.size_px), 50.0)
            lightness = lightness.to(self.fabric.device)
            try:
                self.network(lightness, painter.paint(lightness))
            except (ShapeError, RuntimeError) as error:  # torch's own, where a kernel does not fit
                raise RecipeError(
                    f"{self.name}, phases: the critic '{self.settings.network}' cannot judge "
                    f"pictures of {phase.size_px} px: {error}"
                ) from error
        painter.train(learning[0])
        self.network.train(learning[1])

    def learn(
        self,
        lightness: Tensor,
        painted: Tensor,
        real: Tensor,
        rate: float,
        check: Callable[[Tensor], None] = lambda loss: None,
    ) -> Tensor:
        """Take one training step of the critic, and return its loss.

        `painted` and `real` (N, C, H, W) are in the generator's scale, without gradients; `rate` is
        a share of the recipe's rate; `check` receives the loss before the step.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * rate
        of_real = self.wrapped(lightness, real)
        of_painted = self.wrapped(lightness, painted)
        loss = (_entropy(of_real, self.settings.real) + _entropy(of_painted, 0.0)) / 2
        check(loss)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        # Of all ranks, so that they agree on who learns next.
        mean: Any = self.fabric.all_reduce(loss.detach(), reduce_op="mean")
        self.running_loss = MEMORY * self.running_loss + (1 - MEMORY) * float(mean)
        return loss.detach()

    @property
    def ready(self) -> bool:
        """Whether it is good enough to train the generator."""
        return self.running_loss < self.settings.stay_below

    def judge(self, lightness: Tensor, painted: Tensor) -> Tensor:
        """Return the generator's weighted adversarial loss; only `painted` gets gradients."""
        self.network.requires_grad_(False)
        with self.fabric.autocast():  # not `wrapped`, which would await gradients of the critic
            loss = _entropy(self.network(lightness, painted), 1.0)
        self.network.requires_grad_(True)
        return self.settings.weight * loss

    def state(self) -> CriticState:
        """Return the state for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "running_loss": self.running_loss,
        }

    def load(self, state: CriticState) -> None:
        """Continue from `state`."""
        self.network.load_state_dict(state["network"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.running_loss = state["running_loss"]


def _entropy(logits: Tensor, said: float) -> Tensor:
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, said))
