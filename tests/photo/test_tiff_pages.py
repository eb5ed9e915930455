"""TIFFs that libvips reads wrongly without a word, or calls corrupt."""

import lzma

import numpy as np
import pytest
import pyvips
from tests.photo import made

from photochrom.errors import UnsupportedFormatError
from photochrom.photo.photo import Photo
from photochrom.photo.tiff_pages import read_pages
from photochrom.photo.write import write_photo

HEIGHT, WIDTH = 32, 48
GRAY = np.add.outer(np.arange(HEIGHT) * 3, np.arange(WIDTH) * 3).astype(np.uint8)
TILE = np.zeros((64, 64), np.uint8).tobytes()


def opened(tags, *parts):
    return Photo.open(made.tiff((tags, list(parts))))


def tags(**given):
    return made.baseline(WIDTH, HEIGHT, **given)


def tiled(**given):
    found = tags(**given) | {322: (4, [64]), 323: (4, [64])}
    del found[278]
    return found


@pytest.mark.parametrize(
    ("page", "part", "what"),
    [
        (tags(bits=(12,)), bytes(WIDTH * HEIGHT * 3 // 2), "12 bits per sample"),
        (tags(bits=(10,)), bytes(WIDTH * HEIGHT * 2), "10 bits per sample"),
        (tags(bits=(5, 6, 5), photometric=2), bytes(WIDTH * HEIGHT * 2), "5, 6 bits per sample"),
        (tags(compression=6), GRAY.tobytes(), "old-style JPEG"),
        (tiled(compression=6), TILE, "old-style JPEG"),
        (tiled(bits=(8, 8, 8), photometric=6, compression=6), TILE * 3, "old-style JPEG"),
        (tags(compression=34925), lzma.compress(GRAY.tobytes()), "LZMA"),
        (tiled(bits=(8, 8, 8), photometric=6, compression=34925), TILE, "LZMA"),
        (tags(compression=34661), bytes(99), "JBIG"),
        (tags(compression=64999), bytes(99), "a TIFF with compression of kind 64999 is"),
        (tags(bits=(8, 8, 8), photometric=9), GRAY.tobytes() * 3, "ICC Lab"),
        (tags(bits=(8, 8, 8), photometric=10), GRAY.tobytes() * 3, "ITU Lab"),
        (tags(bits=(8, 8, 8), photometric=5), GRAY.tobytes() * 3, "inks that are not CMYK"),
        (tags(bits=(16,), t339=(3, [3])), bytes(WIDTH * HEIGHT * 2), "16-bit floats"),
    ],
)
def test_what_is_not_read_of_a_sound_tiff_is_named_with_the_remedy(page, part, what):
    with pytest.raises(UnsupportedFormatError, match=what) as caught:
        opened(page, part)
    assert "corrupt" not in str(caught.value)
    assert "Convert it to 8 or 16 bits" in str(caught.value)


def test_planes_in_tiles_are_not_called_corrupt():
    page = tiled(bits=(8, 8, 8), photometric=2, t284=(3, [2]))
    with pytest.raises(UnsupportedFormatError, match="separate planes in tiles is not supported"):
        opened(page, TILE, TILE, TILE)


@pytest.mark.parametrize(
    ("extra", "bands", "said"),
    [
        ((0,), 3, "1 channel "),
        ((0, 0), 3, "2 channels "),
        ((2, 0), 4, "1 channel "),
        ((2,), 4, None),
    ],
)
def test_a_scanners_infrared_is_left_out_and_said_and_alpha_stays(extra, bands, said):
    planes = [GRAY, GRAY // 2, GRAY // 3, *[GRAY[::-1]] * len(extra)]
    page = tags(bits=(8,) * len(planes), photometric=2, t338=(3, list(extra)))
    photo = opened(page, np.dstack(planes).tobytes())
    assert (photo.bands, photo.has_alpha) == (bands, bands == 4)
    notes = [note for note in photo.notes if "besides the colours" in note]
    assert notes == [] if said is None else notes[0].startswith(said)
    assert (photo.stored()[2].numpy() == GRAY // 3).all()


def test_infrared_beside_gray_is_left_out_too():
    page = tags(bits=(8, 8), t338=(3, [0]))
    photo = opened(page, np.dstack([GRAY, GRAY[::-1]]).tobytes())
    assert (photo.is_gray, photo.has_alpha) == (True, False)
    assert (photo.stored().numpy() == GRAY).all()


@pytest.mark.parametrize(
    ("kind", "sample_format", "top"),
    [("i1", 2, 127), ("<i2", 2, 32767), ("<i4", 2, 2**31 - 1), ("<u2", 1, 65535), ("<f4", 3, 1.0)],
)
def test_white_is_zero_is_heeded_whatever_the_samples_are(kind, sample_format, top):
    dtype = np.dtype(kind)
    low = 0 if dtype.kind in "uf" else np.iinfo(dtype).min
    share = GRAY / 255
    numbers = (low + (top - low) * share).astype(dtype)
    bits = (dtype.itemsize * 8,)
    light, dark = (
        opened(
            tags(bits=bits, photometric=how, t339=(3, [sample_format])), numbers.tobytes()
        ).lightness_codes()
        / 655.35
        for how in (1, 0)
    )
    from skimage.color import rgb2lab

    for found, expected in ((light, share), (dark, 1 - share)):
        star = rgb2lab(np.repeat(expected[..., None], 3, -1))[..., 0]
        assert np.abs(found - star).max() < (0.6 if dtype.itemsize == 1 else 0.05)


@pytest.fixture
def large():
    rows, columns = np.mgrid[:600, :800]
    return ((rows // 3 + columns // 5) % 256).astype(np.uint8)


@pytest.mark.parametrize("subifd", [False, True])
def test_a_pyramid_is_one_picture_whose_levels_are_made_again(tmp_path, large, neutral, subifd):
    path, target = tmp_path / "a.tif", tmp_path / "b.tif"
    image = pyvips.Image.new_from_array(large).copy(interpretation="b-w")
    image.tiffsave(
        str(path), tile=True, tile_width=256, tile_height=256, pyramid=True, subifd=subifd
    )
    photo = Photo.open(path)
    assert (photo.pages, photo.notes) == (1, ())
    write_photo(photo, [neutral(photo)], target, marker=None)
    before, after = read_pages(path), read_pages(target)
    assert [page.subfile for page in after] == [page.subfile for page in before]
    assert [page.sub_directories for page in after] == [page.sub_directories for page in before]
    assert len(before) == (1 if subifd else 3)
    option = {"subifd": 0} if subifd else {"page": 1}
    level = pyvips.Image.tiffload(str(target), **option)
    assert (level.width, level.height, level.bands) == (400, 300, 3)
    shrunk = pyvips.Image.new_from_file(str(target)).shrink(2, 2)
    assert abs((level - shrunk).abs().avg()) < 1


def test_levels_that_another_format_cannot_hold_are_said(tmp_path, large, neutral):
    path = tmp_path / "a.tif"
    pyvips.Image.new_from_array(large).tiffsave(str(path), tile=True, pyramid=True)
    photo = Photo.open(path)
    notes = write_photo(photo, [neutral(photo)], None, marker=None, format="jpeg").notes
    assert any("holds no reduced copies" in note for note in notes)


def test_thumbnails_and_masks_are_no_pages_and_are_said():
    small = made.baseline(WIDTH // 2, HEIGHT // 2, t254=(4, [1]))
    mask = made.baseline(WIDTH, HEIGHT, bits=(1,), photometric=4, t254=(4, [4]))
    data = made.tiff(
        (small, [GRAY[::2, ::2].tobytes()]),
        (tags(), [GRAY.tobytes()]),
        (mask, [np.packbits(GRAY > 99, axis=1).tobytes()]),
        (tags(), [GRAY[::-1].tobytes()]),
    )
    photo = Photo.open(data)
    assert (photo.pages, photo.width) == (2, WIDTH)
    assert (photo.stored(0).numpy() == GRAY).all()
    assert (photo.stored(1).numpy() == GRAY[::-1]).all()
    assert any("1 reduced" in note for note in photo.notes)
    assert any("1 transparency mask" in note for note in photo.notes)


def test_a_file_of_reduced_pictures_alone_is_still_read():
    photo = Photo.open(made.tiff((tags(t254=(4, [1])), [GRAY.tobytes()])))
    assert photo.pages == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_are_read_in_either_byte_order(tmp_path, order):
    path = tmp_path / "a.tif"
    page = tags(bits=(8, 8, 8), photometric=2, t254=(4, [1]))
    path.write_bytes(made.tiff((page, [np.dstack([GRAY] * 3).tobytes()]), order=order))
    (found,) = read_pages(path)
    assert (found.bits, found.photometric, found.is_reduced) == ((8, 8, 8), 2, True)


def test_damaged_directories_end_the_list(tmp_path):
    path = tmp_path / "a.tif"
    data = bytearray(made.tiff((tags(), [GRAY.tobytes()])))
    at = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    data[at + 2 + 12 * count :] = (at).to_bytes(4, "little")  # a loop
    path.write_bytes(data)
    assert len(read_pages(path)) == 1
    path.write_bytes(data[: at + 20])
    assert read_pages(path) == ()


@pytest.mark.parametrize("tag", [266, 274, 296])
@pytest.mark.parametrize("value", [0, 9, 65535])
def test_a_tag_that_does_not_concern_the_pixels_costs_no_picture(tag, value):
    photo = opened(tags(**{f"t{tag}": (3, [value])}), GRAY.tobytes())
    assert photo.orientation == 1
    assert photo.lightness_codes().shape == (HEIGHT, WIDTH)
