import pytest
import torch
import torch.nn.functional as F

from photochrom.errors import ShapeError
from photochrom.workbench.networks.critics import (
    DcganCritic,
    DcganCriticConfig,
    NoganCritic,
    NoganCriticConfig,
    PatchCritic,
    PatchCriticConfig,
)

# Kind, a small shape, side of the pictures in px, painted channels.
CRITICS = {
    "dcgan": (DcganCritic, DcganCriticConfig((4, 6, 8), dense=5, size_px=16), 16, 3),
    "patch": (PatchCritic, PatchCriticConfig((4, 6, 8)), 32, 2),
    "nogan": (NoganCritic, NoganCriticConfig((8, 12)), 16, 2),
}


def made(name):
    torch.manual_seed(0)
    kind, config, *_ = CRITICS[name]
    return kind(config)


def inputs(name, pictures=4):
    side, channels = CRITICS[name][2:]
    lightness = torch.rand(pictures, 1, side, side) * 100
    return lightness, torch.rand(pictures, channels, side, side) * 2 - 1


def test_dcgans_default_critic_gives_one_logit_a_small_picture():
    critic = DcganCritic(DcganCriticConfig())
    assert critic(torch.rand(2, 1, 32, 32) * 100, torch.zeros(2, 3, 32, 32)).shape == (2, 1)
    assert critic.layers[-2].in_features == 8192


@pytest.mark.parametrize(("side", "patches"), [(256, 30), (128, 14)])
def test_the_patch_critic_gives_30_x_30_logits_for_256_px(side, patches):
    with torch.device("meta"):
        critic = PatchCritic(PatchCriticConfig())
        logits = critic(torch.zeros(2, 1, side, side), torch.zeros(2, 2, side, side))
    assert logits.shape == (2, 1, patches, patches)


def test_a_logit_of_the_patch_critic_depends_on_70_x_70_px():
    critic = PatchCritic(PatchCriticConfig((4, 4, 4, 4))).eval()
    for parameter in critic.parameters():
        torch.nn.init.ones_(parameter)  # nothing cancels
    painted = torch.zeros(1, 2, 256, 256, requires_grad=True)
    critic(torch.full((1, 1, 256, 256), 50.0), painted)[0, 0, 15, 15].backward()
    rows, columns = painted.grad[0].any(0).nonzero().T
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == 70


@pytest.mark.parametrize(("side", "patches"), [(64, 1), (128, 5)])
def test_nogans_default_critic_gives_patches(side, patches):
    critic = NoganCritic(NoganCriticConfig()).eval()
    with torch.no_grad():
        logits = critic(torch.rand(1, 1, side, side) * 100, torch.zeros(1, 2, side, side))
    assert logits.shape == (1, 1, patches, patches)


@pytest.mark.parametrize("name", CRITICS)
def test_every_parameter_gets_a_gradient(name):
    critic = made(name)
    for parameter in critic.parameters():  # as if the attention had learnt something
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    logits = critic(*inputs(name))
    (logits * torch.randn_like(logits)).mean().backward()
    silent = [n for n, p in critic.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_learns_to_tell_vivid_from_gray(name):
    critic = made(name)
    lightness, vivid = inputs(name, 8)
    optimizer = torch.optim.Adam(critic.parameters(), 2e-3)
    for _ in range(40):
        real, fake = critic(lightness, vivid), critic(lightness, vivid * 0.1)
        loss = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        loss = loss + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() / 2 < 0.5  # a coin has 0.69


@pytest.mark.parametrize("name", CRITICS)
def test_the_lightness_is_brought_to_the_size_that_was_painted(name):
    critic = made(name).eval()
    lightness, painted = inputs(name)
    large = lightness.repeat_interleave(2, 2).repeat_interleave(2, 3)
    with torch.no_grad():
        torch.testing.assert_close(critic(large, painted), critic(lightness, painted))


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_comes_back_from_its_state(name):
    critic, (lightness, painted) = made(name), inputs(name)
    with torch.no_grad():
        critic(lightness, painted)
        other = CRITICS[name][0](CRITICS[name][1])
        other.load_state_dict(critic.state_dict(), strict=True)
        expected = critic.eval()(lightness, painted)
        assert torch.equal(other.eval()(lightness, painted), expected)


def test_a_size_that_the_dense_layer_does_not_fit_is_refused():
    critic = made("dcgan")
    with pytest.raises(ShapeError, match=r"needs pictures of 16 x 16 px; they have 64 x 32"):
        critic(torch.zeros(1, 1, 32, 64), torch.zeros(1, 3, 32, 64))


def test_a_picture_too_small_for_nogans_critic_is_refused():
    with pytest.raises(ShapeError, match=r"needs 16 px a side; .* 32 x 8\. .* fewer channels"):
        made("nogan")(torch.zeros(1, 1, 8, 32), torch.zeros(1, 2, 8, 32))
