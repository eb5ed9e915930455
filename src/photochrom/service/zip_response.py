"""Stream a zip of photographs, coloured one after another."""

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from photochrom.errors import PhotochromError
from photochrom.service.problem_details import Problem
from photochrom.service.schemas import (
    ResultBody,
    ZipBody,
)
from photochrom.service.service import Service
from photochrom.service.shared_slots import SharedSlot
from photochrom.service.uploads import coloured_name
from photochrom.service.zip_stream import ZipStream


class ZipResponse(StreamingResponse):
    """A zip whose slot is released once it is sent or the client disconnects."""

    place: SharedSlot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the zip; release its slot in any case."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.place.leave()


async def zip_of(service: Service, whole: ZipBody) -> AsyncIterator[bytes]:
    """Yield the bytes of a zip while its photographs are coloured, one after another."""
    stream, failures = ZipStream(), []
    for entry in whole.photos:
        name = entry.id
        try:
            with service.sessions.hold(entry.id) as session:
                name = session.name
                body = ResultBody(
                    guidance=entry.guidance,
                    format=whole.format,
                    quality=whole.quality,
                    long_side_px=whole.long_side_px,
                )
                async with service.coloured(
                    session.source, name, session.reference, body, wait=True
                ) as done:
                    for piece in stream.add(coloured_name(name, done.format), done.path):
                        yield piece
        except PhotochromError as error:
            failures.append(str(error))
        except Problem as problem:
            failures.append(f"{name}: {problem.detail}")
    if failures:
        stream.add_text("not-coloured.txt", "\n".join(failures) + "\n")
    yield stream.end()
