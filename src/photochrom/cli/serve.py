"""`photochrom serve`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.errors import InvalidValueError
from photochrom.extras import require

Positive = Parameter(validator=Number(gt=0))


def serve(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000,
    browser: bool = True,
    api_key: Annotated[str | None, Parameter(env_var="PHOTOCHROM_API_KEY")] = None,
    api_keys: Annotated[Path | None, Parameter(env_var="PHOTOCHROM_API_KEYS")] = None,
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    proxy: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    client_header: str = "X-Forwarded-For",
    max_megabytes: Annotated[float, Positive] = 200.0,
    max_megapixels: Annotated[float, Positive] = 200.0,
    max_hints: Annotated[int, Positive] = 1000,
    max_photos: Annotated[int, Positive] = 32,
    max_film_megabytes: Annotated[float, Positive] = 2000.0,
    max_films: Annotated[int, Positive] = 4,
    keep_minutes: Annotated[float, Positive] = 60.0,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], validator=Number(gt=0))] = 2,
    queue: Annotated[int, Positive] = 16,
    job_seconds: Annotated[float, Positive] = 120.0,
    job_megabytes: Annotated[float, Positive] = 3000.0,
) -> None:
    """Serve the web page and the HTTP service on this machine, and open the browser.

    Parameters
    ----------
    host : str
        Address to bind. Any address other than loopback needs an API key.
    port : int
        Port to bind; if it is busy, the next free one is used.
    browser : bool
        Open the page in the browser.
    api_key : str
        Key that clients must send as `Authorization: Bearer KEY`. Other users of this machine can
        see the command line; set PHOTOCHROM_API_KEY instead.
    api_keys : Path
        A file of API keys, one per line, instead of a single key; each key is a client with a fair
        share of the service.
    allow_host : tuple of str
        Another host name to answer to, behind a proxy; can be repeated.
    proxy : tuple of str
        Address or network of a trusted proxy, whose client header is used; can be repeated.
        Otherwise all requests through a proxy count as one client.
    client_header : str
        The header in which the proxy gives the client's address.
    max_megabytes : float
        Maximum size of one upload.
    max_megapixels : float
        Maximum size of one photograph, all its pages together.
    max_hints : int
        Maximum number of hints for one photograph.
    max_photos : int
        Maximum number of photographs kept; the least recently used is removed first.
    max_film_megabytes : float
        Maximum size of one film.
    max_films : int
        Maximum number of films kept; the least recently used one without a job is removed first.
    keep_minutes : float
        Minutes for which an unused photograph is kept.
    jobs : int
        Photographs coloured at the same time, each in its own process.
    queue : int
        Maximum number of waiting requests; further ones are asked to try again.
    job_seconds : float
        Seconds after which work on a photograph is abandoned.
    job_megabytes : float
        Maximum memory for the work on one photograph, on Linux.
    """
    require("serve", "The service", "fastapi", "prometheus_client", "uvicorn")
    from photochrom.service.limits import Limits
    from photochrom.service.server import serve as run

    limits = Limits(
        upload_bytes=int(max_megabytes * 1e6),
        megapixels=max_megapixels,
        hints=max_hints,
        sessions=max_photos,
        film_bytes=int(max_film_megabytes * 1e6),
        films=max_films,
        session_seconds=keep_minutes * 60,
        jobs=jobs,
        queue=queue,
        job_seconds=job_seconds,
        job_bytes=int(job_megabytes * 1e6),
    )
    run(
        host,
        port,
        limits,
        api_key=api_key if api_keys is None else _read_keys(api_keys),
        allow_hosts=allow_host,
        proxies=proxy,
        client_header=client_header,
        browser=browser,
    )


def _read_keys(file: Path) -> list[str]:
    from photochrom.photo.given_files import read_given_text

    try:
        lines = read_given_text(file).splitlines()
    except (OSError, ValueError) as error:
        raise InvalidValueError(f"{file}: cannot read the API keys ({error}).") from error
    keys = [line.strip() for line in lines if line.strip()]
    if not keys or len(set(keys)) < len(keys):
        raise InvalidValueError(
            f"{file}: needs one or more API keys, one per line, without duplicates; "
            f"it has {len(keys)}."
        )
    return keys
