"""Bodies as the routes take them: forms with few parts, JSON of whole characters."""

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
FIELD_BYTES = 4_000_000  # of a part that is no file, which is kept in memory
MOST_VALUES = 200_000  # of one body of JSON
CHARSETS = frozenset({"utf-8", "iso8859-1", "ascii"})  # as codecs names them; of Python's others
# some take quadratic time, some give what is no text


class _Request(Request):
    async def json(self) -> Any:
        """Read JSON; half a surrogate pair in it, which no UTF-8 can hold, is refused here.

        Python's own parser lets it through, and what words an error with it fails later.
        """
        _check_values(await self.body())
        found = await super().json()
        if b"\\ud" in (await self.body()).lower():
            try:
                json.dumps(found, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                said = "Text needs whole characters; half a surrogate pair came."
                raise Problem(422, said) from None
        return found

    async def _get_form(self, **options: Any) -> FormData:
        _check_charset(self.headers.get("content-type", ""))
        bounds = {
            "max_files": MOST_FILES,
            "max_fields": MOST_FIELDS,
            "max_part_size": FIELD_BYTES,
        }
        form = await super()._get_form(**{**options, **bounds})
        try:
            for _, value in form.multi_items():
                if isinstance(value, str):
                    _check_values(value)
        except Problem:
            await form.close()
            raise
        return form


def _check_values(text: str | bytes) -> None:
    """Refuse JSON of so many values that reading it would keep others waiting, before it is read.

    Between two values stands a comma; one within a text counts as well, which does no harm.
    """
    commas = text.count(",") if isinstance(text, str) else text.count(b",")
    if commas >= MOST_VALUES:
        raise Problem(413, f"At most {MOST_VALUES} values are taken in one body; these are more.")


def _check_charset(content_type: str) -> None:
    message = Message()
    message["content-type"] = content_type
    charset = message.get_param("charset", "utf-8")
    try:
        name = codecs.lookup(str(charset)).name
    except LookupError:
        return  # as Latin-1, then
    if name not in CHARSETS:
        raise Problem(400, "The text of a form needs to be UTF-8.")


class BoundedRoute(APIRoute):
    """A route whose forms are bounded, and whose JSON can be written again."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(_Request(request.scope, request.receive))

        return bounded
