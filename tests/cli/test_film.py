"""`photochrom FILM` as a person uses it: one sentence for each fault, and nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from tests.films import Look, lumas, scene, write_film

from photochrom import cli
from photochrom.cli.film import progress_text
from photochrom.engine import video
from photochrom.engine.video import Progress, segment_folder
from photochrom.photo.video_streams import marker_of

pytestmark = pytest.mark.slow  # films and studies take seconds each
GRAY = ("-m", "gray")


@pytest.fixture
def run(capsys, monkeypatch):
    """Give a function: run the command; its exit code and what it says."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["photochrom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.err.splitlines(), said.out.splitlines()

    return command


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Give a drawn film, of which tests take copies."""
    return write_film(
        tmp_path_factory.mktemp("drawn") / "film.mp4", scene(12), Look(codec="libx264")
    )


@pytest.fixture
def film(drawn, tmp_path):
    """Give a film in a folder of its own."""
    path = tmp_path / "film.mp4"
    path.write_bytes(drawn.read_bytes())
    return path


def test_a_film_is_coloured_beside_itself(run, film):
    code, said, _ = run(film, *GRAY)
    target = film.with_name("film-color.mp4")
    assert code == 0
    assert said[0] == f"{film} -> {target}"
    assert len(lumas(target)) == 12
    assert marker_of(target)["tool"] == "photochrom"


def test_its_place_codec_quality_and_part_can_be_named(run, film, tmp_path):
    words = ("--codec", "h265", "--crf", "20", "--from", "0:0.1", "--to", "0.3")
    assert run(film, "-o", tmp_path / "out.mkv", *words, *GRAY)[0] == 0
    assert len(lumas(tmp_path / "out.mkv")) == 5
    assert run(film, "-o", tmp_path / "folder", "--codec", "ffv1", *GRAY)[0] == 0
    assert (tmp_path / "folder" / "film-color.mkv").exists()


def test_films_of_one_name_do_not_replace_each_other(run, film, tmp_path):
    other = tmp_path / "other" / "film.mp4"
    other.parent.mkdir()
    other.write_bytes(film.read_bytes())
    code, said, _ = run(film, other, "-o", tmp_path / "both", *GRAY)
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == [
        "film-color-2.mp4",
        "film-color.mp4",
    ]
    assert len([line for line in said if " -> " in line]) == 2


def test_each_outcome_is_a_line_of_json(run, film, tmp_path):
    (tmp_path / "bad.mp4").write_text("no film")
    code, _, lines = run(film, tmp_path / "bad.mp4", "--json", *GRAY)
    assert code == 1
    rows = [json.loads(line) for line in lines]
    assert [row["status"] for row in rows] == ["coloured", "failed"]
    assert rows[0].keys() == {"source", "target", "status", "notes", "seconds"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--codec", "none"], 1, "--codec must be one of h264, h265, av1, vp9, ffv1, prores"),
        (["--codec", "ffv1", "-o", "out.mp4"], 1, "A file .mp4 cannot hold ffv1"),
        (["-o", "out.xyz"], 1, "not a supported film container"),
        (["-o", "film.mp4"], 1, "would replace the original"),
        (["-o", "-"], 1, "A film cannot be written to standard output"),
        (["--from", "9"], 1, "--from must lie in the film, which lasts 0.5 s"),
        (["--from", "0.2", "--to", "0.1"], 1, "--to must be later than --from"),
        (["--from", "soon"], 1, "A time must be like 83.4, 1:23.4 or 1:02:03"),
        (["--quality", "90"], 1, "--quality is for photographs, not films"),
        (["--restore"], 1, "--restore is for photographs, not films"),
        (["--negative"], 1, "--negative is for photographs, not films"),
        (["--gamma", "1"], 1, "--gamma is for photographs, not films"),
        (["--salvage"], 1, "--salvage is for photographs, not films"),
        (["--descreen"], 1, "--descreen is for photographs, not films"),
        (["--keep-time"], 1, "--keep-time is for photographs, not films"),
        (["--source-profile", "a.icc"], 1, "--source-profile is for photographs, not films"),
        (["--float-range", "0", "5"], 1, "--float-range is for photographs, not films"),
        (["--watch"], 1, "--watch is for photographs, not films"),
        (["--hint", "1,2,#ffffff"], 1, "A film takes its hints from --hints FILE"),
        (["--crf", "99"], 2, "63"),
    ],
)
def test_a_wrong_word_is_answered_in_a_sentence(run, film, monkeypatch, words, code, said):
    monkeypatch.chdir(film.parent)
    content = film.read_bytes()
    found, lines, _ = run("film.mp4", *words, *GRAY)
    assert found == code
    assert said in "\n".join(lines)
    if code == 1:
        assert len(lines) == 1
    assert film.read_bytes() == content
    assert [path.name for path in film.parent.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("word", ["--crf", "--from", "--to", "--codec"])
def test_words_for_films_are_refused_for_photographs(run, tmp_path, word):
    (tmp_path / "photo.png").touch()
    code, lines, _ = run(tmp_path / "photo.png", word, "20")
    assert code == 1
    assert lines == [
        f"photochrom: {word} is for films; {tmp_path / 'photo.png'} is not one. "
        "Films are named one by one, not as a folder."
    ]


def test_films_in_a_folder_are_said_to_be_passed_over(run, film):
    code, lines, _ = run(film.parent)
    assert code == 1
    assert "its films (1 .mp4) are coloured when they are named" in lines[0]


def test_one_bad_film_does_not_stop_the_others(run, film, tmp_path):
    (tmp_path / "bad.mkv").touch()
    code, lines, _ = run(tmp_path / "bad.mkv", film, *GRAY)
    assert code == 1
    assert "bad.mkv: the file is empty" in lines[0]
    assert "film-color.mp4" in lines[1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory. Close other programs and run it again."),
        (ValueError("no\nway"), "could not be coloured (ValueError: no). Please report this"),
    ],
)
def test_a_film_that_fails_unexpectedly_does_not_stop_the_others(
    run, film, tmp_path, monkeypatch, error, said
):
    colorize_video = video.colorize_video

    def fails(path, *given, **options):
        if path == film:
            raise error
        return colorize_video(path, *given, **options)

    monkeypatch.setattr(video, "colorize_video", fails)
    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes())
    code, lines, _ = run(film, other, *GRAY)
    assert code == 1
    assert lines[0].startswith(f"photochrom: {film}: {said}")
    assert lines[1] == f"{other} -> {tmp_path / 'other-color.mp4'}"


def test_hints_come_from_a_file_with_times(run, film, tmp_path):
    hints = tmp_path / "hints.json"
    hints.write_text(json.dumps({"hints": [{"shape": "point"}]}))
    assert "hint 1 needs a time" in run(film, "--hints", hints, *GRAY)[1][0]
    hints.write_text(json.dumps({"shots": [{"at": "0:00", "saturation": 0.5}, {"at": 50}]}))
    code, lines, _ = run(film, "--hints", hints, *GRAY)
    assert code == 0
    assert any("nothing to follow at: 50 s" in line for line in lines)


def test_a_picture_of_each_shot_is_written_with_its_time(run, tmp_path):
    film = write_film(tmp_path / "film.mkv", [*scene(9), *scene(9, 1)])
    code, _, lines = run("frames", film)
    assert code == 0
    times = [line.split()[0] for line in lines]
    assert times[0].startswith("0:00.")
    assert len(lines) == 2
    assert sorted((tmp_path / "film-frames").iterdir()) == [Path(line.split()[1]) for line in lines]


def test_progress_says_frames_speed_and_time_left():
    assert progress_text(Progress(120, 600, 60, 10.0)) == (
        "120 of 600 frames, 6.0 a second, 1:20 left"
    )
    assert progress_text(Progress(120, 0, 60, 10.0)) == "120 frames, 6.0 a second"
    assert progress_text(Progress(0, 600, 0, 0.0)) == "0 of 600 frames, 0.0 a second"


def test_what_is_missing_is_said_with_what_to_install(film, tmp_path):
    blocked = (
        "import sys; from importlib import util; sys.modules['av'] = None; found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'av' else found(name, *rest)\n"
        "from photochrom.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked, str(film)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "photochrom: Colouring a film needs av, which is not installed. Run: pip install "
        "'.[video]' (in the folder of photochrom's source)"
    ]


def test_importing_photochrom_imports_no_film_library():
    code = "import sys, photochrom, photochrom.cli, photochrom.cli.run; " \
        "print({'av', 'cv2'} & set(sys.modules))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM]
)
def test_ctrl_c_and_kill_say_how_to_go_on(tmp_path, number):
    film = write_film(tmp_path / "film.mkv", scene(200, speed=0.1))
    code = "import sys; from photochrom.engine import video; video.SEGMENT_FRAMES = 12; " \
        "from photochrom.cli import main; main()"  # fmt: skip
    words = [sys.executable, "-c", code, str(film), *GRAY]
    target = tmp_path / "film-color.mkv"
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not any(segment_folder(target).glob("*.mkv")) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, number)
        said = process.stderr.read()
    assert process.returncode == 128 + number
    assert "Finished parts are kept. Run again with --resume to continue." in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.part"))
    again = subprocess.run([*words, "--resume"], capture_output=True, text=True, check=True)
    assert f"{film} -> {target}" in again.stderr.splitlines()
    assert len(lumas(target)) == 200


def test_a_film_given_twice_or_by_two_names_is_coloured_once(run, film, tmp_path):
    link, folder = tmp_path / "link.mp4", tmp_path / "folder"
    link.symlink_to(film)
    folder.symlink_to(tmp_path)
    code, said, _ = run(film, film, link, folder / "film.mp4", *GRAY)
    assert code == 0
    assert said == [
        f"photochrom: {film}: given twice; it is coloured once.",
        f"photochrom: {link}: given twice, as {film}; it is coloured once.",
        f"photochrom: {folder / 'film.mp4'}: given twice, as {film}; it is coloured once.",
        f"{film} -> {tmp_path / 'film-color.mp4'}",
        *(line for line in said if line.startswith("  ")),
    ]


def test_films_of_one_folder_by_two_names_do_not_share_a_result(run, tmp_path):
    one = write_film(tmp_path / "film.mkv", scene(2))
    other = write_film(tmp_path / "film.avi", scene(3), Look("mpeg4"))
    (tmp_path / "folder").symlink_to(tmp_path)
    assert run(one, tmp_path / "folder" / other.name, *GRAY)[0] == 0
    assert len(lumas(tmp_path / "film-color.mkv")) == 2
    assert len(lumas(tmp_path / "film-color-2.mkv")) == 3


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("JPEG", ".jpg"), ("PNG", ".png"), ("WebP", ".webp"), ("TIFF", ".tif"), ("AVIF", ".avif")],
)
def test_a_photograph_named_like_a_film_is_called_one(run, tmp_path, kind, suffix):
    path = tmp_path / "photo.mp4"
    Image.fromarray((scene(1)[0] * 255).astype("uint8")).save(path, format=kind)
    code, said, _ = run(path, *GRAY)
    assert code == 1
    assert said == [
        f"photochrom: {path}: not a film but a file of kind {kind}. "
        f"Rename it to photo{suffix}; then it is coloured as a photograph."
    ]
    assert run(path.rename(path.with_suffix(suffix)), *GRAY)[0] == 0


def test_moving_pictures_of_other_kinds_are_films_if_they_are_named_so(run, tmp_path):
    pictures = [Image.fromarray((p * 255).astype("uint8")) for p in scene(5)]
    for kind in ("GIF", "PNG"):
        path = tmp_path / f"{kind}.mp4"
        pictures[0].save(path, format=kind, save_all=True, append_images=pictures[1:], duration=40)
        assert run(path, *GRAY)[0] == 0
        assert len(lumas(tmp_path / f"{kind}-color.mp4")) == 5
