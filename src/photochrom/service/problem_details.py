"""Every failure as application/problem+json (RFC 9457), with the engine's own sentence."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from photochrom.errors import (
    MethodOutputError,
    PhotochromError,
    PhotoTooLargeError,
    UnsupportedFormatError,
    UnwritablePhotoError,
    WeightsError,
)

MEDIA_TYPE = "application/problem+json"
MOST_SAID = 3  # of the fields that are wrong
RETRY_SECONDS = 1

# On every answer. The page brings its own scripts and styles, and nothing may frame it.
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# What is not named here is the request's fault: 422.
STATUSES: dict[type[PhotochromError], int] = {
    PhotoTooLargeError: 413,
    UnsupportedFormatError: 415,
    MethodOutputError: 503,
    UnwritablePhotoError: 503,  # the service's own disk
    WeightsError: 503,
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was needed, what came, what to do."},
    },
}


class Problem(HTTPException):
    """A refusal that names its status."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            named.setdefault("Retry-After", str(RETRY_SECONDS))
        super().__init__(status, detail, named)


def no_room(error: OSError) -> Problem:
    """Say that the service's own disk failed it."""
    return Problem(503, f"The file cannot be kept ({error.strerror}). Try again later.")


def problem_response(problem: HTTPException) -> Response:
    """Return a problem as an answer."""
    status = problem.status_code
    table = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": problem.detail,
    }
    # ASCII alone: a name may hold half a surrogate pair, which UTF-8 cannot.
    return Response(
        json.dumps(table), status, {**SAFE_HEADERS, **(problem.headers or {})}, MEDIA_TYPE
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems a route may answer with, as FastAPI takes them."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def install_problems(app: FastAPI) -> None:
    """Answer every exception that leaves a route with a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(PhotochromError, _of_engine)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(ClientDisconnect, _of_nobody)
    app.add_exception_handler(Exception, _of_anything)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # a form is kept on disk while it is parsed
        error = no_room(error.__cause__)
    return problem_response(error)


async def _of_engine(request: Request, error: Exception) -> Response:
    status = next((s for kind, s in STATUSES.items() if isinstance(error, kind)), 422)
    return problem_response(Problem(status, str(error)))


async def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = [
        f"{'.'.join(str(part) for part in e['loc'] if part != 'body') or 'body'}: {e['msg']}"
        for e in error.errors()
    ]
    more = f" ({len(said) - MOST_SAID} more)" if len(said) > MOST_SAID else ""
    return problem_response(Problem(422, "; ".join(said[:MOST_SAID]) + more))


async def _of_nobody(request: Request, error: Exception) -> Response:
    """Answer a client that has gone in the middle of its body: no failure of the service's."""
    return problem_response(Problem(400, "The request broke off."))


async def _of_anything(request: Request, error: Exception) -> Response:
    return problem_response(Problem(500, "The service failed; its log says where. Try again."))
