"""Whose functions an array goes with: NumPy's own or another library's."""

from typing import Any

import array_api_compat
import numpy as np


def array_namespace(*arrays: Any) -> Any:
    """Return the functions for some arrays; NumPy's own where all are NumPy's.

    array-api-compat's view of NumPy imports the whole of it, with its tests and its Fortran tools:
    60 ms, for nothing that this room needs since NumPy 2.1.
    """
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    return array_api_compat.array_namespace(*arrays)
