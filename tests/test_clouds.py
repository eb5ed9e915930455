"""Google's and Azure's storages, by emulators that run here; see `tests/clouds.py`."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import uuid
import zipfile

import pytest
from PIL import Image
from tests import clouds
from tests.conftest import drawn_picture

from photochrom.cli import main
from photochrom.errors import PhotoError, UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo import storage
from photochrom.photo.connections import is_denied, may_pass
from photochrom.photo.storage import fetch, find, is_folder, list_folder, look, stat, store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),  # gcsfs does
]
# Azure turns backslashes into slashes. The emulator of Google drops what is after a semicolon.
ODD_NAMES = (
    *("a b.jpg", "ü #1?.jpg", "q?x#y.jpg", "100%25.jpg", "100%.jpg", "a[0]*.jpg", "a::b.jpg"),
    *("x&y=z.jpg", "a@b.jpg", "a+b~c'd.jpg", 'q"uote.jpg', "tab\tx.jpg", "日本.jpg", "{0}.jpg"),
    *("what?/e.jpg", "ha#sh/f.jpg", "trail /g.jpg", "per%2Fcent.jpg"),
)


def installed(scheme):
    missing = clouds.MISSING[scheme]
    return pytest.param(
        scheme, marks=pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}")
    )


@pytest.fixture(scope="module", params=[installed("gs"), installed("abfs")])
def server(request):
    with clouds.running(request.param) as address:
        yield request.param, address


@pytest.fixture
def bucket(server, monkeypatch):
    clouds.set_environment(monkeypatch, *server)
    yield clouds.Bucket(*server, f"b{uuid.uuid4().hex[:12]}")
    clouds.forget(server[0])


@pytest.fixture
def gate(bucket, monkeypatch):
    with clouds.gate(bucket.server) as made:
        clouds.set_environment(monkeypatch, bucket.scheme, made.address)
        yield made


def test_any_name_goes_there_and_back(bucket, tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    for name in ODD_NAMES:
        bucket.put(f"in/{name}")
        address = storage.join(f"{bucket.address}/out", name)
        store(tmp_path / "a", address)
        fetch(address, tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == b"content"
    assert bucket.names("out/") == sorted(f"out/{name}" for name in ODD_NAMES)
    found = {each.address: each for each in find(f"{bucket.address}/in", recursive=True)}
    assert sorted(found) == sorted(f"{bucket.address}/in/{name}" for name in ODD_NAMES)
    for address, listed in found.items():
        assert fetch(address, tmp_path / "b", known=listed).version == listed.version != ""
        assert stat(address).modified_ns == listed.modified_ns


def test_a_folder_has_what_lies_in_it_and_nothing_is_left_out(bucket):
    for name in ("in/a.jpg", "in/a.jpg.xmp", "in2/b.jpg", "in/same.jpg", "in/same.jpg/c.jpg"):
        bucket.put(name)
    for name in ("in/marker/", "only/"):
        bucket.put(name, b"")
    bucket.put("in//d.jpg")
    bucket.put("in/sub//e.jpg")
    listed = list_folder(f"{bucket.address}/in")
    assert list(listed.files) == ["a.jpg", "a.jpg.xmp", "same.jpg"]
    assert set(listed.folders) == {"", "marker", "same.jpg", "sub"}
    search = storage.Search(f"{bucket.address}/in", recursive=True)
    names = [each.address.removeprefix(f"{bucket.address}/in/") for each in search]
    assert names == ["a.jpg", "same.jpg", "same.jpg/c.jpg"]
    assert set(search.closed) == {"", "sub/"}  # and so they are failures
    assert not list_folder(f"{bucket.address}/only").files
    assert list_folder(f"{bucket.address}/only").folders == ()
    assert not list_folder(f"{bucket.address}/none", missing_ok=True).files


def test_what_is_not_there_is_a_sentence(bucket, tmp_path):
    bucket.put("in/a.jpg")
    (tmp_path / "a").write_bytes(b"content")
    nowhere = f"{bucket.scheme}://nowhere"
    for folder in (f"{bucket.address}/none", nowhere, f"{nowhere}/in"):
        assert not is_folder(folder) and look(f"{folder}/a.jpg") is None
        with pytest.raises(UnreadablePhotoError, match=r": does not exist\.$"):
            list_folder(folder)
    with pytest.raises(UnwritablePhotoError, match="no such place"):
        store(tmp_path / "a", f"{nowhere}/a.jpg")
    assert is_folder(f"{bucket.address}/in") and is_folder(bucket.address)
    with pytest.raises(UnreadablePhotoError, match="is a folder"):
        look(f"{bucket.address}/in")


@pytest.mark.parametrize("size", [0, 100, 9_000_000])
def test_a_result_is_replaced_as_a_whole(bucket, tmp_path, size):
    (tmp_path / "a.tif").write_bytes(os.urandom(size))
    (tmp_path / "b.tif").write_bytes(b"first")
    for path in ("b.tif", "a.tif"):
        store(tmp_path / path, f"{bucket.address}/out/a.tif")
    fetch(f"{bucket.address}/out/a.tif", tmp_path / "c.tif")
    assert (tmp_path / "c.tif").read_bytes() == (tmp_path / "a.tif").read_bytes()
    assert bucket.names() == ["out/a.tif"]
    storage.remove(f"{bucket.address}/out/a.tif")
    storage.remove(f"{bucket.address}/out/a.tif")
    assert bucket.names() == []


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"--"])
def test_an_upload_arrives_with_all_its_bytes_or_fails(bucket, tmp_path, end):
    (tmp_path / "a").write_bytes(b"content" + end)
    try:
        store(tmp_path / "a", f"{bucket.address}/a.tif")
    except UnwritablePhotoError as error:
        assert "another size" in str(error)
        assert bucket.names() == []
    else:
        assert bucket.get("a.tif") == b"content" + end


def test_several_threads_read_and_write_at_once(bucket, tmp_path):
    wrong = []

    def copy(number):
        content = os.urandom(300_000) + b"."
        (tmp_path / f"{number}").write_bytes(content)
        store(tmp_path / f"{number}", f"{bucket.address}/{number}.jpg")
        fetch(f"{bucket.address}/{number}.jpg", tmp_path / f"{number}-back")
        if (tmp_path / f"{number}-back").read_bytes() != content:
            wrong.append(number)

    threads = [threading.Thread(target=copy, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(bucket.names()) == 6


def test_who_has_no_right_is_told_so(gate, bucket, tmp_path, capfd):
    bucket.put("in/closed.jpg")
    bucket.put("in/a.jpg")
    (tmp_path / "a").write_bytes(b"content")
    gate.refused["closed"] = 403
    with pytest.raises(UnreadablePhotoError, match=r"closed\.jpg: cannot be read \(access denied"):
        fetch(f"{bucket.address}/in/closed.jpg", tmp_path / "b")
    gate.refused["in"] = 403
    with pytest.raises(UnreadablePhotoError, match=r"/in: cannot be read \(access denied") as said:
        list_folder(f"{bucket.address}/in")
    assert is_denied(said.value.__cause__) and not may_pass(said.value)
    gate.refused["b"] = 401
    with pytest.raises(UnwritablePhotoError, match=r"cannot be written \(access denied"):
        store(tmp_path / "a", f"{bucket.address}/out/a.jpg")
    assert "".join(capfd.readouterr()) == ""  # the libraries log what they raise


def test_a_storage_that_is_busy_may_be_ready_later(gate, bucket, tmp_path, monkeypatch):
    bucket.put("a.jpg")
    if bucket.scheme == "gs":
        monkeypatch.setattr("gcsfs.retry.asyncio.sleep", _at_once)
    else:
        shared = "azure.storage.blob._shared.policies_async"
        monkeypatch.setattr(f"{shared}.AsyncStorageRetryPolicy.sleep", _at_once)
    gate.refused["a.jpg"] = 503
    with pytest.raises(PhotoError, match=r"a\.jpg: cannot be read") as said:
        stat(f"{bucket.address}/a.jpg")
    assert may_pass(said.value)
    del gate.refused["a.jpg"]
    assert stat(f"{bucket.address}/a.jpg").size == 7


async def _at_once(*seconds):
    pass


def test_a_container_of_a_named_account_is_the_same_container(bucket, tmp_path):
    if bucket.scheme != "abfs":
        pytest.skip("is Azure's way to write an address")
    bucket.put("in/a.jpg")
    address = f"abfss://{bucket.name}@{clouds.ACCOUNT}.dfs.core.windows.net/in/a.jpg"
    assert fetch(address, tmp_path / "b").size == 7
    assert storage.cleaned(address) == address
    assert stat(f"AZ://{bucket.name}/in/a.jpg").size == 7


def jpeg(seed):
    file = io.BytesIO()
    Image.fromarray(drawn_picture(seed)).convert("L").save(file, "jpeg")
    return file.getvalue()


def is_whole(content):
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
    return True


@pytest.fixture
def command(monkeypatch, capfd):
    def run(*words, code=0):
        monkeypatch.setattr(sys, "argv", ["photochrom", *map(str, words), "-j", "1"])
        with pytest.raises(SystemExit) as ended:
            main()
        said = "".join(capfd.readouterr())
        assert (ended.value.code or 0) == code, said
        return said

    return run


def test_a_bucket_is_coloured_into_a_bucket_once(bucket, command, tmp_path):
    for number, name in enumerate(("a b.jpg", "1/ü #1?.jpg", "1/c.jpg")):
        bucket.put(f"scans/{name}", jpeg(number))
    bucket.put("scans/empty.jpg", b"")
    bucket.put("lender.jpg", jpeg(5))
    here = bucket.address
    words = (f"{here}/scans/", "-r", "-o", f"{here}/out", "-m", "gray")
    said = command(*words, code=1)
    assert f"{here}/scans/1/ü #1?.jpg -> {here}/out/1/ü #1?-color.jpg" in said
    assert f"photochrom: {here}/scans/empty.jpg: the file is empty (0 bytes)." in said
    assert "3 coloured, 1 failed." in said and said.count("\n") == 5
    states = bucket.states("out/1")
    assert "0 coloured, 3 skipped, 1 failed." in command(*words, "--resume", code=1)
    bucket.put("scans/a b.jpg", jpeg(7))
    assert "1 coloured, 2 skipped, 1 failed." in command(*words, "--resume", code=1)
    assert bucket.states("out/1") == states and len(states) == 2
    bucket.put("m.csv", b"path,result\nscans/a b.jpg,x.png\nscans/1/c.jpg,\n")
    said = command(f"{here}/m.csv", "-o", tmp_path / "out", "-m", "gray", "--sidecar")
    assert "2 coloured." in said
    bucket.put("x.json", (tmp_path / "out" / "x.json").read_bytes())
    command(f"{here}/scans/1/c.jpg", "--recipe", f"{here}/x.json")
    assert is_whole(bucket.get("scans/1/c-color.jpg"))


@pytest.mark.long
def test_a_run_that_is_killed_leaves_whole_results_and_is_resumed(bucket, command):
    for number in range(12):
        bucket.put(f"in/{number:02}.jpg", jpeg(number))
    words = [f"{bucket.address}/in/", "-o", f"{bucket.address}/out", "-m", "gray"]
    code = "from photochrom.cli import main; main()"
    running = subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.DEVNULL)
    ended = time.monotonic() + 60
    while len(results(bucket)) < 3 and time.monotonic() < ended:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    before = results(bucket)
    assert 3 <= len(before) < 12 and all(is_whole(bucket.get(name)) for name in before)
    said = command(*words, "--resume")
    assert f"{12 - len(before)} coloured, {len(before)} skipped." in said
    after = results(bucket)
    assert len(after) == 12 and {name: after[name] for name in before} == before


def results(bucket):
    return {name: state for name, state in bucket.states("out/").items() if ".jpg" in name}


def test_a_photograph_is_coloured_by_who_may_not_list_its_folder(gate, bucket, command, tmp_path):
    bucket.put("in/a.jpg", jpeg(0))
    gate.refused["a.xmp"] = gate.refused["a.jpg.xmp"] = 403
    command(f"{bucket.address}/in/a.jpg", "-m", "gray", "-o", tmp_path / "a.jpg")
    assert is_whole((tmp_path / "a.jpg").read_bytes())


def test_shards_and_zip_files_in_a_bucket_are_read(bucket, command):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("d/ü #1.jpg", jpeg(0))
    bucket.put("x.zip", packed.getvalue())
    for number in range(2):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            member = tarfile.TarInfo("a.jpg")
            member.size = len(jpeg(number))
            archive.addfile(member, io.BytesIO(jpeg(number)))
        bucket.put(f"s-{number}.tar", packed.getvalue())
    here = bucket.address
    words = (f"{here}/x.zip", f"{here}/s-{{0..1}}.tar", "-r", "-o", f"{here}/out", "-m", "gray")
    assert "3 coloured." in command(*words)
    assert sorted(results(bucket)) == [
        *("out/s-0/a-color.jpg", "out/s-1/a-color.jpg", "out/x/d/ü #1-color.jpg")
    ]
