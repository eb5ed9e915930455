"""A study as an ASGI application: participants, trials, and one vote per trial.

The server decides the order and does not reveal which picture is which: no address, name, header or
answer does, except after a practice vote of the real-or-fake study.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from photochrom._version import __version__
from photochrom.service.application import NO_TELEMETRY
from photochrom.service.application import PAGE as SERVICE_PAGE
from photochrom.service.clients import Clients
from photochrom.service.limits import Limits
from photochrom.service.middleware import LOOPBACK_NAMES, AccessMiddleware, BodyLimits
from photochrom.service.problem_details import Problem, install_problems, problem_response
from photochrom.service.request_bodies import BoundedRoute
from photochrom.service.schemas import whole
from photochrom.workbench.html_pages import render
from photochrom.workbench.perception.study_files import PREFER, REAL, Study
from photochrom.workbench.perception.study_state import AboutAnswer, Showing, StudyState
from photochrom.workbench.perception.votes import Choice, Vote, Votes

PAGE = Path(__file__).parent / "page"
TEMPLATES = Path(__file__).parent / "templates"
BODY_BYTES = 2000
LIMITS = Limits(upload_bytes=BODY_BYTES, json_bytes=BODY_BYTES)
MOST_MS = 86_400_000.0
MOST_INVITATION = 200

Side = Annotated[Literal[1, 2], BeforeValidator(whole)]
Milliseconds = Annotated[float, Field(ge=0, le=MOST_MS, allow_inf_nan=False)]


class ProgressAnswer(BaseModel):
    """The progress of a participant."""

    participant: str
    answered: int


class TrialAnswer(BaseModel):
    """A pair, without what it is; checks look like all others."""

    trial: int
    practice: bool
    number: int
    of: int
    pictures: tuple[str, str]


class Body(BaseModel):
    """A body, which rejects unknown fields."""

    model_config = ConfigDict(extra="forbid")


class BeginBody(Body):
    """The invitation of a participant, if one is needed."""

    invitation: Annotated[str, Field(max_length=MOST_INVITATION)] = ""


class VoteBody(Body):
    """An answer, and the measured display times."""

    real: Side
    shown_ms: tuple[Milliseconds, Milliseconds]
    answer_ms: Milliseconds


class ChoiceBody(Body):
    """A preference."""

    chosen: Side
    answer_ms: Milliseconds


class VoteAnswer(BaseModel):
    """The receipt of a vote; `right` is given in the practice only."""

    right: bool | None


def _study_state(request: Request) -> StudyState:
    study_state: StudyState = request.app.state.study_state
    return study_state


async def _check_rate(request: Request) -> None:
    _study_state(request).check_rate()


At = Annotated[StudyState, Depends(_study_state)]
router = APIRouter(prefix="/v1", dependencies=[Depends(_check_rate)], route_class=BoundedRoute)


@router.get("/study")
def about(study_state: At) -> AboutAnswer:
    """Describe the study to participants."""
    return study_state.about()


@router.post("/participants", status_code=201)
def begin(study_state: At, body: BeginBody | None = None) -> ProgressAnswer:
    """Register a participant."""
    participant = study_state.begin(body.invitation if body else "")
    return ProgressAnswer(participant=participant, answered=0)


@router.get("/participants/{participant}")
def progress(participant: str, study_state: At) -> ProgressAnswer:
    """Return the progress of a participant, so that a reload continues."""
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
def vote(participant: str, number: int, body: VoteBody, study_state: At) -> VoteAnswer:
    """Count a vote, once."""
    shown = study_state.next_trial(participant, number, REAL)
    counted = Vote(
        participant,
        number,
        shown.part,
        shown.key,
        shown.method,
        shown.real,
        body.real,
        body.real != shown.real,
        study_state.showing.seconds * 1000,
        *body.shown_ms,
        body.answer_ms,
    )
    study_state.count(counted)
    return VoteAnswer(right=body.real == shown.real if shown.part == "practice" else None)


@router.post("/participants/{participant}/trials/{number}/choice", status_code=201)
def choose(participant: str, number: int, body: ChoiceBody, study_state: At) -> VoteAnswer:
    """Count a preference, once."""
    shown = study_state.next_trial(participant, number, PREFER)
    study_state.count(
        Choice(
            participant,
            number,
            shown.part,
            shown.key,
            *shown.shown,
            body.chosen,
            body.answer_ms,
        )
    )
    return VoteAnswer(right=None)


def create_app(
    study: Study,
    votes_url: str,
    showing: Showing = Showing(),  # noqa: B008 - frozen
    *,
    hosts: Iterable[str] = LOOPBACK_NAMES,
    any_address: bool = False,
    invitation: str | None = None,
    clients: Clients | None = None,
) -> FastAPI:
    """Create the application, which closes the database when it ends.

    Raise InvalidValueError, MissingExtraError, DataError if the votes cannot be opened.

    Parameters
    ----------
    hosts, any_address :
        Names by which it may be asked for; whether any IP address will do as well.
    invitation : str, optional
        What participants must bring; anybody may take part without it.
    clients : Clients, optional
        Tells whose a request is; by its address without it.
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
        telemetry=NO_TELEMETRY,
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
    # The service's own page has the tones and the type.
    app.mount("/page/service", StaticFiles(directory=SERVICE_PAGE), name="service")
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    page = render(TEMPLATES / f"{study.task}.html")
    app.add_api_route("/", lambda: HTMLResponse(page), response_model=None)
    return app


async def _of_database(request: Request, error: Exception) -> Response:
    return problem_response(Problem(503, "The vote could not be kept. Try again in a moment."))
