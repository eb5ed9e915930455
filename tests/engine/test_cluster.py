"""Runs on a Ray cluster of two nodes, which runs on this machine."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image
from tests.clusters import ROOT, Nodes
from tests.engine.deadly import Deadly, Slow
from tests.servers import free_port

from photochrom._version import __version__
from photochrom.engine.cluster import Cluster, checked_address
from photochrom.engine.cluster_driver import Driver, _told, _why_not
from photochrom.engine.cluster_worker import BASE_BYTES, Work, packed, shared_by, unpacked
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.stored import StoredOutcome, StoredTask, recipe_of
from photochrom.errors import ClusterError, InvalidValueError, MissingExtraError
from photochrom.options.hint import Hint

pytest.importorskip("ray")
COMMAND = [sys.executable, "-c", "from photochrom.cli import main; main()"]
SMALL, LARGE = BASE_BYTES + 40e6, 3e9  # memory of the nodes, for their workers


@pytest.fixture(scope="module")
def nodes():
    with Nodes() as made:
        port = free_port()
        made.add(SMALL, ray_client_server_port=port)
        made.add(LARGE)
        made.client = f"ray://127.0.0.1:{port}"
        yield made


@pytest.fixture(autouse=True)
def without_token(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")


def draw(folder, *names):
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        picture = np.random.default_rng(seed).integers(0, 255, (60, 80), np.uint8)
        Image.fromarray(picture).save(folder / name)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def work_of(make, **given):
    return Work(make, recipe_of(make(), Guidance(), {}).key, {}, **given)


def run(*words, **given):
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, **given)


def tasks_of(folder, out):
    return [StoredTask(str(path), str(out / path.name)) for path in sorted(folder.iterdir())]


@pytest.mark.long
def test_what_a_photograph_does_to_its_process_costs_that_photograph(nodes, tmp_path):
    scans, out, notes = (tmp_path / name for name in ("scans", "out", "notes"))
    notes.mkdir()
    draw(scans, "a.png", "crashes.png", "hungry.png", "killed.png", "killed once.png", "ж é.png")
    (scans / "bad.jpg").write_bytes(b"no picture at all")
    wide = pyvips.Image.black(3300, 3300, bands=3) + (90, 100, 110)
    wide.cast("uchar").pngsave(str(scans / "large.png"), interlace=True)
    with Cluster(nodes.address) as cluster:
        found = [*cluster.colorize(tasks_of(scans, out), work_of(partial(Deadly, str(notes))))]
        largest = max(cluster.nodes, key=lambda node: node.memory)
    done = {Path(o.source).name: o for o in found}
    assert len(found) == len(done) == 8
    failed = {name: o.notes[0] for name, o in done.items() if o.status == "failed"}
    assert set(failed) == {"bad.jpg", "crashes.png", "hungry.png", "killed.png"}
    assert "SIGSEGV" in failed["crashes.png"]
    assert "not enough memory" in failed["hungry.png"]
    assert "SIGKILL" in failed["killed.png"]
    tries = {path.name: path.stat().st_size for path in notes.iterdir()}
    # Only what may be the machine's is tried once more; a bad photograph never is.
    assert tries.pop("large") in (1, 2)
    assert tries == {
        **dict.fromkeys(("a", "ж é", "bad", "crashes"), 1),
        **dict.fromkeys(("hungry", "killed", "killed once"), 2),
    }
    assert names_in(out) == ["a.png", "killed once.png", "large.png", "ж é.png"]
    assert done["large.png"].megapixels == pytest.approx(10.89)
    assert done["large.png"].node == largest.label  # the other is too small
    assert {o.node for o in found} == {node.label for node in cluster.nodes}


@pytest.mark.long
def test_the_command_says_what_matters_and_resumes(nodes, tmp_path):
    scans, out = tmp_path / "scans", tmp_path / "out"
    draw(scans, "a.png", "b.png", "c.png")
    (scans / "bad.jpg").write_bytes(b"no picture at all")
    words = ("scans", "-m", "gray", "-o", "out", "--cluster", nodes.address)
    first = run(*words, cwd=tmp_path)
    assert first.returncode == 1
    lines = first.stderr.splitlines()
    assert lines[0].startswith(f"photochrom: {scans / 'bad.jpg'}: ")
    assert lines[-1] == "3 coloured, 1 failed."
    assert all(" coloured; " in line for line in lines[1:-1])  # of each node; nothing of Ray
    assert first.stdout == ""
    (scans / "bad.jpg").unlink()
    draw(scans, "b.png")
    again = run(*words, "--resume", cwd=tmp_path)
    assert (again.returncode, again.stderr.splitlines()[-1]) == (0, "1 coloured, 2 skipped.")
    assert names_in(out)[:3] == ["a-color.png", "b-color.png", "c-color.png"]


@pytest.mark.long
def test_a_manifest_may_be_empty_or_name_what_is_gone(nodes, tmp_path):
    draw(tmp_path, "ж é.png")
    (tmp_path / "m.csv").write_text("path\ngone.png\nж é.png\n", "utf-8")
    (tmp_path / "empty.csv").write_text("path\n")
    words = ("-m", "gray", "-o", "out", "--cluster", nodes.address)
    done = run("m.csv", *words, cwd=tmp_path)
    assert done.stderr.splitlines() == [
        f"photochrom: {tmp_path / 'gone.png'}: cannot be read (No such file or directory).",
        "1 coloured, 1 failed.",
    ]
    assert (tmp_path / "out" / "ж é-color.png").exists()
    empty = run("empty.csv", *words, cwd=tmp_path)
    assert (empty.returncode, empty.stderr) == (0, "0 coloured.\n")


@pytest.mark.long
def test_ctrl_c_leaves_a_run_that_can_be_resumed(nodes, tmp_path):
    scans, out = tmp_path / "scans", tmp_path / "out"
    draw(scans, *(f"{n:03}.png" for n in range(300)))
    words = [*COMMAND, str(scans), "-m", "gray", "-o", str(out), "--cluster", nodes.address]
    running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while len(list(out.glob("*.png"))) < 10 and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130, said
    assert said.splitlines()[-1] == "photochrom: stopped. The files that were written are complete."
    assert 0 < len(list(out.glob("*.png"))) < 300
    assert run(*words[3:], "--resume").returncode == 0
    assert len(list(out.glob("*.png"))) == 300
    assert not list(out.glob(".*.part"))


@pytest.mark.long
def test_a_run_reaches_a_cluster_through_rays_client(nodes, tmp_path):
    draw(tmp_path / "scans", "a.png", "b.png")
    with Cluster(nodes.client, jobs=1) as cluster:
        tasks = tasks_of(tmp_path / "scans", tmp_path / "out")
        done = [*cluster.colorize(tasks, work_of(partial(Colorizer, "gray")))]
    assert [o.status for o in done] == ["coloured", "coloured"]
    assert len({o.node for o in done}) == 1


@pytest.mark.long
def test_a_node_with_another_photochrom_is_named_and_left_out(nodes, tmp_path):
    other = tmp_path / "src" / "photochrom"
    shutil.copytree(ROOT / "src" / "photochrom", other)
    (other / "_version.py").write_text('__version__ = "0.0.1"\n')
    said = []
    draw(tmp_path / "scans", *(f"{n}.png" for n in range(24)))
    with Cluster(nodes.address, report=said.append) as cluster:
        tasks = tasks_of(tmp_path / "scans", tmp_path / "out")
        nodes.add(LARGE, num_cpus=2, env_vars={"PYTHONPATH": str(other.parent)})
        try:  # it has joined since the nodes were asked
            done = [*cluster.colorize(tasks, work_of(partial(Slow, "gray")))]
            with Cluster(nodes.address, report=said.append) as another:
                assert len(another.nodes) == 2
        finally:
            nodes.remove()
        assert Counter(o.status for o in done) == {"coloured": 24}
        assert {o.node for o in done} <= {node.label for node in cluster.nodes}
    assert len(said) == 2  # once in each run
    for line in said:
        assert re.fullmatch(
            f"node .*: has photochrom 0.0.1, this machine {re.escape(__version__)}. Install the "
            "same on all nodes. The run goes on without this node.",
            line,
        )
    with Cluster(nodes.address) as cluster:
        away = str(tmp_path / "away")
        with pytest.raises(ClusterError, match=f"node .*: does not see {away}"):
            cluster.check((away,))
        cluster.check()
        make = partial(Colorizer, "gray")
        work = Work(make, "another network", {})
        with pytest.raises(ClusterError, match="its network differs"):
            [*cluster.colorize([StoredTask("a.png", "b.png")], work)]


@pytest.mark.long
def test_a_run_in_which_everything_fails_stops_early(nodes, tmp_path):
    tasks = [StoredTask(str(tmp_path / f"{n}.png"), str(tmp_path / "o.png")) for n in range(2000)]
    with Cluster(nodes.address) as cluster:
        done = [*cluster.colorize(iter(tasks), work_of(partial(Colorizer, "gray")))]
    assert 1000 <= len(done) < 1900
    assert {o.status for o in done} == {"failed"}


@pytest.mark.long
def test_known_outcomes_need_no_worker_and_nobody_is_told_of_the_use_of_ray(nodes, monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    known = [StoredOutcome(f"{n}.jpg", "", "skipped", ("",), 0.0, known=True) for n in range(2500)]
    with Cluster(nodes.address) as cluster:
        work = Work(partial(Colorizer, "gray"), "", {})
        assert [*cluster.colorize(iter(known), work)] == known
        assert [*cluster.colorize([], work)] == []
        assert cluster._worker.call(_is_reported) is False  # Ray reports its use by default


def _is_reported(connection):
    from ray._common.usage.usage_lib import usage_stats_enabled

    return usage_stats_enabled()


@pytest.mark.long
def test_a_silent_port_is_no_cluster():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ClusterError, match=f"No Ray cluster answers at 127.0.0.1:{port}"):
            Cluster(f"127.0.0.1:{port}").__enter__()


def test_a_closed_port_is_no_cluster_and_nothing_is_written(tmp_path):
    draw(tmp_path / "scans", "a.png")
    address = f"127.0.0.1:{free_port()}"
    begun = time.monotonic()
    done = run("scans", "-o", "out", "--cluster", address, cwd=tmp_path)
    assert time.monotonic() - begun < 10
    assert done.returncode == 1
    assert done.stderr.startswith(f"photochrom: No Ray cluster answers at {address} (")
    assert names_in(tmp_path) == ["scans"]


@pytest.mark.parametrize(
    "address", ["", "head", "head:x", "http://head:1", "ray://head", "a:1/b", "ray://u:p@a:1"]
)
def test_what_is_no_address_of_a_cluster_is_refused(address):
    with pytest.raises(InvalidValueError, match="--cluster .or RAY_ADDRESS. needs"):
        checked_address(address)


def test_auto_is_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(ClusterError, match="No Ray cluster answers at 127.0.0.1:"):
        checked_address("auto")
    monkeypatch.delenv("RAY_ADDRESS")
    assert checked_address("auto") == "auto"


def test_another_version_of_ray_is_named():
    import ray

    said = "Version mismatch: The cluster was started with:\n    Ray: 2.1.0\n    Python: 3.9.1"
    told = _why_not(RuntimeError(said), "head:6379")
    assert "head:6379" in told
    assert "Ray: 2.1.0 Python: 3.9.1" in told
    assert f"Ray {ray.__version__}" in told


def test_an_error_of_a_worker_is_told_in_its_own_words():
    inner = ClusterError("node a: too old")
    outer = RuntimeError("ray::MapWorker died\nTraceback ...\n")
    outer.__cause__ = inner
    assert str(_told(outer)) == "node a: too old"
    text = RuntimeError("died\n  photochrom.errors.ClusterError: node b: too old\n")
    assert str(_told(text)) == "node b: too old"
    assert "KeyError" in str(_told(KeyError("x")))


def test_what_tasks_share_is_sent_once():
    guidance = Guidance(tuple(Hint.point(n, n, "#ff0000", 4) for n in range(1000)))
    tasks = [StoredTask(f"{n}.jpg", f"{n}-color.jpg", guidance) for n in range(100)]
    shared = shared_by(tasks)
    content = packed([*enumerate(tasks)], shared)
    assert len(content) < 10_000
    assert unpacked(content, shared) == [*enumerate(tasks)]
    assert unpacked(content, shared)[3][1].guidance is shared[0]


def test_what_was_done_is_given_before_the_end_and_before_an_error():
    driver = Driver()
    driver._inbox.put([1])
    driver._inbox.put([2, 3])
    driver._inbox.put(None)
    assert driver.next() == [1, 2, 3]
    assert driver.next() is None
    driver._inbox.put(ClusterError("lost"))
    with pytest.raises(ClusterError, match="lost"):
        driver.next()


def test_listing_goes_on_while_nothing_is_taken_and_its_error_is_raised():
    from photochrom.engine.cluster import _Feed

    def listed():
        yield StoredTask("a.jpg", "b.jpg")
        raise ClusterError("the listing failed")

    ticks = Counter()
    with _Feed(listed()) as feed:
        taken = feed.take(10, lambda: ticks.update("x"))
        assert [task.source for task in next(taken)] == ["a.jpg"]
        with pytest.raises(ClusterError, match="the listing failed"):
            next(taken)


def test_an_ordinary_run_imports_nothing_of_a_cluster(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    code = (
        "import sys\n"
        "from photochrom.cli.run import run\n"
        "from photochrom.cli.run_options import RunOptions\n"
        "from pathlib import Path\n"
        "run([Path('a.png'), Path('b.png')], RunOptions(method='gray', jobs=1))\n"
        "print([m for m in ('ray', 'fsspec', 'pyarrow') if m in sys.modules])\n"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "[]\n", done.stderr


def test_a_cluster_without_ray_says_what_to_install(monkeypatch):
    monkeypatch.setattr("photochrom.extras.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"Running on a cluster needs ray .*\[cluster\]"):
        Cluster("auto")
