import numpy as np
import pytest

from photochrom.color.lab import rgb_to_lab
from photochrom.engine.hint_propagation import features_of
from photochrom.engine.suggestions import APART_AB, propose, suggest


def logits_of(shares):
    return np.log(np.maximum(shares, 1e-9)).astype(np.float32)


def two_peaks(centres, first, second, share):
    weights = [np.exp(-((centres - peak) ** 2).sum(1) / (2 * 6.0**2)) for peak in (first, second)]
    weights = [w / w.sum() for w in weights]
    return share * weights[0] + (1 - share) * weights[1]


def test_suggestions_are_the_peaks_most_likely_first(centres):
    found = suggest(two_peaks(centres, (30, 30), (-20, -30), 0.7), centres, 55.0)
    assert np.hypot(*(np.array(found[0].ab) - (30, 30))) < 5
    assert np.hypot(*(np.array(found[1].ab) - (-20, -30))) < 5
    assert [s.share for s in found] == sorted((s.share for s in found), reverse=True)
    assert sum(s.share for s in found) <= 1 + 1e-6


@pytest.mark.parametrize("lightness", [2.0, 55.0, 98.0])
def test_suggestions_are_shown_at_the_spots_lightness(centres, lightness):
    for found in suggest(two_peaks(centres, (30, 30), (-20, -30), 0.7), centres, lightness):
        assert rgb_to_lab(np.array(found.rgb) / 255)[0] == pytest.approx(lightness, abs=0.6)


def test_a_sure_spot_has_few_suggestions(centres):
    assert len(suggest(np.eye(len(centres))[5], centres, 50.0)) == 1


COAT, DOOR = (slice(10, 60), slice(6, 40)), (slice(20, 70), slice(60, 84))


@pytest.fixture
def scene(centres):
    """Return logits, lightness and features of a street.

    A coat may be red or blue, a door brown or green; all else is surely gray.
    """
    lightness = np.full((96, 96), 75.0, np.float32)
    shares = np.zeros((96, 96, len(centres)))
    shares[:] = two_peaks(centres, (0, 0), (0, 0), 1.0)
    shares[COAT] = two_peaks(centres, (40, 20), (10, -40), 0.6)
    shares[DOOR] = two_peaks(centres, (15, 30), (-30, 25), 0.8)
    lightness[COAT], lightness[DOOR] = 40, 50
    logits = logits_of(np.moveaxis(shares, -1, 0))
    return logits, centres, lightness, features_of(logits)


def overlap(one, place):
    other = np.zeros_like(one)
    other[place] = True
    return (one & other).sum() / (one | other).sum()


def test_a_candidate_gives_one_thing_in_doubt_its_next_likely_colour(scene):
    other = propose(*scene, 1, 0)
    assert overlap(other.thing, COAT) > 0.75
    assert (other.seed & ~other.thing).sum() == 0
    usual = np.array([0.6 * 40 + 0.4 * 10, 0.6 * 20 - 0.4 * 40])
    assert np.hypot(*(other.ab - usual)) >= APART_AB * 0.9


def test_the_next_candidate_changes_another_thing(scene):
    one, two = (propose(*scene, n, 0) for n in (1, 2))
    assert overlap(one.thing, COAT) > 0.75
    assert overlap(two.thing, DOOR) > 0.75


def test_what_would_tint_the_picture_is_no_candidate(centres):
    logits = logits_of(two_peaks(centres, (40, 20), (10, -40), 0.6))[:, None, None]
    logits = np.broadcast_to(logits, (len(centres), 24, 24))
    lightness = np.full((96, 96), 50.0, np.float32)
    other = propose(logits, centres, lightness, features_of(logits), 1, 0)
    assert other is None or other.thing.mean() <= 0.3


def test_black_and_white_show_no_other_colour(scene):
    logits, centres, lightness, features = scene
    dark = lightness.copy()
    dark[COAT] = 5
    found = propose(logits, centres, dark, features, 1, 0)
    assert overlap(found.thing, COAT) < 0.1


@pytest.mark.slow
def test_an_unlikely_colour_is_approached_by_less(centres):
    def step(share):
        shares = np.zeros((96, 96, len(centres)))
        shares[:] = two_peaks(centres, (0, 0), (0, 0), 1.0)
        shares[COAT] = two_peaks(centres, (0, 0), (60, 0), share)
        lightness = np.full((96, 96), 75.0, np.float32)
        lightness[COAT] = 50
        logits = logits_of(np.moveaxis(shares, -1, 0))
        usual = shares[20, 20] @ centres
        other = propose(logits, centres, lightness, features_of(logits), 1, 0)
        return np.hypot(*(other.ab - usual))

    assert 20 < step(0.97) < 26 < step(0.7)


@pytest.mark.slow
def test_candidates_are_the_same_for_the_same_seed(scene):
    one, two = (propose(*scene, 1, 7) for _ in range(2))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_first_candidate_is_the_methods_own(scene):
    assert propose(*scene, 0, 0) is None
