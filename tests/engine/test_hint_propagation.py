import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from photochrom.engine import hint_propagation
from photochrom.engine.hint_propagation import REACHES, Spot, features_of, propagate, reach_of
from photochrom.options.ranges import REACH

BLUE = np.array([10.0, -50.0], np.float32)


def scene():
    """Return a dark square on a light ground, 96 x 128, plain colours, and features of both."""
    lightness = np.full((96, 128), 80.0, np.float32)
    thing = np.zeros((96, 128), bool)
    thing[30:70, 40:90] = True
    lightness[thing] = 40
    plain = np.where(thing[..., None], (20.0, 15.0), (-3.0, 5.0)).astype(np.float32)
    features = np.where(thing[..., None], (0.9, 0.0), (0.0, 0.9)).astype(np.float32)
    return lightness, plain, features, thing


def spot(row, column, ab=BLUE, reach="thing"):
    mask = np.zeros((96, 128), bool)
    mask[row - 2 : row + 3, column - 2 : column + 3] = True
    return Spot(mask, ab, reach)


def coloured(*spots):
    lightness, plain, features, _ = scene()
    return propagate(plain, lightness, spots, plain, features)


@pytest.mark.parametrize("reach", ["near", "thing"])
@pytest.mark.parametrize("count", [1, 4])
def test_outside_the_thing_nothing_changes(reach, count):
    _, plain, _, thing = scene()
    spots = [spot(40 + 5 * n, 50 + 8 * n, reach=reach) for n in range(count)]
    change = np.linalg.norm(coloured(*spots) - plain, axis=-1)
    outside = ~thing
    outside[26:74, 36:94] = False  # its rim
    assert change[outside].mean() < 1
    assert change[~thing].mean() < 2


def test_one_hint_colours_its_thing():
    _, _, _, thing = scene()
    wrong = np.linalg.norm(coloured(spot(50, 65)) - BLUE, axis=-1)
    assert wrong[thing].mean() < 8


def test_near_reaches_less_far_than_the_thing():
    lightness, plain = np.full((96, 128), 50.0, np.float32), np.zeros((96, 128, 2), np.float32)
    features = np.zeros((96, 128, 1), np.float32)
    reached = {
        reach: np.linalg.norm(
            propagate(plain, lightness, [spot(48, 20, reach=reach)], plain, features), axis=-1
        )
        for reach in ("near", "thing")
    }
    assert reached["near"].mean() < 0.7 * reached["thing"].mean()


def open_ground(reach):
    """Return how much of a hint's colour is left along a row of one plain thing, (128,)."""
    lightness, plain = np.full((96, 128), 50.0, np.float32), np.zeros((96, 128, 2), np.float32)
    features = np.zeros((96, 128, 1), np.float32)
    result = propagate(plain, lightness, [spot(48, 20, reach=reach)], plain, features)
    return np.linalg.norm(result[48], axis=-1) / np.linalg.norm(BLUE)


@pytest.mark.parametrize("reach", [0.05, 0.15, 0.3, 0.6])
def test_at_the_distance_that_a_reach_says_half_of_the_colour_is_left(reach):
    left = open_ground(reach)
    half = np.flatnonzero(left > 0.5).max() - 20 - 2  # from the rim of the spot
    assert half / 128 == pytest.approx(reach, abs=0.03)
    assert left[22 + round(2 * reach * 128) :].max(initial=0) < 0.1


@settings(deadline=None, max_examples=30)
@given(st.floats(REACH.low, REACH.high), st.floats(REACH.low, REACH.high))
def test_a_longer_reach_costs_less_everywhere(one, other):
    near, far = (np.array(reach_of(reach)) for reach in sorted((one, other)))
    assert (far <= near).all()
    assert (far > 0).all()


@pytest.mark.parametrize("name", ["near", "thing"])
def test_a_number_that_is_as_far_as_a_name_is_the_name(name):
    assert reach_of(1 / REACHES[name].place) == pytest.approx(REACHES[name])


@pytest.mark.parametrize("reach", [0.1, 0.5, 2.0])
def test_a_reach_in_numbers_ends_at_the_rim_of_the_thing(reach):
    _, plain, _, thing = scene()
    change = np.linalg.norm(coloured(spot(50, 65, reach=reach)) - plain, axis=-1)
    outside = ~thing
    outside[26:74, 36:94] = False  # its rim
    assert change[outside].mean() < 1
    assert change[45:55, 62:68].mean() > 40


def test_many_reaches_need_few_distances(monkeypatch):
    calls = []
    real = hint_propagation._geodesic
    monkeypatch.setattr(
        hint_propagation, "_geodesic", lambda *given: calls.append(given) or real(*given)
    )
    coloured(*(spot(50, 65, reach=0.3 * (1 + n / 1000)) for n in range(40)))
    assert len(calls) <= 3


def test_a_region_colours_what_it_bounds_and_hardly_more():
    lightness, plain, features, _ = scene()
    mask = np.zeros((96, 128), bool)
    mask[10:50, 10:60] = True
    result = propagate(plain, lightness, [Spot(mask, BLUE, "region")], plain, features)
    np.testing.assert_array_equal(result[mask], np.broadcast_to(BLUE, result[mask].shape))
    far = np.ones_like(mask)
    far[:62, :72] = False
    np.testing.assert_allclose(result[far], plain[far], atol=0.5)


def test_a_kept_place_keeps_its_colours_against_other_hints():
    lightness, plain, features, _ = scene()
    wide = plain + 30  # as hints for the whole picture left it
    kept = spot(50, 80, ab=None)
    result = propagate(wide, lightness, [spot(50, 45), kept], plain, features)
    np.testing.assert_array_equal(result[kept.mask], plain[kept.mask])
    assert np.linalg.norm(result[50, 84] - plain[50, 84]) < 8


def test_without_spots_in_the_picture_nothing_changes():
    lightness, plain, features, _ = scene()
    nowhere = Spot(np.zeros((96, 128), bool), BLUE, "near")
    np.testing.assert_array_equal(propagate(plain, lightness, [nowhere], plain, features), plain)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_hinted_places_have_exactly_their_colour_and_all_is_finite(seed):
    random = np.random.default_rng(seed)
    lightness = random.uniform(0, 100, (24, 40)).astype(np.float32)
    plain = random.uniform(-60, 60, (24, 40, 2)).astype(np.float32)
    spots = [
        Spot(random.random((24, 40)) < 0.02, random.uniform(-60, 60, 2).astype(np.float32), reach)
        for reach in REACHES
    ]
    result = propagate(plain, lightness, spots, plain, plain / 40)
    assert np.isfinite(result).all()
    if spots[-1].mask.any():
        np.testing.assert_array_equal(
            result[spots[-1].mask], np.broadcast_to(spots[-1].ab, result[spots[-1].mask].shape)
        )


def test_distances_are_dijkstras():
    random = np.random.default_rng(3)
    planes = np.dstack((random.uniform(0, 100, (9, 14)), random.random((9, 14, 2))))
    reach = REACHES["thing"]
    seeds = np.full((9, 14), -1)
    seeds[2, 3], seeds[7, 11] = 0, 1
    found, nearest = hint_propagation._geodesic(planes.astype(np.float32), seeds, reach)
    graph = np.zeros((126, 126))
    for row in range(9):
        for column in range(14):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    r, c = row + down, column + right
                    if (down or right) and 0 <= r < 9 and 0 <= c < 14:
                        change = np.abs(planes[row, column] - planes[r, c])
                        graph[row * 14 + column, r * 14 + c] = (
                            reach.place * np.hypot(down, right) / 14
                            + reach.lightness
                            * (max(change[0] - hint_propagation.FREE_LIGHTNESS, 0) / 10)
                            ** hint_propagation.EDGE
                            + reach.features * np.linalg.norm(change[1:])
                        )
    both = dijkstra(csr_matrix(graph), indices=[2 * 14 + 3, 7 * 14 + 11])
    np.testing.assert_allclose(found.ravel(), both.min(0), rtol=1e-4)
    np.testing.assert_array_equal(nearest.ravel(), both.argmin(0))


def test_features_are_apart_as_the_distributions_are():
    random = np.random.default_rng(5)
    kinds = random.normal(0, 3, (30, 3))
    which = random.integers(0, 3, (8, 9))
    features = features_of(kinds[:, which])
    roots = np.sqrt(np.exp(kinds) / np.exp(kinds).sum(0))
    pairs = [(0, 1), (0, 2), (1, 2)]
    apart = [
        np.linalg.norm(features[which == one][0] - features[which == other][0])
        for one, other in pairs
    ]
    hellinger = [np.linalg.norm(roots[:, one] - roots[:, other]) for one, other in pairs]
    np.testing.assert_allclose(np.divide(apart, hellinger), apart[0] / hellinger[0], rtol=1e-3)
    assert np.sqrt((features**2).sum(-1).mean()) == pytest.approx(hint_propagation.SPREAD, abs=0.01)


def test_a_photograph_changes_on_the_hinted_thing_alone(portrait_colours):
    plain, hinted, inside = portrait_colours
    change = np.linalg.norm(hinted - plain, axis=-1)
    assert change[inside].mean() > 15
    far = np.ones_like(inside)
    far[130:, :] = False  # the suit, and the flag beside it
    assert change[far].mean() < 2


def test_soft_shades_do_not_lead_a_colour_to_what_is_unlike_its_place():
    ramp = np.tile(np.linspace(30, 90, 128, dtype=np.float32), (96, 1))
    plain = np.zeros((96, 128, 2), np.float32)
    turning = np.linspace(0, 0.8, 128)[None, :, None] * np.ones((96, 1, 1))
    result = propagate(plain, ramp, [spot(48, 10)], plain, turning.astype(np.float32))
    reached = np.linalg.norm(result, axis=-1)
    assert reached[48, 20] > 30
    assert reached[:, 90:].max() < 5
