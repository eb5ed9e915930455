import subprocess
import sys

import pytest

from photochrom.errors import InvalidValueError
from photochrom.workbench.commands.data_report_command import crawl, study


@pytest.mark.slow
def test_the_words_of_the_commands_reach_them_and_both_write_what_they_say(
    picture_folder, tmp_path
):
    code = (
        "import sys; from cyclopts import App\n"
        "from photochrom.workbench.commands.data_report_command import crawl, study\n"
        "app = App(); app.command(study); app.command(crawl); app(sys.argv[1:])"
    )

    def photochrom_data(*words):
        command = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    page, keys = tmp_path / "page.html", tmp_path / "keys.txt"
    guidance = ("-o", page, "--pictures", "6", "--groups", "2", "--group", "1", "--keys", keys)
    done = photochrom_data("study", picture_folder, *guidance)
    assert done.returncode == 0, done.stderr
    assert page.read_text().startswith("<!doctype html>")
    listed = keys.read_text().splitlines()
    assert 5 <= len(listed) <= 10
    assert f"{len(listed)} keys" in done.stderr

    urls = tmp_path / "urls.txt"
    urls.write_text("# nothing that can be fetched\nftp://host/a.png\n")
    done = photochrom_data("crawl", "--urls", urls, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "1 not an address" in done.stderr
    assert (tmp_path / "out" / "counts.json").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda folder: study(folder, group=1),
        lambda folder: study(folder, keys=folder / "keys"),
        lambda folder: study(folder, group=6, keys=folder / "keys"),
        lambda folder: crawl(output=folder),
        lambda folder: crawl("x", output=folder, licence="by-nc"),
        lambda folder: crawl(output=folder, urls=folder / "nowhere.txt"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_before_anything_is_done(tmp_path, wrong):
    with pytest.raises(InvalidValueError):
        wrong(tmp_path)
    assert list(tmp_path.iterdir()) == []
