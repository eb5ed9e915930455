"""The routes under /v1."""

import base64
import json
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from pydantic import Json
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from photochrom.colorization.catalogue import CATALOGUE
from photochrom.engine.sidecar import SCHEMA, Sidecar
from photochrom.options.palette import MOODS
from photochrom.photo.find import READ_SUFFIXES
from photochrom.photo.formats import FORMATS
from photochrom.photo.temporary_folders import remove
from photochrom.service import previews
from photochrom.service.clients import CLIENT
from photochrom.service.films import taken_suffixes
from photochrom.service.jobs import PROOF_PX, Done
from photochrom.service.loaded_colorizers import colorizer_of
from photochrom.service.problem_details import Problem, Responses, documented
from photochrom.service.request_bodies import BoundedRoute
from photochrom.service.schemas import (
    NUMBER,
    CandidateAnswer,
    CandidatesAnswer,
    CropBody,
    FormatName,
    GuidanceBody,
    LimitsAnswer,
    MethodAnswer,
    OutlineAnswer,
    PhotoAnswer,
    PlaceBody,
    Quality,
    ResultBody,
    Size,
    SpotBody,
    SuggestionAnswer,
    SuggestionsAnswer,
    ZipBody,
    read_float_range,
)
from photochrom.service.service import Service
from photochrom.service.sessions import Session
from photochrom.service.uploads import clean_name, coloured_name, save, sidecar_name
from photochrom.service.zip_response import ZipResponse, zip_of

CANDIDATES = 3
SMALL_PX = 400  # up to this, a preview is a thumbnail
MOST_NOTES = 4000  # characters of a header
MEDIA_TYPES = {name: f"image/{name}" for name in FORMATS}


def service_of(request: Request) -> Service:
    """Return the service that handles a request."""
    service: Service = request.app.state.service
    return service


def binary(*media_types: str, **headers: str) -> Responses:
    """Return the description of a route's file, with its headers, for FastAPI."""
    content = {t: {"schema": {"type": "string", "format": "binary"}} for t in media_types}
    described = {
        name.replace("_", "-"): {"description": text, "schema": {"type": "string"}}
        for name, text in headers.items()
    }
    return {200: {"description": "OK", "content": content, "headers": described}}


def data_url(content: bytes) -> str:
    """Return a JPEG as a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


Reached = Annotated[Service, Depends(service_of)]
PreviewSide = Annotated[
    int, Query(ge=64, le=PROOF_PX, description="Maximum length of the long side, in pixels.")
]
NOTES = {"Photochrom_Notes": "A JSON list of notes: what was repaired, lost or decided."}
COLOURED = binary(*MEDIA_TYPES.values(), **NOTES)

router = APIRouter(
    prefix="/v1",
    responses=documented(400, 401, 403, 408, 413, 422, 503),
    tags=["v1"],
    route_class=BoundedRoute,
)


@router.get("/methods")
def methods() -> list[MethodAnswer]:
    """List the methods that can colour a photograph."""
    found = (colorizer_of(name).info for name in CATALOGUE)
    return [MethodAnswer.model_validate(info, from_attributes=True) for info in found]


@router.get("/limits")
def limits(service: Reached) -> LimitsAnswer:
    """Return the limits of the service."""
    table = asdict(service.limits)
    return LimitsAnswer(
        **table,
        photos=table["sessions"],
        photo_suffixes=sorted(READ_SUFFIXES),
        film_suffixes=taken_suffixes(),
    )


@router.get("/moods")
def moods() -> dict[str, list[str]]:
    """List the moods (named palettes) and their colours."""
    return {name: list(colours) for name, colours in MOODS.items()}


@router.post("/colorize", response_class=Response, responses={**COLOURED, **documented(415)})
async def colorize(
    service: Reached,
    file: Annotated[UploadFile, File(description="The photograph.")],
    guidance: Annotated[
        Json[GuidanceBody] | None,
        Form(
            alias="wishes",
            description="Guidance as JSON, with hints in pixels of the upright photograph.",
        ),
    ] = None,
    reference: Annotated[
        UploadFile | None, File(description="A colour photograph to take colours from.")
    ] = None,
    format: Annotated[FormatName | None, Form()] = None,
    quality: Annotated[Quality | None, Form()] = None,
    float_range: Annotated[
        str | None,
        Form(
            pattern=f"^{NUMBER},{NUMBER}$",
            description="BLACK,WHITE: the values of black and white in a floating-point file.",
        ),
    ] = None,
) -> Response:
    """Colour a photograph in a single request, and return the coloured file."""
    name = clean_name(file.filename)
    given = (guidance or GuidanceBody()).model_copy(update={"reference": reference is not None})
    body = ResultBody(guidance=given, format=format, quality=quality)
    colour_source = None if reference is None else await service.read_reference(reference)
    async with AsyncExitStack() as stack:
        folder = service.sessions.new_folder()
        stack.callback(remove, folder)
        source = folder / "photo"
        await save(file, source)
        done = await stack.enter_async_context(
            service.coloured(
                source,
                name,
                colour_source,
                body,
                wait=False,
                float_range=read_float_range(float_range) if float_range else None,
            )
        )
        return _coloured_file(done, name, stack.pop_all())


@router.post("/photos", status_code=201, responses=documented(415))
async def open_photo(
    service: Reached, response: Response, file: Annotated[UploadFile, File()]
) -> PhotoAnswer:
    """Upload a photograph."""
    session = await service.open_photo(file)
    response.headers["Location"] = f"/v1/photos/{session.id}"
    return _answer(session)


@router.get("/photos/{id}", responses=documented(404))
async def describe_photo(service: Reached, id: str) -> PhotoAnswer:
    """Describe an uploaded photograph."""
    with service.sessions.hold(id) as session:
        return _answer(session)


@router.delete("/photos/{id}", status_code=204, responses=documented(404))
async def close_photo(service: Reached, id: str) -> None:
    """Delete an uploaded photograph and all files that belong to it."""
    service.sessions.close(id)


@router.get(
    "/photos/{id}/gray",
    response_class=Response,
    responses={**binary("image/jpeg"), **documented(404)},
)
async def gray(service: Reached, id: str) -> Response:
    """Return the original in gray, at preview size."""
    with service.sessions.hold(id) as session:
        content = await service.think(partial(previews.gray, session.preview))
    return Response(content, media_type="image/jpeg")


@router.get(
    "/photos/{id}/original",
    response_class=Response,
    responses={**binary("image/jpeg"), **documented(404)},
)
async def original(service: Reached, id: str) -> Response:
    """Return the original with its own colours, at preview size."""
    with service.sessions.hold(id) as session:
        content = await service.original(session)
    return Response(content, media_type="image/jpeg")


@router.post(
    "/photos/{id}/crop",
    response_class=Response,
    responses={**binary("image/jpeg"), **documented(404, 409)},
)
async def crop(service: Reached, id: str, body: CropBody) -> Response:
    """Return a crop at full size, of the coloured photograph or of the original."""
    with service.sessions.hold(id) as session:
        is_newest = session.take_turn("crop" if body.guidance else "crop as it came")
        content = await service.crop(session, body, is_newest)
    return Response(content, media_type="image/jpeg")


@router.post(
    "/photos/{id}/preview",
    response_class=Response,
    responses={
        **binary("image/jpeg", Photochrom_Milliseconds="Time taken, in milliseconds."),
        **documented(404, 409),
    },
)
async def preview(
    service: Reached, id: str, guidance: GuidanceBody, long_side_px: PreviewSide = PROOF_PX
) -> Response:
    """Return a coloured preview; a newer request of the same kind supersedes an older one.

    Requests are of the same kind if they have the same method, size and candidate.
    """
    started = time.perf_counter()
    with service.sessions.hold(id) as session:
        # A thumbnail's candidates do not supersede each other.
        candidate = guidance.candidate if long_side_px <= SMALL_PX else 0
        is_newest = session.take_turn(f"{guidance.method} {long_side_px} {candidate}")
        colour_source = (
            session.reference.sha256 if guidance.reference and session.reference else None
        )
        key = (guidance.model_dump_json(), long_side_px, colour_source)
        content = session.drawn.get(key)
        if content is None:
            request = await service.preview_request(session, guidance, long_side_px)
            content = session.drawn.keep(
                key, await service.draw(previews.preview, request, is_wanted=is_newest)
            )
    milliseconds = str(round(1000 * (time.perf_counter() - started)))
    return Response(
        content, media_type="image/jpeg", headers={"Photochrom-Milliseconds": milliseconds}
    )


@router.post("/photos/{id}/candidates", responses=documented(404, 409))
async def candidates(service: Reached, id: str, guidance: GuidanceBody) -> CandidatesAnswer:
    """Return three plausible colourings as thumbnails."""
    found = []
    with service.sessions.hold(id) as session:
        is_newest = session.take_turn("candidates")
        request = await service.preview_request(session, guidance)
        for number in range(CANDIDATES):
            other = request._replace(guidance=replace(request.guidance, candidate=number))
            content = await service.draw(previews.thumbnail, other, is_wanted=is_newest)
            found.append(CandidateAnswer(candidate=number, image=data_url(content)))
    return CandidatesAnswer(candidates=found)


@router.post("/photos/{id}/suggestions", responses=documented(404))
async def suggestions(service: Reached, id: str, spot: SpotBody) -> SuggestionsAnswer:
    """Return the likely colours of a spot, most likely first."""
    with service.sessions.hold(id) as session:
        request = await service.preview_request(session, spot.guidance)
        lightness, found = await service.draw(
            previews.suggestions, request, spot.x, spot.y, spot.radius
        )
    return SuggestionsAnswer(
        lightness=lightness,
        suggestions=[
            SuggestionAnswer(colour="#{:02x}{:02x}{:02x}".format(*s.rgb), share=s.share)
            for s in found
        ],
    )


@router.post("/photos/{id}/outline", responses=documented(404, 409))
async def outline(service: Reached, id: str, place: PlaceBody) -> OutlineAnswer:
    """Return the outline of the object at a place, for a region hint; newer requests supersede."""
    with service.sessions.hold(id) as session:
        is_newest = session.take_turn("outline")
        request = await service.preview_request(session, GuidanceBody(restore=place.restore))
        points = await service.draw(
            previews.outline, request, place.x, place.y, is_wanted=is_newest
        )
    return OutlineAnswer(points=[list(point) for point in points])


@router.post(
    "/photos/{id}/confidence",
    response_class=Response,
    responses={**binary("image/png"), **documented(404)},
)
async def confidence(service: Reached, id: str, guidance: GuidanceBody) -> Response:
    """Return a confidence map: a small gray PNG, 255 where the method is certain."""
    with service.sessions.hold(id) as session:
        request = await service.preview_request(session, guidance)
        content = await service.draw(previews.confidence, request)
    return Response(content, media_type="image/png")


@router.put("/photos/{id}/reference", status_code=204, responses=documented(404, 415))
async def put_reference(service: Reached, id: str, file: Annotated[UploadFile, File()]) -> None:
    """Upload a colour reference: a photograph to take colours from."""
    with service.sessions.hold(id) as session:
        session.reference = await service.read_reference(file)


@router.delete("/photos/{id}/reference", status_code=204, responses=documented(404))
async def delete_reference(service: Reached, id: str) -> None:
    """Delete the colour reference."""
    with service.sessions.hold(id) as session:
        session.reference = None


@router.post(
    "/photos/{id}/result",
    response_class=Response,
    responses={**COLOURED, **documented(404)},
)
async def result(service: Reached, id: str, body: ResultBody) -> Response:
    """Colour a photograph at full size, and return a file with its metadata."""
    async with AsyncExitStack() as stack:
        session = stack.enter_context(service.sessions.hold(id))
        done = await stack.enter_async_context(
            service.coloured(session.source, session.name, session.reference, body, wait=False)
        )
        return _coloured_file(done, session.name, stack.pop_all())


@router.post(
    "/photos/{id}/sidecar",
    response_class=Response,
    responses={
        200: {"description": "OK", "content": {"application/json": {"schema": SCHEMA}}},
        **documented(404),
    },
)
async def sidecar(service: Reached, id: str, guidance: GuidanceBody) -> Response:
    """Return the sidecar: method, look and guidance as JSON."""
    with service.sessions.hold(id) as session:
        decided = guidance.to_guidance(session.reference, service.limits)
        colorizer = colorizer_of(guidance.method, guidance.look)
        size = session.facts.width, session.facts.height
        text = Sidecar.of(colorizer, decided, size).to_json()
        # Starlette builds the header, which is not trivial for non-ASCII names.
        named = FileResponse(session.source, filename=sidecar_name(session.name))
    headers = {"Content-Disposition": named.headers["content-disposition"]}
    return Response(text, media_type="application/json", headers=headers)


@router.post(
    "/zip",
    response_class=Response,
    responses={**binary("application/zip"), **documented(404)},
)
async def zip_photos(service: Reached, body: ZipBody) -> Response:
    """Colour many photographs at full size, and stream them as a zip.

    Photographs that fail after the first byte are listed in the entry `not-coloured.txt`.
    """
    for entry in body.photos:
        with service.sessions.hold(entry.id) as session:
            entry.guidance.to_guidance(session.reference, service.limits)
    place = service.zips.take(CLIENT.get())
    if place is None:
        raise Problem(503, "Too many zips are being created. Try again in a minute.")
    headers = {"Content-Disposition": 'attachment; filename="photochrom.zip"'}
    response = ZipResponse(zip_of(service, body), media_type="application/zip", headers=headers)
    response.place = place
    return response


def _answer(session: Session) -> PhotoAnswer:
    height, width = session.preview.shape
    preview = Size(width=width, height=height)
    return PhotoAnswer(id=session.id, name=session.name, preview=preview, **session.facts._asdict())


class HeldFileResponse(FileResponse):
    """A response whose file is let go once it is sent or the client disconnects."""

    stack: AsyncExitStack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the part that the client asks for."""
        async with self.stack:
            await super().__call__(scope, receive, send)


class _TemporaryFileResponse(HeldFileResponse):
    """A response whose file is deleted once it is sent or the client disconnects."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The file is created for each request, so that ranges make no sense.
        kept = [pair for pair in scope["headers"] if pair[0] not in (b"range", b"if-range")]
        await super().__call__({**scope, "headers": kept}, receive, send)


def _coloured_file(done: Done, name: str, stack: AsyncExitStack) -> Response:
    notes = list(done.notes)
    while len(json.dumps(notes)) > MOST_NOTES:
        notes.pop()
    response = _TemporaryFileResponse(
        done.path,
        media_type=MEDIA_TYPES[done.format],
        filename=coloured_name(name, done.format),
        headers={"Photochrom-Notes": json.dumps(notes)},
    )
    del response.headers["accept-ranges"]
    response.stack = stack
    return response
