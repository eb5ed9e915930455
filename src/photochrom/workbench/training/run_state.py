"""The state of a run, and its checkpoints."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from photochrom.workbench.training.adversary import Adversary
from photochrom.workbench.training.checkpoint import State, save_atomically, table_of
from photochrom.workbench.training.muon import Muon
from photochrom.workbench.training.objectives import check_fit, objective
from photochrom.workbench.training.recipe import Phase, Recipe, build_network
from photochrom.workbench.training.run_log import RunLog

OPTIMIZERS: dict[str, Any] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "muon": Muon,
}


class Run:
    """A run's state: network, moving average, optimizer, step; saved as checkpoints."""

    def __init__(self, recipe: Recipe, folder: Path, fabric: Fabric, pretrained: bool) -> None:
        self.recipe, self.folder, self.fabric = recipe, folder, fabric
        torch.manual_seed(recipe.seed)
        where = f"recipe {recipe.name}, config"
        self.network: Any = build_network(recipe.network, recipe.config, pretrained, where)
        check_fit(recipe, self.network)
        self.objective = objective(recipe.loss)
        self.critic: Adversary | None = None
        self.log = RunLog(folder, quiet=bool(fabric.global_rank))
        self.step, self.seconds, self.best, self.worse = 0, 0.0, math.inf, 0
        self.sums: dict[str, tuple[float, int]] = {}  # of the terms since the last line of the log
        self.asked = recipe.phases  # before --epochs changed them

    def prepare(self) -> None:
        """Create optimizer and average, and set the network up with Fabric."""
        self.network.to(memory_format=torch.channels_last)
        settings = self.recipe.optimizer
        self.encoder = self.network.encoder_parameters()
        known = {id(p) for p in self.encoder}
        others = [p for p in self.network.parameters() if p.requires_grad and id(p) not in known]
        groups: list[dict[str, Any]] = [{"params": others, "rate": settings.rate}]
        if self.encoder:
            groups.append({"params": self.encoder, "rate": settings.encoder_rate})
        if settings.kind == "muon":
            groups = _parted(self.network, groups)
        options: dict[str, Any] = {"weight_decay": settings.weight_decay}
        if settings.kind.startswith("adam") or settings.kind == "muon":
            options["betas"] = (settings.betas[0], settings.betas[1])
        optimizer = OPTIMIZERS[settings.kind](groups, lr=settings.rate, **options)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.wrapped, self.optimizer = self.fabric.setup(self.network, optimizer)
        for method in ("distribution", "paint", "paint_and_classify"):
            if hasattr(self.network, method):
                self.wrapped.mark_forward_method(method)
        if self.recipe.critic is not None:
            self.critic = Adversary(self.recipe, self.fabric)
            self.critic.check_sizes(self.network)

    def enter(self, phase: Phase) -> None:
        """Set which parameters train in a phase."""
        self.network.train(phase.learns != "critic")
        for parameter in self.encoder:
            parameter.requires_grad_(not phase.frozen_encoder)

    def set_rate(self, share: float) -> None:
        """Set the learning rates to a share of the recipe's."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * share

    @torch.no_grad()
    def update_average(self, pictures: int) -> None:
        """Update the moving average of the weights, faster at the start; statistics are copied."""
        longest = self.recipe.optimizer.ema_half_life
        half_life = max(1.0, min(longest, 0.2 * pictures * self.step))
        keep = 0.5 ** (pictures / half_life) if longest else 0.0
        learnt = {name for name, _ in self.network.named_parameters()}
        for name, weight in self.network.state_dict().items():
            if keep and name in learnt:
                self.average[name].lerp_(weight, 1 - keep)
            else:
                self.average[name].copy_(weight)

    def save(self, name: str) -> None:
        """Write a checkpoint into the run's folder, on the first rank."""
        if self.fabric.global_rank:
            return
        state: State = {
            "recipe": table_of(self.recipe),
            "network": self.network.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "worse": self.worse,
            "sums": self.sums,
            "asked": [dataclasses.asdict(phase) for phase in self.asked],
        }
        if name == "last":
            state["optimizer"] = self.optimizer.state_dict()
            if self.critic is not None:
                state["critic"] = self.critic.state()
        save_atomically(state, self.folder / f"{name}.pt")

    def load(self, state: State) -> None:
        """Continue from a checkpoint."""
        self.network.load_state_dict(state["network"], strict=True)
        for name, weight in state["average"].items():
            self.average[name].copy_(weight)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.critic is not None:
            self.critic.load(state["critic"])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.worse, self.sums = state.get("worse", 0), state.get("sums", {})


def _parted(network: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Split groups into parameters with Muon's steps and others: pretrained, first, last."""
    ends = {
        id(p)
        for name, p in network.named_parameters()
        if name.startswith(getattr(network, "ends", ()))
    }
    parted = []
    for group in groups:
        inner = [p for p in group["params"] if id(p) not in ends]
        outer = [p for p in group["params"] if id(p) in ends]
        parted += [{**group, "params": inner, "matrices": True}]
        parted += [{**group, "params": outer, "matrices": False}] if outer else []
    return parted
