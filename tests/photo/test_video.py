"""What a film's file says is read right, and its luma as it was decoded."""

from fractions import Fraction

import av
import numpy as np
import pytest
from tests.films import (
    COVER,
    Look,
    bare,
    broken,
    codes,
    lumas,
    scene,
    times,
    write_film,
)

from photochrom.errors import UnreadablePhotoError, UnsupportedFormatError
from photochrom.photo.video import describe
from photochrom.photo.video_decoding import Decoder

PICTURES = scene(10)
FORMATS = {
    "yuv420p": "yuv420p", "yuv422p": "yuv422p", "yuv444p": "yuv444p", "yuv411p": "yuv411p",
    "yuv440p": "yuv440p", "yuva420p": "yuv420p", "yuv420p10le": "yuv420p10le",
    "yuv422p10le": "yuv422p10le", "yuv444p12le": "yuv444p12le", "yuv444p16le": "yuv444p16le",
    "gray": "yuv420p", "gray10le": "yuv420p10le", "gray16le": "yuv420p16le",
}  # fmt: skip


def decoded(path, start=None, stop=None):
    return list(Decoder(describe(path), start, stop))


@pytest.mark.parametrize("format", FORMATS)
def test_luma_is_decoded_bit_for_bit(tmp_path, format):
    film = write_film(tmp_path / "film.mkv", PICTURES[:3], Look(format=format))
    facts = describe(film)
    assert facts.plane.format == FORMATS[format]
    assert facts.has_colours == (not format.startswith("gray"))
    for frame, luma in zip(Decoder(facts), lumas(film), strict=True):
        assert frame.luma.dtype == luma.dtype
        assert np.array_equal(frame.luma, luma)


def test_gray_that_is_not_tagged_is_of_full_range_as_ffmpeg_reads_it(tmp_path):
    for tagged, full in ((None, True), (1, False), (2, True)):
        look = Look(format="gray", range=tagged, full=full)
        film = write_film(tmp_path / f"{tagged}.mkv", PICTURES[:2], look)
        assert describe(film).full_range == full
        assert np.array_equal(decoded(film)[0].luma, codes(PICTURES[0], full=full))


def test_rgb_is_reduced_to_its_luma_and_that_is_said(tmp_path):
    film = write_film(tmp_path / "film.mkv", PICTURES[:2], Look(format="bgr0"))
    facts = describe(film)
    assert facts.full_range
    assert facts.notes == ("frames of bgr0 are reduced to their own luma",)
    difference = decoded(film)[0].luma.astype(int) - codes(PICTURES[0], full=True)
    assert np.abs(difference).max() <= 1


def test_an_untagged_film_has_the_matrix_of_its_size(tmp_path):
    small = write_film(tmp_path / "small.mkv", PICTURES[:1])
    assert describe(small).matrix == 6
    large = write_film(tmp_path / "large.mkv", scene(1, height=720, width=64))
    assert describe(large).matrix == 1
    tagged = write_film(tmp_path / "tagged.mkv", PICTURES[:1], Look(matrix=9))
    assert describe(tagged).weights == (0.2627, 0.0593)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_read_from_the_display_matrix(tmp_path, degrees):
    look = Look(codec="libx264", rotation=degrees)
    facts = describe(write_film(tmp_path / "film.mp4", PICTURES[:2], look))
    assert facts.rotation == degrees
    assert facts.upright_size == ((72, 96) if degrees != 180 else (96, 72))


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused_with_what_to_do(tmp_path, transfer, name):
    look = Look(format="yuv420p10le", transfer=transfer, matrix=9, primaries=9)
    film = write_film(tmp_path / "film.mkv", PICTURES[:1], look)
    with pytest.raises(UnsupportedFormatError, match=f"high dynamic range film \\({name}.*tonemap"):
        describe(film)


def test_times_are_kept_even_if_frames_come_at_any_time(tmp_path):
    at = [0, 1, 7, 30, 31, 900, 901, 902, 2000, 2001]
    look = Look(codec="libx264", time_base=Fraction(1, 90000))
    film = write_film(tmp_path / "film.mp4", PICTURES, look, pts=[9000 * t for t in at])
    facts = describe(film)
    found = [frame.pts * facts.time_base for frame in Decoder(facts)]
    assert found == [time.pts for time in times(film)] == [Fraction(t, 10) for t in at]


def test_a_film_counts_from_where_its_file_begins(tmp_path):
    look = Look(codec="libx264", options={"g": "5"})
    film = write_film(tmp_path / "film.ts", PICTURES, look, pts=range(240, 250))
    facts = describe(film)
    first = decoded(film)[0].pts
    assert facts.seconds_at(first) == pytest.approx(0, abs=0.1)
    assert facts.timestamp_at(facts.seconds_at(first)) == first


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_part_begins_and_ends_at_its_frames_wherever_keys_lie(tmp_path, suffix):
    look = Look(codec="libx264", options={"g": "4"})
    film = write_film(tmp_path / f"film{suffix}", scene(24), look)
    whole = decoded(film)
    for first, last in ((0, 24), (5, 9), (17, 24)):
        stop = whole[last].pts if last < 24 else None
        part = decoded(film, whole[first].pts, stop)
        assert [frame.pts for frame in part] == [frame.pts for frame in whole[first:last]]
        assert all(map(np.array_equal, (f.luma for f in part), (f.luma for f in whole[first:])))


def test_frames_without_timestamps_are_spaced_evenly_and_counted(tmp_path):
    film = write_film(tmp_path / "film.mp4", PICTURES, Look(codec="libx264"))
    raw = bare(film, tmp_path / "film.h264", "h264")
    facts = describe(raw)
    decoder = Decoder(facts)
    whole = list(decoder)
    assert not facts.is_timed
    assert decoder.untimed == 10
    steps = np.diff([frame.pts for frame in whole])
    assert (steps == steps[0]).all()
    part = decoded(raw, whole[4].pts)
    assert [frame.pts for frame in part] == [frame.pts for frame in whole[4:]]


def test_damage_is_concealed_and_counted(tmp_path):
    look = Look(codec="libx264", options={"g": "6"})
    film = write_film(tmp_path / "film.mkv", scene(48), look)
    counts = []
    for seed in range(4):
        decoder = Decoder(describe(broken(film, tmp_path / f"{seed}.mkv", seed)))
        frames = [frame.pts for frame in decoder]
        assert frames == sorted(set(frames))
        counts.append((len(frames), decoder.damaged))
    assert all(frames > 10 for frames, _ in counts)
    assert any(damaged for _, damaged in counts)


def test_frames_that_change_their_size_are_brought_to_the_first_ones(tmp_path):
    small = write_film(tmp_path / "1.h264", PICTURES[:3], Look(codec="libx264"))
    large = write_film(tmp_path / "2.h264", scene(3, height=96, width=128), Look(codec="libx264"))
    film = tmp_path / "film.h264"
    film.write_bytes(small.read_bytes() + large.read_bytes())
    decoder = Decoder(describe(film))
    assert [frame.luma.shape for frame in decoder] == [(72, 96)] * 6
    assert decoder.resized == 3


def test_it_is_known_whether_a_film_shows_colours(tmp_path):
    green = write_film(tmp_path / "green.mkv", PICTURES[:2])
    gray = write_film(tmp_path / "gray.mkv", PICTURES[:2], Look(format="gray"))
    neutral = write_film(tmp_path / "rgb.mkv", PICTURES[:2], Look(format="bgr0"))
    for film, shows in ((green, True), (gray, False), (neutral, False)):
        decoder = Decoder(describe(film))
        assert len(list(decoder)) == 2
        assert decoder.has_shown_colours == shows


def add_silence(container):
    stream = container.add_stream("aac", rate=16000, layout="mono")
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts = 16000, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def test_what_is_no_film_is_said_in_a_sentence(tmp_path):
    whole = write_film(tmp_path / "whole.mp4", PICTURES, Look(codec="libx264"))
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "text.mp4").write_text("no film at all " * 99)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        add_silence(container)
    for name, said in (
        ("missing.mp4", "there is no such file"),
        ("folder.mp4", "is a folder; a film is needed"),
        ("empty.mp4", "the file is empty"),
        ("text.mp4", "not a film that can be read"),
        ("cut.mp4", "its index is missing"),
        ("sound.mp4", "only sound; there is nothing to colour"),
    ):
        with pytest.raises(UnreadablePhotoError, match=said) as caught:
            describe(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_cover_is_no_film(tmp_path):
    with av.open(str(tmp_path / "song.mkv"), "w") as container:
        container.add_attachment("cover.png", "image/png", COVER)
        add_silence(container)
    with pytest.raises(UnreadablePhotoError, match="only sound"):
        describe(tmp_path / "song.mkv")
