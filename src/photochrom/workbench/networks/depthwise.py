"""Depthwise convolutions in float32 on a CPU, with a faster gradient of the weights.

oneDNN computes the gradient of a depthwise kernel quickly up to three columns, and some ten times
slower above. So a wider kernel's gradient is put together from narrower ones: of its middle three
columns, and of each other one on the picture moved sideways; a stride of two is first undone by
taking even and odd rows and columns apart. It is the same sum.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

FAST_COLUMNS = 3  # of oneDNN's kernel for the weights' gradient


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, margin: int) -> Tensor:
    """Convolve each channel by itself, as `conv2d` with as many groups as channels.

    Parameters
    ----------
    x : tensor, (N, C, H, W)
        On a CPU it is computed in float32 with the channels last, whatever the autocast says.
    weight : tensor, (C, 1, K, K)
    bias : tensor, (C,), or None
    stride : int
    margin : int
        Zeros around the picture.

    Returns
    -------
    tensor, (N, C, H', W')
    """
    groups = len(weight)
    if x.device.type != "cpu":
        return F.conv2d(x, weight, bias, stride, margin, groups=groups)
    with torch.autocast("cpu", enabled=False):
        x = x.to(torch.float32, memory_format=torch.channels_last)
        if _is_split(x, weight, stride, margin):
            split = _Depthwise.apply
            convolved: Tensor = split(x, weight, bias, stride, margin)  # type: ignore[no-untyped-call]
            return convolved
        return F.conv2d(x, weight, bias, stride, margin, groups=groups)


def _is_split(x: Tensor, weight: Tensor, stride: int, margin: int) -> bool:
    """Whether the gradient of the weights is put together here; see `depthwise`."""
    side, even = weight.shape[-1], x.shape[-1] % 2 == x.shape[-2] % 2 == 0
    learns = torch.is_grad_enabled() and weight.requires_grad
    if not learns or torch.compiler.is_exporting() or margin != (side - 1) // 2:
        return False
    if stride == 1:
        return side % 2 == 1 and side > FAST_COLUMNS
    return stride == 2 and side in (4, 6) and even


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, margin: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.margin, ctx.biased = stride, margin, bias is not None
        return F.conv2d(x, weight, bias, stride, margin, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _gradient(gradient, x, weight, ctx.stride, (ctx.margin, ctx.margin), 0)
        if ctx.needs_input_grad[1]:
            split = _whole_steps if ctx.stride == 1 else _double_steps
            of_weight = split(gradient, x, weight.shape[-1])
        of_bias = gradient.sum((0, 2, 3)) if ctx.biased else None
        return of_x, of_weight, of_bias, None, None


def _gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, margins: tuple[int, int], of: int
) -> Tensor:
    """Return the gradient of the input (`of` 0) or the weights (1) as oneDNN computes it."""
    wanted = [of == 0, of == 1, False]
    ones, groups = [1, 1], x.shape[1]
    answer = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [stride] * 2, list(margins), ones, False, [0, 0], groups, wanted
    )
    found: Tensor = answer[of]
    return found


def _whole_steps(gradient: Tensor, x: Tensor, side: int) -> Tensor:
    """Return the gradient of an odd kernel at stride 1, (C, 1, K, K)."""
    margin, moved = side // 2, FAST_COLUMNS // 2
    columns = []
    for step in range(-margin, margin + 1):
        if step == 0:
            middle = x.new_empty(x.shape[1], 1, side, FAST_COLUMNS)
            columns.append(_gradient(gradient, x, middle, 1, (margin, moved), 1))
        elif abs(step) > moved:
            single = x.new_zeros(x.shape[1], 1, side, 1)  # of a column outside the picture
            if abs(step) < x.shape[-1]:
                beside = F.pad(x, (-step, step))
                single = _gradient(gradient, beside, single, 1, (margin, 0), 1)
            columns.append(single)
    return torch.cat(columns, dim=3)


def _double_steps(gradient: Tensor, x: Tensor, side: int) -> Tensor:
    """Return the gradient of a kernel of 4 or 6 at stride 2, (C, 1, K, K)."""
    # On every other line, a kernel of 6 with a margin of 2 is one of 3 with a margin of 1.
    whole = x.new_empty(x.shape[1], 1, 6, 6)
    part = x.new_empty(x.shape[1], 1, 3, 3)
    for row in (0, 1):
        for column in (0, 1):
            lines = x[:, :, row::2, column::2].contiguous(memory_format=torch.channels_last)
            whole[:, :, row::2, column::2] = _gradient(gradient, lines, part, 1, (1, 1), 1)
    first = (6 - side) // 2
    return whole[:, :, first : first + side, first : first + side]
