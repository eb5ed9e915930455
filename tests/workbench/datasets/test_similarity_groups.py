import numpy as np
import pytest
from tests.conftest import drawn_picture

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.similarity_groups import fit_group_model, thumbnail


def two_kinds(dark=14, light=6):
    """Give thumbnails of dark pictures and, fewer, of light ones, mixed."""
    rng = np.random.default_rng(0)
    levels = np.array([60] * dark + [200] * light)
    truth = rng.permutation(levels)
    noise = rng.integers(-20, 20, (len(truth), 16, 16, 3))
    return (truth[:, None, None, None] + noise).astype(np.uint8), truth


@pytest.mark.slow
@pytest.mark.parametrize("all_scores", [False, True])
def test_pictures_that_look_alike_are_in_one_group_the_largest_first(all_scores):
    thumbnails, truth = two_kinds()
    found = fit_group_model(thumbnails, 2, all_scores=all_scores)
    numbers = found.groups(thumbnails)
    np.testing.assert_array_equal(numbers, np.where(truth == 60, 1, 2))
    np.testing.assert_array_equal(found.distances(thumbnails).argmin(1) + 1, numbers)


def test_one_score_a_channel_is_kept_or_all():
    thumbnails, _ = two_kinds()
    assert fit_group_model(thumbnails, 2).scores(thumbnails).shape == (20, 3)
    full = fit_group_model(thumbnails, 2, all_scores=True)
    assert full.scores(thumbnails).shape == (20, 3 * 19)
    assert (full.explained() > 0.5).all()


def test_pictures_that_were_not_fitted_are_grouped_too():
    thumbnails, truth = two_kinds(30, 20)
    found = fit_group_model(thumbnails[:25], 2)
    assert (found.groups(thumbnails[25:]) == np.where(truth[25:] == 60, 1, 2)).all()


def test_a_thumbnail_is_square_whatever_the_picture():
    assert thumbnail(drawn_picture(0, 40, 90), 32).shape == (32, 32, 3)


def test_too_few_different_pictures_are_refused():
    same = np.zeros((10, 8, 8, 3), np.uint8)
    with pytest.raises(DataError, match="there are 1"):
        fit_group_model(same, 2)
    with pytest.raises(InvalidValueError, match="got 0"):
        fit_group_model(same, 0)
