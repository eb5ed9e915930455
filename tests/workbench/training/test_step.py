import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.conftest import SMALL_FLAGSHIP

from photochrom.color.bins import histogram, soft_encode, zhang_bins
from photochrom.workbench.datasets.batches import Batch, Batches, DataRecipe, validation_picture
from photochrom.workbench.datasets.decoded_cache import open_cache
from photochrom.workbench.networks.photochrom2 import Config, Photochrom2
from photochrom.workbench.training.recipe import Loss
from photochrom.workbench.training.step import Tensors, _encode, choose_bins, distribution_loss

BINS = SMALL_FLAGSHIP["bins"]
CENTRES = zhang_bins()[::16][:BINS]


class Recording(Photochrom2):
    """Remembers what it was asked."""

    def distribution(self, *given):
        self.given = given
        return super().distribution(*given)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = Recording(Config(**SMALL_FLAGSHIP))
    made.centres.copy_(torch.from_numpy(CENTRES))
    return made


@pytest.fixture(scope="module")
def batches(picture_folder, tmp_path_factory):
    cache = open_cache(picture_folder, tmp_path_factory.mktemp("cache"))
    return Batches(cache, DataRecipe(hint_share=0.5), 1, frozenset())


def tensors_of(ab):
    """Give a batch with these colours, (N, S, S, 2), on gray, without hints."""
    plane = np.full(ab.shape[:3], 50, np.float32)
    empty = np.zeros_like(plane)
    guidance, label = np.zeros((len(ab), 2), np.float32), np.full(len(ab), -1)
    batch = Batch(plane, ab, np.zeros_like(ab), empty, guidance, label)
    return Tensors.of(batch, torch.device("cpu"))


def always(network, bias):
    """Let every pixel have this distribution."""
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.as_tensor(bias))


def terms(network, ab, **weights):
    given = distribution_loss(network, tensors_of(ab), Loss(**weights), torch.Generator())
    return {name: float(term.detach()) for name, term in given.items()}


def test_a_batch_crosses_to_channels_first_unchanged(batches):
    batch = batches.batch(0, 32, 3)
    tensors = Tensors.of(batch, torch.device("cpu"))
    assert tensors.lightness.shape == tensors.hint_mask.shape == (3, 1, 32, 32)
    assert tensors.ab.shape == tensors.hint_ab.shape == (3, 2, 32, 32)
    assert np.array_equal(tensors.ab.permute(0, 2, 3, 1), batch.ab)
    assert np.array_equal(tensors.hint_mask[:, 0], batch.hint_mask)


def test_knowing_nothing_costs_the_logarithm_of_the_bins(network):
    always(network, torch.zeros(BINS))
    ab = np.random.default_rng(0).uniform(-60, 60, (2, 32, 32, 2)).astype(np.float32)
    got = terms(network, ab, huber=0.0)
    assert got["loss"] == pytest.approx(math.log(BINS), abs=1e-5)
    assert got["cross_entropy"] == pytest.approx(math.log(BINS), abs=1e-5)


def test_certainty_of_the_truth_costs_nothing_and_of_another_colour_much(network):
    certain = torch.full((BINS,), -200.0)
    certain[7] = 0
    always(network, certain)
    right = terms(network, np.broadcast_to(CENTRES[7], (1, 32, 32, 2)).copy(), sigma=1.0)
    wrong = terms(network, np.broadcast_to(CENTRES[8], (1, 32, 32, 2)).copy(), sigma=1.0)
    assert right["loss"] == pytest.approx(0, abs=1e-4)
    assert right["rmse"] == pytest.approx(0, abs=1e-3)
    assert wrong["cross_entropy"] == pytest.approx(200, abs=0.1)
    distance = CENTRES[7] - CENTRES[8]
    assert wrong["rmse"] == pytest.approx(np.sqrt((distance**2).mean()), rel=1e-4)


def test_the_huber_loss_is_added_with_its_weight(network):
    always(network, torch.zeros(BINS))
    ab = np.broadcast_to(CENTRES.mean(0) + [3, 40], (1, 32, 32, 2)).astype(np.float32)
    got = terms(network, ab, huber=2.0)
    # Half the square up to 10 ab units, then straight, over 10; the mean over a and b.
    expected = (3**2 / 2 + 10 * (40 - 5)) / 10 / 2
    assert got["loss"] - got["cross_entropy"] == pytest.approx(2 * expected, rel=1e-4)


def test_the_wish_given_in_training_is_the_pictures_own_histogram_and_chroma(network):
    ab = np.random.default_rng(1).uniform(-60, 60, (2, 8, 8, 2)).astype(np.float32)
    terms(network, ab.repeat(4, 1).repeat(4, 2), row_step=1)
    wished = network.given[3].numpy()
    for number in range(2):
        pixels = ab[number].reshape(-1, 2)
        np.testing.assert_allclose(wished[number, :BINS], histogram(pixels, CENTRES), atol=1e-6)
        chroma = np.hypot(*pixels.T).mean()
        assert wished[number, BINS] == pytest.approx(chroma, rel=1e-5)


def test_rows_left_out_change_the_loss_little_and_reach_every_row(network):
    torch.nn.init.normal_(network.head.weight, std=0.1)
    rows = np.arange(32, dtype=np.float32)[None, :, None, None]
    ab = np.broadcast_to(rows, (1, 32, 32, 2)).copy()
    generator = torch.Generator().manual_seed(0)
    drawn = {
        float(distribution_loss(network, tensors_of(ab), Loss(), generator)["loss"].detach())
        for _ in range(12)
    }
    whole = terms(network, ab, row_step=1)["loss"]
    assert len(drawn) == 2
    assert sum(drawn) / 2 == pytest.approx(whole, rel=0.05)


@pytest.mark.parametrize("count", [5, 20, 313])
def test_the_chosen_bins_are_zhangs_and_their_prior_is_a_distribution(batches, count):
    centres, prior = choose_bins(batches, count, sample=50)
    assert centres.shape == (count, 2)
    assert {tuple(c) for c in centres.tolist()} <= {tuple(c) for c in zhang_bins().tolist()}
    assert len(np.unique(centres, axis=0)) == count
    assert float(prior.sum()) == pytest.approx(1, abs=1e-5)
    assert float(prior.min()) >= 0.9e-5


def test_the_chosen_bins_are_those_the_pictures_use_most(batches):
    few, few_prior = choose_bins(batches, 5, sample=50)
    many, prior = choose_bins(batches, 313, sample=50)
    most = many[prior.topk(5).indices]
    assert {tuple(c) for c in few.tolist()} == {tuple(c) for c in most.tolist()}
    kept = prior[prior.topk(5).indices.sort().values]
    torch.testing.assert_close(few_prior, kept / kept.sum(), atol=1e-4, rtol=0)


def test_a_picture_drawn_twice_counts_twice(batches):
    bins, total = zhang_bins(), np.zeros(313)
    for index in batches.draw(30):
        _, ab = validation_picture(batches.cache[index], 32)
        indices, weights = soft_encode(ab.reshape(-1, 2), bins)
        np.add.at(total, indices, weights)
    _, prior = choose_bins(batches, 313, sample=30)
    expected = np.clip(total / total.sum(), 1e-5, None)
    np.testing.assert_allclose(prior, expected / expected.sum(), rtol=1e-4)


@pytest.mark.parametrize("half", [False, True])
def test_codes_are_those_of_the_nearest_quarter_of_a_unit_whatever_the_precision(half):
    network = SimpleNamespace(centres=torch.from_numpy(zhang_bins()[40:]))
    ab = 40 * torch.randn(500, 2, generator=torch.Generator().manual_seed(3))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        indices, weights = _encode(ab, network, Loss())
    near = (4 * ab).round() / 4
    expected, shares = soft_encode(near.double(), network.centres.double(), 5, 5.0)
    codes = [
        torch.zeros(500, 273).scatter_(1, i, w.float())
        for i, w in ((indices, weights), (expected, shares))
    ]
    apart = (codes[0] - codes[1]).abs().amax(dim=1)
    assert (apart < 1e-4).float().mean() > 0.85  # elsewhere the fifth bin is as near as a sixth
    torch.testing.assert_close(weights, shares.float(), atol=1e-4, rtol=1e-4)


def test_a_colour_outside_the_grid_has_the_code_of_its_rim():
    network = SimpleNamespace(centres=torch.from_numpy(zhang_bins()))
    far, rim = torch.tensor([[400.0, -300.0]]), torch.tensor([[128.0, -128.0]])
    for one, other in zip(*(_encode(ab, network, Loss()) for ab in (far, rim)), strict=True):
        assert torch.equal(one, other)
