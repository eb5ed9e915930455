import io

import numpy as np
import pytest
from PIL import Image
from skimage import data
from tests.conftest import drawn_picture

from photochrom.errors import InvalidValueError
from photochrom.workbench.datasets.near_duplicates import NearIndex, dhash, near_groups


def related_hashes(count: int = 300) -> np.ndarray:
    """Give random hashes, each third a copy of another with up to 12 bits turned."""
    random = np.random.default_rng(5)
    hashes = random.integers(0, 2**64, count, np.uint64)
    for index in range(0, count, 3):
        turned = np.bitwise_or.reduce(np.uint64(1) << random.integers(0, 64, 12, np.uint64))
        hashes[index] = hashes[(index + 7) % count] ^ (turned if index % 2 else np.uint64(0))
    return hashes


def distances(hashes: np.ndarray) -> np.ndarray:
    return np.bitwise_count(hashes[:, None] ^ hashes[None])


def test_a_copy_at_another_size_and_quality_is_near_and_a_stranger_is_not():
    picture = Image.fromarray(data.astronaut())
    out = io.BytesIO()
    picture.resize((200, 200)).save(out, "JPEG", quality=40)
    copy = np.asarray(Image.open(out))
    apart = (dhash(data.astronaut()) ^ dhash(copy)).bit_count()
    strange = (dhash(data.astronaut()) ^ dhash(data.coffee())).bit_count()
    assert apart <= 4
    assert strange > 16


def test_a_hash_tells_where_the_picture_grows_brighter():
    ramp = np.linspace(0, 255, 90).astype(np.uint8)
    rising = np.broadcast_to(ramp[None, :, None], (80, 90, 3))
    assert dhash(np.ascontiguousarray(rising)) == 2**64 - 1
    assert dhash(np.ascontiguousarray(rising[:, ::-1])) == 0


@pytest.mark.parametrize("distance", [0, 1, 4, 12, 32])
def test_the_index_finds_what_comparing_with_all_finds(distance):
    hashes = related_hashes()
    index = NearIndex(distance)
    for hash in hashes[:150]:
        index.add(int(hash))
    expected = (distances(hashes)[150:, :150] <= distance).any(axis=1)
    assert [index.holds_near(int(h)) for h in hashes[150:]] == expected.tolist()


@pytest.mark.parametrize("distance", [0, 4, 12])
def test_groups_are_the_connected_pictures(distance):
    from scipy.sparse.csgraph import connected_components

    hashes = related_hashes()
    count, expected = connected_components(distances(hashes) <= distance)
    groups = near_groups(hashes, distance)
    assert groups.max() + 1 == count
    assert len(set(zip(groups, expected, strict=True))) == count


def test_groups_are_numbered_by_their_first_picture():
    hashes = np.array([9, 1, 9, 2**40, 1], np.uint64)
    assert near_groups(hashes, 0).tolist() == [0, 1, 0, 2, 1]


def test_a_hundred_thousand_copies_of_one_picture_are_one_group_at_once():
    hashes = np.zeros(100_000, np.uint64)
    assert near_groups(hashes, 4).max() == 0


@pytest.mark.parametrize("distance", [-1, 33])
def test_a_distance_without_meaning_is_refused(distance):
    with pytest.raises(InvalidValueError, match="0 to 32 bits"):
        NearIndex(distance)


def test_the_hash_of_a_picture_does_not_depend_on_a_small_change_of_tone():
    picture = drawn_picture(1)
    darker = (picture * 0.8).astype(np.uint8)
    assert (dhash(picture) ^ dhash(darker)).bit_count() <= 4
