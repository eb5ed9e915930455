import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from photochrom.workbench.networks.fusion import Config as FusionConfig
from photochrom.workbench.networks.fusion import Fusion
from photochrom.workbench.networks.resnet18 import ClassifierConfig, Resnet18Classifier
from photochrom.workbench.networks.unet import Config, UNet
from photochrom.workbench.training.objectives import background_weights, colour_distance, objective
from photochrom.workbench.training.recipe import Loss
from photochrom.workbench.training.step import Tensors, rarity

CLASSES = 3


@pytest.fixture(scope="module")
def painter():
    torch.manual_seed(0)
    return UNet(Config(channels=(8, 8, 8))).eval()


@pytest.fixture(scope="module")
def fusion():
    torch.manual_seed(0)
    return Fusion(FusionConfig(width=0.05, classes=CLASSES, global_px=32)).eval()


def batch(seed=0, labels=(-1, -1)):
    random = torch.Generator().manual_seed(seed)
    lightness = 100 * torch.rand(2, 1, 32, 32, generator=random)
    ab = 40 * torch.randn(2, 2, 32, 32, generator=random)
    hints = torch.zeros(2, 3, 32, 32)
    return Tensors(
        lightness, ab, hints[:, :2], hints[:, 2:], torch.zeros(2, 2), torch.tensor(labels)
    )


@torch.no_grad()
def answer(network, tensors, **settings):
    loss = Loss(**settings)
    return objective(loss)(network, tensors, loss, torch.Generator().manual_seed(0))


def numbers(network, tensors, **settings):
    return {name: float(t) for name, t in answer(network, tensors, **settings).terms.items()}


@pytest.mark.parametrize(
    ("distance", "measure"), [("mse", np.square), ("l1", np.abs)], ids=["mse", "l1"]
)
def test_the_regression_is_the_mean_distance_in_the_networks_scale(painter, distance, measure):
    tensors = batch()
    got = answer(painter, tensors, kind="regression", distance=distance, weight=3.0)
    with torch.no_grad():
        painted = painter.paint(tensors.lightness).numpy()
    truth = (tensors.ab.numpy() + 0.5) / 127.5
    assert float(got.terms["loss"]) == pytest.approx(3 * measure(painted - truth).mean(), rel=1e-5)
    np.testing.assert_array_equal(got.painted, painted)


def test_a_small_painting_is_measured_against_the_mean_of_the_truth(painter):
    tensors = batch()
    blocks = tensors.ab.reshape(2, 2, 8, 4, 8, 4).mean((3, 5))
    painted = painter.scaled(tensors.lightness, blocks)
    assert float(colour_distance(painter, painted, tensors, Loss())) < 1e-10
    assert float(colour_distance(painter, painted + 0.5, tensors, Loss())) == pytest.approx(0.25)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 20))
def test_colourless_places_and_the_others_weigh_the_same(seed, share, side):
    random = np.random.default_rng(seed)
    colourful = random.random((2, 1, side, side)) < share
    ab = torch.from_numpy(np.where(colourful, 40.0, 0.0) * np.ones((1, 2, 1, 1))).float()
    for weights in background_weights(ab).double().numpy():
        assert weights.mean() == pytest.approx(1, abs=1e-4)
        kinds = np.unique(weights)
        assert len(kinds) <= 2
        if len(kinds) == 2:
            halves = [weights[weights == kind].sum() for kind in kinds]
            assert halves == pytest.approx([side * side / 2] * 2, rel=1e-4)


def test_the_rarer_kind_of_place_weighs_more():
    ab = torch.zeros(1, 2, 32, 32)
    ab[:, 0, :, :8] = 40  # reaches one column further: of five, two are colourful
    weights = background_weights(ab)[0]
    assert torch.equal(weights, weights[:1].expand(32, 32))
    np.testing.assert_allclose(weights[0, :9], 32 / 18, rtol=1e-5)
    np.testing.assert_allclose(weights[0, 9:], 32 / 46, rtol=1e-5)


def test_balance_heeds_the_few_colourful_places(painter):
    tensors = batch()
    tensors.ab[:] = 0
    tensors.ab[..., :4] = 80
    gray = painter.scaled(tensors.lightness, torch.zeros_like(tensors.ab))
    plain, balanced = (
        float(colour_distance(painter, gray, tensors, Loss(balance=b))) for b in (False, True)
    )
    assert balanced > 2 * plain


def test_alpha_0_is_the_regression(fusion):
    tensors = batch(labels=(0, 2))
    plain = numbers(fusion, tensors, kind="regression", weight=2.0)
    both = numbers(fusion, tensors, kind="fusion", weight=2.0, class_weight=0.0)
    assert both["loss"] == both["colour"] == plain["loss"]


def test_pictures_without_a_label_do_not_teach_the_class(fusion):
    settings = {"kind": "fusion", "class_weight": 0.5}
    unknown = numbers(fusion, batch(), **settings)
    assert unknown["class"] == 0
    assert unknown["loss"] == unknown["colour"]
    got = numbers(fusion, batch(labels=(-1, 2)), **settings)
    with torch.no_grad():
        logits = fusion.paint_and_classify(batch().lightness)[1]
    expected = float(F.cross_entropy(logits[1:], torch.tensor([2])))
    assert got["class"] == pytest.approx(expected, rel=1e-5)
    assert got["loss"] == pytest.approx(got["colour"] + 0.5 * expected, rel=1e-5)


def test_two_labels_cost_their_mean(fusion):
    settings = {"kind": "fusion", "class_weight": 1.0}
    first, second, both = (
        numbers(fusion, batch(labels=labels), **settings)["class"]
        for labels in ((1, -1), (-1, 2), (1, 2))
    )
    assert both == pytest.approx((first + second) / 2, rel=1e-5)


PRIORS = st.lists(st.floats(1e-4, 1), min_size=2, max_size=40)


@given(PRIORS, st.floats(0, 1))
def test_rebalancing_keeps_the_mean_and_lets_common_colours_weigh_less(counts, share):
    prior = torch.tensor(counts, dtype=torch.float64)
    prior = prior / prior.sum()
    weights = rarity(prior, share)
    assert float((weights * prior).sum()) == pytest.approx(1)
    ordered = weights[prior.argsort()]
    assert bool((ordered[1:] <= ordered[:-1] * (1 + 1e-9)).all())
    if share == 0:
        assert weights.numpy() == pytest.approx(np.ones(len(counts)))


def test_rebalancing_is_the_inverse_of_the_prior_mixed_with_even_shares():
    weights = rarity(torch.tensor([0.7, 0.2, 0.1]), 0.5)
    raw = 1 / np.array([0.35 + 1 / 6, 0.1 + 1 / 6, 0.05 + 1 / 6])
    np.testing.assert_allclose(weights, raw / (raw @ [0.7, 0.2, 0.1]), rtol=1e-6)


def test_in_a_rebalanced_classification_rare_colours_cost_more():
    torch.manual_seed(0)
    network = Resnet18Classifier(ClassifierConfig(stages=2, bins=2)).eval()
    network.centres.copy_(torch.tensor([[0.0, 0.0], [60.0, 60.0]]))
    network.prior.copy_(torch.tensor([0.9, 0.1]))
    tensors = batch()
    tensors.ab[:] = 60
    settings = {"kind": "classification", "huber": 0.0, "neighbours": 1}
    plain = numbers(network, tensors, **settings)
    weighed = numbers(network, tensors, rebalance=0.5, **settings)
    assert plain["loss"] == plain["cross_entropy"] == weighed["cross_entropy"]
    times = float(rarity(network.prior, 0.5)[1])
    assert times > 1.5
    assert weighed["loss"] == pytest.approx(times * plain["loss"], rel=1e-4)
