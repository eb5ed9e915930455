"""Films of rare kinds: with timecodes, transparency, sizes that change, old chroma."""

from fractions import Fraction

import av
import numpy as np
import pytest
from tests.films import Look, coloured, lumas, new_stream, scene, times, video_frame, write_film

from photochrom.engine import video
from photochrom.engine.video import segment_folder
from photochrom.photo import video_segments

pytestmark = pytest.mark.slow
PICTURES = scene(6)


def timecodes(path):
    with av.open(str(path)) as container:
        tags = [{k.lower(): v for k, v in s.metadata.items()} for s in container.streams]
    return [tag.get("timecode") for tag in tags]


def test_a_timecode_is_kept_and_counts_on_in_a_part(tmp_path):
    film = tmp_path / "film.mov"
    with av.open(str(film), "w") as container:
        stream = new_stream(container, Look("libx264"), *PICTURES[0].shape)
        stream.metadata["timecode"] = "01:00:00:00"
        for number, picture in enumerate(PICTURES):
            frame = video_frame(picture, Look())
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert timecodes(film) == ["01:00:00:00"] * 2
    result = coloured(film, tmp_path / "out.mov", codec="h264")
    assert timecodes(result.target) == ["01:00:00:00"] * 2
    assert not any("left out" in note for note in result.notes)
    part = coloured(film, tmp_path / "part.mov", codec="h264", start=0.125)
    assert timecodes(part.target) == ["01:00:00:03"] * 2
    again = coloured(coloured(film, tmp_path / "out.mkv").target, tmp_path / "again.mov",
                     codec="h264")  # fmt: skip
    assert timecodes(again.target)[0] == "01:00:00:00"


@pytest.mark.parametrize(
    ("codec", "format", "suffix"),
    [("ffv1", "yuva420p", ".mkv"), ("prores_ks", "yuva444p10le", ".mov"),
     ("libvpx-vp9", "yuva420p", ".webm")],
)  # fmt: skip
def test_transparency_is_said_to_be_left_out_and_luma_is_kept(tmp_path, codec, format, suffix):
    film = tmp_path / f"film{suffix}"
    with av.open(str(film), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 72, format
        for number, picture in enumerate(PICTURES[:2]):
            levels = np.repeat((picture * 255).astype(np.uint8)[..., None], 4, axis=-1)
            frame = av.VideoFrame.from_ndarray(levels, format="rgba").reformat(format=format)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    result = coloured(film, tmp_path / "out.mkv")
    assert "left out: transparency" in result.notes
    assert not any("reduced" in note for note in result.notes)
    for source, kept in zip(lumas(film), lumas(result.target), strict=True):
        assert np.array_equal(source, kept)
    assert "left out: transparency" not in coloured(result.target, tmp_path / "2.mkv").notes


def test_a_stream_whose_size_changes_keeps_all_frames(tmp_path):
    parts = [
        write_film(tmp_path / f"{n}.ts", scene(8, n, height=h, width=w), Look("mpeg2video"))
        for n, (h, w) in enumerate(((72, 96), (144, 176)))
    ]
    film = tmp_path / "film.ts"
    film.write_bytes(b"".join(part.read_bytes() for part in parts))
    result = coloured(film, tmp_path / "out.mkv")
    assert result.frames == 16
    assert "frames of another size: 8; scaled to the size of the first" in result.notes


def test_chroma_of_a_sixteenth_is_read(tmp_path):
    film = write_film(tmp_path / "film.mkv", PICTURES[:2], Look(format="yuv410p"))
    for source, kept in zip(
        lumas(film), lumas(coloured(film, tmp_path / "out.mkv").target), strict=True
    ):
        assert np.array_equal(source, kept)


@pytest.mark.parametrize(
    ("module", "name", "leaves"),
    [
        (video, "describe", False),
        (video, "choose_encoding", False),
        (video._Film, "_plan", False),
        (video, "join_segments", True),
        (video_segments, "other_packets", True),
        (video_segments, "not_held", True),
    ],
)
def test_ctrl_c_in_each_phase_leaves_no_half_film(tmp_path, monkeypatch, module, name, leaves):
    film = write_film(tmp_path / "film.mkv", PICTURES, Look("libx264"), extras=True)
    target = tmp_path / "out.mkv"

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            coloured(film, target)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"film.mkv"} | ({segment_folder(target).name} if leaves else set())
    assert coloured(film, target, resume=True).frames == len(PICTURES)
    assert {path.name for path in tmp_path.iterdir()} == {"film.mkv", "out.mkv"}


def with_times(film, wrong):
    """Change the times of a film's frames in its first cluster, in milliseconds."""
    content = bytearray(film.read_bytes())
    cluster = content.index(b"\x1f\x43\xb6\x75")
    at, number = cluster, 0
    while (at := content.find(b"\xa3", at + 1)) > 0 and number <= max(wrong):
        size_bytes = 9 - content[at + 1].bit_length()
        block = at + 1 + size_bytes
        if content[block] != 0x81:  # the first track
            continue
        if number in wrong:
            content[block + 1 : block + 3] = wrong[number].to_bytes(2, "big", signed=True)
        at, number = block, number + 1
    film.write_bytes(content)


@pytest.mark.parametrize("wrong", [{3: 9000}, {3: 40}, {3: 0, 6: 20000}, {0: 5000}, {1: 0}])
def test_one_wrong_time_does_not_cost_the_frames_after_it(tmp_path, wrong):
    look = Look(format="gray", rate=Fraction(25))
    film = write_film(tmp_path / "film.mkv", [np.full((32, 32), n / 9) for n in range(9)], look)
    with_times(film, wrong)
    result = coloured(film, tmp_path / "out.mkv")
    assert result.frames == 9
    assert any(f"time was wrong: {len(wrong)};" in note for note in result.notes)
    shown = [float(t.pts) * 25 for t in times(result.target)]
    assert np.allclose(shown, range(9), atol=0.51)


def test_frames_whose_time_repeats_are_left_out_with_a_count(tmp_path):
    look = Look(format="gray", rate=Fraction(25))
    film = write_film(tmp_path / "film.mkv", [np.full((32, 32), n / 9) for n in range(9)], look)
    with_times(film, {5: 0, 6: 40, 7: 80, 8: 120})
    result = coloured(film, tmp_path / "out.mkv")
    assert result.frames == 5
    assert [float(t.pts) * 25 for t in times(result.target)] == [0, 1, 2, 3, 4]
    assert "frames left out, as their time repeats or runs backwards: 4" in result.notes
