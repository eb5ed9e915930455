import numpy as np
import pytest
from skimage import data
from tests.conftest import drawn_picture

from photochrom.errors import InvalidValueError, ShapeError
from photochrom.workbench.datasets.pca import reduce_rgb, reduce_rows, stored_share


def variances(values: np.ndarray) -> np.ndarray:
    """Give the variance of each principal component, largest first, from the covariance."""
    rows = values.reshape(len(values), -1)
    return np.linalg.eigvalsh(np.cov(rows.T))[::-1].clip(0)


@pytest.mark.parametrize("variance", [0.9, 0.98])
def test_the_fewest_components_that_hold_the_share_are_kept(variance):
    values = data.chelsea()[:64, :40].astype(float)
    cumulative = np.cumsum(variances(values))
    wanted = int(np.argmax(cumulative / cumulative[-1] >= variance)) + 1
    reduced = reduce_rows(values, variance)
    assert reduced.components == wanted
    lost = ((values - reduced.pixels) ** 2).sum()
    total = ((values - values.mean(axis=0)) ** 2).sum()
    assert 1 - lost / total == pytest.approx(cumulative[wanted - 1] / cumulative[-1])
    assert 1 - lost / total >= variance


def test_all_of_the_variance_gives_the_picture_back():
    values = drawn_picture(3, 20, 30).astype(float)
    assert reduce_rows(values, 1.0).pixels == pytest.approx(values)


def test_98_percent_of_a_256_px_picture_at_38_components_takes_a_fifth_as_published():
    assert stored_share(38, 256, 256) == pytest.approx(38 * 1025 / 196608)
    assert stored_share(38, 256, 256) == pytest.approx(0.2, abs=0.01)


def test_a_flat_picture_needs_no_component():
    flat = np.full((8, 9, 3), 77, np.uint8)
    reduced = reduce_rgb(flat, 0.98)
    assert reduced.components == 0
    assert np.array_equal(reduced.pixels, flat)


def test_a_reduced_picture_looks_like_it_and_more_variance_more_so():
    picture = data.astronaut()[::4, ::4]
    errors = [
        np.abs(reduce_rgb(picture, v).pixels.astype(int) - picture).mean() for v in (0.9, 0.99)
    ]
    assert errors[1] < errors[0] < 20
    assert reduce_rgb(picture, 0.9).pixels.dtype == np.uint8


@pytest.mark.parametrize("variance", [0.0, 1.01])
def test_a_share_of_variance_outside_0_to_1_is_refused(variance):
    with pytest.raises(InvalidValueError, match="share of variance"):
        reduce_rows(np.zeros((4, 4, 3)), variance)


def test_a_picture_without_channels_is_refused():
    with pytest.raises(ShapeError, match=r"\(H, W, C\)"):
        reduce_rows(np.zeros((4, 4)), 0.9)


@pytest.mark.parametrize("shape", [(8, 9, 3), (256, 256, 3), (1, 64, 3), (64, 1, 3)])
@pytest.mark.parametrize("colour", [(0, 0, 0), (77, 77, 77), (255, 255, 255), (3, 200, 91)])
@pytest.mark.parametrize("variance", [0.5, 0.98, 1.0])
def test_rounding_makes_no_component_of_a_flat_picture(shape, colour, variance):
    flat = np.broadcast_to(np.array(colour, np.uint8), shape).copy()
    reduced = reduce_rgb(flat, variance)
    assert reduced.components == 0
    assert np.abs(reduced.pixels.astype(int) - flat).max() <= 1


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_equal_rows_have_no_component_whatever_their_size(scale, kind):
    row = np.random.default_rng(0).normal(size=(1, 50, 3))
    values = (np.repeat(row, 200, axis=0) * scale).astype(kind)
    noise = np.random.default_rng(1).integers(-2, 3, values.shape)
    values += (noise * np.finfo(kind).eps * np.abs(values)).astype(kind)  # in the last places
    assert reduce_rows(values, 0.98).components == 0


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_least_that_eight_bits_show_is_a_component(scale):
    rgb = np.full((64, 64, 3), 128, np.uint8)
    rgb[32, 32, 1] += 1
    assert reduce_rgb(rgb, 0.98).components == 1
    values = np.full((64, 64, 3), scale)
    values[32, 32] *= 1 + 1e-3
    assert reduce_rows(values, 0.98).components == 1
