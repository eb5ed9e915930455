"""Whether a photograph looks like a negative: it is offered, never decided.

A colour negative shows by its orange mask: of 500 photographs 2 are taken for one, and of 500
negatives made of them 391 are found. A black-and-white one has nothing of the kind. It has no
blacks, as faded prints have none; the network, which has learnt photographs, is shown those both
ways round, and asked of which it is surer. That finds a quarter of such negatives, and asks about 4
of 100 photographs, none of them of 24 historical ones.
"""

import numpy as np

from photochrom.engine.predict import predict_colours
from photochrom.engine.working import WorkingSize
from photochrom.methods.method import Method, Request
from photochrom.photo.negative import looks_like_colour_negative
from photochrom.photo.photo import Photo

NO_BLACK = 20.0  # L* of the darkest hundredth: film that was not levelled has no darker
SURER = 1.05  # times as sure of the picture the other way round
NOTE = "looks like a negative: if it is one, give --negative (Reading(negative=True))"


def looks_like_negative(
    photo: Photo, lightness: np.ndarray, size: WorkingSize, method: Method
) -> bool:
    """Tell whether a photograph's first page looks like a negative.

    Parameters
    ----------
    photo : Photo
    lightness : float32 array, (h, w)
        L* in [0, 100], as the method sees it.
    size : WorkingSize
        Of that.
    method : Method
    """
    if photo.reading.negative:
        return False
    if photo.tint.kind != "neutral" and looks_like_colour_negative(photo.probe):
        return True
    if photo.tint.kind == "colour" or np.percentile(lightness, 1) < NO_BLACK:
        return False

    def sureness(seen: np.ndarray) -> float:
        found = predict_colours(method, Request(_levelled(seen)), size, 1.0).confidence
        return 0.0 if found is None else float(found.mean())

    straight = sureness(lightness)
    return straight > 0 and sureness(100 - lightness) > SURER * straight


def _levelled(lightness: np.ndarray) -> np.ndarray:
    """Bring the tones of both ways round to the same range, so that contrast decides nothing."""
    low, high = np.percentile(lightness, (0.5, 99.5))
    spread = (lightness - low) / max(high - low, 1.0)
    return np.asarray((3 + 95 * spread).clip(0, 100), np.float32)
