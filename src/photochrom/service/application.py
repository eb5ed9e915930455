"""The service as an ASGI application: the page, the routes and the middleware."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from photochrom._version import __version__
from photochrom.service.clients import Clients
from photochrom.service.counters import Meter
from photochrom.service.film_routes import router as films
from photochrom.service.limits import Limits
from photochrom.service.middleware import LOOPBACK_NAMES, AccessMiddleware, BodyLimits
from photochrom.service.problem_details import SCHEMA, Problem, documented, install_problems
from photochrom.service.routes import router
from photochrom.service.schemas import HealthAnswer
from photochrom.service.service import Service

PAGE = Path(__file__).parent / "page"
DESCRIPTION = (
    "Colours black-and-white photographs at full size with unchanged lightness. Coordinates are "
    "pixels of the upright full-size photograph, x right and y down. Errors are problem details "
    "(RFC 9457)."
)


# FastAPI exports traces, with requests in them, to an address that the environment names. An older
# one keeps this as an extra and exports nothing.
NO_TELEMETRY: Any = dict.fromkeys(
    ("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False
)


class _Described(FastAPI):
    """An application whose OpenAPI description includes problem details and the API key."""

    needs_key = False

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schema["components"]["schemas"]["Problem"] = SCHEMA
            if self.needs_key:
                bearer = {"type": "http", "scheme": "bearer"}
                schema["components"]["securitySchemes"] = {"key": bearer}
                schema["security"] = [{"key": []}]
        return super().openapi()


def create_app(
    limits: Limits = Limits(),  # noqa: B008 - frozen
    *,
    api_key: str | Sequence[str] | None = None,
    hosts: Iterable[str] = LOOPBACK_NAMES,
    any_address: bool = False,
    clients: Clients | None = None,
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    limits : Limits
    api_key : str or sequence of str, optional
        Keys that clients must send; without any, no key is required.
    hosts : iterable of str
        Host names to answer to.
    any_address : bool
        Whether to answer to any IP address too.
    clients : Clients, optional
        Identifies the client of a request; by address if not given.
    """
    service = Service(limits)
    app = _Described(
        title="photochrom",
        version=__version__,
        description=DESCRIPTION,
        lifespan=service.run,
        docs_url=None,  # both pages load scripts from other hosts
        redoc_url=None,
        telemetry=NO_TELEMETRY,
        middleware=[
            Middleware(Meter, metrics=service.metrics),
            Middleware(
                AccessMiddleware,
                hosts=hosts,
                any_address=any_address,
                api_key=api_key,
                clients=clients,
            ),
            Middleware(BodyLimits, limits=limits),
        ],
    )
    app.needs_key = api_key is not None
    app.state.service = service
    install_problems(app)
    app.include_router(router)
    app.include_router(films)
    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False), name="page")
    _add_plain_routes(app, service)
    return app


def _add_plain_routes(app: FastAPI, service: Service) -> None:
    text = {"schema": {"type": "string"}}

    @app.get(
        "/",
        response_class=Response,
        responses={200: {"content": {"text/html": text}}, **documented(403, 404)},
        openapi_extra={"security": []},
    )
    def page(request: Request) -> Response:
        """Return the web page."""
        index = PAGE / "index.html"
        if not index.is_file():
            raise Problem(404, "This installation has no page.")
        return FileResponse(index)

    @app.get("/healthz", responses=documented(403), openapi_extra={"security": []})
    async def health() -> HealthAnswer:
        """Report that the service is running."""
        return HealthAnswer(version=__version__)

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": text}}, **documented(401, 403)},
    )
    async def metrics() -> Response:
        """Return the counters in the Prometheus text format."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
