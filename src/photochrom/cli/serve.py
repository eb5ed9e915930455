"""`photochrom serve`."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.errors import MissingExtraError
from photochrom.extras import how_to_install

Positive = Parameter(validator=Number(gt=0))


def serve(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8000,
    browser: bool = True,
    api_key: Annotated[str | None, Parameter(env_var="PHOTOCHROM_API_KEY")] = None,
    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    max_megabytes: Annotated[float, Positive] = 200.0,
    max_megapixels: Annotated[float, Positive] = 200.0,
    max_hints: Annotated[int, Positive] = 1000,
    max_photos: Annotated[int, Positive] = 32,
    keep_minutes: Annotated[float, Positive] = 60.0,
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], validator=Number(gt=0))] = 2,
    queue: Annotated[int, Positive] = 16,
    job_seconds: Annotated[float, Positive] = 120.0,
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
    allow_host : tuple of str
        Another name by which the service may be asked for, behind a proxy; may be given many times.
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
    """
    try:
        from photochrom.web.server import serve as run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("photochrom"):
            raise
        raise MissingExtraError(
            f"The service needs {error.name}, which is not installed. {how_to_install('serve')}"
        ) from error
    from photochrom.web.limits import Limits

    limits = Limits(
        upload_bytes=int(max_megabytes * 1e6),
        megapixels=max_megapixels,
        hints=max_hints,
        sessions=max_photos,
        session_seconds=keep_minutes * 60,
        jobs=jobs,
        queue=queue,
        job_seconds=job_seconds,
    )
    run(host, port, limits, api_key=api_key, allow_hosts=allow_host, browser=browser)
