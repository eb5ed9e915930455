import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom.colorization.method import Request
from photochrom.colorization.welsh import Swatch, Welsh, jittered_grid, neighbourhood_statistics
from photochrom.errors import InvalidValueError

WHOLE = (0.0, 0.0, 1.0, 1.0)


def colours(lightness, reference, swatches=(), seed=0):
    request = Request(np.float32(lightness), reference=np.float32(reference), seed=seed)
    return Welsh(swatches).predict(request).ab[0]


def textures(height=40, width=60):
    """Return three textures with one mean lightness, and the number of each pixel's texture."""
    y, x = np.mgrid[:height, :width]
    kind = x * 3 // width
    plane = np.choose(
        kind, [np.full(x.shape, 50), 50 + 30 * (x % 2 * 2 - 1), 50 + 12 * (y % 2 * 2 - 1)]
    )
    return plane.astype(float), kind


COLOURS = np.array([[40.0, 10.0], [-30.0, 30.0], [0.0, -40.0]])


def test_statistics_are_lightness_and_the_deviation_in_5_x_5_pixels():
    lightness = np.random.default_rng(0).uniform(0, 100, (9, 13))
    found = neighbourhood_statistics(lightness) / np.sqrt(0.5)
    for y, x in ((0, 0), (1, 12), (4, 6), (8, 3)):
        window = lightness[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        np.testing.assert_allclose(found[y, x], (lightness[y, x], window.std()))


def test_each_pixel_takes_the_sample_with_the_nearest_statistics():
    random = np.random.default_rng(1)
    lab = random.uniform((0, -50, -50), (100, 50, 50), (10, 12, 3))
    lightness = random.uniform(20, 60, (8, 9))
    scale = lightness.std() / lab[..., 0].std()
    remapped = scale * (lab[..., 0] - lab[..., 0].mean()) + lightness.mean()
    known, asked = (neighbourhood_statistics(p).reshape(-1, 2) for p in (remapped, lightness))
    nearest = ((asked[:, None] - known) ** 2).sum(-1).argmin(1)  # 120 pixels: all are samples
    found = colours(lightness, lab).reshape(-1, 2)
    np.testing.assert_allclose(found, lab[..., 1:].reshape(-1, 2)[nearest], atol=1e-4)


def test_texture_tells_apart_what_lightness_does_not():
    lightness, kind = textures()
    reference = np.dstack((lightness, COLOURS[kind]))
    error = np.abs(colours(lightness[:, ::-1], reference) - COLOURS[kind[:, ::-1]]).max(-1)
    assert (error == 0).mean() > 0.85
    assert (np.abs(colours(np.full((9, 9), 50), reference) - COLOURS[0]) < 1e-5).all()


def test_brightness_and_contrast_of_the_reference_do_not_matter(small_pictures):
    reference = small_pictures["coffee"]
    fainter = reference * (0.5, 1, 1) + (30, 0, 0)
    lightness = small_pictures["chelsea"][..., 0]
    same = colours(lightness, reference) == colours(lightness, fainter)
    assert same.mean() > 0.99


def test_every_colour_is_one_of_the_references(small_pictures):
    reference = small_pictures["astronaut"]
    found = colours(small_pictures["coffee"][..., 0], reference).reshape(-1, 2)
    own = {tuple(ab) for ab in reference[..., 1:].reshape(-1, 2)}
    used = {tuple(ab) for ab in found}
    assert used <= own
    assert 50 < len(used) <= 210


def test_the_seed_places_the_samples(small_pictures):
    lightness, reference = small_pictures["coffee"][..., 0], small_pictures["astronaut"]
    one, again, other = (colours(lightness, reference, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.5


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 50, 200]), st.integers(0, 9))
@settings(deadline=None)
def test_a_jittered_grid_has_one_pixel_in_each_cell(height, width, count, seed):
    rows, columns = jittered_grid((height, width), count, np.random.default_rng(seed))
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(rows)
    assert 0 <= rows.min() <= rows.max() < height
    assert 0 <= columns.min() <= columns.max() < width
    assert len(rows) <= 1.3 * count
    if min(height, width) >= 20:
        assert len(rows) >= 0.85 * count
        thirds = np.histogram(rows, 3, (0, height))[0]
        assert count < 50 or thirds.min() > 0.2 * len(rows)


def test_swatches_say_what_belongs_to_what_against_all_likeness():
    lightness, kind = textures()
    reference = np.dstack((lightness, COLOURS[kind]))
    left, middle, right = ((0.2, s, 0.8, s + 0.2) for s in (0.05, 0.4, 0.75))
    swatches = [Swatch(left, right), Swatch(middle, middle), Swatch(right, left)]
    found = colours(lightness, reference, swatches)
    expected = COLOURS[::-1][kind]
    assert (np.abs(found - expected).max(-1) < 1e-5).mean() > 0.9


def test_one_swatch_gives_its_colours_alone():
    lightness, kind = textures()
    reference = np.dstack((lightness, COLOURS[kind]))
    found = colours(lightness, reference, [Swatch(WHOLE, (0.0, 0.0, 1.0, 0.3))])
    np.testing.assert_allclose(found, np.broadcast_to(COLOURS[0], found.shape), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (150, 2), (5, 5)])
@pytest.mark.parametrize("other", [(1, 1), (3, 50)])
@pytest.mark.parametrize("swatches", [(), (Swatch((0.9, 0.9, 1.0, 1.0), (0.0, 0.0, 0.01, 0.01)),)])
def test_sizes_of_picture_and_reference_are_free(shape, other, swatches):
    random = np.random.default_rng(0)
    reference = random.uniform((0, -40, -40), (100, 40, 40), (*other, 3))
    found = colours(random.uniform(0, 100, shape), reference, swatches)
    assert found.shape == (*shape, 2)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "box", [(0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0, 0, 40, 60)]
)
def test_a_swatch_that_is_empty_or_outside_is_refused(box):
    for boxes in ((box, WHOLE), (WHOLE, box)):
        with pytest.raises(InvalidValueError, match=r"A swatch needs 0 <= top < bottom <= 1"):
            Swatch(*boxes)


@pytest.mark.parametrize(
    ("name", "reference", "error"),
    [("astronaut", "coffee", 18.62), ("chelsea", "astronaut", 16.72), ("coffee", "chelsea", 19.01)],
)
def test_expected_error_on_small_pictures(name, reference, error, ab_error, small_pictures):
    found = ab_error(Welsh(), name, reference=small_pictures[reference])
    assert found == pytest.approx(error, rel=0.01)
