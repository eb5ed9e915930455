import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photochrom.color.bins import annealed_mean, histogram, nearest_bins, soft_encode, zhang_bins
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import InvalidValueError, ShapeError

BINS = zhang_bins()
AB = hnp.arrays(np.float64, (4, 2), elements=st.floats(-128, 128))


def random_ab(count=300):
    return np.random.default_rng(3).uniform(-90, 90, (count, 2))


def test_the_bins_are_the_papers_313_in_its_order():
    assert BINS.shape == (313, 2)
    assert BINS.dtype == np.float32
    assert BINS[0].tolist() == [-90, 50]
    assert BINS[-1].tolist() == [100, 0]
    assert len(np.unique(BINS, axis=0)) == 313
    assert np.array_equal(np.lexsort((BINS[:, 1], BINS[:, 0])), np.arange(313))


def test_every_8_bit_srgb_colour_rounds_to_a_bin():
    levels = np.arange(0, 256, 5) / 255
    rgb = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3)
    rounded = np.unique(np.rint(rgb_to_lab(rgb)[:, 1:] / 10) * 10, axis=0)
    known = {tuple(pair) for pair in BINS.tolist()}
    assert {tuple(pair) for pair in rounded.tolist()} <= known


def test_the_nearest_bins_are_those_of_a_full_search():
    ab = random_ab()
    indices, squared = nearest_bins(ab, BINS.astype(np.float64), 5)
    distances = ((ab[:, None] - BINS) ** 2).sum(-1)
    np.testing.assert_allclose(squared, np.sort(distances, axis=-1)[:, :5], atol=1e-9)
    np.testing.assert_array_equal(indices, np.argsort(distances, axis=-1, kind="stable")[:, :5])


@given(AB)
def test_soft_weights_are_a_distribution_nearest_first(ab):
    indices, weights = soft_encode(ab, BINS.astype(np.float64))
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-12)
    assert (weights > 0).all()
    assert (np.diff(weights, axis=-1) <= 1e-12).all()
    assert all(len(set(row)) == 5 for row in indices.tolist())


def test_a_colour_far_from_every_bin_is_still_encoded():
    _, weights = soft_encode(np.array([[1e4, -1e4]], np.float32), BINS)
    assert np.isfinite(weights).all()


def test_the_annealed_mean_of_temperature_one_is_the_mean():
    logits = np.random.default_rng(4).normal(size=(3, 313))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(annealed_mean(logits, BINS, 1.0), shares @ BINS, atol=1e-9)


@pytest.mark.parametrize("temperature", [1e-3, 1e-30])
def test_the_annealed_mean_goes_to_the_mode_as_the_temperature_falls(temperature):
    logits = np.random.default_rng(5).permutation(313).astype(np.float32)
    mode = BINS[logits.argmax()]
    np.testing.assert_allclose(annealed_mean(logits, BINS, temperature), mode, atol=1e-4)


@given(st.floats(0.05, 5), st.floats(-50, 50))
def test_a_constant_added_to_the_logits_changes_nothing(temperature, shift):
    logits = np.random.default_rng(6).normal(size=313)
    np.testing.assert_allclose(
        annealed_mean(logits + shift, BINS, temperature),
        annealed_mean(logits, BINS, temperature),
        atol=1e-6,
    )


def test_a_histogram_counts_each_colour_once():
    ab = np.concatenate([np.repeat(BINS[[7]], 3, axis=0), BINS[[200]] + 1]).astype(np.float32)
    shares = histogram(ab, BINS)
    assert shares.dtype == np.float32
    assert shares.shape == (313,)
    assert shares[7] == 0.75
    assert shares[200] == 0.25
    assert shares.sum() == 1


@pytest.mark.parametrize("neighbours", [0, 314, -1])
def test_an_impossible_number_of_neighbours_is_refused(neighbours):
    with pytest.raises(InvalidValueError, match=r"1\.\.313"):
        nearest_bins(random_ab(), BINS, neighbours)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_not_above_zero_is_refused(temperature):
    with pytest.raises(InvalidValueError, match="temperature must be above 0"):
        annealed_mean(np.zeros(313), BINS, temperature)


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"ab needs 2 numbers .* \(4, 3\)"):
        soft_encode(np.zeros((4, 3)), BINS)
    with pytest.raises(ShapeError, match=r"logits needs 313 numbers"):
        annealed_mean(np.zeros((4, 312)), BINS)


def test_torch_and_numpy_agree():
    torch = pytest.importorskip("torch")
    ab, bins = random_ab(), BINS.astype(np.float64)
    indices, weights = soft_encode(torch.from_numpy(ab), torch.from_numpy(bins))
    expected_indices, expected = soft_encode(ab, bins)
    np.testing.assert_array_equal(indices.numpy(), expected_indices)
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-9)
    shares = histogram(torch.from_numpy(ab), torch.from_numpy(bins))
    np.testing.assert_allclose(shares.numpy(), histogram(ab, bins), atol=1e-12)
    logits = np.random.default_rng(7).normal(size=(4, 313))
    mean = annealed_mean(torch.from_numpy(logits), torch.from_numpy(bins), 0.38)
    np.testing.assert_allclose(mean.numpy(), annealed_mean(logits, bins, 0.38), atol=1e-9)
