"""Networks that paint: unet, dcgan, pix2pix and nogan."""

import copy
import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import drawn_picture
from torch import nn
from torch.nn.utils import parametrize

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import InvalidValueError
from photochrom.workbench.networks import dcgan, nogan, pix2pix, unet
from photochrom.workbench.networks.encoder import Encoder

PAINTERS = {
    "unet": (unet.UNet, unet.Config((4, 6, 8))),
    "dcgan": (dcgan.DcganGenerator, dcgan.Config((4, 6, 8))),
    "pix2pix": (pix2pix.Pix2pix, pix2pix.Config((4, 6, 8))),
    "pix2pix, joined": (pix2pix.Pix2pix, pix2pix.Config((4, 6, 8), skips="concatenate")),
    "nogan": (nogan.Nogan, nogan.Config(widths=(16, 16, 8, 8))),
}
OUTPUT_STRIDES = {"nogan": 2}
# Largest differences in ab units: torch against ONNX Runtime; a truth that is scaled and back.
PARITY, INVERSE = 1e-3, {"dcgan": 0.05}


def made(name, seed=0):
    torch.manual_seed(seed)
    kind, config = PAINTERS[name]
    network = kind(config)
    for parameter in network.parameters():  # as if what starts at zero had learnt something
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


@pytest.fixture(scope="module", params=PAINTERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name):
    return made(name).eval()


def picture(height, width, pictures=1):
    """Give lightness and ab of drawn pictures, channels first."""
    rgb = np.stack([drawn_picture(seed, height, width) for seed in range(pictures)]) / 255
    lab = torch.from_numpy(rgb_to_lab(rgb)).float().permute(0, 3, 1, 2)  # (N, 3, H, W)
    return lab[:, :1], lab[:, 1:]


@pytest.mark.parametrize(("high", "wide"), [(2, 2), (1, 3), (3, 2)])
def test_every_multiple_of_the_stride_is_painted_at_the_outputs_size(name, network, high, wide):
    lightness, ab = picture(high * network.stride, wide * network.stride, 2)
    with torch.no_grad():
        painted, colours = network.paint(lightness), network(lightness).ab
    size = [side // OUTPUT_STRIDES.get(name, 1) for side in lightness.shape[2:]]
    assert colours.shape == (2, 2, *size)
    assert painted.shape == (2, network.scaled(lightness, ab).shape[1], *size)
    assert network.scaled(lightness, ab).shape[2:] == lightness.shape[2:]
    assert colours.isfinite().all()
    assert painted.abs().max() <= 1


@pytest.mark.parametrize(
    ("kind", "config", "stride", "inputs", "outputs"),
    [
        (
            unet.UNet,
            unet.Config(),
            16,
            [1, 64, 128, 256, 512, 512, 1024, 512, 256, 128],
            [64, 128, 256, 512, 512, 512, 256, 128, 64, 2],
        ),
        (
            dcgan.DcganGenerator,
            dcgan.Config(),
            16,
            [1, 64, 128, 256, 512, 512, 1024, 512, 256, 128],
            [64, 128, 256, 512, 512, 512, 256, 128, 64, 3],
        ),
        (
            pix2pix.Pix2pix,
            pix2pix.Config(),
            256,
            [1, 64, 128, 256, 512, 512, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64],
            [64, 128, 256, 512, 512, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64, 2],
        ),
        (
            pix2pix.Pix2pix,
            pix2pix.Config(skips="concatenate"),
            256,
            [1, 64, 128, 256, 512, 512, 512, 512, 512, 1024, 1024, 1024, 1024, 512, 256, 128],
            [64, 128, 256, 512, 512, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64, 2],
        ),
    ],
)
def test_the_default_layers_are_those_of_the_published_tables(
    kind, config, stride, inputs, outputs
):
    with torch.device("meta"):  # shapes without numbers
        network = kind(config)
        painted = network.paint(torch.zeros(2, 1, stride, 2 * stride))
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [m.in_channels for m in layers] == inputs
    assert [m.out_channels for m in layers] == outputs
    assert network.stride == stride
    assert painted.shape[2:] == (stride, 2 * stride)


def test_every_parameter_gets_a_gradient(name, network):
    trained = copy.deepcopy(network).train()
    lightness, _ = picture(2 * network.stride, 2 * network.stride, 2)
    painted = trained.paint(lightness)
    (painted * torch.randn_like(painted)).mean().backward()
    silent = [n for n, p in trained.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    assert all(p.grad.isfinite().all() for p in trained.parameters())


@pytest.mark.slow
def test_a_few_steps_on_one_picture_come_nearer_to_it(name, network):
    trained = copy.deepcopy(network).train()
    lightness, ab = picture(2 * network.stride, 2 * network.stride, 2)
    truth = trained.scaled(lightness, ab)
    optimizer = torch.optim.Adam(trained.parameters(), 5e-3)
    losses = []
    for _ in range(20):
        painted = trained.paint(lightness)
        loss = F.mse_loss(painted, F.adaptive_avg_pool2d(truth, painted.shape[2:]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["unet", "dcgan", "pix2pix", pytest.param("nogan", marks=pytest.mark.long)]
)
def test_the_exported_graph_gives_what_torch_gives_at_any_size(name, tmp_path):
    network = made(name).eval()
    stride, path = network.stride, tmp_path / "painter.onnx"
    batch, high, wide = (torch.export.Dim(n, min=1) for n in ("batch", "high", "wide"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # torch's own call
        program = torch.onnx.export(
            network,
            (torch.rand(2, 1, 3 * stride, 2 * stride) * 100,),
            dynamo=True,
            opset_version=18,
            input_names=["lightness"],
            output_names=["ab"],
            dynamic_shapes=({0: batch, 2: stride * high, 3: stride * wide},),
            optimize=False,
            verbose=False,
        )
    program.save(path)
    session = onnxruntime.InferenceSession(path)
    for pictures, height, width in [(1, stride, 2 * stride), (3, 4 * stride, stride)]:
        lightness, _ = picture(height, width, pictures)
        lightness[..., 0], lightness[..., 1] = 0, 100  # black and white as well
        (ab,) = session.run(["ab"], {"lightness": lightness.numpy()})
        with torch.no_grad():
            expected = network(lightness).ab.numpy()
        assert ab.shape == expected.shape
        assert np.abs(ab - expected).max() < PARITY


def test_a_trained_network_comes_back_from_its_file(name, network):
    trained = copy.deepcopy(network).train()
    lightness, _ = picture(2 * network.stride, 2 * network.stride, 2)
    with torch.no_grad():
        trained.paint(lightness)  # moves the running statistics
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    other = made(name, seed=1)
    other.load_state_dict(torch.load(file, weights_only=True), strict=True)
    with torch.no_grad():
        assert torch.equal(other.eval()(lightness).ab, trained.eval()(lightness).ab)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=20))
def test_who_paints_the_scaled_truth_gives_the_true_colours(name, network, colours):
    lab = torch.from_numpy(rgb_to_lab(np.array(colours))).float().T[None, :, None]  # (1, 3, 1, n)
    knowing = copy.copy(network)
    knowing.paint = lambda lightness: network.scaled(lightness, lab[:, 1:])
    difference = knowing(lab[:, :1]).ab - lab[:, 1:]
    assert difference.abs().max() < INVERSE.get(name, 1e-3)


@pytest.mark.parametrize("name", ["unet", "dcgan", "pix2pix"])
def test_dropout_makes_only_training_random(name):
    network = made(name)
    lightness, _ = picture(2 * network.stride, 2 * network.stride, 2)
    with torch.no_grad():
        assert not torch.equal(network.paint(lightness), network.paint(lightness))
        network.eval()
        assert torch.equal(network.paint(lightness), network.paint(lightness))


def test_a_picture_is_painted_the_same_alone_and_in_a_batch(network):
    lightness, _ = picture(2 * network.stride, network.stride, 2)
    with torch.no_grad():
        together, alone = network(lightness).ab, network(lightness[1:]).ab
    torch.testing.assert_close(alone, together[1:], atol=1e-3, rtol=0)


@pytest.mark.parametrize("lightness", [0.0, 18.4, 50.0, 100.0])
def test_the_gray_that_dcgan_is_shown_has_the_given_lightness(lightness):
    gray = float(dcgan.lightness_to_gray(torch.tensor(lightness)))
    assert rgb_to_lab(np.full(3, gray))[0] == pytest.approx(lightness, abs=1e-3)


def test_dcgans_truth_is_the_true_rgb():
    rgb = drawn_picture(5, 16, 16) / 255
    lab = torch.from_numpy(rgb_to_lab(rgb)).permute(2, 0, 1)[None]
    scaled = made("dcgan").scaled(lab[:, :1], lab[:, 1:])
    np.testing.assert_allclose(scaled[0].permute(1, 2, 0), 2 * rgb - 1, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: pix2pix.Config(skips="sum"), "'add' or 'concatenate'; got 'sum'"),
        (lambda: pix2pix.Config(channels=(8,)), r"2 levels or more; got \(8,\)"),
        (lambda: nogan.Config(widths=(8, 8)), r"3 to 5 numbers; got \(8, 8\)"),
    ],
)
def test_a_shape_that_cannot_be_built_is_refused(build, message):
    with pytest.raises(InvalidValueError, match=message):
        build()


@pytest.mark.parametrize(("widths", "output_stride"), [((8, 8, 8), 4), ((8, 8, 8, 8, 8), 1)])
def test_the_number_of_widths_sets_the_size_that_nogan_paints(widths, output_stride):
    network = nogan.Nogan(nogan.Config(widths=widths)).eval()
    with torch.no_grad():
        painted = network.paint(torch.full((1, 1, 64, 32), 50.0))
    assert painted.shape == (1, 2, 64 // output_stride, 32 // output_stride)


def test_the_encoder_of_nogan_is_imagenets_and_the_only_pretrained_part():
    network = nogan.Nogan(PAINTERS["nogan"][1], pretrained=True)
    expected = Encoder(pretrained=True).state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in network.encoder.state_dict().items())
    ours = {id(p) for p in network.encoder_parameters()}
    assert ours == {id(p) for n, p in network.named_parameters() if n.startswith("encoder.")}
    assert all(p.requires_grad for p in network.parameters())


def test_no_divided_convolution_of_nogan_can_amplify():
    network = made("nogan")
    divided = [m for m in network.modules() if parametrize.is_parametrized(m)]
    assert len(divided) == 2 + 4 * 3 + 3 + 2  # middle, four steps up, attention, end
    with torch.no_grad():
        for _ in range(30):  # the estimate follows while training
            norms = [torch.linalg.matrix_norm(m.weight.flatten(1), ord=2) for m in divided]
    torch.testing.assert_close(torch.stack(norms), torch.ones(len(norms)), atol=0.05, rtol=0)


def test_enlarging_starts_as_nearest_neighbour_blurred():
    torch.manual_seed(0)
    enlarge = nogan.Enlarge(6, 4).eval()
    features = torch.randn(1, 6, 5, 4)
    with torch.no_grad():
        spread = enlarge.shuffle(enlarge.spread(features))
        flat = enlarge(features[..., :1, :1].expand(1, 6, 5, 4))
    small = spread[..., ::2, ::2]
    torch.testing.assert_close(spread, F.interpolate(small, scale_factor=2.0, mode="nearest"))
    torch.testing.assert_close(flat, flat[..., :1, :1].expand_as(flat))


def test_attention_adds_nothing_at_first_and_then_what_attention_is():
    torch.manual_seed(0)
    attention = nogan.SelfAttention(16).eval()
    features = torch.randn(2, 16, 3, 5)
    with torch.no_grad():
        assert torch.equal(attention(features), features)
        attention.share.fill_(0.5)
        query, key, value = (
            layer(features).flatten(2).transpose(1, 2)
            for layer in (attention.query, attention.key, attention.value)
        )
        seen = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        expected = features + 0.5 * seen.transpose(1, 2).reshape(features.shape)
        torch.testing.assert_close(attention(features), expected)


def test_nogan_trains_in_bfloat16():
    network = made("nogan").to(memory_format=torch.channels_last)
    lightness, _ = picture(64, 64, 2)
    with torch.autocast("cpu", torch.bfloat16):
        network.paint(lightness).float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
