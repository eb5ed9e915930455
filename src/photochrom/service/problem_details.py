"""Errors as application/problem+json (RFC 9457), with the engine's message."""

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
MOST_SAID = 3  # invalid fields that a message names
RETRY_SECONDS = 1

# On every response. The page has its own scripts and styles, and must not be framed.
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; "
        "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# All other errors are caused by the request: 422.
STATUSES: dict[type[PhotochromError], int] = {
    PhotoTooLargeError: 413,
    UnsupportedFormatError: 415,
    MethodOutputError: 503,
    UnwritablePhotoError: 503,  # a failure of the service's disk
    WeightsError: 503,
}

Responses = dict[int | str, dict[str, Any]]  # the description of answers for FastAPI

SCHEMA: dict[str, object] = {
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
    """An error with an HTTP status."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            named.setdefault("Retry-After", str(RETRY_SECONDS))
        super().__init__(status, detail, named)


def no_room(error: OSError) -> Problem:
    """Return the problem for a failure of the service's disk."""
    return Problem(503, f"The file cannot be stored ({error.strerror}). Try again later.")


def problem_response(problem: HTTPException) -> Response:
    """Return a problem as a response."""
    status = problem.status_code
    table = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": problem.detail,
    }
    # ASCII only: a name may contain a lone surrogate, which UTF-8 cannot encode.
    return Response(
        json.dumps(table), status, {**SAFE_HEADERS, **(problem.headers or {})}, MEDIA_TYPE
    )


def documented(*statuses: int) -> Responses:
    """Return the description of a route's problems for FastAPI."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def install_problems(app: FastAPI) -> None:
    """Register handlers that turn every exception of a route into a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(PhotochromError, _of_engine)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(ClientDisconnect, _of_nobody)
    app.add_exception_handler(Exception, _of_anything)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # a form is stored on disk while it is parsed
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
    """Handle a client that disconnected within its body: not an error of the service."""
    return problem_response(Problem(400, "The request ended too early. Send it again."))


async def _of_anything(request: Request, error: Exception) -> Response:
    return problem_response(Problem(500, "The service failed; see its log. Try again."))
