import pytest
import torch

from photochrom.workbench.networks.fusion import Config, Fusion

SMALL = Config(1 / 16, classes=5, global_px=64)


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    return Fusion(SMALL).eval()


def rand(height, width):
    return torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(3)) * 100


def test_the_papers_sizes_are_the_defaults():
    with torch.device("meta"):
        network = Fusion(Config())
    assert network.overall_512[0].in_features == 25_088
    assert [m.out_features for m in network.overall_512 if hasattr(m, "out_features")] == [
        1024,
        512,
    ]
    assert network.overall_256[0].out_features == 256
    assert network.classify[-1].out_features == 205
    assert [block[0].out_channels for block in network.low] == [64, 128, 128, 256, 256, 512]


@torch.no_grad()
def test_another_pictures_style_changes_the_colours(made):
    lightness = rand(48, 80)
    own, other = made(lightness, lightness).ab, made(lightness, 100 - rand(70, 33)).ab
    assert (own - other).abs().max() > 1e-3


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
@torch.no_grad()
def test_in_its_own_style_a_picture_is_painted_as_in_training(made, size):
    lightness = rand(*size)
    expected = made.scaled(lightness, made(lightness, lightness).ab)
    torch.testing.assert_close(made.paint(lightness), expected, atol=1e-5, rtol=0)
    assert made.paint_and_classify(lightness)[1].shape == (2, 5)


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_the_class_loss_teaches_the_global_branch_and_the_shared_layers_only(size):
    torch.manual_seed(0)
    network = Fusion(SMALL).train()
    network.paint_and_classify(rand(*size))[1].logsumexp(1).sum().backward()
    taught = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is not None}
    assert taught == {"low", "overall", "overall_512", "classify"}


@torch.no_grad()
def test_far_places_hear_of_each_other_through_the_global_branch_alone(made):
    lightness = rand(64, 256)
    changed = lightness.clone()
    changed[..., :64] = 100 - changed[..., :64]
    far = (..., slice(192, 256))
    with_own = made(changed, changed).ab[far] - made(lightness, lightness).ab[far]
    with_same = made(changed, lightness).ab[far] - made(lightness, lightness).ab[far]
    assert with_own.abs().max() > 1e-4
    assert with_same.abs().max() < 1e-4
