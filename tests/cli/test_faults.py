"""What files, names, disks, pipes and signals do to a run of the command."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.cli.guidance_options import GuidanceOptions
from photochrom.cli.run import run
from photochrom.cli.run_options import RunOptions
from photochrom.cli.standard_streams import PIPE
from photochrom.engine.colorize import Colorizer
from photochrom.errors import InvalidValueError, UnreadablePhotoError

COMMAND = [sys.executable, "-c", "from photochrom.cli import main; main()"]
ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="names, pipes and signals of POSIX")


def photochrom(folder, *words, **options):
    given = {"cwd": folder, "capture_output": True, "timeout": 120} | options
    return subprocess.run([*COMMAND, *map(str, words)], **given)


def hear_interrupts():
    """Undo what nohup and a shell's background jobs hand on, or no test here would end."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for number, name in enumerate(("a.png", "b.jpg")):
        Image.fromarray(drawn_picture(number)).convert("L").save(folder / name)
    return folder


@pytest.mark.slow
@ON_POSIX
def test_names_of_any_bytes_are_coloured_and_shown_harmlessly(album):
    content = (album / "a.png").read_bytes()
    for name in ("Großmutter.png".encode("latin-1"), b"\x1b[31mred\n.png"):
        (album / os.fsdecode(name)).write_bytes(content)
    folder = Path(os.fsdecode(os.fsencode(album) + b"/\xff out"))
    done = photochrom(album.parent, "album", "-o", folder, "-m", "gray")
    assert done.returncode == 0, done.stderr
    assert len(list(folder.iterdir())) == 4
    assert b"4 coloured." in done.stderr
    assert rb"Gro\xdfmutter-color.png" in done.stderr
    assert rb"\x1b[31mred\n.png" in done.stderr
    assert b"\x1b" not in done.stderr
    alone = photochrom(album, b"Gro\xdfmutter.png".decode("utf-8", "surrogateescape"))
    assert alone.returncode == 0, alone.stderr


@pytest.mark.slow
def test_a_file_cut_short_while_it_is_read_costs_itself_alone(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (2500, 3000), np.uint8)
    for kind in ("jpg", "webp", "gif"):
        Image.fromarray(noise[:: 1 if kind == "jpg" else 4]).save(tmp_path / f"a.{kind}")
    Image.fromarray(drawn_picture(0)).convert("L").save(tmp_path / "b.png")
    command = [*COMMAND, str(tmp_path), "-o", str(tmp_path / "out"), "-j", "1", "-m", "gray"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("out/.a*")) and time.monotonic() < deadline:
            time.sleep(0.002)
        for kind in ("jpg", "webp", "gif"):
            os.truncate(tmp_path / f"a.{kind}", 5000)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 1, said
    assert (tmp_path / "out" / "b-color.png").exists()
    failed = int(re.search(rb"(\d) failed", said)[1])
    assert failed >= 1
    assert said.count(b"truncated or corrupt") == failed


@pytest.mark.slow
def test_one_name_for_many_results_is_refused(album):
    for words in (["a.png", "b.jpg"], ["."]):
        done = photochrom(album, *words, "-o", "one.jpg")
        assert done.returncode == 1
        assert b"-o one.jpg: is a single file" in done.stderr
        assert b"for example -o one." in done.stderr
        assert not (album / "one.jpg").exists()
    done = photochrom(album, "a.png", "b.jpg", "-o", "a.png", "-m", "gray")
    assert done.returncode == 1
    done = photochrom(album, "a.png", "b.jpg", "-o", "1901.old", "-m", "gray")
    assert done.returncode == 0, done.stderr
    assert len(list((album / "1901.old").iterdir())) == 2


@pytest.mark.slow
def test_formats_go_by_their_suffixes_too(album):
    done = photochrom(album, "a.png", "--format", "jpg", "-m", "gray")
    assert done.returncode == 0, done.stderr
    assert (album / "a-color.jpg").exists()


@pytest.mark.slow
@ON_POSIX
def test_a_link_loop_where_the_result_goes_is_one_line(album):
    (album / "a-color.png").symlink_to(album / "a-color.png")
    done = photochrom(album, "a.png", "-o", "a-color.png", "-m", "gray")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"a link that points to itself" in done.stderr
    beside = photochrom(album, ".", "-m", "gray")
    assert b"2 coloured, 1 failed." in beside.stderr  # the link is named like a photograph
    assert (album / "a-color-2.png").exists()


@pytest.mark.slow
@ON_POSIX
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_run_and_leaves_whole_files_alone(tmp_path, number):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for index in range(20):
        Image.fromarray(drawn_picture(index, 700, 900)).convert("L").save(tmp_path / f"{index}.png")
    command = [*COMMAND, str(tmp_path), "-m", "gray", "-j", "2"]
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=hear_interrupts,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*-color.png")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(running.pid, number)  # as a terminal does, workers included
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 128 + number, said
    assert b"stopped. The files that were written are complete" in said
    assert b"Traceback" not in said
    for result in tmp_path.glob("*-color.png"):
        with Image.open(result) as whole:
            whole.load()
    assert not list(tmp_path.glob(".*.part"))
    assert not list(temporary.iterdir())
    with pytest.raises(ProcessLookupError):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            os.killpg(running.pid, 0)
            time.sleep(0.1)


@pytest.mark.slow
@ON_POSIX
def test_a_watch_takes_what_comes_with_a_time_ahead_and_outlives_a_deadly_file(album):
    command = [*COMMAND, "--watch", ".", "-m", "gray"]
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, cwd=album, preexec_fn=hear_interrupts
    )
    try:
        later = album / "later.png"
        later.write_bytes((album / "a.png").read_bytes())
        os.utime(later, (time.time() + 1e6,) * 2)
        deadline = time.monotonic() + 60
        while len(list(album.glob("[abl]*-color.*"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    finally:
        running.kill()
    assert len(list(album.glob("[abl]*-color.*"))) == 3, said


def closed(descriptor):
    return lambda: os.close(descriptor)


@pytest.mark.slow
@ON_POSIX
def test_closed_and_full_pipes_are_one_line(album):
    content = (album / "a.png").read_bytes()
    for descriptor, words, said in (
        (0, ["-", "-o", "x.png"], b"standard input: closed"),
        (1, ["-"], b"standard output: closed"),
    ):
        given = {} if descriptor == 0 else {"input": content}
        done = photochrom(album, *words, preexec_fn=closed(descriptor), **given)
        assert done.returncode == 1, done.stderr
        assert said in done.stderr
        assert b"Traceback" not in done.stderr
    done = photochrom(album, "-", "-m", "gray", input=content, preexec_fn=closed(2))
    assert done.returncode == 0
    with Image.open(io.BytesIO(done.stdout)) as whole:
        whole.load()
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            options = {"stdout": full, "stderr": subprocess.PIPE, "capture_output": False}
            done = photochrom(album, ".", "--json", "-m", "gray", **options)
        assert done.returncode == 1
        assert b"standard output: cannot be written (No space left" in done.stderr
        assert b"Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no small disk to fill here")
def test_a_full_disk_ends_the_run_and_says_what_was_not_begun(album):
    for index in range(12):
        (album / f"{index}.png").write_bytes((album / "a.png").read_bytes())
    script = (
        "mkdir out && mount -t tmpfs -o size=20k none out && "
        f"exec {sys.executable} -m photochrom . -o out -j 1 -m gray"
    )
    words = ["unshare", "--mount"] + ["--map-root-user"] * (os.geteuid() != 0)
    done = subprocess.run([*words, "sh", "-c", script], cwd=album, capture_output=True, timeout=120)
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip(f"no mount of one's own here: {done.stderr.decode().strip()}")
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert re.search(rb"stopped; \d+ not started", done.stderr), done.stderr
    assert done.stderr.count(b"No space left") <= 2


def test_what_nobody_thought_of_is_one_line_in_a_pipe_too(album, monkeypatch):
    def odd(*arguments, **options):
        raise ValueError("odd\nin two lines")

    monkeypatch.setattr(Colorizer, "colorize_file", odd)
    with pytest.raises(UnreadablePhotoError, match=r"a.png: could not be .*: odd\). Please report"):
        run([album / "a.png"], RunOptions(output=PIPE, method="gray"))


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "[1, 2"])
def test_hints_that_are_no_hints_are_one_line(album, content):
    (album / "hints.json").write_text(content)
    with pytest.raises(InvalidValueError, match="cannot read hints"):
        GuidanceOptions(hints=album / "hints.json").guidance()
