"""The reading of a distribution, in two steps, for what lies between them.

An exported network reads its distribution in its own graph (see
`photochrom.workbench.networks.even_saturation`). A film needs the step in the middle: moments of
the sharpened distribution, which may be averaged over frames, and from them colours. Both together
give what the graph gives; a test holds them to it.
"""

import numpy as np

from photochrom.colorization.method import Setting

LEAST_CHROMA = 0.1  # ab units, as in the graph: the hue of gray is noise


def moments(logits: np.ndarray, centres: np.ndarray, setting: Setting) -> np.ndarray:
    """Return the mean colour and the mean chroma of a distribution.

    Parameters
    ----------
    logits : float array, (Q, h, w)
    centres : float array, (Q, 2)
        In ab units.
    setting : Setting
        Its temperature is applied; it must not rebalance.

    Returns
    -------
    float32 array, (h, w, 3)
        a, b and chroma, in ab units.
    """
    flat = logits.reshape(len(logits), -1).astype(np.float32) / np.float32(setting.temperature)
    shares = np.exp(flat - flat.max(axis=0))
    shares /= shares.sum(axis=0)
    chroma = np.linalg.norm(centres, axis=1, keepdims=True)
    of_bins = np.concatenate((centres, chroma), axis=1).astype(np.float32)
    return np.ascontiguousarray((of_bins.T @ shares).T.reshape(*logits.shape[1:], 3))


def shown(found: np.ndarray, setting: Setting) -> np.ndarray:
    """Return the colours, (h, w, 2) in ab units, that a setting shows for moments (h, w, 3)."""
    mean, expected = found[..., :2], found[..., 2:]
    length = np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), LEAST_CHROMA)
    raised = (np.maximum(expected, LEAST_CHROMA) / length) ** np.float32(setting.evenness)
    return setting.shown(mean * raised)
