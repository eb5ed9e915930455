"""The routes under /v1/videos."""

import mimetypes
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import Json

from photochrom.engine.video import Progress
from photochrom.photo.video_segments import CONTAINERS
from photochrom.service.film_schemas import (
    LATEST,
    ReferenceAnswer,
    ShotAnswer,
    ShotsAnswer,
    VideoAnswer,
    VideoBody,
)
from photochrom.service.films import Film
from photochrom.service.problem_details import Problem, Responses, documented
from photochrom.service.request_bodies import BoundedRoute
from photochrom.service.routes import HeldFileResponse, Reached, binary, data_url
from photochrom.service.service import Service
from photochrom.service.uploads import coloured_film_name

MOST_ANSWERED = 60  # shots in one answer
MEDIA_TYPES = {
    suffix: mimetypes.guess_type(f"film{suffix}")[0] or "application/octet-stream"
    for suffix in CONTAINERS
}
RESULT = binary(*dict.fromkeys(MEDIA_TYPES.values()))
PART: Responses = {206: {**RESULT[200], "description": "The part asked for."}}

router = APIRouter(
    prefix="/v1/videos",
    responses=documented(400, 401, 403, 408, 413, 422, 503),
    tags=["v1"],
    route_class=BoundedRoute,
)


@router.post("", status_code=202, responses=documented(415))
async def open_video(
    service: Reached,
    response: Response,
    file: Annotated[UploadFile, File(description="The film.")],
    options: Annotated[
        Json[VideoBody] | None, Form(description="How it is coloured, as JSON.")
    ] = None,
    start: Annotated[bool, Form(description="Colour it at once; false waits for `/job`.")] = True,
) -> VideoAnswer:
    """Upload a film and begin to colour it."""
    body = options or VideoBody()
    body.to_options(service.limits)  # before the film is stored
    film = await service.films.open(file)
    with service.films.hold(film.id):
        if start:
            _start(service, film, body)
        response.headers["Location"] = f"/v1/videos/{film.id}"
        return _answer(film)


@router.get("/{id}", responses=documented(404))
async def describe_video(service: Reached, id: str) -> VideoAnswer:
    """Describe an uploaded film and the state of its job."""
    with service.films.hold(id) as film:
        return _answer(film)


@router.delete("/{id}", status_code=204, responses=documented(404))
async def close_video(service: Reached, id: str) -> None:
    """Cancel the job, and delete the film and all files that belong to it."""
    service.films.close(id)


@router.post("/{id}/job", status_code=202, responses=documented(404))
async def start_job(service: Reached, id: str, options: VideoBody) -> VideoAnswer:
    """Begin to colour a film; an earlier job is cancelled, and its result deleted."""
    with service.films.hold(id) as film:
        _start(service, film, options)
        return _answer(film)


@router.delete("/{id}/job", status_code=204, responses=documented(404))
async def cancel_job(service: Reached, id: str) -> None:
    """Cancel the job, or delete its result; the film is kept."""
    with service.films.hold(id) as film:
        service.films.cancel(film)


@router.get(
    "/{id}/result",
    response_class=Response,
    responses={**RESULT, **PART, **documented(404, 409, 416)},
)
async def video_result(service: Reached, id: str) -> Response:
    """Return the coloured film, or the part that the header `Range` asks for."""
    async with AsyncExitStack() as stack:
        film = stack.enter_context(service.films.hold(id))
        done = film.colouring.done if film.colouring else None
        if done is None:
            raise Problem(409, "This film is not finished. Check its state, and try again later.")
        response = HeldFileResponse(
            done.path,
            media_type=MEDIA_TYPES[done.path.suffix],
            filename=coloured_film_name(film.name, done.path),
        )
        response.stack = stack.pop_all()
        return response


@router.post("/{id}/references", status_code=201, responses=documented(404, 415))
async def add_reference(
    service: Reached, id: str, file: Annotated[UploadFile, File()]
) -> ReferenceAnswer:
    """Upload a colour reference: a photograph that shots may take their colours from."""
    with service.films.hold(id) as film:
        return ReferenceAnswer(reference=film.lend(await service.read_reference(file)))


@router.get("/{id}/shots", responses=documented(404))
async def video_shots(
    service: Reached,
    id: str,
    after: Annotated[
        int, Query(ge=0, le=1_000_000, description="How many of the shots are known already.")
    ] = 0,
) -> ShotsAnswer:
    """List the shots found so far, each with its time and a picture; the first call begins."""
    with service.films.hold(id) as film:
        found, is_all = service.films.shots(film)
        part = found[after : after + MOST_ANSWERED]
        return ShotsAnswer(
            is_complete=is_all and after + len(part) >= len(found),
            shots=[
                ShotAnswer(
                    at=shot.at,
                    start=shot.start,
                    picture=data_url(shot.picture.read_bytes()),
                )
                for shot in part
            ],
        )


@router.get(
    "/{id}/frame",
    response_class=Response,
    responses={**binary("image/png"), **documented(404)},
)
async def video_frame(
    service: Reached,
    id: str,
    at: Annotated[
        float, Query(ge=0, lt=LATEST, allow_inf_nan=False, description="Seconds from the start.")
    ],
) -> Response:
    """Return the upright frame at a time, in gray, to hint it as a photograph."""
    with service.films.hold(id) as film:
        content = await service.films.frame(film, at)
    return Response(content, media_type="image/png")


def _start(service: Service, film: Film, body: VideoBody) -> None:
    options = body.to_options(service.limits, film.references)
    service.films.colour(film, body.method, body.look, options, body.suffix)


def _answer(film: Film) -> VideoAnswer:
    colouring = film.colouring
    progress = (colouring and colouring.progress) or Progress(0, 0, 0, 0.0)
    done = colouring.done if colouring else None
    fps = progress.fresh / progress.seconds if progress.seconds else 0.0
    is_running = colouring is not None and not colouring.is_done
    left = max(0, progress.expected - progress.frames) / fps if is_running and fps else None
    table = film.facts._asdict() | {
        "state": colouring.state if colouring else "uploaded",
        "problem": colouring.problem.detail if colouring and colouring.problem else None,
        "is_part": colouring.is_part if colouring else False,
        "frames": done.frames if done else progress.frames,
        "expected": progress.expected,
        "fps": fps,
        "seconds_left": left,
        "notes": list(done.notes if done else film.facts.notes),
    }
    return VideoAnswer(id=film.id, name=film.name, **table)
