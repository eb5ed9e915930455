import io
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.cli import _run_words, run
from photochrom.cli.run_options import RunOptions
from photochrom.engine.workers import WorkerProcesses
from photochrom.errors import InvalidValueError


def photochrom(*words, **options):
    command = [sys.executable, "-c", "from photochrom.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=300, **options)


@contextmanager
def started(command, **options):
    """Start a command that runs until it is stopped, and kill it if the test fails before that."""
    running = subprocess.Popen(command, stderr=subprocess.PIPE, **options)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for number, name in enumerate(("a.jpg", "b.png", "below/c.png")):
        Image.fromarray(drawn_picture(number)).convert("L").save(tmp_path / name)
    return tmp_path


@pytest.mark.slow
def test_a_bare_file_name_colours_it(folder):
    done = photochrom(folder / "a.jpg")
    assert done.returncode == 0
    assert b"a-color.jpg" in done.stderr
    assert done.stdout == b""
    with Image.open(folder / "a-color.jpg") as colour:
        assert colour.mode == "RGB"


@pytest.mark.slow
def test_a_folder_with_a_broken_file_colours_the_rest_and_exits_with_1(folder):
    (folder / "broken.jpg").write_text("no picture")
    out = folder / "out"
    done = photochrom("colorize", folder, "-r", "-o", out, "--json")
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(line["status"] for line in lines) == ["coloured"] * 3 + ["failed"]
    assert (out / "below" / "c-color.png").exists()


@pytest.mark.slow
def test_resume_skips_what_is_done(folder):
    photochrom(folder, "-o", folder / "out")
    done = photochrom(folder, "-o", folder / "out", "--resume")
    assert b"2 skipped" in done.stderr


@pytest.mark.slow
def test_standard_input_becomes_standard_output(folder):
    done = photochrom("-", "--format", "png", input=(folder / "a.jpg").read_bytes())
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as colour:
        assert (colour.format, colour.mode) == ("PNG", "RGB")


@pytest.mark.slow
def test_no_picture_is_written_to_a_terminal(folder):
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from photochrom.cli import main; main()", "-"]
    content = (folder / "a.jpg").read_bytes()
    done = subprocess.run(command, input=content, stdout=slave, stderr=subprocess.PIPE, timeout=300)
    os.close(slave)
    os.close(master)
    assert done.returncode == 1
    assert b"terminal" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["missing.jpg"], 1, b"missing.jpg"),
        (["a.jpg", "--method", "grey"], 1, b"Did you mean 'gray'"),
        (["a.jpg", "--saturation", "-1"], 2, b"saturation"),
        (["a.jpg", "--no-such-option"], 2, b"no-such-option"),
        (["a.jpg", "--format", "bmp"], 2, b"bmp"),
        (["a.jpg", "--format", "\x1b[31m"], 2, rb"\x1b[31m"),
        (["a.jpg", "--jobs", "999999999999"], 2, b"jobs"),
        (["a.jpg", "--float-range", "nan", "1"], 1, b"float_range needs two finite numbers"),
        ([], 0, b"photochrom old-photo.jpg"),
        (["below", "--max-megapixels", "0.0001"], 1, b"megapixels"),
        (["a.jpg", "--max-pages", "0"], 2, b"max-pages"),
        (["below", "--timeout", "-1"], 2, b"timeout"),
        (["a.jpg", "--max-megabytes", "0"], 2, b"max-megabytes"),
        (["train", "none.toml", "--data", "."], 1, b"none.toml"),
    ],
)
def test_misuse_is_one_clear_line_and_an_exit_code(folder, words, code, said):
    done = photochrom(*words, cwd=folder)
    assert done.returncode == code, done.stderr
    assert said in done.stderr + done.stdout
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["a.jpg", "--quality", "٩٠"],
        ["a.jpg", "--quality", "9_0"],
        ["a.jpg", "--quality=９0"],
        ["a.jpg", "--gamma", "٢"],
        ["a.jpg", "--float-range", "0", "١"],
        ["suggest", "a.jpg", "٣", "4"],
        ["serve", "--port", "٨٠٨٠"],
        ["data", "prepare", ".", "out", "--jobs", "٢"],
        ["evaluate", "--data", ".", "--scored-px", "٦٤"],
    ],
)
def test_numbers_are_written_in_the_digits_0_to_9(folder, monkeypatch, capsys, words):
    monkeypatch.chdir(folder)
    assert _run_words(words) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "A number needs the digits 0 to 9; got" in said


@pytest.mark.slow
def test_names_may_have_any_digits(folder):
    (folder / "a.jpg").rename(folder / "٣.jpg")
    done = photochrom(folder / "٣.jpg", "--quality", "95")
    assert done.returncode == 0, done.stderr
    assert (folder / "٣-color.jpg").exists()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["one", "many", "pipe"])
def test_the_bounds_of_a_file_can_be_set_and_the_refusal_says_what_to_raise(tmp_path, where):
    pages = [Image.fromarray(drawn_picture(0)).convert("L")] * 3
    pages[0].save(tmp_path / "three.tif", save_all=True, append_images=pages[1:])
    Image.fromarray(drawn_picture(1)).convert("L").save(tmp_path / "whole.webp", lossless=True)
    for name, option, low in (
        ("three.tif", "--max-pages", "2"),
        ("whole.webp", "--max-megabytes", "0.001"),
    ):
        file, content = tmp_path / name, None
        if where == "many":
            (tmp_path / file.stem).mkdir()
            file = file.rename(tmp_path / file.stem / name).parent
        if where == "pipe":
            content, file = file.read_bytes(), "-"
        done = photochrom(file, option, low, "--method", "gray", input=content)
        assert done.returncode == 1
        assert f"raise {option[2:].replace('-', '_')} ({option})".encode() in done.stderr
        done = photochrom(file, option, "100", "--method", "gray", input=content)
        assert done.returncode == 0, done.stderr


def test_processes_of_a_batch_have_their_time_and_memory(monkeypatch):
    monkeypatch.setattr(WorkerProcesses, "start", lambda workers: None)
    for device, timeout, seconds, is_bounded in (
        ("cpu", 1800.0, 1800.0, sys.platform == "linux"),
        ("cpu", 0.0, None, sys.platform == "linux"),
        ("cuda", 5.0, 5.0, False),
    ):
        executor = run.begin_many(None, 2, device, timeout)
        for worker in executor._all:
            assert worker._seconds == seconds
            assert (worker._most_bytes is not None) == is_bounded


@pytest.mark.slow
def test_options_reach_the_result(folder):
    photochrom(folder / "b.png", "--saturation", "0", "-o", folder / "s.png")
    with Image.open(folder / "s.png") as colour:
        assert np.ptp(np.array(colour).astype(int), axis=-1).max() == 0


@pytest.mark.slow
def test_what_is_known_of_scans_reaches_the_result(folder):
    with Image.open(folder / "b.png") as picture:
        gray = np.array(picture)
    Image.fromarray(255 - gray).save(folder / "negative.png")
    (folder / "negative.xmp").write_text("<x/>")
    os.utime(folder / "negative.png", (10**9, 10**9))
    words = ("--negative", "--keep-time", "-m", "gray", "-o", folder / "n.png")
    done = photochrom(folder / "negative.png", *words)
    assert done.returncode == 0, done.stderr
    assert b"Inverted as a negative" in done.stderr
    assert (folder / "n.png").stat().st_mtime == 10**9
    assert (folder / "n.xmp").read_text() == "<x/>"
    with Image.open(folder / "n.png") as positive:
        assert np.corrcoef(np.array(positive.convert("L")).ravel(), gray.ravel())[0, 1] > 0.95


@pytest.mark.slow
def test_resume_heeds_what_is_known_of_scans(folder):
    source, out = folder / "b.png", folder / "out"
    photochrom(source, "-o", out, "-m", "gray", "--gamma", "1")
    again = photochrom(source, "-o", out, "-m", "gray", "--gamma", "1", "--resume")
    assert b"already coloured" in again.stderr
    other = photochrom(source, "-o", out, "-m", "gray", "--gamma", "2", "--resume")
    assert b"already coloured" not in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--source-profile", "lost.icc"), b"lost.icc: cannot be read"),
        (("--source-profile", "a.jpg"), b"a.jpg: not an ICC profile"),
        (("--gamma", "9"), b"gamma"),
    ],
)
def test_a_reading_that_cannot_be_is_one_line(folder, words, said):
    done = photochrom("a.jpg", *words, cwd=folder)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_white_is_toned_down_and_that_is_said(folder):
    white = np.full((40, 50), 255, np.uint8)
    Image.fromarray(white).save(folder / "white.png")
    options = ["--white-lightness", "92", "-m", "gray", "-o", folder / "w.png"]
    done = photochrom(folder / "white.png", *options)
    assert done.returncode == 0
    assert b"white toned down to L* 92: the lightness is changed" in done.stderr
    with Image.open(folder / "w.png") as lowered:
        assert np.array(lowered).mean() == pytest.approx(231, abs=2)


@pytest.mark.slow
def test_restore_mends_a_faded_print_and_says_what_it_did(folder):
    with Image.open(folder / "b.png") as picture:
        Image.fromarray((60 + np.array(picture) * 0.4).astype(np.uint8)).save(folder / "faded.png")
    done = photochrom(folder / "faded.png", "--restore", "-m", "gray", "-o", folder / "r.png")
    assert done.returncode == 0, done.stderr
    assert b"restored: tones levelled (from " in done.stderr
    with Image.open(folder / "faded.png") as faded, Image.open(folder / "r.png") as restored:
        assert np.ptp(np.array(restored)) > 1.5 * np.ptp(np.array(faded))


@pytest.mark.slow
def test_methods_are_listed(folder):
    listed = json.loads(photochrom("methods", "--json").stdout)
    assert {"gray", "photochrom"} <= listed.keys()
    assert len(listed["photochrom"]["weights_sha256"]) == 64


def test_help_names_every_command_and_option():
    text = photochrom("--help").stdout.decode()
    for word in (
        "--recursive",
        "--resume",
        "--watch",
        "--vividness",
        "evaluate",
        "train",
        "export",
    ):
        assert word in text


@pytest.mark.slow
def test_ctrl_c_leaves_whole_files_only(tmp_path):
    for number in range(40):
        Image.fromarray(drawn_picture(number, 600, 800)).convert("L").save(
            tmp_path / f"{number}.jpg"
        )
    command = [sys.executable, "-c", "from photochrom.cli import main; main()", str(tmp_path)]
    with started(command) as running:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("*-color.jpg")) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=3000)
    assert running.returncode == 130, said
    assert b"stopped. The files that were written are complete." in said
    results = list(tmp_path.glob("*-color.jpg"))
    assert 0 < len(results) < 40
    for result in results:
        with Image.open(result) as whole:
            whole.load()
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.slow
def test_watch_colours_what_appears(folder):
    command = [sys.executable, "-c", "from photochrom.cli import main; main()", "--watch", "."]
    with started(command, cwd=folder) as running:
        said = [running.stderr.readline().decode() for _ in range(3)]  # of each, as it is done
        assert sorted(line.split(" -> ")[-1].strip() for line in said[1:]) == [
            "a-color.jpg",
            "b-color.png",
        ]
        time.sleep(2)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=300)
    assert sorted(p.name for p in folder.glob("*color*")) == ["a-color.jpg", "b-color.png"]


@pytest.mark.slow
def test_evaluate_prints_every_row_and_writes_a_report(picture_folder, tmp_path):
    done = photochrom("evaluate", "--data", picture_folder, "--limit", "2", "-o", tmp_path / "r.md")
    assert done.returncode == 0, done.stderr
    for row in ("gray", "mean-colour", "oracle-mean", "photochrom"):
        assert row in done.stdout.decode()
        assert row in (tmp_path / "r.md").read_text()


@pytest.mark.slow
def test_evaluate_gives_the_hint_curve_of_methods_that_need_hints(picture_folder):
    wanted = ["--hints", "--method", "levin", "--method", "rbf", "--method", "welsh"]
    done = photochrom("evaluate", "--data", picture_folder, "--limit", "1", *wanted)
    assert done.returncode == 0, done.stderr
    scores, curve = done.stdout.decode().split("PSNR dB by revealed")
    assert "levin" not in scores
    assert "levin" in curve.split("'levin' needs hints")[0]
    assert "'welsh' is not measured: it needs a reference" in curve


@pytest.mark.slow
def test_a_contact_sheet_is_drawn(picture_folder, tmp_path):
    done = photochrom("evaluate", "--data", picture_folder, "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 500


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_behind_standard_output_is_one_line(folder):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "photochrom", folder / "a.jpg", "-o", "-"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode == 1
    assert (
        done.stderr
        == b"photochrom: standard output: cannot be written (No space left on device).\n"
    )


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_nothing(folder):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    before = sorted(folder.iterdir())
    done = photochrom(folder / "a.jpg", "-o", folder / "out.png", preexec_fn=limit)
    assert done.returncode == 1
    assert done.stderr.startswith(b"photochrom: ")
    assert done.stderr.count(b"\n") == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.slow
def test_a_watch_makes_every_candidate(folder):
    options = ["--watch", ".", "--candidates", "2"]
    command = [sys.executable, "-c", "from photochrom.cli import main; main()", *options]
    wanted = ["a-color-1.jpg", "a-color-2.jpg", "b-color-1.png", "b-color-2.png"]
    with started(command, cwd=folder) as running:
        deadline = time.monotonic() + 300
        while len(list(folder.glob("[ab]-color-*.*"))) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=300)
    assert sorted(p.name for p in folder.glob("*color*")) == wanted


@pytest.mark.slow
def test_a_folder_with_a_dot_in_its_name_takes_one_result(folder):
    (folder / "out.d").mkdir()
    done = photochrom(folder / "a.jpg", "-o", folder / "out.d", "--method", "gray")
    assert done.returncode == 0, done.stderr.decode()
    assert [p.name for p in (folder / "out.d").iterdir()] == ["a-color.jpg"]


@pytest.mark.slow
def test_a_name_without_suffix_is_a_folder_that_is_made_for_one_photograph_too(folder):
    done = photochrom(folder / "a.jpg", "-o", f"{folder / 'new'}/", "--method", "gray")
    assert done.returncode == 0, done.stderr.decode()
    assert [p.name for p in (folder / "new").iterdir()] == ["a-color.jpg"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
@pytest.mark.parametrize("words", [["methods", "--json"], ["methods"], ["--help"]])
def test_whatever_is_printed_a_full_disk_behind_it_is_one_line(words):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "photochrom", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1
    assert done.stderr == b"photochrom: standard output: No space left on device.\n"


@pytest.mark.slow
def test_a_full_pipe_that_does_not_wait_is_waited_for():
    read, write = os.pipe()
    os.set_blocking(write, False)
    filled = 0
    while True:
        try:
            filled += os.write(write, bytes(4096))
        except BlockingIOError:
            break
    command = [sys.executable, "-m", "photochrom", "methods", "--json"]
    process = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    with os.fdopen(read, "rb") as pipe, process:
        time.sleep(1)
        content = pipe.read()
        said = process.stderr.read()
    assert process.returncode == 0, said
    assert json.loads(content[filled:])


def test_no_more_processes_are_started_than_there_are_photographs(folder, monkeypatch):
    from photochrom.cli import run as module

    started = []

    def begin(make, jobs, device, timeout):
        started.append(jobs)
        raise InvalidValueError("started")

    monkeypatch.setattr(module, "begin_many", begin)
    photo = folder / "a.jpg"
    with pytest.raises(InvalidValueError, match="started"):
        module.run([photo, photo], RunOptions(jobs=64))
    assert started == [2]
