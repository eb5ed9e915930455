"""What each participant sees, and in which order: drawn from the study's and their own name.

A participant sees each photograph once. Were it to come again with another method, what both pairs
have in common would be the truth.
"""

import random
from typing import Literal, NamedTuple

from photochrom.web.turing.study import Scene, Study

Part = Literal["practice", "pair", "check"]


class Trial(NamedTuple):
    """One pair.

    Attributes
    ----------
    part : str
        'practice', 'pair' or 'check'.
    key, method : str
        The photograph, and what coloured it.
    files : (str, str)
        In the order of their showing.
    real : 1 or 2
        Which of them is the photograph.
    """

    part: Part
    key: str
    method: str
    files: tuple[str, str]
    real: int


def trials_of(study: Study, participant: str) -> list[Trial]:
    """Draw the trials of a participant.

    Parameters
    ----------
    study : Study
    participant : str
        Their random id.

    Returns
    -------
    list of Trial
        Practice first; then each scene once, the methods as evenly as their number allows, with
        one check in each of as many stretches. The same id gives the same list.
    """
    # A text as seed is hashed by SHA-512, alike on every machine and in every version since 3.2.
    chance = random.Random(f"{study.id} {study.seed} {participant}")
    methods = _evenly(study.methods, len(study.scenes), chance)
    pairs = [_trial("pair", s, m, chance) for s, m in zip(study.scenes, methods, strict=True)]
    chance.shuffle(pairs)
    checks = [_trial("check", s, next(iter(s.coloured)), chance) for s in study.checks]
    chance.shuffle(checks)
    practice = [_trial("practice", s, next(iter(s.coloured)), chance) for s in study.practice]
    return practice + _mixed(pairs, checks, chance)


def _evenly(methods: tuple[str, ...], count: int, chance: random.Random) -> list[str]:
    """Give each method the same number of places, the rest by chance, in a random order."""
    rounds, rest = divmod(count, len(methods))
    drawn = list(methods) * rounds + chance.sample(methods, rest)
    chance.shuffle(drawn)
    return drawn


def _trial(part: Part, scene: Scene, method: str, chance: random.Random) -> Trial:
    files = (scene.truth, scene.coloured[method])
    real = chance.choice((1, 2))
    return Trial(part, scene.key, method, files if real == 1 else files[::-1], real)


def _mixed(pairs: list[Trial], checks: list[Trial], chance: random.Random) -> list[Trial]:
    """Put one check at a random place of each of as many stretches of pairs."""
    mixed, count = list(pairs), len(checks)
    for number, check in reversed(list(enumerate(checks))):  # the last first: places stay
        start, end = (len(pairs) * n // count for n in (number, number + 1))
        mixed.insert(chance.randint(start, end), check)
    return mixed
