"""Results of a study of preferences: shares, paired comparisons and a ranking.

Sources: Wilson's interval and the model of Bradley and Terry, as `results` and `ranking` name them.
Both take choices as independent, though one person gives many of them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from photochrom.errors import InvalidValueError
from photochrom.workbench.evaluation.bootstrap import Estimate
from photochrom.workbench.perception.bradley_terry import bradley_terry
from photochrom.workbench.perception.study_files import RAINBOW
from photochrom.workbench.perception.study_results import Participation, participation, wilson
from photochrom.workbench.perception.votes import Choice


class Ranked(NamedTuple):
    """One method, over all photographs.

    strength : of Bradley and Terry: log-odds against the mean of all methods, with its 95 %
        interval; NaN where the methods were not compared with each other
    preferred : share of its comparisons in which it was preferred, with Wilson's interval
    """

    method: str
    strength: Estimate
    preferred: Estimate
    votes: int
    participants: int


class PairedComparison(NamedTuple):
    """Two methods, over all photographs.

    preferred : share of votes for the first, with Wilson's interval
    """

    first: str
    second: str
    preferred: Estimate
    votes: int


@dataclass(frozen=True)
class Preferences(Participation):
    """The results of a study of preferences.

    methods : from the most preferred to the least
    comparisons : in the same order; pairs that were never shown are left out
    is_bounded : as for `Ranking`
    first_chosen : share of the votes for what was shown first, which position alone would put at a
        half
    """

    methods: tuple[Ranked, ...]
    comparisons: tuple[PairedComparison, ...]
    is_bounded: bool
    first_chosen: Estimate | None


def summarise_choices(
    choices: Sequence[Choice],
    participants: Iterable[str],
    methods: Sequence[str],
    trials: int,
    most_failed: int = 1,
) -> Preferences:
    """Count choices and rank the methods; methods without a vote have no row.

    The other arguments are those of `summarise`.
    """
    taken = participation(choices, participants, trials, lambda c: c.won == RAINBOW, most_failed)
    counted = [c for c in choices if c.part == "pair" and c.participant not in taken.excluded]
    seen = {name for choice in counted for name in (choice.first, choice.second)}
    ranked, is_bounded = _ranked(counted, [name for name in methods if name in seen])
    return Preferences(
        **vars(taken),
        methods=ranked,
        comparisons=_comparisons(counted, [row.method for row in ranked]),
        is_bounded=is_bounded,
        first_chosen=(
            wilson(sum(c.chosen == 1 for c in counted), len(counted)) if counted else None
        ),
    )


def _ranked(choices: Sequence[Choice], names: list[str]) -> tuple[tuple[Ranked, ...], bool]:
    if not names:
        return (), False
    wins = np.zeros((len(names), len(names)))
    for choice in choices:
        wins[names.index(choice.won), names.index(choice.lost)] += 1
    strengths, is_bounded = _strengths(wins)
    rows = []
    for number, name in enumerate(names):
        votes = [c for c in choices if name in (c.first, c.second)]
        preferred = wilson(sum(c.won == name for c in votes), len(votes))
        people = len({c.participant for c in votes})
        rows.append(Ranked(name, strengths[number], preferred, len(votes), people))
    key = [
        row.preferred.value if np.isnan(row.strength.value) else row.strength.value for row in rows
    ]
    order = sorted(range(len(rows)), key=lambda n: (-key[n], rows[n].method))
    return tuple(rows[n] for n in order), is_bounded


def _strengths(wins: np.ndarray) -> tuple[list[Estimate], bool]:
    """Rank the methods if the votes connect all of them."""
    try:
        ranking = bradley_terry(wins)
    except InvalidValueError:
        return [Estimate(np.nan, np.nan, np.nan)] * len(wins), False
    spread = ranking.half_widths
    found = [
        Estimate(float(s), float(s - half), float(s + half))
        for s, half in zip(ranking.strengths, spread, strict=True)
    ]
    return found, ranking.is_bounded


def _comparisons(choices: Sequence[Choice], names: list[str]) -> tuple[PairedComparison, ...]:
    won = Counter((choice.won, choice.lost) for choice in choices)
    rows = []
    for first, second in combinations(names, 2):
        votes = won[first, second] + won[second, first]
        if votes:
            rows.append(PairedComparison(first, second, wilson(won[first, second], votes), votes))
    return tuple(rows)
