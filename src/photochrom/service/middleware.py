"""Access checks and body limits, applied before a body is parsed.

A page of another site can post a form to localhost, and a name that it owns can resolve to
127.0.0.1; so Host, Origin and Sec-Fetch-Site are checked here, on every request.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photochrom.service.clients import CLIENT, Clients, matching_key, parsed
from photochrom.service.limits import Limits
from photochrom.service.problem_details import SAFE_HEADERS, Problem, problem_response
from photochrom.service.shared_slots import SharedSlot, SharedSlots

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none", None})  # None: no browser, or an old one
LENGTH = re.compile("[0-9]{1,18}")
FILMS = "/v1/videos"  # the route that takes films
# A rejected body is still read for this long, so that the client reads the response.
DRAIN_SECONDS = 5.0


class AccessMiddleware:
    """ASGI middleware that checks the origin of a request and its API key.

    Parameters
    ----------
    app : ASGIApp
    hosts : iterable of str
        Host names to answer to, without a port.
    any_address : bool
        Whether to answer to any IP address too; only names can be rebound.
    api_key : str or sequence of str, optional
        Key required as `Authorization: Bearer` for all but the page and /healthz. Of several keys,
        each is a client; otherwise each address is.
    clients : Clients, optional
        Identifies the client of a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        any_address: bool,
        api_key: str | Sequence[str] | None,
        clients: Clients | None = None,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._any_address = any_address
        self._keys = (api_key,) if isinstance(api_key, str) else tuple(api_key or ())
        self._clients = clients or Clients()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or reject it; either way, add the response headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFE_HEADERS)
                caching = "no-cache" if _is_of_page(scope["path"]) else "no-store"
                headers.setdefault("Cache-Control", caching)
            await send(message)

        headers = Headers(scope=scope)
        key = self._key_of(headers)
        by_key = key is not None and len(self._keys) > 1
        CLIENT.set(f"key {key}" if by_key else self._clients.name(scope))
        problem = self._problem_of(scope, headers, key)
        if problem is None:
            return await self._app(scope, receive, safe)
        await problem_response(problem)(scope, receive, safe)

    def _key_of(self, headers: Headers) -> int | None:
        """Return the index of the request's key, if it is valid."""
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if not self._keys or scheme.lower() != "bearer":
            return None
        return matching_key(self._keys, sent.strip().encode("latin-1"))  # as decoded by ASGI

    def _problem_of(self, scope: Scope, headers: Headers, key: int | None) -> Problem | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            shown = "".join(c for c in host[:80] if c.isprintable())
            return Problem(
                403,
                f"This service does not answer to the name '{shown}'. Use the address that "
                "it printed, or allow the name with --allow-host.",
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        # The browser's same-origin is more reliable than Host, which a proxy may rewrite.
        if origin is not None and site != "same-origin" and not _is_origin_of(origin, host):
            return Problem(403, "Pages of other sites may not use this service.")
        if scope["method"] not in SAFE_METHODS and site not in OWN_SITES:
            return Problem(403, "Pages of other sites may not change anything here.")
        is_open = scope["path"] == "/healthz" or _is_of_page(scope["path"])
        if self._keys and key is None and not is_open:
            return Problem(
                401,
                "This service needs an API key. Send it as 'Authorization: Bearer KEY'.",
                WWW_Authenticate="Bearer",
            )
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(f"//{host}")
        if name is None:
            return False
        return name in self._hosts or (self._any_address and parsed(name) is not None)


def _is_origin_of(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_of_page(path: str) -> bool:
    return path == "/" or path.startswith("/page/")


class BodyLimits:
    """ASGI middleware that limits the size and duration of bodies before they are parsed.

    Parameters
    ----------
    app : ASGIApp
    limits : Limits
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._film_limits = replace(
            limits, upload_bytes=limits.film_bytes, body_seconds=limits.film_upload_seconds
        )
        self._uploads = SharedSlots(limits.uploads)
        self._film_uploads = SharedSlots(limits.films)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request with a body that is limited in size and time."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        has_files = _takes_files(scope["path"]) and headers.get(
            "content-type", ""
        ).lower().startswith("multipart/form-data")
        is_film = scope["path"] == FILMS
        limits = self._film_limits if is_film else self._limits
        most = limits.upload_bytes if has_files else limits.json_bytes
        body = _Body(receive, most, limits)
        problem = _early_problem(headers, most)
        if problem is None and has_files:
            uploads = self._film_uploads if is_film else self._uploads
            body.place = uploads.take(CLIENT.get(), body.give_up)
            problem = None if body.place else _too_many()
        if problem is not None:
            await body.drain()
            return await problem_response(problem)(scope, receive, send)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.end()


class _Body:
    """One body, with its bytes and seconds so far."""

    def __init__(self, receive: Receive, most: int, limits: Limits) -> None:
        self._receive, self._most, self._limits = receive, most, limits
        self._deadline = time.monotonic() + limits.body_seconds
        self._bytes = 0
        self._is_whole = self._is_given_up = False
        self._timeout: asyncio.Timeout | None = None
        self._window = time.monotonic(), 0  # start of the rate measurement, bytes before it
        self.place: SharedSlot | None = None

    async def receive(self) -> Message:
        """Return the next piece; Problem if it is too large or slow, or its slot is needed."""
        if self._is_whole:  # the next message says that the client has disconnected
            return await self._receive()
        message = await self._next()
        self._bytes += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._is_whole = True
            self.end()
        if self._bytes > self._most:
            await self.drain()
            raise _too_large(self._most)
        self._check_rate()
        return message

    async def _next(self) -> Message:
        pause = self._limits.pause_seconds
        pause = pause if self._bytes else min(pause, self._limits.start_seconds)
        left = min(pause, self._deadline - time.monotonic())
        try:
            async with asyncio.timeout(max(0.0, left)) as self._timeout:
                if self._is_given_up:
                    raise TimeoutError
                return await self._receive()
        except TimeoutError:
            self.end()
            raise (_too_many() if self._is_given_up else _too_slow()) from None
        finally:
            self._timeout = None

    def _check_rate(self) -> None:
        """Reject a body whose rate falls below the minimum."""
        (since, before), now = self._window, time.monotonic()
        seconds = now - since
        if self._is_whole or seconds < self._limits.pause_seconds:
            return
        if self._bytes - before < self._limits.body_rate * seconds:
            self.end()
            raise _too_slow()
        self._window = now, self._bytes

    def give_up(self) -> None:
        """End the body: its slot was given to another client."""
        self._is_given_up = True
        if self._timeout is not None:
            self._timeout.reschedule(0.0)

    async def drain(self) -> None:
        """Read the rest of the body for a while: a client that sends does not read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._is_whole:
                    message = await self._receive()
                    self._is_whole = not message.get("more_body", False)
        self._is_whole = True
        self.end()

    def end(self) -> None:
        """Release the slot: nothing more is received."""
        if self.place is not None:
            self.place.leave()
            self.place = None


def _early_problem(headers: Headers, most: int) -> Problem | None:
    length = headers.get("content-length", "0")
    if not LENGTH.fullmatch(length):
        return Problem(400, "Content-Length must be a number.", Connection="close")
    return _too_large(most) if int(length) > most else None


def _takes_files(path: str) -> bool:
    """Return whether a route reads a form with files; all others read their body at once."""
    return (
        path in ("/v1/colorize", "/v1/photos", FILMS)
        or (path.startswith("/v1/photos/") and path.endswith("/reference"))
        or (path.startswith(f"{FILMS}/") and path.endswith("/references"))
    )


def _too_slow() -> Problem:
    return Problem(408, "The upload was too slow and was cancelled. Try again.", Connection="close")


def _too_many() -> Problem:
    return Problem(
        503,
        "The service is receiving too many files. Try again soon.",
        Connection="close",
    )


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        f"At most {most / 1e6:g} MB are accepted; this is more. Send a smaller file.",
        Connection="close",
    )
