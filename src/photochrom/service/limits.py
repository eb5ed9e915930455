"""The limits of the service."""

from dataclasses import dataclass

from photochrom.errors import InvalidValueError
from photochrom.options.hint import MOST_HINTS


@dataclass(frozen=True)
class Limits:
    """Limits for all requests.

    Attributes
    ----------
    upload_bytes, json_bytes : int
        Maximum size of a body with files; of any other body.
    megapixels : float
        Maximum for all pages of a photograph together.
    hints, points : int
        Hints of one request, and points of all its hints together.
    sessions : int
        Photographs kept at once; the least recently used is removed first.
    session_seconds : float
        Time for which an unused photograph is kept.
    jobs, queue : int
        Concurrent jobs, in the workers and in the service each; requests that may wait for them.
    uploads : int
        Bodies with files received at once.
    spare_jobs : int
        Number of jobs reserved for others when one client could use all.
    job_seconds : float
        Maximum time for one file in a worker.
    job_bytes : int
        Maximum memory of a worker, on Linux.
    zips, zips_each : int
        Zips sent at once, to all clients and to one.
    results : int
        Coloured files created and sent at once, not counting zips.
    connections : int
        Open connections; fewer if the limit on open files is low.
    start_seconds : float
        Timeout for the head of a request, and for the first byte of its body.
    body_seconds, pause_seconds : float
        Timeout for a whole body, and between two pieces of it.
    body_rate : float
        Minimum rate of a body in bytes per second, measured over `pause_seconds`.
    send_seconds : float
        Timeout for a response that the client does not read.
    film_bytes : int
        Maximum size of a body with a film.
    films : int
        Films kept at once, and received at once; the least recently used one without a job is
        removed first.
    film_upload_seconds, film_seconds : float
        Timeout for a whole body with a film; maximum time for colouring one.

    Raises
    ------
    InvalidValueError
        If one is not above 0, or `hints` exceeds the engine's limit.
    """

    upload_bytes: int = 200_000_000
    json_bytes: int = 4_000_000
    megapixels: float = 200.0
    hints: int = 1000
    points: int = 20_000
    sessions: int = 32
    session_seconds: float = 3600.0
    jobs: int = 2
    queue: int = 16
    uploads: int = 16
    spare_jobs: int = 1
    job_seconds: float = 120.0
    job_bytes: int = 3_000_000_000
    zips: int = 8
    zips_each: int = 2
    results: int = 32
    connections: int = 512
    start_seconds: float = 10.0
    body_seconds: float = 300.0
    pause_seconds: float = 20.0
    body_rate: float = 1000.0
    send_seconds: float = 60.0
    film_bytes: int = 2_000_000_000
    films: int = 4
    film_upload_seconds: float = 3600.0
    film_seconds: float = 43_200.0

    def __post_init__(self) -> None:
        if self.spare_jobs < 0:
            raise InvalidValueError(f"spare_jobs must be 0 or more; got {self.spare_jobs}.")
        for name, value in self.__dict__.items():
            if not value > 0 and name != "spare_jobs":
                raise InvalidValueError(f"{name} must be above 0; got {value}.")
        if self.hints > MOST_HINTS:
            raise InvalidValueError(f"hints must be at most {MOST_HINTS}; got {self.hints}.")
