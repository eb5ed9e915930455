"""Muon: momentum with orthogonalised steps, for the matrices of a network.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; steps scaled
to the size of AdamW's as in Liu et al., "Muon is scalable for LLM training", 2025, equation 4, so
that both share a learning rate. Other parameters (biases, norms, depthwise convolutions, first and
last layers) take AdamW's steps, in the same optimizer.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Of the quintic iteration that brings singular values near 1.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
LEAST_SIDE = 16  # a smaller matrix is no matrix worth the work
ROOT_MEAN_SQUARE = 0.2  # of AdamW's steps, in units of the rate


class Muon(Optimizer):
    """Muon for matrices, AdamW for the rest.

    Parameters
    ----------
    params : iterable of dict
        Groups; of those with `matrices` true, tensors of two or four dimensions whose kernel is a
        single place and whose sides are at least 16 take Muon's steps.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "betas": betas,
            "eps": eps,
            "matrices": True,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                if group["matrices"] and is_matrix(parameter):
                    self._orthogonal(parameter, group)
                else:
                    self._adaptive(parameter, group)

    def _orthogonal(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"]
        momentum.lerp_(parameter.grad, 1 - group["momentum"])
        ahead = torch.lerp(parameter.grad, momentum, group["momentum"])  # type: ignore[arg-type]
        matrix = ahead.reshape(len(parameter), -1)
        scale = ROOT_MEAN_SQUARE * max(matrix.shape) ** 0.5
        parameter.sub_(orthogonal(matrix).reshape(parameter.shape), alpha=group["lr"] * scale)

    def _adaptive(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[parameter], group["betas"]
        if not state:
            state["step"] = 0
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        state["step"] += 1
        state["mean"].lerp_(parameter.grad, 1 - first)
        state["square"].mul_(second).addcmul_(parameter.grad, parameter.grad, value=1 - second)
        root = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
        rate = group["lr"] / (1 - first ** state["step"])
        parameter.addcdiv_(state["mean"], root, value=-rate)


def is_matrix(parameter: Tensor) -> bool:
    """Return whether a parameter mixes many channels at one place."""
    matrix = parameter.ndim == 2 or (parameter.ndim == 4 and parameter.shape[2:].numel() == 1)
    return matrix and min(parameter.shape[:2]) >= LEAST_SIDE


def orthogonal(matrix: Tensor) -> Tensor:
    """Bring a matrix's singular values near 1, each by the same polynomial.

    Those of the result (M, N) lie between about 0.7 and 1.2; zeros stay zeros.
    """
    a, b, c = COEFFICIENTS
    x = matrix.float()
    x = x / (x.norm() + 1e-7)
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    whitened: Tensor = x.T if is_tall else x
    return whitened
