"""The Prometheus counters of the service."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
SECONDS = (0.01, 0.03, 0.1, 0.15, 0.3, 0.6, 1, 1.5, 3, 6, 15, 60)


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "photochrom_requests",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "photochrom_request_seconds",
            "Seconds until the response was sent.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.restarts = Counter(
            "photochrom_worker_restarts", "Worker processes replaced.", registry=self._registry
        )
        self._sessions = Gauge(
            "photochrom_sessions", "Photographs that are kept.", registry=self._registry
        )

    def count_sessions(self, count: Callable[[], float]) -> None:
        """Set the function that counts the kept photographs."""
        self._sessions.set_function(count)

    def text(self) -> bytes:
        """Return all counters in the Prometheus text format."""
        return generate_latest(self._registry)


class Meter:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and count it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, started = 500, time.perf_counter()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            # The route's template, so that ids are not labels; unknown paths share one label.
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if route != "other" else "other"
            method = method if method in METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
