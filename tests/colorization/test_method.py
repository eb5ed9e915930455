import json

import numpy as np
import pytest

from photochrom.colorization.method import (
    CAPABILITIES,
    Hints,
    MethodInfo,
    Prediction,
    Request,
    Setting,
    check_request,
    checked,
)
from photochrom.errors import InvalidValueError, MethodOutputError, ShapeError, WeightsError

FULL = MethodInfo(
    name="small",
    paper="a paper",
    licence="MIT",
    working_px=(32, 96),
    stride=32,
    accepts=("hints", "vividness"),
    requires=("hints",),
    centres=((0.0, 10.0), (-20.0, 0.5)),
    vividness_path=((0.0, 1.0, 0.0, 1.0, 0.0, 40.0), (1.0, 0.5, 0.5, 1.25, 0.25, 60.0)),
    vividness=0.25,
)
GRAY = np.full((4, 6), 50, np.float32)


def test_a_description_survives_the_way_through_json():
    assert MethodInfo.from_table(json.loads(json.dumps(FULL.to_table()))) == FULL


def test_a_description_needs_only_name_paper_and_licence():
    least = MethodInfo.from_table({"name": "a", "paper": "b", "licence": "c"})
    assert least == MethodInfo("a", "b", "c")


def test_a_vividness_lies_between_the_points_of_the_path():
    assert FULL.look(None) == FULL.look(0.25)
    np.testing.assert_allclose(FULL.look(0.4), (0.8, 0.2, 1.1, 0.1, 48.0))


def test_of_an_older_files_longer_path_what_means_the_same_is_taken():
    path = ((0.0, 1.0, 0.0, 1.0, 0.15, 0.15, 0.04), (1.0, 0.5, 0.2, 1.3, 0.15, 0.3, 0.08))
    look = MethodInfo("a", "b", "c", vividness_path=path).look(1.0)
    assert look == Setting(0.5, 0.2, 1.3)


def test_a_retired_field_of_an_older_file_has_no_effect():
    assert MethodInfo.from_table({**FULL.to_table(), "mirrored": True}) == FULL


def test_columns_that_a_path_lacks_are_0():
    path = ((0.0, 1.0, 0.0, 1.0), (1.0, 0.5, 0.5, 1.25))
    assert MethodInfo("a", "b", "c", vividness_path=path).look(1.0) == Setting(0.5, 0.5, 1.25)


def test_a_ceiling_is_approached_and_never_passed():
    ab = np.linspace(0, 400, 50)[:, None] * np.array([0.6, -0.8])
    shown = np.linalg.norm(Setting(1.0, 0.0, 1.0, 0.5, 50.0).shown(ab), axis=-1)
    assert (np.diff(shown) >= 0).all()
    assert shown.max() <= 50
    np.testing.assert_allclose(shown[:3], np.linalg.norm(ab[:3], axis=-1), rtol=0.01)


def test_without_a_ceiling_only_saturation_counts():
    ab = np.array([[3.0, 4.0], [90.0, -40.0]])
    np.testing.assert_allclose(Setting(1.0, 0.0, 1.5).shown(ab), 1.5 * ab, rtol=1e-6)


@pytest.mark.parametrize("table", [{}, {"name": "a", "paper": "b"}, {**FULL.to_table(), "url": ""}])
def test_a_description_with_a_missing_or_unknown_field_is_refused(table):
    with pytest.raises(WeightsError, match="needs name, paper and licence"):
        MethodInfo.from_table(table)


@pytest.mark.parametrize(
    ("ab", "mask"),
    [((4, 6, 3), (4, 6)), ((4, 6), (4, 6)), ((6, 4, 2), (4, 6)), ((4, 6, 1, 2), (4, 6, 1))],
)
def test_hints_of_a_wrong_shape_are_refused(ab, mask):
    with pytest.raises(ShapeError, match=r"Hints need ab of shape \(h, w, 2\)"):
        Hints(np.zeros(ab), np.zeros(mask))


@pytest.mark.parametrize("shape", [(), (4,), (4, 6, 1), (0, 6), (4, 0)])
def test_a_lightness_of_a_wrong_shape_is_refused(shape):
    with pytest.raises(ShapeError, match=r"lightness needs shape \(h, w\)"):
        Request(np.zeros(shape, np.float32))


def test_hints_of_another_size_than_the_lightness_are_refused():
    with pytest.raises(ShapeError, match=r"\(4, 6\); theirs is \(5, 6\)"):
        Request(GRAY, Hints(np.zeros((5, 6, 2)), np.zeros((5, 6))))


@pytest.mark.parametrize("vividness", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_vividness_outside_0_to_1_is_refused(vividness):
    with pytest.raises(InvalidValueError, match=r"vividness needs 0 \(calm\) to 1 \(bold\)"):
        Request(GRAY, vividness=vividness)


@pytest.mark.parametrize("vividness", [None, 0, 0.5, 1])
def test_every_vividness_from_0_to_1_is_taken(vividness):
    assert Request(GRAY, vividness=vividness).vividness == vividness


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 2), (0, 6, 3), (1, 4, 6, 3)])
def test_a_reference_of_a_wrong_shape_is_refused(shape):
    with pytest.raises(ShapeError, match=r"A reference needs L\*a\*b\* of shape \(h, w, 3\)"):
        Request(GRAY, reference=np.zeros(shape))


@pytest.mark.parametrize("name", CAPABILITIES)
def test_what_a_method_requires_and_does_not_get_is_said(name):
    needy = MethodInfo("needy", "a paper", "MIT", accepts=(name,), requires=(name,))
    with pytest.raises(InvalidValueError, match=rf"'needy' needs (a )?{name}: "):
        check_request(needy, Request(GRAY))


def test_hints_that_hint_at_nothing_are_hints():
    check_request(FULL, Request(GRAY, Hints(np.zeros((4, 6, 2)), np.zeros((4, 6)))))


def test_a_sound_prediction_passes_unchanged():
    prediction = Prediction(np.zeros((1, 4, 6, 2), np.float32))
    assert checked(prediction, "small") is prediction


@pytest.mark.parametrize("shape", [(4, 6, 2), (1, 4, 6, 3), (1, 2, 4, 6), (2,)])
def test_ab_of_a_wrong_shape_names_the_method(shape):
    with pytest.raises(MethodOutputError, match=r"'small' must return ab of shape \(n, h, w, 2\)"):
        checked(Prediction(np.zeros(shape)), "small")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_counted_and_name_the_method(bad):
    ab = np.zeros((1, 4, 6, 2), np.float32)
    ab[0, 1, 2], ab[0, 3, 3, 1] = bad, bad
    with pytest.raises(MethodOutputError, match="'small' returned 3 numbers that are not finite"):
        checked(Prediction(ab), "small")
