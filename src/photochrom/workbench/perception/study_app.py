"""A study as an ASGI application: who takes part, what is shown next, one vote a trial.

The server decides the order and keeps to itself which picture is what: neither an address, a name,
a header nor an answer tells, but for the practice of the real-or-fake study, after the vote.
"""

import math
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from photochrom._version import __version__
from photochrom.errors import InvalidValueError
from photochrom.service.application import PAGE as SERVICE_PAGE
from photochrom.service.clients import CLIENT, Clients
from photochrom.service.limits import Limits
from photochrom.service.middleware import LOOPBACK_NAMES, AccessMiddleware, BodyLimits
from photochrom.service.problem_details import Problem, install_problems, problem_response
from photochrom.service.rate_limit import Rate
from photochrom.service.request_bodies import BoundedRoute
from photochrom.service.schemas import whole
from photochrom.workbench.perception.study_files import PREFER, REAL, Study, Task
from photochrom.workbench.perception.trial_order import Trial, trials_of
from photochrom.workbench.perception.votes import Choice, Vote, Votes

PAGE = Path(__file__).parent / "page"
ID = re.compile(r"[A-Za-z0-9_-]{22}")
ID_BYTES = 16
BODY_BYTES = 2000
LIMITS = Limits(upload_bytes=BODY_BYTES, json_bytes=BODY_BYTES)
AHEAD = 2  # the trial that is asked, and the next one, which the page loads meanwhile
MOST_SECONDS = 60.0
THOUGHT_SECONDS = 2.0  # about, for an answer
COMPARING_SECONDS = 8.0  # about, for a preference
REQUESTS = 600, 60.0  # of one client: at once, and more each second; a class shares an address
GUESSES = 10, 0.1  # likewise, of an invitation
MOST_MS = 86_400_000.0
MOST_INVITATION = 200
REMEMBERED = 1000  # participants whose order is kept in memory

Side = Annotated[Literal[1, 2], BeforeValidator(whole)]
Milliseconds = Annotated[float, Field(ge=0, le=MOST_MS, allow_inf_nan=False)]


@dataclass(frozen=True)
class Showing:
    """How pairs are shown, and to how many people.

    Attributes
    ----------
    seconds, gap_seconds : float
        Of each picture; of the empty gray before, between and after.
    most_participants : int
        Who comes later is turned away.
    begun_at_once, begun_per_hour : float
        Participants who begin from one address.

    Raises
    ------
    InvalidValueError
        If one is outside its range.
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
                f"they are {self.seconds} and {self.gap_seconds}."
            )
        if self.most_participants < 1:
            raise InvalidValueError(
                f"--max-participants needs 1 or more; it is {self.most_participants}."
            )
        if not self.begun_at_once >= 1 or not self.begun_per_hour > 0:
            raise InvalidValueError(f"--per-hour needs 1 or more; it is {self.begun_per_hour}.")


class AboutAnswer(BaseModel):
    """What taking part means."""

    task: Task
    trials: int
    minutes: int
    size_px: int
    seconds: float
    gap_seconds: float


class ProgressAnswer(BaseModel):
    """Where a participant stands."""

    participant: str
    answered: int


class TrialAnswer(BaseModel):
    """A pair, and nothing of what it is; checks look like all others."""

    trial: int
    practice: bool
    number: int
    of: int
    pictures: tuple[str, str]


class BeginBody(BaseModel):
    """Who takes part may have to say that they were invited."""

    model_config = ConfigDict(extra="forbid")

    invitation: Annotated[str, Field(max_length=MOST_INVITATION)] = ""


class VoteBody(BaseModel):
    """An answer, and how long the pictures were really seen."""

    model_config = ConfigDict(extra="forbid")

    real: Side
    shown_ms: tuple[Milliseconds, Milliseconds]
    answer_ms: Milliseconds


class ChoiceBody(BaseModel):
    """A preference."""

    model_config = ConfigDict(extra="forbid")

    chosen: Side
    answer_ms: Milliseconds


class VoteAnswer(BaseModel):
    """That the vote counts; `right` in the practice alone."""

    right: bool | None


class StudyState:
    """What the routes need: the study, its votes, and each participant's order."""

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
        """Refuse a client that asks too much.

        Raises
        ------
        Problem
            429.
        """
        _refuse_for(self._requests.take(CLIENT.get()))

    def begin(self, invitation: str) -> str:
        """Let somebody take part, and give their random id.

        Raises
        ------
        Problem
            403 without the invitation that is needed, or if the study is full; 429 if too many
            have come from one address.
        """
        sent, needed = invitation.encode("utf-8", "replace"), self._invitation
        if needed is not None and not compare_digest(sent, needed.encode()):
            _refuse_for(self._guesses.take(CLIENT.get()))
            raise Problem(
                403, "This study is by invitation. Open the whole address that you were sent."
            )
        if self.votes.count_participants() >= self.showing.most_participants:
            raise Problem(403, "This study has all the participants that it needs. Thank you.")
        _refuse_for(self._begun.take(CLIENT.get()))
        participant = secrets.token_urlsafe(ID_BYTES)
        self.votes.add_participant(participant)
        return participant

    def next_trial(self, participant: str, number: int, task: Task) -> Trial:
        """Return the trial that waits for its vote.

        Raises
        ------
        Problem
            404 or 409, as `trial`; 404 also if this study asks something else.
        """
        if self.study.task != task:
            raise Problem(404, "This study asks another question. Open its page again.")
        shown = self.trial(participant, number)
        if number != self.answered(participant) + 1:
            raise Problem(409, f"Trial {number} comes later.")
        return shown

    def count(self, vote: Vote | Choice) -> None:
        """Count a vote, once.

        Raises
        ------
        Problem
            409 if that trial has one.
        """
        if not self.votes.add(vote):
            raise Problem(409, f"Trial {vote.trial} has its vote already.")

    def answered(self, participant: str) -> int:
        """Count a participant's votes.

        Raises
        ------
        Problem
            404 if nobody has that id.
        """
        answered = self.votes.answered(participant) if ID.fullmatch(participant) else None
        if answered is None:
            raise Problem(404, "This study has no such participant. Begin anew.")
        return answered

    def trial(self, participant: str, number: int) -> Trial:
        """Return a trial that may be seen now.

        Raises
        ------
        Problem
            404 if there is no such participant or trial, 409 if it is over or its time has not
            come.
        """
        answered, trials = self.answered(participant), self.trials(participant)
        if not 1 <= number <= len(trials):
            raise Problem(404, f"There are the trials 1 to {len(trials)}; there is no {number}.")
        if number <= answered:
            raise Problem(409, f"Trial {number} has its vote already. The next is {answered + 1}.")
        if number > answered + AHEAD:
            raise Problem(409, f"Trial {number} comes later. The next is {answered + 1}.")
        return trials[number - 1]


def _study_state(request: Request) -> StudyState:
    study_state: StudyState = request.app.state.study_state
    return study_state


def _refuse_for(seconds: float) -> None:
    if seconds:
        wait = str(math.ceil(seconds))
        raise Problem(429, "Too many requests from this address. Try later.", Retry_After=wait)


async def _check_rate(request: Request) -> None:
    _study_state(request).check_rate()


At = Annotated[StudyState, Depends(_study_state)]
router = APIRouter(prefix="/v1", dependencies=[Depends(_check_rate)], route_class=BoundedRoute)


@router.get("/study")
def about(study_state: At) -> AboutAnswer:
    """Return what taking part means."""
    return study_state.about()


@router.post("/participants", status_code=201)
def begin(study_state: At, wish: BeginBody | None = None) -> ProgressAnswer:
    """Take part."""
    participant = study_state.begin(wish.invitation if wish else "")
    return ProgressAnswer(participant=participant, answered=0)


@router.get("/participants/{participant}")
def progress(participant: str, study_state: At) -> ProgressAnswer:
    """Return where a participant stands, so that a reload goes on."""
    return ProgressAnswer(participant=participant, answered=study_state.answered(participant))


@router.get("/participants/{participant}/trials/{number}")
def trial(participant: str, number: int, study_state: At) -> TrialAnswer:
    """Describe a pair."""
    practice = study_state.trial(participant, number).part == "practice"
    trials = study_state.trials(participant)
    practised = sum(each.part == "practice" for each in trials)
    base = f"/v1/participants/{participant}/trials/{number}/pictures"
    return TrialAnswer(
        trial=number,
        practice=practice,
        number=number if practice else number - practised,
        of=practised if practice else len(trials) - practised,
        pictures=(f"{base}/1", f"{base}/2"),
    )


@router.get("/participants/{participant}/trials/{number}/pictures/{place}", response_class=Response)
def picture(participant: str, number: int, place: Literal["1", "2"], study_state: At) -> Response:
    """Return the first or the second picture of a pair."""
    name = study_state.trial(participant, number).files[int(place) - 1]
    # The bytes alone: a file's time or tag would be the same at its next showing.
    return Response((study_state.study.folder / name).read_bytes(), media_type="image/png")


@router.post("/participants/{participant}/trials/{number}/vote", status_code=201)
def vote(participant: str, number: int, wish: VoteBody, study_state: At) -> VoteAnswer:
    """Count a vote, once."""
    shown = study_state.next_trial(participant, number, REAL)
    counted = Vote(
        participant,
        number,
        shown.part,
        shown.key,
        shown.method,
        shown.real,
        wish.real,
        wish.real != shown.real,
        study_state.showing.seconds * 1000,
        *wish.shown_ms,
        wish.answer_ms,
    )
    study_state.count(counted)
    return VoteAnswer(right=wish.real == shown.real if shown.part == "practice" else None)


@router.post("/participants/{participant}/trials/{number}/choice", status_code=201)
def choose(participant: str, number: int, wish: ChoiceBody, study_state: At) -> VoteAnswer:
    """Count a preference, once."""
    shown = study_state.next_trial(participant, number, PREFER)
    study_state.count(
        Choice(
            participant,
            number,
            shown.part,
            shown.key,
            *shown.shown,
            wish.chosen,
            wish.answer_ms,
        )
    )
    return VoteAnswer(right=None)


def create_app(
    study: Study,
    votes_url: str,
    showing: Showing = Showing(),
    *,
    hosts: Iterable[str] = LOOPBACK_NAMES,
    any_address: bool = False,
    invitation: str | None = None,
    clients: Clients | None = None,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    study : Study
    votes_url : str
        As for `Votes`.
    showing : Showing
    hosts : iterable of str
        Names by which it may be asked for.
    any_address : bool
        Whether it may also be asked for by any IP address.
    invitation : str, optional
        What participants must bring; anybody may take part without it.
    clients : Clients, optional
        Tells whose a request is; by its address without it.

    Returns
    -------
    FastAPI
        Lets go of the database at its end.

    Raises
    ------
    InvalidValueError, MissingExtraError, DataError
        If the votes cannot be opened.
    """
    votes = Votes(votes_url, study.id, Vote if study.task == REAL else Choice)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            votes.close()

    app = FastAPI(
        title="photochrom study",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(
                AccessMiddleware,
                hosts=hosts,
                any_address=any_address,
                api_key=None,
                clients=clients,
            ),
            Middleware(BodyLimits, limits=LIMITS),
        ],
    )
    app.state.study_state = StudyState(study, votes, showing, invitation)
    install_problems(app)
    app.add_exception_handler(SQLAlchemyError, _of_database)
    app.include_router(router)
    app.mount(
        "/page/house", StaticFiles(directory=SERVICE_PAGE), name="house"
    )  # its tones and type
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    page = PAGE / ("index.html" if study.task == REAL else "prefer.html")
    app.add_api_route("/", lambda: FileResponse(page), response_model=None)
    return app


async def _of_database(request: Request, error: Exception) -> Response:
    return problem_response(Problem(503, "The vote could not be kept. Try again in a moment."))
