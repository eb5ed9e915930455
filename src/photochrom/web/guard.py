"""Who may ask, and how much may be sent: checked before anything of a body is understood.

A page of another site can post a form to localhost, and a name that it owns can resolve to
127.0.0.1; so Host, Origin and Sec-Fetch-Site are checked here, on every request.
"""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hmac import compare_digest
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photochrom.web.limits import Limits
from photochrom.web.problems import SAFE_HEADERS, Problem, problem_response

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none", None})  # None: no browser, or an old one
DRAIN_SECONDS = 5.0  # a refused body is still taken in for so long, so that the answer is read


class Guard:
    """ASGI middleware that checks where a request comes from and whether it has the key.

    Parameters
    ----------
    app : ASGIApp
    hosts : iterable of str
        Names by which the service may be asked for, without a port.
    any_address : bool
        Whether it may also be asked for by any IP address; only names can be rebound.
    api_key : str, optional
        What `Authorization: Bearer` must bring for all but the page and /healthz.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], any_address: bool, api_key: str | None
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._any_address, self._api_key = any_address, api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; either way the answer gets its headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFE_HEADERS)
                headers.setdefault("Cache-Control", _caching(scope["path"]))
            await send(message)

        problem = self._problem_of(scope)
        if problem is None:
            return await self._app(scope, receive, safe)
        await problem_response(problem)(scope, receive, safe)

    def _problem_of(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return Problem(
                403,
                f"This service does not answer to the name '{_shown(host)}'. Use the address that "
                "it printed, or allow the name with --allow-host.",
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        # A browser that says same-origin knows it better than Host does, which a proxy may rewrite.
        if origin is not None and site != "same-origin" and not _is_origin_of(origin, host):
            return Problem(403, "Pages of other sites may not use this service.")
        if scope["method"] not in SAFE_METHODS and site not in OWN_SITES:
            return Problem(403, "Pages of other sites may not change anything here.")
        if self._api_key is not None and _needs_key(scope["path"]):
            scheme, _, sent = headers.get("authorization", "").partition(" ")
            key = sent.strip().encode("latin-1")  # as ASGI decoded it
            if scheme.lower() != "bearer" or not compare_digest(key, self._api_key.encode()):
                return Problem(
                    401,
                    "This service needs its API key, as 'Authorization: Bearer KEY'.",
                    WWW_Authenticate="Bearer",
                )
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(f"//{host}")
        if name is None:
            return False
        return name in self._hosts or (self._any_address and _is_address(name))


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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _shown(host: str) -> str:
    return "".join(c for c in host[:80] if c.isprintable())


def _needs_key(path: str) -> bool:
    return not (path in ("/", "/healthz") or path.startswith("/page/"))


def _caching(path: str) -> str:
    return "no-cache" if path == "/" or path.startswith("/page/") else "no-store"


class BodyLimits:
    """ASGI middleware that counts and times bodies as they come, before they are parsed.

    Parameters
    ----------
    app : ASGIApp
    limits : Limits
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a body that refuses to be too long or too slow."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        has_files = _takes_files(scope["path"]) and headers.get(
            "content-type", ""
        ).lower().startswith("multipart/form-data")
        most = self._limits.upload_bytes if has_files else self._limits.json_bytes
        body = _Body(receive, most, self._limits)
        problem = self._early_problem(headers, most, has_files)
        if problem is not None:
            await body.drain()
            return await problem_response(problem)(scope, receive, send)
        self._uploads += has_files
        body.on_end = lambda: self._end_upload(has_files)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.end()

    def _early_problem(self, headers: Headers, most: int, has_files: bool) -> Problem | None:
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return Problem(400, "Content-Length must be a number.", Connection="close")
        if int(length) > most:
            return _too_large(most)
        if has_files and self._uploads >= self._limits.uploads:
            return Problem(503, "The service receives as many files as it takes. Try again soon.")
        return None

    def _end_upload(self, has_files: bool) -> None:
        self._uploads -= has_files


class _Body:
    """One body: bytes and seconds so far."""

    def __init__(self, receive: Receive, most: int, limits: Limits) -> None:
        self._receive, self._most, self._pause = receive, most, limits.pause_seconds
        self._deadline = time.monotonic() + limits.body_seconds
        self._bytes = 0
        self._is_whole = False
        self._has_ended = False
        self.on_end: Callable[[], None] = lambda: None

    async def receive(self) -> Message:
        """Give the next piece.

        Raises
        ------
        Problem
            413 if it is too long, 408 if it is too slow.
        """
        if self._is_whole:  # what follows is the news that the client has gone
            return await self._receive()
        left = min(self._pause, self._deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, left))
        except TimeoutError:
            self.end()
            raise Problem(
                408, "The upload was too slow and was given up. Try again.", Connection="close"
            ) from None
        self._bytes += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._is_whole = True
            self.end()
        if self._bytes > self._most:
            await self.drain()
            raise _too_large(self._most)
        return message

    async def drain(self) -> None:
        """Take in what is still being sent, for a while: who sends does not read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._is_whole:
                    message = await self._receive()
                    self._is_whole = not message.get("more_body", False)
        self._is_whole = True
        self.end()

    def end(self) -> None:
        """Say once that nothing more is received."""
        if not self._has_ended:
            self._has_ended = True
            self.on_end()


def _takes_files(path: str) -> bool:
    """Tell whether a route reads a form with files; all others read their bodies whole."""
    return path in ("/v1/colorize", "/v1/photos") or (
        path.startswith("/v1/photos/") and path.endswith("/reference")
    )


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        f"At most {most / 1e6:g} MB are taken; this is more. Send a smaller file.",
        Connection="close",
    )
