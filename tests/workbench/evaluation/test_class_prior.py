import numpy as np
import pytest

from photochrom.color.bins import nearest_bins, zhang_bins
from photochrom.errors import DataError
from photochrom.workbench.evaluation.class_prior import bin_numbers, measure_class_prior
from photochrom.workbench.evaluation.compared_rows import Candidate, method, references
from photochrom.workbench.evaluation.evaluation_pictures import make_sample
from photochrom.workbench.evaluation.results import Evaluation
from photochrom.workbench.evaluation.scoring import score, score_samples


def test_rounding_finds_the_bin_that_a_search_finds(samples):
    ab = np.concatenate([sample.lab[..., 1:].reshape(-1, 2) for sample in samples])
    expected = nearest_bins(ab, zhang_bins(), 1)[0][:, 0]
    distances = [np.linalg.norm(ab - zhang_bins()[n], axis=1) for n in (bin_numbers(ab), expected)]
    np.testing.assert_allclose(*distances, atol=1e-4)


def test_every_corner_of_srgb_has_a_bin():
    corners = np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).T.reshape(1, -1, 3)
    ab = make_sample(np.repeat(corners.astype(np.uint8), 12, 0)).lab[..., 1:]
    far = np.linalg.norm(ab - zhang_bins()[bin_numbers(ab)], axis=-1)
    assert far.max() < 15


def test_each_photograph_counts_alike_and_each_colour_weighs_alike():
    flat = np.zeros((20, 20, 3), np.uint8)
    red, mixed = flat + np.uint8([200, 30, 30]), flat + np.uint8([30, 30, 200])
    mixed[:5] = (200, 30, 30)
    samples = [make_sample(red[:11, :11], key="red"), make_sample(mixed, key="mixed")]
    class_prior = measure_class_prior(samples)
    assert class_prior.keys == ("red", "mixed")
    assert sorted(class_prior.prior[class_prior.prior > 0]) == pytest.approx([0.375, 0.625])
    weights = class_prior.weights(samples[1].lab[..., 1:])
    assert weights[0, 0] == pytest.approx(1 / (2 * 0.625))
    assert weights[-1, 0] == pytest.approx(1 / (2 * 0.375))
    means = [class_prior.weights(sample.lab[..., 1:]).mean() for sample in samples]
    assert np.mean(means) == pytest.approx(1)


def test_a_colour_that_was_not_met_weighs_nothing(samples):
    class_prior = measure_class_prior(samples)
    assert class_prior.weights(np.full((2, 2, 2), -85.0)).max() == 0


def test_the_rebalanced_area_of_the_truth_is_1_and_is_the_mean_over_colours(samples):
    class_prior = measure_class_prior(samples)
    records = score_samples(
        samples,
        [
            references((2.0, 7.0)),
            method("truth-again", lambda sample: sample.lab[..., 1:]),
        ],
        class_prior=class_prior,
    )
    found = {row.name: row.estimates for row in Evaluation(records, resamples=20).rows}
    assert found["truth-again"]["auc_rebalanced"] == pytest.approx((1, 1, 1))
    assert found["truth-again"]["auc"] == (1, 1, 1)
    under, number = [], []
    for sample in samples:  # of `gray`, colour by colour; the photographs are of one size
        ab = sample.lab[..., 1:].reshape(-1, 2)
        under.append(1 - np.linalg.norm(ab, axis=1) / 150)
        number.append(bin_numbers(ab))
    under, number = np.concatenate(under), np.concatenate(number)
    colours = [under[number == n].mean() for n in np.unique(number)]
    assert found["gray"]["auc_rebalanced"].value == pytest.approx(np.mean(colours), abs=1e-6)
    assert found["gray"]["auc_rebalanced"].value < found["gray"]["auc"].value


def test_without_a_survey_nothing_is_rebalanced(samples):
    ab = np.zeros((*samples[0].lightness.shape, 2), np.float32)
    assert "auc_weighted" not in score(samples[0], Candidate("rows", "gray", None, ab))
    records = score_samples(samples, [references((2.0, 7.0))])
    assert "auc_rebalanced" not in Evaluation(records, resamples=5).rows[0].estimates


def test_a_survey_of_nothing_is_refused():
    with pytest.raises(DataError, match="at least one photograph"):
        measure_class_prior([])
