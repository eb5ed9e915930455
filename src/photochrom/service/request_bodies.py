"""Parsing of request bodies: forms with a limited number of parts, and valid JSON text."""

import codecs
import json
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from photochrom.service.problem_details import Problem

MOST_FILES, MOST_FIELDS = 4, 8
FIELD_BYTES = 4_000_000  # of a form part that is not a file and is kept in memory
MOST_VALUES = 200_000  # in one JSON body
# As codecs names them; of Python's other codecs, some take quadratic time, some return bytes.
CHARSETS = frozenset({"utf-8", "iso8859-1", "ascii"})


class _Request(Request):
    async def json(self) -> object:
        """Parse JSON and reject lone surrogates, which UTF-8 cannot encode.

        Python's parser accepts them, but an error message that quotes one fails later.
        """
        _check_values(await self.body())
        found = await super().json()
        if b"\\ud" in (await self.body()).lower():
            try:
                json.dumps(found, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                said = "Text must not contain lone surrogates."
                raise Problem(422, said) from None
        return found

    async def _get_form(self, **options: float) -> FormData:  # these bounds replace any given
        _check_charset(self.headers.get("content-type", ""))
        form = await super()._get_form(
            max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES
        )
        try:
            for _, value in form.multi_items():
                if isinstance(value, str):
                    _check_values(value)
        except Problem:
            await form.close()
            raise
        return form


def _check_values(text: str | bytes) -> None:
    """Reject JSON with too many values before it is parsed, since that would block other requests.

    Values are counted by commas; those within text count too, which does no harm.
    """
    commas = text.count(",") if isinstance(text, str) else text.count(b",")
    if commas >= MOST_VALUES:
        raise Problem(413, f"The body has more than {MOST_VALUES} values, the maximum. Send fewer.")


def _check_charset(content_type: str) -> None:
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset", "utf-8")
    try:
        name = codecs.lookup(str(charset)).name
    except LookupError:
        return  # it is parsed as Latin-1
    if name not in CHARSETS:
        raise Problem(400, "The text of a form must be UTF-8.")


class BoundedRoute(APIRoute):
    """A route with limited forms, and JSON that can be encoded again."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(_Request(request.scope, request.receive))

        return bounded
