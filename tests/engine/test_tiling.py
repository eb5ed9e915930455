from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.engine.tiling import LONGEST, MOST_PIXELS, MOST_TILES, working_size

SIDES = st.integers(1, 30_000)
STRIDES = st.sampled_from([1, 8, 32])


def usual(height, width):
    return working_size(height, width, 192, 32)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (3000, 4000, (192, 256)),
        (4000, 3000, (256, 192)),
        (500, 500, (192, 192)),
        (1, 1, (192, 192)),
        (100, 300, (192, 576)),
        (72, 96, (192, 256)),
    ],
)
def test_common_shapes_have_the_size_worked_out_by_hand(height, width, expected):
    size = usual(height, width)
    assert (size.height, size.width) == expected
    assert size.tiles == ((0, max(expected)),)


@given(SIDES, SIDES, st.integers(64, 320), STRIDES)
def test_sides_are_multiples_of_the_stride_and_tiles_cover_all(height, width, short, stride):
    size = working_size(height, width, short, stride)
    assert size.height >= stride
    assert size.width >= stride
    assert size.height % stride == size.width % stride == 0
    assert size.tiles[0][0] == 0
    assert size.tiles[-1][1] == max(size.height, size.width)
    assert all(before[1] > after[0] > before[0] for before, after in pairwise(size.tiles))
    assert all(start % stride == stop % stride == 0 for start, stop in size.tiles)
    assert len({stop - start for start, stop in size.tiles}) == 1
    assert len(size.tiles) <= MOST_TILES


@given(SIDES, SIDES, st.integers(64, 320), STRIDES)
def test_what_a_method_sees_at_once_is_bounded(height, width, short, stride):
    size = working_size(height, width, short, stride)
    start, stop = size.tiles[0]
    assert (stop - start) * min(size.height, size.width) <= MOST_PIXELS


@given(st.integers(1, 9000), st.floats(1 / 3, 3), st.integers(64, 320), STRIDES)
def test_the_aspect_is_kept_up_to_the_rounding_of_each_side(height, aspect, short, stride):
    width = min(max(1, round(height * aspect)), LONGEST * height)
    if height > LONGEST * width:
        return
    size = working_size(height, width, short, stride)
    shortest, longest = sorted((height, width))
    scale = min(short, (MOST_PIXELS * shortest / longest) ** 0.5) / shortest
    within = stride / 2 if short <= 192 else stride  # rounded down where that is too many pixels
    for side, given_side in ((size.height, height), (size.width, width)):
        assert abs(side - given_side * scale) <= within + 1e-6


@given(SIDES, SIDES)
def test_a_turned_picture_has_the_turned_size(height, width):
    size, turned = usual(height, width), usual(width, height)
    assert (size.height, size.width) == (turned.width, turned.height)
    assert size.tiles == turned.tiles


@pytest.mark.parametrize(("height", "width"), [(1000, 3000), (3000, 1000)])
def test_three_to_one_is_seen_whole_and_more_in_tiles(height, width):
    assert len(usual(height, width).tiles) == 1
    longer = usual(height + (height > width) * 400, width + (width > height) * 400)
    assert len(longer.tiles) == 2


@pytest.mark.parametrize(("height", "width"), [(1, 20_000), (20_000, 1)])
def test_an_extreme_strip_has_the_most_tiles_and_no_more(height, width):
    size = usual(height, width)
    assert len(size.tiles) == MOST_TILES
    assert min(size.height, size.width) == 192
    assert size.is_wide == (width > height)


@given(st.floats(3.01, 36))
def test_a_long_picture_keeps_its_aspect_up_to_the_rounding(ratio):
    size = usual(1000, round(1000 * ratio))
    assert abs(size.width - 192 * ratio) <= 17


@given(st.floats(3.01, 36))
def test_tiles_overlap_by_a_quarter_or_more(ratio):
    tiles = usual(1000, round(1000 * ratio)).tiles
    length = tiles[0][1]
    assert all(a[1] - b[0] >= length / 4 - 32 for a, b in pairwise(tiles))
