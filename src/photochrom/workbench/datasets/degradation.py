"""Degrade the lightness of a modern photograph to that of an old print.

An orthochromatic plate of 1900 is blind to red: lips and brick come out dark, skies white. Prints
fade, blur and show grain. A network that has only seen clean L* colours old photographs less well
than new ones.
"""

import numpy as np

from photochrom.color.lab import luminance_to_lightness

# Share of linear red, green and blue in the exposure; after the published sensitivity curves of
# orthochromatic and early panchromatic emulsions, as three numbers.
ORTHOCHROMATIC = np.array([0.02, 0.53, 0.45], np.float32)
PANCHROMATIC = np.array([0.30, 0.35, 0.35], np.float32)
BT601 = np.array([0.299, 0.587, 0.114], np.float32)


def old_lightness(
    linear: np.ndarray, lightness: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return the lightness (H, W) of a picture as an old photograph would show it.

    `linear` (H, W, 3) is its linear sRGB, `lightness` its L* in [0, 100]; `random` decides which
    faults, and how strong. Each appears in about half of the pictures.
    """
    film = random.choice(3, p=[0.4, 0.3, 0.3])
    old = lightness
    if film:
        weights = (ORTHOCHROMATIC, PANCHROMATIC)[film - 1]
        blend = random.uniform(0.5, 1.0)
        exposure = linear @ (blend * weights + (1 - blend) * BT601)
        old = luminance_to_lightness(exposure.astype(np.float32))
    if random.random() < 0.5:
        old = _response(old, random)
    if random.random() < 0.4:
        old = _blur(old)
    if random.random() < 0.5:
        old = _grain(old, random)
    return np.asarray(np.clip(old, 0, 100), dtype=np.float32)


def _response(lightness: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Bend the tone curve, then fade blacks and whites towards each other."""
    bent = 100 * (np.clip(lightness, 0, 100) / 100) ** np.exp(random.normal(0, 0.2))
    black, white = random.uniform(0, 18), random.uniform(85, 100)
    return np.asarray(black + bent * (white - black) / 100)


def _blur(lightness: np.ndarray) -> np.ndarray:
    """Blur with the kernel (1 2 1) / 4 in both directions."""
    padded = np.pad(lightness, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16)


def _grain(lightness: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add grain, strongest in the middle tones."""
    strength = random.uniform(0.5, 4.0) * (0.4 + 0.6 * np.sin(np.pi * lightness / 100))
    return lightness + strength * random.standard_normal(lightness.shape, np.float32)
