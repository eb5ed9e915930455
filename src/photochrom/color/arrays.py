"""The array namespace of arrays: NumPy's or another library's."""

from typing import Any

import array_api_compat
import numpy as np


def array_namespace(*arrays: object) -> Any:
    """Return the namespace of some arrays; NumPy itself if all are NumPy's.

    array-api-compat's view of NumPy imports the whole of it, with its tests and its Fortran tools:
    60 ms, and nothing in it is needed since NumPy 2.1.
    """
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    return array_api_compat.array_namespace(*arrays)
