import numpy as np
import pytest

from photochrom.color.lab import rgb_to_lab
from photochrom.engine.likely import APART_AB, propose, suggest


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


@pytest.fixture
def halves(centres):
    """Left may be red or blue; right is surely gray."""
    logits = np.zeros((len(centres), 24, 24), np.float32)
    logits[:, :, :12] = logits_of(two_peaks(centres, (40, 20), (10, -40), 0.6))[:, None, None]
    logits[:, :, 12:] = logits_of(two_peaks(centres, (0, 0), (0, 0), 1.0))[:, None, None]
    return logits


def test_a_candidate_gives_the_region_in_doubt_its_other_colour(halves, centres):
    hints = propose(halves, centres, 1, 0, (96, 96))
    assert hints.mask[:, :48].sum() > 0
    assert np.abs(hints.ab[:, 48:]).max() < 1  # what is surely gray is held to it
    usual = np.array([0.6 * 40 + 0.4 * 10, 0.6 * 20 - 0.4 * 40])
    (chosen,) = np.unique(hints.ab[:, :48][hints.mask[:, :48] == 1], axis=0)
    assert np.hypot(*(chosen - usual)) >= APART_AB * 0.9


def test_candidates_differ_from_each_other(halves, centres):
    one, two = (propose(halves, centres, n, 0, (96, 96)) for n in (1, 2))
    (first,), (second,) = (np.unique(h.ab[:, :48][h.mask[:, :48] == 1], axis=0) for h in (one, two))
    assert np.hypot(*(first - second)) >= APART_AB * 0.9


def test_of_a_picture_that_is_one_thing_only_a_part_changes(centres):
    logits = logits_of(two_peaks(centres, (40, 20), (10, -40), 0.6))[:, None, None]
    hints = propose(np.broadcast_to(logits, (len(centres), 24, 24)), centres, 1, 0, (96, 96))
    colours = np.unique(hints.ab[hints.mask == 1].round(2), axis=0)
    assert len(colours) == 2  # another one here, the usual one far away
    places = [np.argwhere((hints.ab.round(2) == c).all(-1) & (hints.mask == 1)) for c in colours]
    middle = min(places, key=lambda p: np.ptp(p, axis=0).max())
    assert np.ptp(middle, axis=0).max() < 96 * 0.8


def test_an_unlikely_colour_is_approached_by_less(centres):
    def step(share):
        logits = logits_of(two_peaks(centres, (0, 0), (50, 0), share))[:, None, None]
        logits = np.broadcast_to(logits, (len(centres), 24, 24))
        shares = np.exp(logits[:, 0, 0])
        usual = shares / shares.sum() @ centres
        hints = propose(logits, centres, 1, 0, (96, 96))
        away = np.hypot(*(hints.ab[hints.mask == 1] - usual).T)
        return away.max()

    assert step(0.97) < 20 < 30 < step(0.7)


def test_candidates_are_the_same_for_the_same_seed(halves, centres):
    one, two = (propose(halves, centres, 1, 7, (50, 60)) for _ in range(2))
    np.testing.assert_array_equal(one.ab, two.ab)
    np.testing.assert_array_equal(one.mask, two.mask)


def test_the_first_candidate_is_the_methods_own(halves, centres):
    assert propose(halves, centres, 0, 0, (96, 96)) is None
