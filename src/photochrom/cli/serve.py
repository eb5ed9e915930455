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
    keep_minutes: Annotated[float, Positive] = 60.0,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], validator=Number(gt=0))] = 2,
    queue: Annotated[int, Positive] = 16,
    job_seconds: Annotated[float, Positive] = 120.0,
    job_megabytes: Annotated[float, Positive] = 3000.0,
) -> None:
    """Serve the page and the HTTP service on this machine, and open the browser.

    Parameters
    ----------
    host : str
        Address to bind. Another than this machine's own needs an API key.
    port : int
        The next free one is taken if it is busy.
    browser : bool
        Open the page.
    api_key : str
        What clients must send as `Authorization: Bearer KEY`. Other users of this machine can read
        it on the command line; set PHOTOCHROM_API_KEY instead.
    api_keys : Path
        A file of such keys, one a line, instead of the one; each is a client that gets a fair share
        of the service.
    allow_host : tuple of str
        Another name by which the service may be asked for, behind a proxy; may be given many times.
    proxy : tuple of str
        Address or network of a proxy that is believed when it names the client; may be given many
        times. Without it, all who come through a proxy are one client.
    client_header : str
        The header in which the proxy names the client.
    max_megabytes : float
        Of one upload.
    max_megapixels : float
        Of one photograph, all its pages together.
    max_hints : int
        Of one photograph.
    max_photos : int
        Photographs kept at once; the least recently used goes first.
    keep_minutes : float
        A photograph that nobody asks for is kept so long.
    jobs : int
        Photographs in work at once, each in a process.
    queue : int
        Requests that may wait for their turn; others are told to come again.
    job_seconds : float
        A photograph that takes longer is given up.
    job_megabytes : float
        Memory that the work on one photograph may take, on Linux.
    """
    require("serve", "The service", "fastapi", "prometheus_client", "uvicorn")
    from photochrom.service.limits import Limits
    from photochrom.service.server import serve as run

    limits = Limits(
        upload_bytes=int(max_megabytes * 1e6),
        megapixels=max_megapixels,
        hints=max_hints,
        sessions=max_photos,
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
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidValueError(f"{file}: the API keys cannot be read ({error}).") from error
    keys = [line.strip() for line in lines if line.strip()]
    if not keys or len(set(keys)) < len(keys):
        raise InvalidValueError(f"{file}: needs one API key a line, each once; it has {len(keys)}.")
    return keys
