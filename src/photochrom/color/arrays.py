"""The types of arrays, and their namespace: NumPy's or another library's."""

from types import ModuleType

import array_api_compat
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]


def array_namespace(*arrays: object) -> ModuleType:
    """Return the namespace of some arrays; NumPy itself if all are NumPy's.

    array-api-compat's view of NumPy imports the whole of it, with its tests and its Fortran tools:
    60 ms, and nothing in it is needed since NumPy 2.1.
    """
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    namespace: ModuleType = array_api_compat.array_namespace(*arrays)
    return namespace
