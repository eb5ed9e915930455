"""What the service takes, and how much of it at once."""

from dataclasses import dataclass

from photochrom.errors import InvalidValueError
from photochrom.options.hint import MOST_HINTS


@dataclass(frozen=True)
class Limits:
    """Bounds that hold for every request.

    Attributes
    ----------
    upload_bytes, json_bytes : int
        Of a body with files; of any other body.
    megapixels : float
        Of all pages of a photograph together.
    hints, points : int
        Hints of one request, and points of all its hints together.
    sessions : int
        Photographs kept at once; the least recently used goes first.
    session_seconds : float
        A photograph that nobody asks for is kept so long.
    jobs, queue : int
        Work done at once, in the worker and in the service each, and requests that may wait for it.
    uploads : int
        Bodies with files that are received at once.
    spare_jobs : int
        Of the jobs, so many are left to others when one client has work for all.
    job_seconds : float
        The worker is given so long for one file.
    job_bytes : int
        The worker may have so much memory, on Linux.
    zips, zips_each : int
        Zips that are sent at once, to all clients and to one.
    results : int
        Coloured files that are made and sent at once, zips not counted.
    connections : int
        Held at once, and never more than the limit of open files leaves.
    start_seconds : float
        Until the head of a request is there, and until the first byte of its body.
    body_seconds, pause_seconds : float
        A body may take so long as a whole, and so long between two pieces.
    body_rate : float
        Bytes a second that a body has to come with, over a time of `pause_seconds`.
    send_seconds : float
        An answer may stand still so long because nobody reads it.

    Raises
    ------
    InvalidValueError
        If one is not above 0, or more hints are to be taken than the engine does.
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

    def __post_init__(self) -> None:
        if self.spare_jobs < 0:
            raise InvalidValueError(f"spare_jobs needs 0 or more; it is {self.spare_jobs}.")
        for name, value in self.__dict__.items():
            if not value > 0 and name != "spare_jobs":
                raise InvalidValueError(f"{name} needs a number above 0; it is {value}.")
        if self.hints > MOST_HINTS:
            raise InvalidValueError(f"At most {MOST_HINTS} hints can be taken, not {self.hints}.")
