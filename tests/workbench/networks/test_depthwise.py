"""Depthwise convolutions: the same numbers as torch's own, whatever way they are computed."""

import pytest
import torch
import torch.nn.functional as F

from photochrom.workbench.networks import depthwise as module
from photochrom.workbench.networks.depthwise import depthwise

CHANNELS = 7


def gradients(convolve, x, weight, bias):
    """Return the output and the gradients of a sum with random shares."""
    leaves = [t.clone().requires_grad_() for t in (x, weight, bias)]
    convolved = convolve(*leaves)
    shares = torch.rand(convolved.shape, generator=torch.Generator().manual_seed(9))
    (convolved * shares).sum().backward()
    return [convolved.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize(
    ("side", "stride", "margin", "size"),
    [
        (3, 1, 1, (9, 12)),
        (5, 1, 2, (9, 12)),
        (5, 1, 2, (3, 2)),  # narrower than the kernel
        (5, 1, 2, (1, 1)),
        (7, 1, 3, (9, 12)),
        (7, 1, 3, (4, 1)),
        (5, 1, 0, (9, 12)),
        (4, 2, 1, (8, 12)),
        (6, 2, 2, (8, 12)),
        (6, 2, 2, (2, 4)),
        (6, 2, 2, (9, 12)),  # an odd side
        (5, 2, 2, (8, 12)),
    ],
)
def test_outputs_and_gradients_are_torchs_own(side, stride, margin, size):
    random = torch.Generator().manual_seed(side * 10 + stride)
    x = torch.randn(2, CHANNELS, *size, generator=random)
    weight = torch.randn(CHANNELS, 1, side, side, generator=random)
    bias = torch.randn(CHANNELS, generator=random)
    ours = gradients(lambda *a: depthwise(*a, stride, margin), x, weight, bias)
    plain = gradients(lambda *a: F.conv2d(*a, stride, margin, groups=CHANNELS), x, weight, bias)
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("side", "stride", "margin"), [(5, 1, 2), (6, 2, 2), (4, 2, 1)])
def test_wide_kernels_never_ask_for_the_slow_gradient(side, stride, margin, monkeypatch):
    widths = []
    plain = module._gradient

    def noting(gradient, x, weight, *rest):
        if rest[-1] == 1:
            widths.append(weight.shape[-1])
        return plain(gradient, x, weight, *rest)

    monkeypatch.setattr(module, "_gradient", noting)
    weight = torch.randn(CHANNELS, 1, side, side, requires_grad=True)
    depthwise(torch.randn(2, CHANNELS, 8, 8), weight, None, stride, margin).sum().backward()
    assert widths and max(widths) <= module.FAST_COLUMNS


def test_a_frozen_kernel_passes_the_gradient_on():
    x = torch.randn(1, CHANNELS, 6, 6, requires_grad=True)
    weight = torch.randn(CHANNELS, 1, 5, 5)
    depthwise(x, weight, None, 1, 2).sum().backward()
    again = x.detach().clone().requires_grad_()
    F.conv2d(again, weight, None, 1, 2, groups=CHANNELS).sum().backward()
    torch.testing.assert_close(x.grad, again.grad)


def test_autocast_leaves_it_in_float32():
    weight = torch.randn(CHANNELS, 1, 5, 5, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert depthwise(torch.randn(1, CHANNELS, 6, 6).bfloat16(), weight, None, 1, 2).dtype == (
            torch.float32
        )
