"""The state behind a study's routes: display times, participants, and next trials.

The server decides the order and does not reveal which picture is which.
"""

import math
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest

from pydantic import BaseModel

from photochrom.errors import InvalidValueError
from photochrom.service.clients import CLIENT
from photochrom.service.problem_details import Problem
from photochrom.service.rate_limit import Rate
from photochrom.workbench.perception.study_files import REAL, Study, Task
from photochrom.workbench.perception.trial_order import Trial, trials_of
from photochrom.workbench.perception.votes import Choice, Vote, Votes

ID = re.compile(r"[A-Za-z0-9_-]{22}")
ID_BYTES = 16
AHEAD = 2  # the trial that is asked, and the next one, which the page loads meanwhile
MOST_SECONDS = 60.0
THOUGHT_SECONDS = 2.0  # about, for an answer
COMPARING_SECONDS = 8.0  # about, for a preference
REQUESTS = 600, 60.0  # of one client: at once, and more each second; a class shares an address
GUESSES = 10, 0.1  # likewise, of an invitation
REMEMBERED = 1000  # participants whose order is kept in memory


@dataclass(frozen=True)
class Showing:
    """Display times, and limits on participants.

    Raise InvalidValueError if one is outside its range.

    seconds, gap_seconds : of each picture; of the empty gray before, between and after
    most_participants : later ones are turned away
    begun_at_once, begun_per_hour : participants who begin from one address
    """

    seconds: float = 1.0
    gap_seconds: float = 0.5
    most_participants: int = 10_000
    begun_at_once: float = 60
    begun_per_hour: float = 60

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= MOST_SECONDS or not 0 <= self.gap_seconds <= MOST_SECONDS:
            raise InvalidValueError(
                f"--seconds needs more than 0, --gap 0 or more, both at most {MOST_SECONDS:g}; "
                f"got {self.seconds} and {self.gap_seconds}."
            )
        if self.most_participants < 1:
            raise InvalidValueError(
                f"--max-participants needs 1 or more; got {self.most_participants}."
            )
        if not self.begun_at_once >= 1 or not self.begun_per_hour > 0:
            raise InvalidValueError(f"--per-hour needs 1 or more; got {self.begun_per_hour}.")


class AboutAnswer(BaseModel):
    """What taking part means."""

    task: Task
    trials: int
    minutes: int
    size_px: int
    seconds: float
    gap_seconds: float


class StudyState:
    """The study, its votes, and each participant's order."""

    def __init__(
        self, study: Study, votes: Votes, showing: Showing, invitation: str | None
    ) -> None:
        self.study, self.votes, self.showing = study, votes, showing
        self._invitation = invitation
        self._requests = Rate(*REQUESTS)
        self._guesses = Rate(*GUESSES)
        self._begun = Rate(showing.begun_at_once, showing.begun_per_hour / 3600)
        self.trials: Callable[[str], list[Trial]] = lru_cache(REMEMBERED)(
            lambda participant: trials_of(study, participant)
        )

    def about(self) -> AboutAnswer:
        """Return what taking part means."""
        trials, showing = self.study.trials, self.showing
        each = 2 * showing.seconds + 3 * showing.gap_seconds + THOUGHT_SECONDS
        each = each if self.study.task == REAL else COMPARING_SECONDS
        return AboutAnswer(
            task=self.study.task,
            trials=trials,
            minutes=math.ceil(trials * each / 60),
            size_px=self.study.size_px,
            seconds=showing.seconds,
            gap_seconds=showing.gap_seconds,
        )

    def check_rate(self) -> None:
        """Refuse a client that sends too many requests: Problem 429."""
        _refuse_for(self._requests.take(CLIENT.get()))

    def begin(self, invitation: str) -> str:
        """Add a participant, and return their random id.

        Raise Problem 403 without the invitation that is needed, or if the study is full; 429 if too
        many began from one address.
        """
        sent, needed = invitation.encode("utf-8", "replace"), self._invitation
        if needed is not None and not compare_digest(sent, needed.encode()):
            _refuse_for(self._guesses.take(CLIENT.get()))
            raise Problem(
                403, "This study needs an invitation. Open the complete address that you were sent."
            )
        if self.votes.count_participants() >= self.showing.most_participants:
            raise Problem(403, "This study has all the participants that it needs. Thank you.")
        _refuse_for(self._begun.take(CLIENT.get()))
        participant = secrets.token_urlsafe(ID_BYTES)
        self.votes.add_participant(participant)
        return participant

    def next_trial(self, participant: str, number: int, task: Task) -> Trial:
        """Return the participant's next trial.

        Raise Problem 404 or 409, as `trial`; 404 also if the study has another task.
        """
        if self.study.task != task:
            raise Problem(404, "This study asks another question. Open its page again.")
        shown = self.trial(participant, number)
        if number != self.answered(participant) + 1:
            raise Problem(409, f"Trial {number} comes later.")
        return shown

    def count(self, vote: Vote | Choice) -> None:
        """Count a vote, once; raise Problem 409 if that trial has one."""
        if not self.votes.add(vote):
            raise Problem(409, f"Trial {vote.trial} already has a vote.")

    def answered(self, participant: str) -> int:
        """Return a participant's number of votes; raise Problem 404 if the id is unknown."""
        answered = self.votes.answered(participant) if ID.fullmatch(participant) else None
        if answered is None:
            raise Problem(404, "This study has no such participant. Start again.")
        return answered

    def trial(self, participant: str, number: int) -> Trial:
        """Return a trial that may be shown now.

        Raise Problem 404 if there is no such participant or trial, 409 if it is over or comes
        later.
        """
        answered, trials = self.answered(participant), self.trials(participant)
        if not 1 <= number <= len(trials):
            raise Problem(404, f"The trials are 1 to {len(trials)}; there is no trial {number}.")
        if number <= answered:
            raise Problem(409, f"Trial {number} already has a vote. The next is {answered + 1}.")
        if number > answered + AHEAD:
            raise Problem(409, f"Trial {number} comes later. The next is {answered + 1}.")
        return trials[number - 1]


def _refuse_for(seconds: float) -> None:
    if seconds:
        wait = str(math.ceil(seconds))
        raise Problem(429, "Too many requests from this address. Try later.", Retry_After=wait)
