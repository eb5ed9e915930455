"""Films of extreme sizes: each gives a result or a sentence, in bounded time and memory."""

import av
import numpy as np
import pytest
from tests.films import Look, read_planes, write_film

from photochrom.engine.guidance import Guidance
from photochrom.engine.page_colouring import PageColorizer
from photochrom.engine.video import VideoOptions, colorize_video
from photochrom.engine.video_colouring import FilmColouring, limited_aspect
from photochrom.errors import UnsupportedFormatError
from photochrom.photo.video import describe
from photochrom.photo.video_codecs import choose_encoding

pytestmark = pytest.mark.slow
FAST = {"crf": "10", "b": "0", "cpu-used": "8", "deadline": "realtime"}


def drawn(path, height, width, look=None):
    random = np.random.default_rng(0)
    pictures = [random.uniform(0, 1, (height, width)) for _ in range(2)]
    return write_film(path, pictures, look or Look("libvpx-vp9", options=FAST))


def coloured(film, target, codec="h264"):
    options = VideoOptions(codec=codec)
    return colorize_video(film, target, colorizer=PageColorizer("gray"), options=options)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 2), (3, 3), (4, 64), (64, 4), (15, 17)])
def test_the_smallest_sizes_are_coloured(tmp_path, size):
    film = drawn(tmp_path / "film.mkv", *size)
    coloured(film, tmp_path / "out.mkv")
    assert [planes[0].shape for planes in read_planes(tmp_path / "out.mkv")] == [size, size]


def test_a_codec_that_does_not_store_a_size_says_which_does(tmp_path):
    film = drawn(tmp_path / "film.mkv", 3, 3)
    for codec in ("h265", "av1", "ffv1"):
        with pytest.raises(
            UnsupportedFormatError, match=rf"{codec} does not .* 3 x 3. Use --codec"
        ):
            coloured(film, tmp_path / "out.mkv", codec)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


@pytest.mark.parametrize("size", [(4, 640), (640, 4), (2, 8190), (16384, 16)])
def test_the_thinnest_frames_are_looked_at_in_no_more_than_three_tiles(tmp_path, size):
    film = drawn(tmp_path / "film.mkv", *size, Look("libx264"))
    facts = describe(film)
    colorizer = PageColorizer(threads=1)
    encoding, _ = choose_encoding("h264", facts, None)
    found = FilmColouring(facts, encoding, colorizer, Guidance(), steady=True)
    assert len(found.size.tiles) <= 3
    assert found.grid[0] * found.grid[1] <= 80 * 480
    assert limited_aspect(1000, 4000) == (1000, 4000)


@pytest.mark.long
def test_frames_that_would_take_gigabytes_are_refused_before_one_is_decoded(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 16384, 8192, "gray"
        frame = av.VideoFrame(16384, 8192, "gray")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnsupportedFormatError, match="a frame 67 million"):
        coloured(path, tmp_path / "out.mkv")
