"""Download from servers of others: slowly, within limits, and only what they allow.

Sources: RFC 9309 (robots.txt; a server that fails there forbids everything, one that has none
allows everything; 401 and 403 forbid, as in Python's urllib.robotparser), RFC 9110 (Retry-After).
One request at a time, and never more than so many a second to one host.

Where a server's answer leads, in a redirect or in a list of pictures, has to be an address of the
internet: each is looked up before it is asked, and the connection's own address is looked at before
anything is sent, for a name may mean another address a moment later.
"""

import email.utils
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

from photochrom.errors import InvalidValueError
from photochrom.extras import require
from photochrom.workbench.datasets.public_addresses import addresses_of, is_global, is_literal

if TYPE_CHECKING:
    import httpx2
    from protego import Protego

AGENT = "photochrom"
DIGITS = re.compile("[0-9]{1,18}")
HOME = "https://github.com/photochrom/photochrom"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}
FORBIDDEN = frozenset({"HTTP 401", "HTTP 403"})
INTERNAL = "internal address"
BUSY = frozenset({"maxlag", "ratelimited"})  # MediaWiki says so with status 200


@dataclass(frozen=True)
class FetchPolicy:
    """Limits of rate, retries, time and size.

    per_second : requests a second to one host, at most; a longer Crawl-delay of its robots.txt is
        kept
    tries : attempts at one address before it is given up for this run
    first_pause_s : before the second attempt; doubled each time, times a random factor of 0.5 to
        1.5
    longest_pause_s : a host that asks for a longer pause is left alone for this run
    connect_s, read_s, total_s : limits in seconds: to connect, between two pieces of an answer, for
        the whole of it
    largest_bytes : of one file
    redirects : followed at most
    contact : who runs this, such as a mail address: part of the user agent
    internal : whether names may lead to addresses that are not the internet's, such as one's own
        network
    """

    per_second: float = 1.0
    tries: int = 4
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    connect_s: float = 10.0
    read_s: float = 20.0
    total_s: float = 120.0
    largest_bytes: int = 50_000_000
    redirects: int = 5
    contact: str = ""
    internal: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that would mean no requests, or no end of them."""
        for name in ("per_second", "tries", "connect_s", "read_s", "total_s", "largest_bytes"):
            if not getattr(self, name) > 0:
                raise InvalidValueError(f"{name} must be above 0; got {getattr(self, name)}.")

    @property
    def user_agent(self) -> str:
        """Return the user agent: the tool, its home page, and the user's contact."""
        version = metadata.version(AGENT)  # photochrom itself imports packages above this one
        return f"{AGENT}/{version} (+{HOME}{'; ' if self.contact else ''}{self.contact})"


class NotFetchedError(Exception):
    """A download failed; the crawl handles it.

    Attributes
    ----------
    outcome : str
        In a few words that are counted, such as 'too large'.
    lasting : bool
        Whether trying again is of no use.
    wait_s : float or None
        The pause that the server asked for.
    """

    def __init__(
        self, outcome: str, detail: str = "", *, lasting: bool = True, wait_s: float | None = None
    ) -> None:
        super().__init__(f"{outcome}: {detail}")
        self.outcome, self.detail, self.lasting, self.wait_s = outcome, detail, lasting, wait_s


def host_of(url: str) -> str:
    """Return the host of an address and its port, the same however they are spelled."""
    parts = urlsplit(url)
    name = (parts.hostname or "").rstrip(".")
    host = f"[{name}]" if ":" in name else name  # of IPv6
    return host if parts.port in (None, PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


class _Pace:
    """When each host may be asked again."""

    def __init__(self, policy: FetchPolicy, sleep: Callable[[float], None]) -> None:
        self._policy, self._sleep = policy, sleep
        self._next: dict[str, float] = {}
        self._intervals: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Sleep until the host may be asked; give up if that takes too long."""
        pause = self._next.get(host, 0.0) - time.monotonic()
        if pause > self._policy.longest_pause_s:
            raise NotFetchedError(
                "told to wait", f"{host} may be asked again in {pause:.0f} s", lasting=False
            )
        if pause > 0:
            self._sleep(pause)
        interval = self._intervals.get(host, 1 / self._policy.per_second)
        self._next[host] = time.monotonic() + interval

    def postpone(self, host: str, seconds: float) -> None:
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)

    def slow_down(self, host: str, interval: float) -> None:
        self._intervals[host] = max(interval, 1 / self._policy.per_second)


class _Deadline:
    """Ends a response that takes too long, even if it arrives byte by byte.

    It notes the connection's socket when it is made, and shuts it when the time is over; and it
    refuses one that leads elsewhere than to the internet, where that is to be looked at.
    """

    def __init__(self, seconds: float, is_checked: bool = False) -> None:
        self.passed, self._is_checked = False, is_checked
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            stream = info["return_value"]
            self._socket = stream.get_extra_info("socket")
            address = str(stream.get_extra_info("server_addr")[0])
            if self._is_checked and not is_global(address):
                stream.close()
                raise NotFetchedError(INTERNAL, f"it leads to {address}")

    def _end(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError):
                # The plain socket's own way, below TLS; who reads it sees its end at once.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()


class FetchClient:
    """Fetches one address at a time.

    Raise MissingExtraError if httpx2 or protego, which come with the extra `train`, is not
    installed.
    """

    def __init__(self, policy: FetchPolicy, sleep: Callable[[float], None] = time.sleep) -> None:
        require("train", "Crawling", "httpx2", "protego")
        import httpx2
        import protego

        self.policy = policy
        self._httpx, self._parse_robots = httpx2, protego.Protego.parse
        self._pace = _Pace(policy, sleep)
        self._robots: dict[str, Protego | NotFetchedError] = {}
        self._trusted: set[str] = set()  # host and port
        self._has_proxy = bool(getproxies())
        self._client = httpx2.Client(
            headers={"User-Agent": policy.user_agent, "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(policy.read_s, connect=policy.connect_s),
            # A connection for each request, so that its deadline knows the socket.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def get(
        self,
        url: str,
        *,
        kinds: tuple[str, ...] = (),
        obey_robots: bool = True,
        trusted: bool = True,
    ) -> bytes:
        """Fetch an address, and return what it holds.

        Parameters
        ----------
        url : str
            http or https.
        kinds : tuple of str
            Beginnings of content types that are wanted, such as 'image/'; any without it.
        obey_robots : bool
            False for a published programming interface, which has terms of its own.
        trusted : bool
            Whether who runs this named the address, and not some server's answer: then its host may
            be an internal IP address, if it is written as one.
        """
        passed: list[str] = []
        if trusted:
            self.trust(url)
        while True:
            if url in passed:
                raise NotFetchedError("redirect loop", f"{url} redirects to itself")
            if len(passed) > self.policy.redirects:
                raise NotFetchedError("too many redirects", " -> ".join(passed))
            passed.append(url)
            self._check_scheme(url)
            self._check_address(url)
            if obey_robots:
                self._check_robots(url)
            answer = self._persist(url, kinds)
            if isinstance(answer, bytes):
                return answer
            url = answer

    def _check_scheme(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            scheme, host, _ = parts.scheme, parts.hostname, parts.port  # a wrong port raises
        except ValueError as error:
            raise NotFetchedError("not an address", f"{url} ({error})") from error
        if scheme not in ("http", "https") or not host:
            raise NotFetchedError("not an address", f"{url} is neither http nor https")

    def trust(self, url: str) -> None:
        """Let a host and port that somebody wrote down as an IP address be an internal one."""
        with suppress(ValueError):  # said later
            if is_literal(urlsplit(url).hostname or ""):
                self._trusted.add(host_of(url))

    def _is_free(self, url: str) -> bool:
        """Return whether any address is allowed."""
        return self.policy.internal or host_of(url) in self._trusted

    def _check_address(self, url: str) -> None:
        """Resolve a host, and refuse internal addresses."""
        if self._is_free(url):
            return
        try:
            found = addresses_of(urlsplit(url).hostname or "")
        except OSError as error:
            if self._has_proxy:  # which may know it
                return
            raise NotFetchedError("unreachable", f"{url} ({error})", lasting=False) from error
        for address in found:
            if not is_global(address):
                raise NotFetchedError(INTERNAL, f"{url} leads to {address}")

    def _check_robots(self, url: str) -> None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{host_of(url)}"
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin, host_of(url))
        rules = self._robots[origin]
        if isinstance(rules, NotFetchedError):
            raise rules
        if not rules.can_fetch(url, AGENT):
            raise NotFetchedError("robots", f"{origin}/robots.txt forbids {parts.path}")

    def _read_robots(self, origin: str, host: str) -> "Protego | NotFetchedError":
        """Return a host's rules, or why it may not be asked at all."""
        try:
            content = self.get(f"{origin}/robots.txt", obey_robots=False, trusted=False)
        except NotFetchedError as failure:
            if not failure.lasting:
                detail = f"{origin}/robots.txt: {failure}"
                return NotFetchedError("robots unknown", detail, lasting=False)
            forbidden = failure.outcome in FORBIDDEN
            content = b"User-agent: *\nDisallow: /" if forbidden else b""
        rules = self._parse_robots(content.decode("utf-8", "replace"))
        if delay := rules.crawl_delay(AGENT):
            self._pace.slow_down(host, delay)
        return rules

    def _persist(self, url: str, kinds: tuple[str, ...]) -> bytes | str:
        """Repeat a request until it succeeds, fails for good, or all attempts are used."""
        host = host_of(url)
        for attempt in range(1, self.policy.tries + 1):
            self._pace.wait(host)
            try:
                return self._ask(url, kinds)
            except NotFetchedError as failure:
                if failure.wait_s is not None:
                    self._pace.postpone(host, failure.wait_s)
                elif not failure.lasting:
                    pause = self.policy.first_pause_s * 2 ** (attempt - 1)
                    self._pace.postpone(host, pause * random.uniform(0.5, 1.5))
                if failure.lasting or attempt == self.policy.tries:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _ask(self, url: str, kinds: tuple[str, ...]) -> bytes | str:
        """Send one request; return the bytes, or the address to which it redirects."""
        httpx = self._httpx
        is_checked = not (self._is_free(url) or self._has_proxy)
        with _Deadline(self.policy.total_s, is_checked) as deadline:
            try:
                extensions = {"trace": deadline.trace}
                with self._client.stream("GET", url, extensions=extensions) as response:
                    return self._read(response, kinds, deadline)
            except httpx.InvalidURL as error:
                raise NotFetchedError("not an address", f"{url} ({error})") from error
            except httpx.DecodingError as error:
                raise NotFetchedError("broken off", f"{url} ({error})") from error
            except httpx.TransportError as error:
                raise self._failure(url, error, deadline) from error

    def _failure(self, url: str, error: Exception, deadline: _Deadline) -> NotFetchedError:
        httpx = self._httpx
        if deadline.passed or isinstance(error, httpx.TimeoutException):
            outcome = "timeout"
        elif isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
            outcome = "broken off"
        else:
            outcome = "unreachable"
        return NotFetchedError(outcome, f"{url} ({error})", lasting=False)

    def _read(
        self, response: "httpx2.Response", kinds: tuple[str, ...], deadline: _Deadline
    ) -> bytes | str:
        status, headers = response.status_code, response.headers
        if status in REDIRECTS and "location" in headers:
            return str(response.url.join(headers["location"]))
        if status != 200:
            passing = status == 429 or status >= 500
            wait_s = retry_after(headers.get("retry-after")) if passing else None
            raise NotFetchedError(
                f"HTTP {status}", str(response.url), lasting=not passing, wait_s=wait_s
            )
        if headers.get("mediawiki-api-error") in BUSY:
            wait_s = retry_after(headers.get("retry-after"))
            raise NotFetchedError("told to wait", str(response.url), lasting=False, wait_s=wait_s)
        kind = headers.get("content-type", "")
        if kinds and not kind.lower().startswith(kinds):
            raise NotFetchedError("wrong type", f"{response.url} is {kind or 'of no stated type'}")
        return self._body(response, deadline)

    def _body(self, response: "httpx2.Response", deadline: _Deadline) -> bytes:
        largest = self.policy.largest_bytes
        announced = response.headers.get("content-length", "")
        too_large = NotFetchedError("too large", f"{response.url} has more than {largest} bytes")
        if DIGITS.fullmatch(announced) and int(announced) > largest:
            raise too_large
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > largest:
                raise too_large
        if deadline.passed:
            raise NotFetchedError("timeout", str(response.url), lasting=False)
        return bytes(content)


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date; None without."""
    if value is None:
        return None
    if DIGITS.fullmatch(value.strip()):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):  # as the parser meets nonsense
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
