from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.engine.working import LONGEST, MOST_PIXELS, MOST_TILES, working_size

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
    seen = (stop - start) * min(size.height, size.width)
    # Rounding to the stride may add half of one to each side.
    slack = stride * (size.height + stop - start) / 2 + stride**2
    assert seen <= MOST_PIXELS + slack


@given(st.integers(1, 9000), st.integers(1, 9000), STRIDES)
def test_the_aspect_is_kept_up_to_the_rounding_of_each_side(height, width, stride):
    size = working_size(height, width, 192, stride)
    if max(height, width) > LONGEST * min(height, width):
        return
    scale = min(192, (MOST_PIXELS * min(height, width) / max(height, width)) ** 0.5) / min(
        height, width
    )
    assert abs(size.height - height * scale) <= stride / 2 + 1e-6
    assert abs(size.width - width * scale) <= stride / 2 + 1e-6


@given(SIDES, SIDES)
def test_a_turned_picture_has_the_turned_size(height, width):
    size, turned = usual(height, width), usual(width, height)
    assert (size.height, size.width) == (turned.width, turned.height)
    assert size.tiles == turned.tiles


@pytest.mark.parametrize(("height", "width"), [(1000, 3000), (3000, 1000)])
def test_three_to_one_is_seen_whole_and_more_in_tiles(height, width):
    assert len(usual(height, width).tiles) == 1
    longer = usual(height + (height > width) * 10, width + (width > height) * 10)
    assert len(longer.tiles) > 1


@pytest.mark.parametrize(("height", "width"), [(1, 20_000), (20_000, 1)])
def test_an_extreme_strip_has_the_most_tiles_and_no_more(height, width):
    size = usual(height, width)
    assert len(size.tiles) == MOST_TILES
    assert min(size.height, size.width) == 192
    assert size.is_wide == (width > height)


@pytest.mark.parametrize("ratio", [3.2, 4, 5, 8, 12])
def test_a_long_picture_is_hardly_stretched(ratio):
    size = usual(200, round(200 * ratio))
    assert 0.75 < size.width / size.height / ratio < 1.5
