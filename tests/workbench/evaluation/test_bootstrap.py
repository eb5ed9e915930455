import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from photochrom.errors import InvalidValueError, ShapeError
from photochrom.workbench.evaluation.bootstrap import (
    Quantity,
    estimate,
    interval,
    resample_weights,
)

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.gamma(2, 3, 60)
OTHERS = VALUES + RANDOM.normal(1, 0.3, 60)
WEIGHTS = resample_weights(60)


def test_the_interval_of_a_mean_is_scipys():
    ours = estimate(Quantity(VALUES), WEIGHTS)
    theirs = bootstrap((VALUES,), np.mean, method="percentile", rng=1, n_resamples=4000)
    assert ours.value == pytest.approx(VALUES.mean())
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.1 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.1 * width)


def test_a_ratio_is_that_of_the_means_and_draws_both_together():
    tripled = estimate(Quantity(3 * VALUES, VALUES), WEIGHTS)
    assert tripled == pytest.approx((3, 3, 3))
    ratio = estimate(Quantity(VALUES, OTHERS), WEIGHTS)
    assert ratio.value == pytest.approx(VALUES.mean() / OTHERS.mean())
    assert ratio.low < ratio.value < ratio.high


def test_a_root_is_taken_after_the_mean():
    assert estimate(Quantity(VALUES, root=True), WEIGHTS).value == np.sqrt(VALUES.mean())


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.77, 1])
def test_a_quantile_is_numpys_of_the_resampled_pictures(share):
    there = (np.arange(60) % 7 > 0).astype(float)
    ours = Quantity(VALUES, there, quantile=share).over(WEIGHTS[:40])
    theirs = [
        np.quantile(np.repeat(VALUES, (counts * there).astype(int)), share)
        for counts in WEIGHTS[:40]
    ]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    whole = estimate(Quantity(VALUES, quantile=share), WEIGHTS)
    assert whole.value == np.quantile(VALUES, share)
    assert whole.low <= whole.value <= whole.high


def test_a_quantile_of_no_picture_is_no_number():
    assert np.isnan(estimate(Quantity(VALUES, 0 * VALUES, quantile=0.5), WEIGHTS).value)


@given(st.integers(1, 40), st.integers(0, 5))
def test_every_resample_has_as_many_pictures_and_the_first_is_the_set_itself(pictures, seed):
    weights = resample_weights(pictures, 7, seed)
    assert weights.shape == (8, pictures)
    assert (weights.sum(-1) == pictures).all()
    assert (weights[0] == 1).all()
    np.testing.assert_array_equal(weights, resample_weights(pictures, 7, seed))


def test_other_seeds_draw_other_resamples():
    assert (resample_weights(20, 5, seed=1)[1:] != resample_weights(20, 5, seed=2)[1:]).any()


def test_a_value_that_many_resamples_lack_has_no_interval():
    values = np.ones(2001)
    values[1:100] = np.nan
    result = interval(values)
    assert result.value == 1
    assert np.isnan([result.low, result.high]).all()


def test_a_share_of_nothing_is_nan_without_a_warning():
    assert np.isnan(estimate(Quantity(0 * VALUES, 0 * VALUES), WEIGHTS).value)


@pytest.mark.parametrize(("pictures", "resamples"), [(0, 5), (5, 0)])
def test_nothing_to_draw_is_refused(pictures, resamples):
    with pytest.raises(InvalidValueError, match="must be at least 1"):
        resample_weights(pictures, resamples)


def test_weights_of_other_pictures_are_refused():
    with pytest.raises(ShapeError, match="for 60 pictures"):
        estimate(Quantity(VALUES[:5]), WEIGHTS)
