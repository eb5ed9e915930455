"""Results of a real-or-fake study: how often each method's picture was taken for real.

Source of the interval: Wilson, "Probable Inference, the Law of Succession, and Statistical
Inference", 1927; as method 3 of Newcombe, "Two-sided confidence intervals for the single
proportion", 1998. It treats votes as independent, though one person gives many of them.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from photochrom.errors import InvalidValueError
from photochrom.workbench.evaluation.bootstrap import Estimate
from photochrom.workbench.perception.bradley_terry import Z_95
from photochrom.workbench.perception.votes import Choice, Vote

AnyVote = TypeVar("AnyVote", Vote, Choice)

TOO_MUCH = 0.1  # of the planned time: what was shown longer or shorter is counted separately


class Row(NamedTuple):
    """How often a method was taken for real, over all photographs or on one.

    key : the photograph; '' over all
    fooled : share of votes in which the coloured one was taken for real; 0.5 is perfect
    """

    method: str
    key: str
    votes: int
    participants: int
    fooled: Estimate


@dataclass(frozen=True)
class Participation:
    """The participants of a study, and their attention checks.

    begun, unfinished : participants; those who have not answered all
    excluded : those who failed too many checks; their votes are in no row
    checks, failed_checks : checks that were answered, and wrongly, by anyone
    """

    begun: int
    unfinished: int
    excluded: frozenset[str]
    checks: int
    failed_checks: int

    def __str__(self) -> str:
        """Return a sentence about them."""
        return (
            f"{self.begun} participants; {len(self.excluded)} excluded for failed checks, "
            f"{self.unfinished} unfinished. {self.failed_checks} of {self.checks} checks failed."
        )


@dataclass(frozen=True)
class Results(Participation):
    """The results of a study.

    methods, pictures : over all photographs; on each
    mistimed : votes in the rows whose pictures were seen more than a tenth too long or too short
    """

    methods: tuple[Row, ...]
    pictures: tuple[Row, ...]
    mistimed: int


def wilson(successes: int, trials: int) -> Estimate:
    """Return a share and its 95 % score interval, all in [0, 1].

    Raise InvalidValueError if there is no trial, or not 0 <= successes <= trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise InvalidValueError(
            f"a share needs 1 trial or more and 0 to as many successes; got {trials} and "
            f"{successes}."
        )
    share, squared = successes / trials, Z_95**2
    middle = share + squared / (2 * trials)
    half = Z_95 * ((share * (1 - share) + squared / (4 * trials)) / trials) ** 0.5
    scale = 1 + squared / trials
    return Estimate(share, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def summarise(
    votes: Sequence[Vote], participants: Iterable[str], trials: int, most_failed: int = 1
) -> Results:
    """Count votes: methods and photographs, the most convincing first.

    Each participant is asked `trials`, practice and checks included; those who fail more checks
    than `most_failed` are excluded. Raise InvalidValueError if that is negative.
    """
    taken = participation(votes, participants, trials, lambda vote: vote.fooled, most_failed)
    counted = [v for v in votes if v.part == "pair" and v.participant not in taken.excluded]
    return Results(
        **vars(taken),
        methods=_rows(counted, by_key=False),
        pictures=_rows(counted, by_key=True),
        mistimed=sum(is_mistimed(vote) for vote in counted),
    )


def participation(
    votes: Sequence[AnyVote],
    participants: Iterable[str],
    trials: int,
    is_wrong: Callable[[AnyVote], bool],
    most_failed: int,
) -> Participation:
    """Count the participants, and those who failed too many checks.

    Raise InvalidValueError if `most_failed` is negative.
    """
    if most_failed < 0:
        raise InvalidValueError(f"--max-failed needs 0 or more; got {most_failed}.")
    begun = set(participants)
    checks = [vote for vote in votes if vote.part == "check"]
    failed = Counter(vote.participant for vote in checks if is_wrong(vote))
    answered = Counter(vote.participant for vote in votes)
    return Participation(
        len(begun),
        sum(answered[who] < trials for who in begun),
        frozenset(who for who, count in failed.items() if count > most_failed),
        len(checks),
        failed.total(),
    )


def is_mistimed(vote: Vote) -> bool:
    """Return whether a picture was shown more than a tenth too long or too short."""
    most = TOO_MUCH * vote.wished_ms
    return any(abs(seen - vote.wished_ms) > most for seen in (vote.first_ms, vote.second_ms))


def _rows(votes: Sequence[Vote], by_key: bool) -> tuple[Row, ...]:
    groups: dict[tuple[str, str], list[Vote]] = defaultdict(list)
    for vote in votes:
        groups[vote.method, vote.key if by_key else ""].append(vote)
    rows = [
        Row(
            method,
            key,
            len(group),
            len({vote.participant for vote in group}),
            wilson(sum(vote.fooled for vote in group), len(group)),
        )
        for (method, key), group in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.fooled.value, row.method, row.key)))


def to_csv(votes: Sequence[Vote] | Sequence[Choice], excluded: frozenset[str]) -> str:
    """Return CSV with one line per vote, including practice, checks and excluded participants."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    kind = type(votes[0]) if votes else Vote
    writer.writerow([*kind._fields, "excluded"])
    for vote in votes:
        values = [int(v) if isinstance(v, bool) else v for v in vote]
        writer.writerow([*values, int(vote.participant in excluded)])
    return written.getvalue()
