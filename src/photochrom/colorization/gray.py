"""No colour: the baseline of every comparison."""

import numpy as np

from photochrom.colorization.method import MethodInfo, Prediction, Request


class Gray:
    """A method that leaves the photograph gray."""

    info = MethodInfo(name="gray", paper="none: the photograph itself", licence="Apache-2.0")

    def predict(self, request: Request) -> Prediction:
        """Return ab = 0, (n, 1, 1, 2)."""
        return Prediction(np.zeros((1, 1, 1, 2), np.float32))
