"""The trials of each participant in order, drawn from the ids of study and participant.

A participant sees each photograph once. If it came again with another method, the picture common to
both pairs would be the truth, or would be known already.
"""

import random
from itertools import combinations
from typing import Literal, NamedTuple, TypeVar

from photochrom.workbench.perception.study_files import PREFER, TRUTH, Scene, Study

Part = Literal["practice", "pair", "check"]
T = TypeVar("T")


class Trial(NamedTuple):
    """One pair.

    part : 'practice', 'pair' or 'check'
    key : the photograph
    shown : (str, str); what coloured each, in the order of their showing; 'truth' for true colours
    files : (str, str); likewise
    """

    part: Part
    key: str
    shown: tuple[str, str]
    files: tuple[str, str]

    @property
    def real(self) -> int:
        """Which one is the photograph, 1 or 2."""
        return 1 + self.shown.index(TRUTH)

    @property
    def method(self) -> str:
        """The method of the other one."""
        return self.shown[2 - self.real]


def trials_of(study: Study, participant: str) -> list[Trial]:
    """Draw the trials of a participant; the same id gives the same list.

    Practice first; then each scene once, the methods, or the pairs of them, as evenly as their
    number allows, with one check in each section.
    """
    # A text as seed is hashed by SHA-512, alike on every machine and in every version since 3.2.
    chance = random.Random(f"{study.id} {study.seed} {participant}")
    together = [(TRUTH, method) for method in study.methods]
    if study.task == PREFER:
        together = list(combinations(study.methods, 2))
    drawn = _evenly(together, len(study.scenes), chance)
    pairs = [_trial("pair", s, two, chance) for s, two in zip(study.scenes, drawn, strict=True)]
    chance.shuffle(pairs)
    checks = [_trial("check", s, _both(study, s), chance) for s in study.checks]
    chance.shuffle(checks)
    practice = [_trial("practice", s, _both(study, s), chance) for s in study.practice]
    return practice + _mixed(pairs, checks, chance)


def _both(study: Study, scene: Scene) -> tuple[str, str]:
    """Return both colourings of a scene that has only two."""
    first, *others = scene.coloured
    return (first, others[0]) if study.task == PREFER else (TRUTH, first)


def _evenly(what: list[T], count: int, chance: random.Random) -> list[T]:
    """Return each item equally often, the rest at random, in a random order."""
    rounds, rest = divmod(count, len(what))
    drawn = what * rounds + chance.sample(what, rest)
    chance.shuffle(drawn)
    return drawn


def _trial(part: Part, scene: Scene, two: tuple[str, str], chance: random.Random) -> Trial:
    one, other = two if chance.choice((1, 2)) == 1 else two[::-1]
    return Trial(part, scene.key, (one, other), (_file(scene, one), _file(scene, other)))


def _file(scene: Scene, method: str) -> str:
    return scene.coloured.get(method, scene.truth)


def _mixed(pairs: list[Trial], checks: list[Trial], chance: random.Random) -> list[Trial]:
    """Insert each check at a random place in its own section of the pairs."""
    mixed, count = list(pairs), len(checks)
    for number, check in reversed(list(enumerate(checks))):  # the last first: places stay
        start, end = (len(pairs) * n // count for n in (number, number + 1))
        mixed.insert(chance.randint(start, end), check)
    return mixed
