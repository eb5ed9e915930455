"""Run the work of a forked process in a new one; see `photochrom.photo.fork_detection`."""

import functools
import os
from collections.abc import Callable
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar, cast

from photochrom.engine.workers import Worker
from photochrom.photo.fork_detection import is_stranded

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
_WORKERS: dict[tuple[int, int], tuple[object, Worker, Lock]] = {}  # by process and object


def elsewhere_if_stranded(
    method: Callable[Concatenate[S, P], T],
) -> Callable[Concatenate[S, P], T]:
    """Run a method of a picklable object in a new process, if this process cannot."""

    @functools.wraps(method)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not is_stranded():
            return method(self, *args, **kwargs)
        key = os.getpid(), id(self)
        if key not in _WORKERS:  # the object is kept alive, so that its id stays unique
            _WORKERS[key] = self, Worker(functools.partial(_itself, self)), Lock()
        _, worker, lock = _WORKERS[key]
        with lock:
            return cast(T, worker.call(_run, method.__name__, args, kwargs))

    return run


def _itself(made: S) -> S:
    return made


def _run(made: object, name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
    found: object = getattr(made, name)(*args, **kwargs)
    return found
