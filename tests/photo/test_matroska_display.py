"""The shape of pixels is written to Matroska as players read it; all else stays as it was."""

from fractions import Fraction

import av
import pytest
from tests.films import Look, new_stream, packets, read_planes, scene, video_frame, write_film

from photochrom.photo.matroska_display import ROOM, write_pixel_aspect


def shape_of(path, decode):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if decode:
            next(container.decode(stream))
        return stream.sample_aspect_ratio


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
@pytest.mark.parametrize("extras", [False, True])
@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(16, 11), Fraction(40, 33)])
def test_a_file_gets_the_shape_and_keeps_everything_else(tmp_path, codec, extras, aspect):
    film = write_film(tmp_path / "film.mkv", scene(3), Look(codec), extras=extras)
    before = (film.stat().st_size, packets(film), len(read_planes(film)))
    assert write_pixel_aspect(film, 0, 96, 72, aspect)
    assert shape_of(film, decode=False) == shape_of(film, decode=True) == aspect
    assert (film.stat().st_size, packets(film), len(read_planes(film))) == before
    assert write_pixel_aspect(film, 0, 96, 72, Fraction(5, 4)), "again"
    assert shape_of(film, decode=True) == Fraction(5, 4)


def test_a_name_lends_its_place_and_is_left_as_it_was(tmp_path):
    for name in ("", "Reel 2"):
        film = tmp_path / "film.webm"
        with av.open(str(film), "w") as container:
            stream = new_stream(container, Look("libvpx-vp9"), 72, 96)
            stream.metadata["title"] = name + ROOM
            container.mux(stream.encode(video_frame(scene(1)[0], Look())))
            container.mux(stream.encode(None))
        assert write_pixel_aspect(film, 0, 96, 72, Fraction(16, 11))
        assert shape_of(film, decode=True) == Fraction(16, 11)
        with av.open(str(film)) as container:
            assert container.streams.video[0].metadata.get("title", "") == name


def test_what_is_no_matroska_or_has_no_such_track_is_left_alone(tmp_path):
    film = write_film(tmp_path / "film.mkv", scene(3), extras=True)
    other = write_film(tmp_path / "film.mp4", scene(3), Look("libx264"))
    for path, number in ((film, 1), (film, 9), (other, 0)):
        content = path.read_bytes()
        assert not write_pixel_aspect(path, number, 96, 72, Fraction(4, 3))
        assert path.read_bytes() == content
