import re
import signal
import subprocess
import sys

import httpx2
import pytest
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.errors import InvalidValueError
from photochrom.workbench.commands.perception_command import prepare, results
from photochrom.workbench.perception.study_files import read_study
from photochrom.workbench.perception.votes import Vote, Votes, default_url

CODE = (
    "from cyclopts import App\n"
    "from photochrom.workbench.commands import perception_command as study\n"
    "app = App()\n"
    "for word in (study.prepare, study.serve, study.results): app.command(word)\n"
    "app()"
)


def command(*words):
    return [sys.executable, "-c", CODE, *map(str, words)]


def run(*words):
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Prepare a study by the command."""
    data = tmp_path_factory.mktemp("data")
    for seed in range(6):
        Image.fromarray(drawn_picture(seed)).save(data / f"{seed}.png")
    target = tmp_path_factory.mktemp("studies") / "deep" / "study"
    words = ["--method", "gray", "--outputs", f"rival={data}", "--pictures", 4, "--size", 64]
    done = run("prepare", "--data", data, *words, "--practice", 1, "--checks", 1, "-o", target)
    assert done.returncode == 0, done.stderr
    assert "4 photographs, gray, rival; 1 to practise, 1 checks." in done.stderr
    return target


def chosen(fooled):
    return (1, 1 + fooled, fooled, 1000.0, 1000.0, 1000.0, 700.0)


@pytest.fixture
def voted(folder):
    """Give the study with votes of three, of whom one failed both checks."""
    study = read_study(folder)
    with Votes(default_url(folder), study.id) as votes:
        for who, fooled in (("anna", False), ("bert", True), ("carl", True)):
            votes.add_participant(who)
            for trial, scene in enumerate(study.scenes, start=1):
                method = study.methods[trial % 2]
                votes.add(Vote(who, trial, "pair", scene.key, method, *chosen(fooled)))
            for trial in (5, 6):
                votes.add(Vote(who, trial, "check", "x", "y", *chosen(who == "carl")))
    yield folder
    for file in folder.glob("votes.db*"):
        file.unlink()


def test_results_show_shares_intervals_and_who_was_left_out(voted, capsys):
    results(voted)
    said = capsys.readouterr().out
    for method in ("gray", "rival"):
        assert re.search(rf"{method} +│ +50\.0 % │ +15\.0 % to 85\.0 % │ +4 │ +2 ", said)
    assert "3 participants; 1 excluded for failed checks, 0 unfinished. 2 of 6 checks" in said
    assert "photograph  " not in said
    results(voted, max_failed=2, by_picture=True)
    said = capsys.readouterr().out
    assert re.search(r"gray +│ +66\.7 %", said) and "0 excluded" in said
    assert len(re.findall(r"│ \d\.png +│", said)) == 4


def test_the_csv_has_all_votes_and_leaves_the_study_as_it_is(voted, tmp_path):
    results(voted, csv=tmp_path / "votes.csv")
    lines = (tmp_path / "votes.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * 6
    assert sum(line.endswith(",1") for line in lines) == 6
    assert {line.split(",")[0] for line in lines if line.endswith(",1")} == {"carl"}


def test_a_csv_that_cannot_be_written_is_an_error(voted, tmp_path):
    with pytest.raises(OSError, match="cannot be written"):
        results(voted, csv=tmp_path / "missing" / "votes.csv")


def test_a_study_without_votes_has_no_rows(folder, capsys):
    results(folder, votes="sqlite://")
    assert "0 participants" in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_serves_a_study_where_it_says(folder, tmp_path):
    words = ["serve", folder, "--votes", f"sqlite:///{tmp_path / 'v.db'}", "--port", 0]
    process = subprocess.Popen(
        command(*words, "--no-browser", "--seconds", 0.5), stderr=subprocess.PIPE, text=True
    )
    try:
        url = re.search(r"http://\S+/", process.stderr.readline())[0]
        assert "photograph" in httpx2.get(url, timeout=300).text
        about = httpx2.get(f"{url}v1/study").json()
        assert (about["trials"], about["seconds"], about["size_px"]) == (6, 0.5, 64)
        assert httpx2.get(f"{url}page/service/base.css").status_code == 200
        assert httpx2.get(url, headers={"Host": "evil.example"}).status_code == 403
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[1]
    assert "Traceback" not in said
    assert (tmp_path / "v.db").is_file() and not (folder / "votes.db").exists()


@pytest.mark.parametrize(
    "word, missing", [("serve", "sqlalchemy"), ("serve", "fastapi"), ("results", "sqlalchemy")]
)
def test_a_missing_extra_is_answered_with_the_line_to_run(folder, word, missing):
    code = (
        f"import sys; sys.modules['{missing}'] = None\n"
        "from pathlib import Path\n"
        "from photochrom.workbench.commands import perception_command as study\n"
        "from photochrom.errors import MissingExtraError\n"
        f"try: study.{word}(Path({str(folder)!r}))\n"
        "except MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install '.[serve]'" in done.stdout, done.stderr
    assert missing in done.stdout


@pytest.mark.parametrize("text", ["rival", "=folder", "rival="])
def test_outputs_need_a_name_and_a_folder(text, tmp_path):
    with pytest.raises(InvalidValueError, match="NAME=FOLDER"):
        prepare(data=tmp_path, target=tmp_path / "study", outputs=(text,))
