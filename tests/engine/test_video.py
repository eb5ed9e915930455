"""A coloured film is the source with chroma: luma, times, sound and everything else are kept."""

import os
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests.engine.noisy import ByBrightness, Noisy, colorizer_of
from tests.films import (
    COVER,
    Look,
    bare,
    broken,
    coloured,
    ground,
    packets,
    read_planes,
    scene,
    times,
    write_film,
)

from photochrom.color.lab import rgb_to_lab
from photochrom.colorization.method import MethodInfo, Prediction
from photochrom.engine import video
from photochrom.engine.page_colouring import PageColorizer
from photochrom.engine.video import VideoOptions, colorize_video, default_target, segment_folder
from photochrom.engine.video_guidance import Cue
from photochrom.errors import (
    InvalidValueError,
    UnreadablePhotoError,
    UnsupportedFormatError,
    UnwritablePhotoError,
)
from photochrom.options.hint import Hint
from photochrom.photo import video_segments
from photochrom.photo.video_codecs import CODECS
from photochrom.photo.video_streams import marker_of

pytestmark = pytest.mark.slow  # films and studies take seconds each
PICTURES = scene(10)
ROOT = Path(__file__).parent.parent.parent
SET = {"title": "At sea", "comment": "Filmed in 1931"}


def film_facts(path):
    """Return what players read of a film's pictures."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        tags = (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
        fields = (frame.interlaced_frame, stream.codec_context.field_order)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return (*map(int, tags), *fields, aspect, frame.rotation, stream.average_rate)


@pytest.mark.parametrize(
    "look",
    [
        Look(),
        Look(format="yuv422p"),
        Look(format="yuv444p"),
        Look(format="yuv420p10le"),
        Look(format="gray"),
        Look(format="gray10le", range=1),
        Look(range=2, full=True),
        Look(rotation=90),
        Look(codec="libx264", field="tff"),
        Look(codec="libx264", field="bff"),
    ],
    ids=lambda look: "-".join(
        str(value) for value in look if value and not isinstance(value, dict)
    )[:50],
)
def test_luma_is_kept_bit_for_bit_and_gray_is_the_middle(tmp_path, look):
    film = write_film(tmp_path / "film.mkv", PICTURES, look)
    coloured(film, tmp_path / "out.mkv")
    for source, result in zip(read_planes(film), read_planes(tmp_path / "out.mkv"), strict=True):
        assert np.array_equal(source[0], result[0])
        middle = 128 if source[0].dtype == np.uint8 else 512
        assert all((plane == middle).all() for plane in result[1:])
    assert times(film) == times(tmp_path / "out.mkv")
    before, after = film_facts(film), film_facts(tmp_path / "out.mkv")
    assert before[4:] == after[4:]
    assert after[0] == (before[0] or (2 if look.format == "gray" else 1))


def test_saturation_0_leaves_no_colour_whatever_the_method(tmp_path):
    film = write_film(tmp_path / "film.mkv", PICTURES[:2])
    colorizer = PageColorizer(saturation=0, short_side_px=64, threads=1)
    colorize_video(
        film, tmp_path / "out.mkv", colorizer=colorizer, options=VideoOptions(codec="ffv1")
    )
    assert all((p == 128).all() for planes in read_planes(tmp_path / "out.mkv") for p in planes[1:])


def test_colour_tags_are_kept(tmp_path):
    for tags in ((1, 1, 1, 1), (2, 5, 5, 4), (1, 9, 9, 14)):
        look = Look(**dict(zip(("range", "matrix", "primaries", "transfer"), tags, strict=True)))
        film = write_film(tmp_path / "film.mkv", PICTURES[:2], look)
        for codec in ("ffv1", "h264"):
            coloured(film, tmp_path / "out.mkv", codec=codec)
            assert film_facts(tmp_path / "out.mkv")[:4] == tags


@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "vp9"])
def test_every_codec_keeps_the_times_of_a_film_of_variable_rate(tmp_path, codec):
    look = Look(codec="libx264", time_base=Fraction(1, 90000))
    at = [0, 2, 3, 11, 12, 13, 40, 41, 60, 61]
    film = write_film(tmp_path / "film.mp4", PICTURES, look, pts=[3600 * t for t in at])
    coloured(film, tmp_path / "out.mp4", codec=codec)
    # MP4 has no durations of pictures: they come from when packets are decoded.
    assert [t.pts for t in times(tmp_path / "out.mp4")] == [Fraction(t, 25) for t in at]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(list(container.decode(video=0))) == 10


def test_frames_closer_than_a_segment_can_tell_keep_their_times(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "SEGMENT_FRAMES", 1)
    look = Look(codec="libx264", time_base=Fraction(1, 90000))
    at = [0, 1, 2, 3, 4000, 4001, 8000, 8001, 8002, 9000]
    film = write_film(tmp_path / "film.mp4", PICTURES, look, pts=at)
    coloured(film, tmp_path / "out.mp4", codec="h264")
    assert [t.pts for t in times(tmp_path / "out.mp4")] == [Fraction(t, 90000) for t in at]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_and_aspect_are_kept(tmp_path, degrees):
    look = Look(codec="libx264", rotation=degrees, aspect=Fraction(4, 3))
    film = write_film(tmp_path / "film.mp4", PICTURES[:3], look)
    coloured(film, tmp_path / "out.mp4", codec="h264")
    assert film_facts(film)[6:8] == film_facts(tmp_path / "out.mp4")[6:8]
    assert film_facts(film)[6] == Fraction(4, 3)


@pytest.mark.parametrize("codec", CODECS)
def test_every_container_of_a_codec_keeps_the_shape_of_pixels_or_says_so(tmp_path, codec):
    for aspect in (Fraction(16, 11), Fraction(4, 3)):
        film = write_film(tmp_path / "film.mp4", PICTURES[:2], Look("libx264", aspect=aspect))
        for suffix in CODECS[codec].suffixes:
            target = tmp_path / f"out{suffix}"
            said = any(
                "shape of pixels" in note for note in coloured(film, target, codec=codec).notes
            )
            assert len(read_planes(target)) == 2
            assert film_facts(target)[6] == aspect or said
            if suffix in (".mkv", ".webm", ".mp4", ".mov", ".m4v"):
                assert film_facts(target)[6] == aspect, suffix
    if hasattr(os, "sched_getscheduler"):  # SVT-AV1 makes a process of root's real-time
        tasks = Path("/proc/self/task").iterdir()
        assert {os.sched_getscheduler(int(task.name)) for task in tasks} == {os.SCHED_OTHER}


def test_a_film_that_begins_late_keeps_its_times(tmp_path):
    look = Look(codec="libx264")
    film = write_film(tmp_path / "film.ts", PICTURES, look, pts=range(48, 58))
    coloured(film, tmp_path / "out.mkv")
    assert times(tmp_path / "out.mkv")[0].pts == times(film)[0].pts == 2
    part = coloured(film, tmp_path / "part.mkv", start=0.1, stop=0.3)
    assert part.frames == 5
    assert times(part.target)[0].pts < Fraction(5, 100)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_all_that_a_film_holds_is_copied(tmp_path, suffix):
    film = write_film(
        tmp_path / f"film{suffix}", PICTURES, Look(codec="libx264"), extras=True, metadata=SET
    )
    target = tmp_path / f"out{suffix}"
    found = coloured(film, target, codec="h264")
    assert not any("left out" in note for note in found.notes)
    assert packets(film) == packets(target)
    assert times(film) == times(target)
    with av.open(str(film)) as before, av.open(str(target)) as after:
        assert [s.type for s in before.streams] == [s.type for s in after.streams]
        assert [int(s.disposition) for s in before.streams] == [
            int(s.disposition) for s in after.streams
        ]
        tags = [{k: v for k, v in s.metadata.items() if k != "DURATION"} for s in before.streams]
        assert [dict(s.metadata) | t for s, t in zip(after.streams, tags, strict=True)] == [
            dict(s.metadata) for s in after.streams
        ]
        assert before.chapters() == after.chapters()
        lower = {key.lower(): value for key, value in after.metadata.items()}
        assert SET.items() <= lower.items()
        for stream in after.streams:
            if stream.type == "attachment":
                assert stream.data == b"Filmed in 1931."
    assert marker_of(target)["method"] == "gray"
    if suffix != ".mov":  # which has none
        assert COVER in [content for row in packets(target).values() for _, content in row]


def test_what_a_container_cannot_hold_is_said(tmp_path):
    film = write_film(
        tmp_path / "film.mkv", PICTURES, Look(codec="libx264"), extras=True, metadata=SET
    )
    notes = coloured(film, tmp_path / "out.ts", codec="h264").notes
    for what in ("subtitle stream 3", "video stream 4 (png)", "attachment stream 5 (notes.txt)",
                 "chapters", "metadata (COMMENT, title)", "photochrom's marker"):  # fmt: skip
        assert any(n.startswith(f"left out: {what}") and "mpegts" in n for n in notes), what
    sounds = [[content for _, content in row] for row in packets(tmp_path / "out.ts").values()]
    assert len(sounds) == 2
    notes = coloured(film, tmp_path / "out.webm", codec="vp9").notes
    assert sum("aac" in note for note in notes) == 2


def test_films_of_every_odd_kind_are_coloured(tmp_path):
    mp4 = write_film(tmp_path / "film.mp4", PICTURES, Look(codec="libx264"))
    raw = bare(mp4, tmp_path / "film.h264", "h264")
    assert coloured(raw, tmp_path / "raw.mkv").frames == 10
    avi = write_film(tmp_path / "film.avi", PICTURES, Look(codec="mpeg4", options={"bf": "2"}))
    assert coloured(avi, tmp_path / "avi.mkv").frames == 10
    assert coloured(avi, None, codec=None).target.name == "film-color.mkv"
    one = write_film(tmp_path / "one.mkv", PICTURES[:1])
    assert coloured(one, tmp_path / "one-out.mp4", codec="h264").frames == 1
    still = write_film(tmp_path / "still.mp4", PICTURES[:1], Look(codec="mjpeg", format="yuvj420p"))
    assert coloured(still, tmp_path / "still.mkv").frames == 1
    odd = write_film(tmp_path / "odd.mkv", scene(3, height=71, width=95))
    for codec in ("h264", "h265", "av1", "vp9"):
        assert coloured(odd, tmp_path / "odd-out.mkv", codec=codec).frames == 3


def test_damage_is_said_with_a_count(tmp_path):
    film = write_film(tmp_path / "film.mkv", scene(48), Look(codec="libx264", options={"g": "6"}))
    said = [
        coloured(broken(film, tmp_path / f"{n}.mkv", n), tmp_path / f"{n}-out.mkv").notes
        for n in range(3)
    ]
    assert any(note.startswith("damaged places: ") for notes in said for note in notes)
    cut = tmp_path / "cut.mkv"
    long = write_film(tmp_path / "long.mkv", scene(60), Look(codec="libx264"))
    cut.write_bytes(long.read_bytes()[: long.stat().st_size // 2])
    notes = coloured(cut, tmp_path / "cut-out.mkv").notes
    assert any("of the 2.5 s that the file states" in note for note in notes)
    late = write_film(tmp_path / "late.mkv", PICTURES, pts=range(120, 130))
    notes = coloured(late, tmp_path / "late-out.mkv").notes
    assert not any("that the file states" in note for note in notes)


def test_colours_of_the_source_are_said_to_be_replaced_only_if_it_shows_any(tmp_path):
    said = "the source's own colours were replaced; its luma is unchanged"
    green = write_film(tmp_path / "green.mkv", PICTURES[:2])
    assert said in coloured(green, tmp_path / "out.mkv").notes
    result = coloured(tmp_path / "out.mkv", tmp_path / "again.mkv")  # yuv420p, but gray
    assert said not in result.notes


def test_what_cannot_be_is_said_and_nothing_is_lost(tmp_path):
    film = write_film(tmp_path / "film.mp4", PICTURES, Look(codec="libx264"))
    content = film.read_bytes()
    linked = tmp_path / "linked.mp4"
    linked.symlink_to(film)
    for target, options, error, said in (
        (film, {"codec": "h264"}, UnwritablePhotoError, "would replace the original"),
        (linked, {"codec": "h264"}, UnwritablePhotoError, "would replace the original"),
        (
            tmp_path / "out.xyz",
            {},
            UnwritablePhotoError,
            "supported film container. Use .3gp",
        ),
        (tmp_path / "out.mp4", {}, InvalidValueError, "A file .mp4 cannot hold ffv1"),
        (tmp_path / "out.avi", {"codec": None}, InvalidValueError, "--codec ffv1"),
        (tmp_path / "out.mkv", {"codec": "none"}, InvalidValueError, "--codec must be one of"),
        (tmp_path / "out.mkv", {"crf": 5}, InvalidValueError, "ffv1 has no rate factor"),
        (tmp_path / "out.mkv", {"codec": "h264", "crf": 60}, InvalidValueError, "0 to 51"),
        (tmp_path / "out.mkv", {"start": 9.0}, InvalidValueError, "which lasts 0.4 s"),
        (tmp_path / "out.mkv", {"start": 0.2, "stop": 0.1}, InvalidValueError, "later than"),
        (tmp_path / "no" / "out.mkv", {}, UnwritablePhotoError, "cannot be written"),
    ):
        with pytest.raises(error, match=said):
            coloured(film, target, **options)
        assert film.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["film.mp4", "linked.mp4"]
    deep = write_film(tmp_path / "deep.mkv", PICTURES[:1], Look(format="yuv420p", transfer=16))
    with pytest.raises(UnsupportedFormatError, match="tonemap"):
        coloured(deep, tmp_path / "out.mkv")
    with pytest.raises(UnreadablePhotoError, match="no frame lies in the wanted part"):
        coloured(film, tmp_path / "out.mkv", start=0.3771, stop=0.3772)


def test_a_full_disk_is_said_and_what_is_finished_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "SEGMENT_FRAMES", 10)
    film = write_film(tmp_path / "film.mkv", scene(48, height=240, width=320))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(UnwritablePhotoError, match="File too large") as caught:
            coloured(film, tmp_path / "out.mkv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "out.mkv").exists()
    again = coloured(film, tmp_path / "out.mkv", resume=True)
    assert again.frames == 48
    assert not segment_folder(tmp_path / "out.mkv").exists()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.mkv", PICTURES[:2])

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(UnwritablePhotoError, match="Permission denied"):
        coloured(film, tmp_path / "out.mkv")


@pytest.fixture
def stopping(monkeypatch):
    """Give a function: end a run, as Ctrl-C does, after some frames."""

    def after(count):
        original = video_segments.SegmentWriter.add
        left = [count]

        def add(self, *given):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            original(self, *given)

        monkeypatch.setattr(video_segments.SegmentWriter, "add", add)

    return after


def test_ctrl_c_leaves_whole_segments_alone_and_resume_goes_on(tmp_path, monkeypatch, stopping):
    monkeypatch.setattr(video, "SEGMENT_FRAMES", 10)
    film = write_film(tmp_path / "film.mkv", scene(40))
    stopping(30)
    with pytest.raises(KeyboardInterrupt):
        coloured(film, tmp_path / "out.mkv")
    monkeypatch.undo()
    monkeypatch.setattr(video, "SEGMENT_FRAMES", 10)
    folder = segment_folder(tmp_path / "out.mkv")
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["000000.mkv", "000000.npz", "000001.mkv", "000001.npz", "recipe"]
    other = coloured(film, tmp_path / "out.mkv", resume=True, stop=1.0)
    assert "started over: the earlier run was for another film or other settings" in other.notes
    assert other.frames == 24


@pytest.mark.parametrize(
    ("name", "kept"), [("000000.mkv", 0.5), ("000001.mkv", 0), ("000001.npz", 0.5)]
)
def test_a_damaged_segment_is_coloured_again(tmp_path, monkeypatch, name, kept):
    monkeypatch.setattr(video, "SEGMENT_FRAMES", 10)
    film = write_film(tmp_path / "film.mkv", scene(40))

    def stop(progress):
        if progress.frames > 30:
            raise KeyboardInterrupt

    gray, options = PageColorizer("gray"), VideoOptions(codec="ffv1")
    with pytest.raises(KeyboardInterrupt):
        colorize_video(film, tmp_path / "out.mkv", colorizer=gray, options=options, progress=stop)
    segment = segment_folder(tmp_path / "out.mkv") / name
    segment.write_bytes(segment.read_bytes()[: round(segment.stat().st_size * kept)])
    assert coloured(film, tmp_path / "out.mkv", resume=True).frames == 40
    assert len(times(tmp_path / "out.mkv")) == 40


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path, stopping):
    film = write_film(tmp_path / "film.mkv", PICTURES)
    stopping(3)
    with pytest.raises(KeyboardInterrupt):
        coloured(film, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_resume_leaves_a_finished_film_alone(tmp_path):
    film = write_film(tmp_path / "film.mkv", PICTURES)
    first = coloured(film, tmp_path / "out.mkv")
    content = first.target.read_bytes()
    os.utime(film, (0, 0))  # as in a copy
    again = coloured(film, tmp_path / "out.mkv", resume=True)
    assert again.notes == ("already coloured with these settings",)
    assert again.target.read_bytes() == content
    assert coloured(film, tmp_path / "out.mkv", resume=True, stop=0.2).frames == 5


def test_a_film_of_that_name_that_is_not_ours_is_left_alone(tmp_path):
    film = write_film(tmp_path / "film.mkv", PICTURES[:2])
    own = write_film(tmp_path / "film-color.mkv", PICTURES[:2])
    assert default_target(film, "ffv1").name == "film-color-2.mkv"
    coloured(film, own)
    assert default_target(film, "ffv1").name == "film-color.mkv"


def test_the_result_of_another_film_is_left_alone(tmp_path):
    film = write_film(tmp_path / "film.avi", PICTURES[:2])
    other = write_film(tmp_path / "film.mpg", PICTURES[:2], Look(codec="mpeg1video"))
    assert coloured(film, None, codec=None).target.name == "film-color.mkv"
    assert default_target(other).name == "film-color-2.mkv"
    assert default_target(film).name == "film-color.mkv"
    assert default_target(tmp_path / "film.wmv").name == "film-color-2.mkv"


def test_a_second_run_at_one_target_leaves_the_first_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "SEGMENT_FRAMES", 5)
    film = write_film(tmp_path / "film.mkv", scene(30))
    refused = []

    def second(progress):
        if progress.frames > 20 and not refused:
            with pytest.raises(UnwritablePhotoError, match="another run is colouring it") as found:
                coloured(film, tmp_path / "out.mkv", resume=True)
            refused.append(found)

    options = VideoOptions(codec="ffv1")
    gray = PageColorizer("gray")
    done = colorize_video(
        film, tmp_path / "out.mkv", colorizer=gray, options=options, progress=second
    )
    assert refused
    assert done.frames == 30
    assert len(times(done.target)) == 30
    assert not segment_folder(done.target).exists()


DRIVER = """
import sys
from photochrom.engine import video
from photochrom.engine.page_colouring import PageColorizer
video.SEGMENT_FRAMES = 12
sys.path.insert(0, sys.argv[4])
from tests.engine.noisy import Noisy, colorizer_of
video.colorize_video(
    sys.argv[1], sys.argv[2], colorizer=colorizer_of(Noisy()),
    options=video.VideoOptions(codec=sys.argv[3], resume=True),
    progress=lambda done: print(done.frames, flush=True),
)
"""


def test_twenty_kills_and_as_many_resumes_give_the_film_of_an_undisturbed_run(tmp_path):
    pictures = [*scene(60), *scene(50, 1, speed=2.0), *scene(50, 2, pan=1.0)]
    film = write_film(tmp_path / "film.mp4", pictures, Look(codec="libx264"), extras=True)
    words = [sys.executable, "-c", DRIVER, str(film)]
    rest = ["ffv1", str(ROOT)]  # libx264 does not repeat itself to the last bit
    plain, target = tmp_path / "plain.mkv", tmp_path / "out.mkv"
    subprocess.run([*words, str(plain), *rest], check=True, capture_output=True)
    random = np.random.default_rng(5)
    kills, reached = 0, []
    for _ in range(20):
        with subprocess.Popen([*words, str(target), *rest], stdout=subprocess.PIPE) as process:
            for _ in range(int(random.integers(0, 4))):
                line = process.stdout.readline()
                reached.append(int(line or 0))
            process.kill()
        kills += process.returncode == -9
    assert kills >= 10
    subprocess.run([*words, str(target), *rest], check=True, capture_output=True)
    assert [p.name for p in tmp_path.glob(".*")] == []
    assert packets(target) == packets(plain)
    assert times(target) == times(plain)
    with av.open(str(target)) as one, av.open(str(plain)) as other:
        for packet, same in zip(one.demux(video=0), other.demux(video=0), strict=True):
            assert bytes(packet) == bytes(same)


def colours_of(path):
    """Return each frame's mean ab, and the whole of it at the size of chroma."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            rgb = frame.to_ndarray(format="rgb24").astype(np.float32) / 255
            found.append(rgb_to_lab(rgb)[..., 1:])
    return found


def with_method(film, target, method, **options):
    colorizer = colorizer_of(method)
    return colorize_video(
        film, target, colorizer=colorizer, options=VideoOptions("ffv1", **options)
    )


def test_colours_are_never_blended_across_a_cut(tmp_path):
    dark, bright = ([p * 0.5 + 0.1 for p in scene(15)], [p * 0.4 + 0.5 for p in scene(15, 1)])
    look = Look(format="yuv444p")
    film = write_film(tmp_path / "film.mkv", [*dark, *bright], look)
    both = with_method(film, tmp_path / "both.mkv", ByBrightness())
    assert both.shots == 2
    alone = []
    for name, pictures in (("dark", dark), ("bright", bright)):
        part = write_film(tmp_path / f"{name}.mkv", pictures, look)
        alone += colours_of(with_method(part, tmp_path / f"{name}-out.mkv", ByBrightness()).target)
    for one, other in zip(colours_of(both.target), alone, strict=True):
        assert np.abs(one - other).max() < 0.01


def measure(path, truth):
    """Return the change of colour along a motion of a pixel a frame, and the error to the truth."""
    colours, warping, error = colours_of(path), [], []
    for number, (now, ideal) in enumerate(zip(colours, truth, strict=True)):
        error.append(np.abs(now - ideal).mean())
        if number:
            moved = np.roll(colours[number - 1], 1, axis=1)
            warping.append(np.linalg.norm(now - moved, axis=-1)[8:-8, 12:-12].mean())
    return float(np.mean(warping)), float(np.mean(error))


def test_colours_change_a_third_as_much_along_the_motion_at_no_larger_error(tmp_path):
    wide = ground(4, 72, 160) * 0.5 + 0.25
    pictures = [wide[:, 40 - n : 136 - n] for n in range(36)]  # all moves right, a pixel a frame
    film = write_film(tmp_path / "film.mkv", pictures, Look(format="yuv444p"))
    with_method(film, tmp_path / "truth.mkv", Noisy(0.0), steady=False)
    truth = colours_of(tmp_path / "truth.mkv")
    found = {}
    for steady in (True, False):
        target = tmp_path / f"{steady}.mkv"
        with_method(film, target, Noisy(), steady=steady)
        found[steady] = measure(target, truth)
    assert found[True][0] <= found[False][0] / 3, found
    assert found[True][1] <= found[False][1], found


def test_the_network_s_colours_are_steadier_than_frame_by_frame(tmp_path):
    random = np.random.default_rng(1)
    wide = ground(4, 72, 160) * 0.6 + 0.2
    clean = [wide[:, 40 - n : 136 - n] for n in range(26)]
    pictures = [np.clip(p + random.normal(0, 0.04, p.shape), 0, 1) for p in clean]
    film = write_film(tmp_path / "film.mkv", pictures, Look(format="yuv444p"))
    colorizer, found = PageColorizer(short_side_px=96, threads=1), {}
    for steady in (True, False):
        target = tmp_path / f"{steady}.mkv"
        options = VideoOptions("ffv1", steady=steady)
        colorize_video(film, target, colorizer=colorizer, options=options)
        found[steady] = measure(target, colours_of(target))[0]
    assert found[True] < found[False] / 1.5, found


def hint_at(at, place, colour="#c02020"):
    return Cue(at, Hint.point(*place, colour, 6, reach="whole"), {})


class Obeys:
    """A method that spreads each hint over what is as bright as its place, and else gives gray."""

    info = MethodInfo("obeys", "none", "none", short_side_px=64, accepts=("hints",),
                      requires=("hints",))  # fmt: skip

    def predict(self, request):
        ab = np.zeros((*request.lightness.shape, 2), np.float32)
        hints = request.hints
        if hints is not None and hints.mask.any():
            there = hints.mask > 0.5
            alike = np.abs(request.lightness - np.median(request.lightness[there])) < 12
            ab[alike] = hints.ab[there].mean(axis=0)
        return Prediction(ab[None])


def spots(count, seed, speed):
    """Draw a bright disc that moves over a dark texture."""
    pictures = [p * 0.25 + 0.05 for p in scene(count, seed, speed=0.0)]
    rows, columns = np.mgrid[:72, :96]
    for number, picture in enumerate(pictures):
        disc = (rows - 36) ** 2 + (columns - (30 + speed * number)) ** 2 < 14**2
        picture[disc] = 0.55 + 0.08 * ground(seed + 9)[disc]
    return pictures


def test_a_hint_colours_its_thing_in_its_whole_shot_and_nowhere_else(tmp_path):
    film = write_film(
        tmp_path / "film.mkv", [*spots(30, 0, 1.2), *spots(15, 5, 0.0)], Look(format="yuv444p")
    )
    cue = hint_at(14 / 24, (30 + 1.2 * 14, 36))
    result = with_method(film, tmp_path / "out.mkv", Obeys(), cues=(cue,))
    assert not any("not used" in note for note in result.notes)
    colours = colours_of(result.target)
    for number in (0, 5, 14, 22, 29):
        x = round(30 + 1.2 * number)
        assert colours[number][32:40, x - 4 : x + 5, 0].mean() > 20, number
        assert np.abs(colours[number][:8]).mean() < 3
    for number in range(30, 45):
        assert np.abs(colours[number]).max() < 1.5


def test_cues_without_a_frame_are_said(tmp_path):
    film = write_film(tmp_path / "film.mkv", spots(20, 0, 1.0))
    cues = tuple(hint_at(at, (30, 36)) for at in (0.1, 0.4, 99.0))
    notes = with_method(film, tmp_path / "out.mkv", Obeys(), cues=cues, start=0.2).notes
    said = (
        "hints and shot settings not used, because there is no frame or nothing to follow at: "
        "0.1 s, 99 s"
    )
    assert said in notes


def test_looks_hold_for_their_shot(tmp_path):
    film = write_film(tmp_path / "film.mkv", [*scene(14), *scene(14, 1)], Look(format="yuv444p"))
    cues = (Cue(1.0, None, {"saturation": 0.0}),)
    result = with_method(film, tmp_path / "out.mkv", ByBrightness(), cues=cues)
    chroma = [np.abs(c).mean() for c in colours_of(result.target)]
    assert min(chroma[:14]) > 10
    assert max(chroma[14:]) < 0.5


def test_palettes_hold_for_their_shot(tmp_path):
    pictures = [*scene(6), *scene(6, 1)]
    film = write_film(tmp_path / "film.mkv", pictures, Look(format="yuv444p"))
    colorizer = PageColorizer(short_side_px=64, threads=1)
    plain, told = (
        colours_of(
            colorize_video(
                film, tmp_path / f"{n}.mkv", colorizer=colorizer,
                options=VideoOptions("ffv1", cues=cues),
            ).target
        )
        for n, cues in enumerate(((), (Cue(0.0, None, {"palette": ["#c02020"]}),)))
    )  # fmt: skip
    assert all(np.abs(told[n] - plain[n]).mean() > 1 for n in range(6))
    assert all(np.abs(told[n] - plain[n]).max() < 1 for n in range(6, 12))


def test_two_frames_of_h265_are_written_whatever_their_decoding_time(tmp_path, monkeypatch):
    film = write_film(tmp_path / "film.mkv", PICTURES[:2])
    original = video_segments.new_encoder

    class Undefined:
        def __init__(self, stream):
            self.stream = stream

        def __getattr__(self, name):
            return getattr(self.stream, name)

        def encode(self, picture):
            for packet in self.stream.encode(picture):
                if packet.pts == 0:
                    packet.dts = 2**62
                yield packet

    def undefined(container, encoding, facts):
        stream = original(container, encoding, facts)
        return Undefined(stream) if container.name.endswith("000000.part") else stream

    monkeypatch.setattr(video_segments, "new_encoder", undefined)
    result = coloured(film, tmp_path / "out.mkv", codec="h265")
    assert len(read_planes(result.target)) == 2


def test_resume_notices_that_the_reference_of_a_shot_was_coloured_anew(tmp_path):
    film, reference = write_film(tmp_path / "film.mkv", scene(8)), tmp_path / "shot.png"
    cue = Cue(0.1, None, {"reference": reference})

    def marked(colour):
        Image.new("RGB", (32, 32), colour).save(reference)
        options = VideoOptions(codec="ffv1", cues=(cue,), resume=True)
        return colorize_video(film, tmp_path / "out.mkv", options=options)

    assert marked("#a03020").frames == 8
    assert marked("#2040a0").frames == 8
    again = colorize_video(
        film, tmp_path / "out.mkv", options=VideoOptions(codec="ffv1", cues=(cue,), resume=True)
    )
    assert again.notes == ("already coloured with these settings",)
