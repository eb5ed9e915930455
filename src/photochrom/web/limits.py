"""What the service takes, and how much of it at once."""

from dataclasses import dataclass

from photochrom.errors import InvalidValueError
from photochrom.methods.hint import MOST_HINTS


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
    job_seconds : float
        The worker is given so long for one file.
    body_seconds, pause_seconds : float
        A body may take so long as a whole, and so long between two pieces.

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
    job_seconds: float = 120.0
    body_seconds: float = 300.0
    pause_seconds: float = 20.0

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            if not value > 0:
                raise InvalidValueError(f"{name} needs a number above 0; it is {value}.")
        if self.hints > MOST_HINTS:
            raise InvalidValueError(f"At most {MOST_HINTS} hints can be taken, not {self.hints}.")
