"""A part of a film keeps what is shown and heard at its start; joined recordings go on."""

from fractions import Fraction

import av
import numpy as np
import pytest
from tests.films import Look, coloured, new_stream, packets, scene, times, video_frame, write_film

from photochrom.photo.video import describe
from photochrom.photo.video_decoding import Decoder

pytestmark = pytest.mark.slow


def streams(path, kind):
    """Return, for each stream of a kind, its packets: start, end, bytes."""
    with av.open(str(path)) as container:
        chosen = [s for s in container.streams if s.type == kind]
        found = {s.index: [] for s in chosen}
        for packet in container.demux(chosen):
            if packet.size:
                start = packet.pts * packet.time_base
                end = start + (packet.duration or 0) * packet.time_base
                found[packet.stream.index].append((start, end, bytes(packet)))
    return list(found.values())


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_a_part_has_what_is_heard_and_shown_from_its_start_to_its_end(tmp_path, suffix):
    codec = "ffv1" if suffix == ".mkv" else "h264"
    film = write_film(tmp_path / f"film{suffix}", scene(24), Look(codec="libx264"), extras=True)
    part = coloured(film, tmp_path / f"out{suffix}", codec=codec, start=0.25, stop=0.6).target
    begins = times(part)[0].pts
    assert [round(float(t.pts - begins) * 24) for t in times(part)] == list(range(9))
    whole = streams(film, "audio")[0]
    at_start = next(n for n, (_, end, _) in enumerate(whole) if end > Fraction(1, 4))
    for sound in streams(part, "audio"):
        assert sound[0][0] <= begins, "a gap"
        lies = (sound[1][0] - begins) - (whole[at_start + 1][0] - Fraction(1, 4))
        assert abs(lies) < Fraction(2, 1000), "out of step"
        assert Fraction(2, 10) < sound[-1][0] - begins <= Fraction(35, 100)
    lines = [row for row in streams(part, "subtitle")[0] if len(row[2]) > 2]
    assert [line[2][-3:] for line in lines] == [b"One", b"Two"]
    shown = [(round(a - begins, 2), round(b - begins, 2)) for a, b, _ in lines]
    assert shown == [
        (0, Fraction(5, 100)),  # from 0 to 0.3 s in the source
        (Fraction(15, 100), Fraction(35, 100)),  # from 0.4 to 0.7 s, cut at the part's end
    ]
    with av.open(str(part)) as container:
        spans = [
            (c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in container.chapters()
        ]
    assert spans == [(0, Fraction(1, 4)), (Fraction(1, 4), Fraction(35, 100))]


def recording(path, seed, *, first=0, sound_late=0.0):
    """Write a transport stream whose clock begins at a time: pictures and a click at its middle."""
    look = Look(codec="mpeg2video", rate=Fraction(25), options={"bf": "2", "g": "12"})
    pictures = scene(25, seed)
    options = {"output_ts_offset": str(first), "mpegts_copyts": "1"}
    with av.open(str(path), "w", format="mpegts", options=options) as container:
        stream = new_stream(container, look, *pictures[0].shape)
        sound = container.add_stream("mp2", rate=48000, layout="mono")
        for number, picture in enumerate(pictures):
            frame = video_frame(picture, look)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
            for at in range(number * 1920, (number + 1) * 1920, 960):
                part = av.AudioFrame.from_ndarray(
                    np.full((1, 960), 8000 * (at % 4), np.int16), format="s16", layout="mono"
                )
                part.sample_rate, part.time_base = 48000, Fraction(1, 48000)
                part.pts = at + round(sound_late * 48000)
                container.mux(sound.encode(part))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))
    return path


def joined(target, parts):
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


@pytest.mark.parametrize(
    ("firsts", "suffix"),
    [
        ((5000, 3, 90000), ".mkv"),
        # 33 bits end at 95,443.7 s
        pytest.param((95440, 95420, 50), ".ts", marks=pytest.mark.long),
        pytest.param((100, 20, 1000), ".mp4", marks=pytest.mark.long),
    ],
)
def test_recordings_put_together_keep_all_frames_and_sound_in_step(tmp_path, firsts, suffix):
    parts = [
        recording(tmp_path / f"{n}.ts", n, first=first, sound_late=0.02 * n)
        for n, first in enumerate(firsts)
    ]
    film = joined(tmp_path / "film.ts", parts)
    result = coloured(film, tmp_path / f"out{suffix}", codec="h264")
    assert result.frames == 75
    assert "3 recordings in one file; their times go on" in result.notes
    assert not any(note.startswith(("frames left", "damaged")) for note in result.notes)
    shown = [t.pts for t in times(result.target)]
    steps = np.diff([float(t) for t in shown])
    assert steps.min() > 0.035
    assert steps.max() < 0.2  # sound may be longer than pictures
    heard = [at for at, _ in packets(result.target)[1]]
    of_parts = [[at for at, _ in packets(part)[1]] for part in parts]
    assert len(heard) == sum(map(len, of_parts))
    for n, part in enumerate(parts):
        apart = of_parts[n][0] - times(part)[0].pts
        found = heard[sum(map(len, of_parts[:n]))] - shown[25 * n]
        assert abs(float(found - apart)) < 0.002, n


def test_a_part_and_the_length_of_joined_recordings_count_from_the_first(tmp_path):
    parts = [recording(tmp_path / f"{n}.ts", n, first=900 - 400 * n) for n in range(2)]
    film = joined(tmp_path / "film.ts", parts)
    facts = describe(film)
    assert 1.9 < facts.seconds < 2.3
    begins = facts.seconds_at(next(iter(Decoder(facts))).pts)
    assert 0 <= begins < 0.15
    assert coloured(film, tmp_path / "out.mkv", start=1.5).frames in range(12, 17)


def test_one_recording_is_left_as_it_is_even_where_it_pauses_or_its_clock_overflows(tmp_path):
    film = recording(tmp_path / "film.ts", 0, first=95443)
    assert describe(film).recordings == ()
    shown = [t.pts for t in times(coloured(film, tmp_path / "out.mkv").target)]
    assert len(shown) == 25
    late = write_film(tmp_path / "late.ts", scene(3), Look("mpeg2video"), pts=[0, 24, 24 * 8])
    assert describe(late).recordings == ()
