import pytest
import torch

from photochrom.color.bins import annealed_mean, zhang_bins
from photochrom.workbench.networks.annealed_mean import AnnealedMeanNetwork, Classifier

BINS = 9


class Given(Classifier):
    """The smallest classifier: logits that grow with lightness."""

    def __init__(self):
        super().__init__()
        self.register_bins(BINS)

    def distribution(self, lightness):
        return lightness / 25 * torch.linspace(-1, 1, BINS)[:, None, None]


def filled(made):
    prior = torch.arange(1.0, BINS + 1) / sum(range(1, BINS + 1))
    made.fill_bins(torch.from_numpy(zhang_bins()[::30][:BINS]), prior)
    return made


@pytest.mark.parametrize("temperature", [0.38, 1.0])
@pytest.mark.parametrize("rebalance", [0.0, 0.25])
def test_colours_follow_the_formula_of_the_papers(temperature, rebalance):
    made = filled(Given())
    lightness = torch.rand(2, 1, 3, 4) * 100
    ab, confidence, logits = made(lightness, torch.tensor([temperature]), torch.tensor([rebalance]))
    assert torch.equal(logits, made.distribution(lightness))
    shares = torch.softmax(logits, 1) * made.prior[:, None, None] ** -rebalance
    expected = annealed_mean(shares.log().permute(0, 2, 3, 1), made.centres, temperature)
    torch.testing.assert_close(ab.permute(0, 2, 3, 1), expected, atol=1e-3, rtol=0)
    assert confidence.shape == (2, 1, 3, 4)


def test_until_training_fills_them_bins_are_gray_and_equally_frequent():
    made = AnnealedMeanNetwork()
    made.register_bins(4)
    assert list(made.state_dict()) == ["centres", "prior"]
    assert not made.centres.any()
    assert made.prior.tolist() == [0.25] * 4
