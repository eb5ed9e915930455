import numpy as np
import pytest
from tests.conftest import drawn_picture

from photochrom.color.lab import rgb_to_lab
from photochrom.workbench.datasets.gray_rules import GRAY_RULES

RULES = [name for name in GRAY_RULES if name != "none"]


def is_gray(rule: str, rgb: np.ndarray) -> bool:
    return GRAY_RULES[rule].is_gray(rgb, rgb_to_lab(rgb.astype(np.float32) / 255))


def tinted(spread: int, share: float = 1.0) -> np.ndarray:
    """Give a mid-gray picture whose first `share` of rows is redder by `spread`."""
    picture = np.full((20, 20, 3), 120, np.uint8)
    picture[: round(20 * share), :, 0] += np.uint8(spread)
    return picture


@pytest.mark.parametrize("rule", RULES)
def test_a_gray_picture_is_gray_to_every_rule_and_a_vivid_one_to_none(rule):
    gray = np.repeat(drawn_picture(0)[..., :1], 3, axis=-1)
    vivid = np.zeros((8, 8, 3), np.uint8)
    vivid[:4, :, 0], vivid[4:, :, 2] = 230, 230
    assert is_gray(rule, gray)
    assert not is_gray(rule, vivid)
    assert GRAY_RULES[rule].source
    assert GRAY_RULES[rule].text


@pytest.mark.parametrize(
    ("rule", "gray", "coloured"),
    [
        ("spread", tinted(7), tinted(8)),
        ("hue", tinted(2), tinted(3, 0.05)),
        ("chroma", tinted(100, 0.03), tinted(100, 0.1)),
        ("muted", tinted(30), tinted(100)),
        ("range", tinted(100), tinted(100, 0.5)),
    ],
)
def test_each_rule_draws_the_line_where_it_is_published(rule, gray, coloured):
    assert is_gray(rule, gray)
    assert not is_gray(rule, coloured)


def test_no_rule_keeps_even_gray_pictures():
    assert not is_gray("none", tinted(0))
