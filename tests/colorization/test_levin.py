import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom.colorization.levin import Levin, _dissect, affinities
from photochrom.colorization.method import Hints, Request

OFFSETS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]


def colours(lightness, ab, hinted):
    hints = Hints(np.asarray(ab, np.float32), np.asarray(hinted, np.float32))
    return Levin().predict(Request(np.asarray(lightness, np.float32), hints=hints)).ab[0]


def random_case(seed, height=7, width=9, share=0.15):
    random = np.random.default_rng(seed)
    lightness = random.uniform(0, 100, (height, width))
    hinted = random.random((height, width)) < share
    hinted[random.integers(height), random.integers(width)] = True
    return lightness, random.uniform(-60, 60, (height, width, 2)), hinted


def weights_around(tone, y, x):
    """Return the weights of the neighbours of one pixel, straight from the definition."""
    window = tone[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
    near = {
        (y + v, x + u): (tone[y + v, x + u] - tone[y, x]) ** 2
        for v, u in OFFSETS
        if 0 <= y + v < tone.shape[0] and 0 <= x + u < tone.shape[1]
    }
    spread = max(0.6 * window.var(), -min(near.values()) / np.log(0.01), 2e-6)
    weights = {place: np.exp(-squared / spread) for place, squared in near.items()}
    total = sum(weights.values())
    return {place: weight / total for place, weight in weights.items()}


@pytest.mark.parametrize("seed", range(3))
def test_the_colours_minimise_the_papers_quadratic(seed):
    lightness, ab, hinted = random_case(seed)
    tone = np.float32(lightness).astype(float) / 100
    residuals = np.zeros((hinted.size, hinted.size))  # one row a free pixel, dense
    for y, x in zip(*np.nonzero(~hinted), strict=True):
        row = residuals[y * tone.shape[1] + x].reshape(tone.shape)
        row[y, x] = 1
        for place, weight in weights_around(tone, y, x).items():
            row[place] -= weight
    free = ~hinted.ravel()
    known = np.float32(ab).astype(float).reshape(-1, 2)[~free]
    best = np.linalg.lstsq(residuals[:, free], -residuals[:, ~free] @ known, rcond=None)[0]
    found = colours(lightness, ab, hinted).reshape(-1, 2)
    np.testing.assert_allclose(found[free], best, atol=1e-4)


def test_one_scribble_in_each_region_recovers_its_colour():
    regions = np.zeros((40, 50), int)
    regions[:, 30:], regions[25:, :20] = 1, 2
    random = np.random.default_rng(0)
    lightness = np.array([30.0, 60.0, 85.0])[regions] + random.normal(0, 0.5, regions.shape)
    truth = np.array([[40.0, 20.0], [-30.0, 50.0], [5.0, -45.0]])[regions]
    hinted = np.zeros(regions.shape, bool)
    hinted[10, 5:12] = hinted[20:24, 40] = hinted[35, 4:9] = True
    error = np.abs(colours(lightness, truth, hinted) - truth).max(-1)
    assert error[hinted].max() == 0
    assert np.median(error) < 1
    assert (error < 6).mean() > 0.97


def test_hints_stay_and_no_colour_is_beyond_them():
    for seed in range(5):
        lightness, ab, hinted = random_case(seed, 12, 15)
        found = colours(lightness, ab, hinted)
        np.testing.assert_array_equal(found[hinted], np.float32(ab)[hinted])
        assert (found.reshape(-1, 2).min(0) >= ab[hinted].min(0) - 1e-3).all()
        assert (found.reshape(-1, 2).max(0) <= ab[hinted].max(0) + 1e-3).all()


def test_a_mirrored_picture_gets_mirrored_colours():
    lightness, ab, hinted = random_case(1, 11, 16)
    whole = colours(lightness, ab, hinted)
    for turn in (lambda p: p[::-1], lambda p: p[:, ::-1], lambda p: p.swapaxes(0, 1)):
        np.testing.assert_allclose(
            colours(turn(lightness), turn(ab), turn(hinted)), turn(whole), atol=1e-3
        )


@pytest.mark.parametrize("picture", ["flat", "step", "chequered", "black"])
def test_one_hint_colours_a_whole_picture_however_hard_its_edges(picture):
    y, x = np.mgrid[:24, :30]
    lightness = {
        "flat": np.full(x.shape, 50),
        "step": np.where(x < 15, 0, 100),
        "chequered": (x + y) % 2 * 100,
        "black": np.zeros(x.shape),
    }[picture]
    hinted = (x < 3) & (y < 3)
    found = colours(lightness, np.full((24, 30, 2), 25.0), hinted)
    np.testing.assert_allclose(found, 25, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 70), (200, 1), (3, 3), (150, 2)])
@pytest.mark.parametrize("hinted", ["none", "first", "all"])
def test_every_size_with_none_some_or_all_hinted(shape, hinted):
    mask = np.zeros(shape, bool)
    mask.flat[: {"none": 0, "first": 1, "all": mask.size}[hinted]] = True
    lightness = np.random.default_rng(0).uniform(0, 100, shape)
    found = colours(lightness, np.full((*shape, 2), [30.0, -10.0]), mask)
    assert found.shape == (*shape, 2)
    assert found.dtype == np.float32
    expected = [0, 0] if hinted == "none" else [30, -10]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-3)


def test_what_lies_outside_the_mask_is_no_hint():
    lightness, ab, hinted = random_case(4)
    noisy = np.where(hinted[..., None], ab, 99)
    np.testing.assert_array_equal(colours(lightness, ab, hinted), colours(lightness, noisy, hinted))


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 99))
@settings(deadline=None)
def test_affinities_share_out_one_and_do_not_look_at_contrast(height, width, seed):
    lightness = np.random.default_rng(seed).uniform(0, 100, (height, width))
    weights = affinities(lightness)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(0), 1)
    np.testing.assert_array_equal(weights[:3, 0], 0)  # nothing lies above the first row
    np.testing.assert_allclose(weights, affinities(0.5 * lightness + 20), atol=1e-2)


@given(st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None)
def test_the_order_has_every_pixel_once(height, width):
    index = np.arange(height * width).reshape(height, width)
    np.testing.assert_array_equal(np.sort(_dissect(index)), index.ravel())


@pytest.mark.parametrize(
    ("name", "error"), [("astronaut", 8.305), ("chelsea", 4.179), ("coffee", 9.295)]
)
def test_expected_error_on_small_pictures_with_twenty_patches(name, error, ab_error, revealed):
    assert ab_error(Levin(), name, hints=revealed(name)) == pytest.approx(error, rel=0.01)
