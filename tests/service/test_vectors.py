"""The stored vectors are what the engine gives: the browser is compared with them."""

import pytest
from tests.service.vectors import (
    CASES,
    FOLDER,
    answers,
    coloured,
    decoded,
    difference,
    stored_answers,
)

MOST_DIFFERENCE = 0.1  # mean CIEDE2000: processors and versions of ONNX Runtime round differently
MOST_BYTES = 400_000
HOW = "If a change of colours is meant, run scripts/make-vectors and look at what it writes."


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_gives_the_stored_colours(case):
    stored = decoded(case.result.read_bytes())
    assert difference(coloured(case), stored) < MOST_DIFFERENCE, HOW


def test_the_engine_gives_the_stored_suggestions_and_outline():
    found, stored = answers(), stored_answers()
    assert [s["colour"] for s in found["suggestions"]] == [
        s["colour"] for s in stored["suggestions"]
    ], HOW
    for mine, its in zip(found["suggestions"], stored["suggestions"], strict=True):
        assert mine["share"] == pytest.approx(its["share"], abs=0.01)
    assert len(found["outline"]) == pytest.approx(len(stored["outline"]), abs=2)


def test_each_wish_changes_the_colours():
    plain = decoded(CASES[0].result.read_bytes())
    for case in CASES[1:]:
        if case.picture == CASES[0].picture:
            assert difference(decoded(case.result.read_bytes()), plain) > 0.3, case.name


def test_the_stored_vectors_are_few_and_no_others():
    stored = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert stored.keys() == {*(case.result.name for case in CASES), "answers.json"}
    assert sum(stored.values()) < MOST_BYTES
