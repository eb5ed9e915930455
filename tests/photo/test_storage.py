import http.server
import io
import os
import socket
import tarfile
import threading
import time
import zipfile
from contextlib import suppress

import fsspec
import pytest

from photochrom.errors import (
    MissingExtraError,
    PhotoTooLargeError,
    UnreadablePhotoError,
    UnwritablePhotoError,
)
from photochrom.photo import connections, storage
from photochrom.photo.storage import fetch, find, look, stat, store

ODD_NAMES = ("a b.jpg", "ü #1?.jpg", "100%25.jpg", "a[0]*.jpg", "a::b.jpg", "x&y=z.jpg")


def fill(files, *names, content=b"content"):
    for name in names:
        files.pipe_file(name, content)


@pytest.fixture
def web():
    """Serve what `answers` has by path: bytes, or a function of the request's handler."""
    answers = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path)
            if callable(answer):
                answer(self)
            elif answer is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.send_header("ETag", f'"{len(answer)}"')
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(answer)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.answers, server.address = answers, f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_goes_to_a_storage_and_back(memory, s3, tmp_path, name):
    (tmp_path / "a").write_bytes(b"content")
    for folder in ("memory://in/below", "s3://archive/below"):
        address = storage.join(folder, name)
        store(tmp_path / "a", address)
        assert [found.address for found in find(folder)] == [address]
        copied = fetch(address, tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == b"content"
        assert copied.size == 7 and copied.version == stat(address).version
    assert s3.ls("archive/below") == [f"archive/below/{name}"]


def test_a_folder_is_searched_by_the_rules_of_local_folders(memory):
    fill(memory, "/in/b.JPG", "/in/a.png", "/in/.hidden.jpg", "/in/notes.txt", "/in/film.mp4")
    fill(memory, "/in/below/c.tif", "/in/x.psd", "/in/a.png.xmp", "/in/a.xmp")
    search = storage.Search("memory://in", recursive=True)
    found = list(search)
    assert [storage.name_of(each.address) for each in found] == ["a.png", "b.JPG", "c.tif"]
    assert found[0].companions == ("a.xmp", "a.png.xmp") and found[1].companions == ()
    assert "1 .psd" in search.found.passed_over and "1 .mp4" in search.found.passed_over
    assert len(list(find("memory://in"))) == 2
    assert storage.is_folder("memory://in") and not storage.is_folder("memory://in/a.png")


def test_members_of_archives_are_found_and_read_by_several_threads(tmp_path):
    names = [f"d/{number:03} ü#?.jpg" for number in range(40)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in names:
            packed.writestr(name, name * 5000)
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len((name * 5000).encode())
            packed.addfile(member, io.BytesIO((name * 5000).encode()))
    for archive in ("a.zip", "a.tar"):
        found = list(find(storage.inside(str(tmp_path / archive)), recursive=True))
        assert [storage.name_of(each.address) for each in found] == [n[2:] for n in names]
        wrong = []

        def check(some, archive=archive, wrong=wrong):
            for number, each in some:
                path = tmp_path / f"{archive}-{number}"
                fetch(each.address, path, known=each)
                if path.read_text() != names[number] * 5000:
                    wrong.append(number)

        numbered = list(enumerate(found))
        threads = [threading.Thread(target=check, args=(numbered[n::4],)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_member_that_leads_out_of_the_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("../evil.jpg", "x")
        packed.writestr("good.jpg", "x")
    search = storage.Search(storage.inside(str(tmp_path / "a.zip")), recursive=True)
    assert [storage.name_of(found.address) for found in search] == ["good.jpg"]
    assert "no folder below" in search.closed[".."]


def test_a_changed_archive_is_read_anew(tmp_path):
    path, address = tmp_path / "a.zip", f"zip://a.jpg::{tmp_path / 'a.zip'}"
    for content in ("first", "second one"):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("a.jpg", content)
        fetch(address, tmp_path / "a.jpg")
        assert (tmp_path / "a.jpg").read_text() == content


def test_a_file_of_the_web_is_read(web, tmp_path):
    web.answers["/a%20b.jpg?id=7"] = b"x" * 100
    address = f"{web.address}/a%20b.jpg?id=7"
    found = fetch(address, tmp_path / "a")
    assert found.size == 100 and found.version == "100"
    assert storage.name_of(address) == "a b.jpg"
    with pytest.raises(UnreadablePhotoError, match="does not list its files"):
        list(find(f"{web.address}/folder/"))
    with pytest.raises(UnwritablePhotoError, match="only read"):
        store(tmp_path / "a", f"{web.address}/b.jpg")
    assert look(f"{web.address}/none.jpg") is None
    web.answers["/busy.jpg"] = lambda request: request.send_error(503)
    web.answers["/closed.jpg"] = lambda request: request.send_error(403)
    with pytest.raises(UnreadablePhotoError, match="503"):
        look(f"{web.address}/busy.jpg")
    with pytest.raises(UnreadablePhotoError, match="access denied"):
        fetch(f"{web.address}/closed.jpg", tmp_path / "b")


def test_a_server_that_breaks_off_or_never_ends_is_a_sentence(web, tmp_path):
    def breaks_off(request):
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(b"x" * 10)

    def never_ends(request):
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        with suppress(OSError):
            while request.command == "GET":
                request.wfile.write(b"x" * 100_000)

    web.answers.update({"/short.jpg?token=hunter2": breaks_off, "/endless.jpg": never_ends})
    with pytest.raises(UnreadablePhotoError, match=r"short\.jpg: cannot be read") as said:
        fetch(f"{web.address}/short.jpg?token=hunter2", tmp_path / "a")
    assert "hunter2" not in str(said.value)
    with pytest.raises(PhotoTooLargeError, match="more than 1,000,000 bytes"):
        fetch(f"{web.address}/endless.jpg", tmp_path / "a", most_bytes=1_000_000)
    assert not (tmp_path / "a").exists()


def test_no_server_at_the_address_is_a_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(UnreadablePhotoError, match=rf"^http://127\.0\.0\.1:{port}/a\.jpg: cannot"):
        fetch(f"http://anna:hunter2@127.0.0.1:{port}/a.jpg", tmp_path / "a")


def test_a_file_that_changes_while_it_is_read_is_not_taken(s3, tmp_path, monkeypatch):
    fill(s3, "archive/a.jpg", content=b"first")
    copy, contents = storage._copy, iter((b"second", b"third!", b"fourth"))

    def copy_and_change(address, path, most_bytes):
        size = copy(address, path, most_bytes)
        s3.pipe_file("archive/a.jpg", next(contents))
        return size

    monkeypatch.setattr(storage, "_copy", copy_and_change)
    with pytest.raises(UnreadablePhotoError, match="was changed while it was read"):
        fetch("s3://archive/a.jpg", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_file_that_changed_since_it_was_listed_is_read_as_it_is(s3, tmp_path):
    fill(s3, "archive/a.jpg", content=b"first")
    (listed,) = find("s3://archive")
    fill(s3, "archive/a.jpg", content=b"second!")
    assert fetch("s3://archive/a.jpg", tmp_path / "a", known=listed).size == 7
    assert (tmp_path / "a").read_bytes() == b"second!"


def test_the_time_of_a_file_is_kept(s3, tmp_path):
    fill(s3, "archive/a.jpg")
    found = fetch("s3://archive/a.jpg", tmp_path / "a")
    assert (tmp_path / "a").stat().st_mtime_ns == found.modified_ns
    assert abs(found.modified_ns / 1e9 - time.time()) < 3600


def test_a_put_that_fails_leaves_what_was_there(s3, tmp_path, monkeypatch):
    big = tmp_path / "big"
    big.write_bytes(os.urandom(40_000_000))  # in parts
    store(big, "s3://archive/a.tif")
    before = stat("s3://archive/a.tif").version
    (tmp_path / "other").write_bytes(os.urandom(40_000_000))
    call = type(s3)._call_s3

    async def breaks(self, method, *given, **options):
        if method == "upload_part" and options["PartNumber"] == 3:
            raise PermissionError("Forbidden")
        return await call(self, method, *given, **options)

    monkeypatch.setattr(type(s3), "_call_s3", breaks)
    with pytest.raises(UnwritablePhotoError, match="access denied"):
        store(tmp_path / "other", "s3://archive/a.tif")
    monkeypatch.undo()
    connections.connect("s3://archive")
    assert stat("s3://archive/a.tif").version == before
    assert s3.call_s3("list_multipart_uploads", Bucket="archive").get("Uploads", []) == []


def test_where_objects_appear_at_once_a_temporary_name_is_renamed(tmp_path, monkeypatch):
    """The local file system of fsspec stands for those, under a scheme of its own."""
    from fsspec.implementations.local import LocalFileSystem

    class Disk(LocalFileSystem):
        protocol = "disk"

        @classmethod
        def _strip_protocol(cls, path):
            return path.removeprefix("disk://")

        def put_file(self, lpath, rpath, **_):
            super().put_file(lpath, rpath)
            if self.is_broken:
                raise OSError(28, "No space left on device")

    fsspec.register_implementation("disk", Disk, clobber=True)
    target = f"disk://{tmp_path}/out/a.jpg"
    (tmp_path / "a").write_bytes(b"first")
    Disk.is_broken = False
    store(tmp_path / "a", target)
    Disk.is_broken = True
    (tmp_path / "a").write_bytes(b"second")
    with pytest.raises(UnwritablePhotoError, match="No space left"):
        store(tmp_path / "a", target)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.jpg"]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == b"first"


def test_a_missing_library_and_an_unknown_scheme_are_sentences(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(MissingExtraError, match=r"gs:// need gcsfs.*pip install '\.\[gcs\]'"):
        stat("gs://bucket/a.jpg")
    with pytest.raises(UnreadablePhotoError, match="of an unknown kind"):
        stat("foo://bucket/a.jpg")
    with pytest.raises(UnreadablePhotoError, match="does not exist"):
        stat("zip://a.jpg::/no/such.zip")


def test_a_full_temporary_folder_is_named(memory, tmp_path):
    fill(memory, "/a.jpg")
    with pytest.raises(UnwritablePhotoError, match="TMPDIR"):
        fetch("memory://a.jpg", tmp_path / "none" / "a.jpg")


def test_a_damaged_archive_is_a_sentence(tmp_path):
    for name in ("a.zip", "a.tar"):
        (tmp_path / name).write_bytes(b"no archive" * 100)
        with pytest.raises(UnreadablePhotoError, match=name):
            list(find(storage.inside(str(tmp_path / name)), recursive=True))
