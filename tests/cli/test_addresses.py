"""The command with addresses: a server of S3 runs on this machine."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.cli import main
from photochrom.cli import run as run_module
from photochrom.cli.outcome_report import report
from photochrom.cli.place_arguments import place
from photochrom.engine.run_table import read_rows
from photochrom.engine.stored import StoredOutcome

pytestmark = pytest.mark.slow


@pytest.fixture
def scans(s3, tmp_path):
    """Put three photographs and a broken one into the bucket."""
    for number, name in enumerate(("a b.jpg", "1/ü #1?.jpg", "1/c.jpg")):
        Image.fromarray(drawn_picture(number)).convert("L").save(tmp_path / "photo.jpg")
        s3.put_file(str(tmp_path / "photo.jpg"), f"archive/scans/{name}")
    s3.pipe_file("archive/scans/empty.jpg", b"")
    return s3


@pytest.fixture
def command(monkeypatch, capsys):
    """Return a function that runs the command, here: it need not import everything each time."""

    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["photochrom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = "".join(capsys.readouterr())
        assert (ended.value.code or 0) == code, said
        assert "Traceback" not in said and "secret-of-tests" not in said
        return said

    return run


def test_a_bucket_is_coloured_into_a_bucket_once(scans, command):
    words = ("s3://archive/scans/", "-r", "-o", "s3://archive/out", "-m", "gray", "-j", "1")
    said = command(*words, code=1)
    assert "s3://archive/scans/1/ü #1?.jpg -> s3://archive/out/1/ü #1?-color.jpg" in said
    assert "photochrom: s3://archive/scans/empty.jpg: the file is empty (0 bytes)." in said
    assert "3 coloured, 1 failed." in said
    again = command(*words, "--resume", code=1)
    assert "0 coloured, 3 skipped, 1 failed." in again and "ü" not in again
    scans.rm("archive/scans/empty.jpg")
    lines = command(*words, "--resume", "--json").splitlines()
    assert {json.loads(line)["status"] for line in lines} == {"skipped"} and len(lines) == 3


def test_a_manifest_and_a_recipe_at_addresses_are_read(scans, command, tmp_path):
    scans.pipe_file("archive/m.csv", b"path,result\nscans/a b.jpg,x.png\nscans/1/c.jpg,\n")
    said = command(
        "s3://archive/m.csv", "-o", tmp_path / "out", "-m", "gray", "--sidecar", "-j", "1"
    )
    assert "2 coloured." in said
    out = tmp_path / "out"
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*.???*"))
    assert [name for name in made if not name.startswith("run.parquet")] == [
        *("scans/1/c-color.jpg", "scans/1/c-color.json", "x.json", "x.png")
    ]
    scans.put_file(str(tmp_path / "out" / "x.json"), "archive/x.json")
    command("s3://archive/scans/1/c.jpg", "--recipe", "s3://archive/x.json")
    assert scans.exists("archive/scans/1/c-color.jpg")
    assert read_rows(str(tmp_path / "out"))["status"].to_pylist() == ["coloured"] * 2


def test_a_reference_at_an_address_may_be_a_folder(scans, command, tmp_path):
    for number in (7, 8):
        Image.fromarray(drawn_picture(number)).save(tmp_path / "lender.png")
        scans.put_file(str(tmp_path / "lender.png"), f"archive/lenders/{number}.png")
    for reference in ("s3://archive/lenders/7.png", "s3://archive/lenders/"):
        words = (
            "-m",
            "transfer",
            "--reference",
            reference,
            "--sidecar",
            "-o",
            tmp_path / "new.jpg",
        )
        command("s3://archive/scans/1/c.jpg", *words)
        told = json.loads((tmp_path / "new.json").read_text())["wishes"]["reference"]
        assert told["file"].startswith("s3://archive/lenders/")
        command(
            "s3://archive/scans/1/c.jpg", "--recipe", tmp_path / "new.json", "-o", tmp_path / "o"
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s3://archive/scans/", "-o", "s3://none/out"], "s3://none/out/run.parquet/"),
        (["s3://archive/scans/none.jpg"], "s3://archive/scans/none.jpg: does not exist."),
        (["s3://none/"], "s3://none/run.parquet/"),
        (["s3://archive/scans/", "-r", "-o", "s3://archive/scans/out"], "lies inside the source"),
        (["s3://archive/scans/", "-o", "-"], "cannot be combined with addresses"),
        (["s3://archive/scans/", "--watch"], "--watch takes exactly one folder of this machine"),
        (["s3://archive/film.mp4"], "Copy s3://archive/film.mp4 here first"),
        (["https://a:secret-of-tests@h/film.mp4?sig=x"], "Copy https://h/film.mp4 here first"),
        (["gs://archive/a.jpg"], "pip install '.[gcs]'"),
        (["az://archive/a.jpg"], "pip install '.[azure]'"),
        (["foo://a:secret-of-tests@archive/a.jpg"], "of an unknown kind"),
        (["m.csv", "-o", "out"], "row 1: 's3://h/x.png' is no name below a folder"),
        (["head.csv", "-o", "out"], "its columns are s3://h/x.png"),
        (["m.csv", "--cluster", "ray://a:secret-of-tests@h:1"], "needs 'auto', HOST:PORT or"),
        (["a.png", "-m", "s3://a:secret-of-tests@h/n.onnx"], "n.onnx: cannot read the network"),
        (["none.parquet"], "none.parquet: cannot be read"),
    ],
)
def test_what_is_wrong_is_one_line(s3, tmp_path, monkeypatch, command, words, said):
    monkeypatch.chdir(tmp_path)
    for package in ("gcsfs", "gcsfs.core", "adlfs", "photochrom.photo.azure"):
        monkeypatch.setitem(sys.modules, package, None)  # not installed
    (tmp_path / "m.csv").write_text("path,result\na.png,s3://a:secret-of-tests@h/x.png\n")
    (tmp_path / "head.csv").write_text("s3://a:secret-of-tests@h/x.png\na.png\n")
    (tmp_path / "a.png").write_bytes(b"")
    told = command(*words, *["-m", "gray"] * ("-m" not in words), code=1)
    assert said in told and told.startswith("photochrom: ") and told.count("\n") == 1


def test_an_interrupted_run_is_resumed(scans, command):
    for number in range(12):
        scans.copy("archive/scans/1/c.jpg", f"archive/many/{number:02}.jpg")
    words = ["s3://archive/many/", "-o", "s3://archive/out", "-m", "gray", "-j", "1"]
    code = "from photochrom.cli import main; main()"
    running = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE)
    for _ in range(600):
        if len(scans.glob("archive/out/*.jpg")) >= 3:
            break
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    before = {name: scans.info(name)["ETag"] for name in scans.glob("archive/out/*.jpg")}
    assert 3 <= len(before) < 12
    times = {name: scans.info(name)["LastModified"] for name in before}
    said = command(*words, "--resume")
    assert len(scans.glob("archive/out/*.jpg")) == 12
    assert f"{12 - len(before)} coloured, {len(before)} skipped." in said
    assert {name: scans.info(name)["LastModified"] for name in before} == times


def test_a_thousand_failures_in_a_row_end_the_run(capsys):
    taken = []

    def outcomes():
        for number in range(5000):
            taken.append(number)
            yield StoredOutcome(f"s3://a/{number}.jpg", "b", "failed", ("no",), 0.0)

    assert report(outcomes(), False, True, lambda: 5000) == 1
    said = capsys.readouterr().err
    assert len(taken) == 1000
    assert "stopped early: the last 1,000 photographs all failed" in said
    assert "4000 not started" in said


def test_what_is_known_is_counted_and_not_listed(capsys):
    known = StoredOutcome("s3://a/a.jpg", "b", "skipped", ("before",), 0.0, known=True)
    assert report((outcome for outcome in [known] * 3), False, True, lambda: 3) == 0
    assert capsys.readouterr().err == "0 coloured, 3 skipped.\n"


def test_local_runs_do_not_import_what_addresses_need(tmp_path):
    Image.fromarray(drawn_picture(0)).convert("L").save(tmp_path / "a.png")
    code = (
        "import sys\n"
        "from photochrom.cli import _run_words\n"
        "_run_words([sys.argv[1], '-m', 'gray'])\n"
        "heavy = ('fsspec', 'pyarrow', 's3fs', 'ray', 'aiohttp', 'photochrom.photo.storage')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done
    assert run_module.is_stored([tmp_path / "a.png"], run_module.RunOptions()) is False
    assert place(None, [type("Token", (), {"value": "s3://a/b"})]) == "s3://a/b"
