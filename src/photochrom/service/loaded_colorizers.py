"""One colorizer per method in each process; its network stays loaded, the look varies."""

import hashlib
from collections.abc import Iterator
from copy import copy
from dataclasses import fields
from functools import cache
from multiprocessing import parent_process
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from photochrom.colorization.method import Method, Prediction, Request
from photochrom.engine.colorize import Colorizer
from photochrom.options.look import Look
from photochrom.service.preview_cache import ByteCache

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

REMEMBERED_BYTES = 64_000_000


class CachingMethod:
    """A method with a cache of its latest predictions.

    Work on one photograph repeats the same predictions: undo, another saturation, the likely
    colours of another place.

    Parameters
    ----------
    method : Method
    most_bytes : int
        Maximum size of the cache; the least recently used prediction is removed first.
    """

    def __init__(self, method: Method, most_bytes: int = REMEMBERED_BYTES) -> None:
        self._method, self._lock = method, Lock()
        self.info = method.info
        self._said: ByteCache[Prediction] = ByteCache(most_bytes, _bytes_of)

    def __getattr__(self, name: str) -> object:
        return getattr(self._method, name)

    def predict(self, request: Request) -> Prediction:
        """Return the prediction for one picture, from the cache if possible."""
        key = _key_of(request)
        with self._lock:
            known = self._said.get(key)
        if known is not None:
            return known
        prediction = self._method.predict(request)
        with self._lock:
            return self._said.keep(key, prediction)


def _key_of(request: Request) -> bytes:
    digest = hashlib.blake2b(digest_size=20)
    for value in _values(request):
        if isinstance(value, np.ndarray):
            digest.update(str((value.shape, value.dtype)).encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(f"{value!r};".encode())
    return digest.digest()


def _values(record: "DataclassInstance") -> Iterator[object]:
    """Return the fields of a dataclass, including nested ones."""
    for one in fields(record):
        value = getattr(record, one.name)
        if hasattr(value, "__dataclass_fields__"):
            yield from _values(value)
        else:
            yield value


def _bytes_of(prediction: Prediction) -> int:
    return sum(value.nbytes for value in _values(prediction) if isinstance(value, np.ndarray))


@cache
def _loaded(method: str) -> Colorizer:
    colorizer = Colorizer(method)
    if parent_process() is None:  # a worker colours each photograph only once
        colorizer.method = CachingMethod(colorizer.method)
    return colorizer


def colorizer_of(method: str, look: Look = Look()) -> Colorizer:  # noqa: B008 - frozen
    """Return the colorizer of a method, with another look.

    Raises
    ------
    UnknownMethodError, WeightsError
        If the method cannot be used.
    """
    colorizer = copy(_loaded(method))
    colorizer.look = look
    return colorizer
