import pytest
import torch

from photochrom.color.bins import annealed_mean, zhang_bins
from photochrom.networks.annealed import Annealed, Classifier
from photochrom.networks.photochrom import Config, Photochrom

BINS = 9


class Given(Classifier):
    """The smallest classifier: logits that grow with lightness."""

    def __init__(self):
        super().__init__()
        self.register_bins(BINS)

    def distribution(self, lightness):
        return lightness / 25 * torch.linspace(-1, 1, BINS)[:, None, None]


def filled(made):
    made.centres.copy_(torch.from_numpy(zhang_bins()[::30][:BINS]))
    made.prior.copy_(torch.arange(1.0, BINS + 1) / sum(range(1, BINS + 1)))
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


@pytest.mark.parametrize("contrast", [0.2, 1.0])
def test_contrast_divides_by_what_the_picture_has_more_of_than_others(contrast):
    made = filled(Given())
    logits = torch.randn(2, BINS, 3, 4)
    one, none = torch.ones(1), torch.zeros(1)
    ab = made.colours(logits, one, none, torch.tensor([contrast])).ab
    shares = torch.softmax(logits, 1)
    picture = shares.mean(dim=(2, 3), keepdim=True)
    shares = shares * (made.prior[:, None, None] / picture) ** contrast
    expected = annealed_mean(shares.log().permute(0, 2, 3, 1), made.centres, 1.0)
    torch.testing.assert_close(ab.permute(0, 2, 3, 1), expected, atol=0.1, rtol=0)
    assert torch.equal(made.colours(logits, one, none, none).ab, made.colours(logits, one, none).ab)


def test_contrast_finds_the_other_colour_where_a_place_says_less_of_the_common_one():
    made = Given()
    made.centres[0], made.centres[1] = torch.tensor([50.0, 0.0]), torch.tensor([-50.0, 0.0])
    logits = torch.full((1, BINS, 4, 4), -20.0)
    logits[:, 0], logits[:, 1] = 2.0, 0.0
    logits[:, 0, 0, 0] = 0.5  # still the likelier colour
    look = torch.ones(1), torch.zeros(1)
    red = made.colours(logits, *look).ab[0, 0]
    apart = made.colours(logits, *look, torch.tensor([0.5])).ab[0, 0]
    assert red[0, 0] > 0 > apart[0, 0]
    assert (apart[1:] > 0).all()


def test_contrast_keeps_each_picture_of_a_batch_to_itself():
    made, logits = filled(Given()), torch.randn(2, BINS, 3, 4)
    look = torch.ones(1), torch.zeros(1), torch.tensor([0.5])
    together, alone = made.colours(logits, *look).ab, made.colours(logits[:1], *look).ab
    torch.testing.assert_close(together[:1], alone)


@pytest.mark.parametrize(("temperature", "rebalance"), [(0.38, 0.25), (1.0, 0.0)])
def test_the_flagship_and_the_classics_make_the_same_of_the_same_logits(temperature, rebalance):
    flagship = filled(Photochrom(Config(bins=BINS, context=8, context_layers=1, decoder=(8, 8, 8))))
    look = torch.tensor([temperature]), torch.tensor([rebalance])
    wishes = [torch.zeros(1, c, 32, 32) for c in (2, 1)]
    with torch.no_grad():
        given = flagship(
            torch.full((1, 1, 32, 32), 40.0),
            *wishes,
            torch.zeros(1, BINS + 1),
            torch.zeros(1, 2),
            *look,
        )
        classic = filled(Given()).colours(given.logits, *look)
    assert all(torch.equal(a, b) for a, b in zip(given, classic, strict=True))


def test_until_training_fills_them_bins_are_gray_and_equally_frequent():
    made = Annealed()
    made.register_bins(4)
    assert list(made.state_dict()) == ["centres", "prior"]
    assert not made.centres.any()
    assert made.prior.tolist() == [0.25] * 4
