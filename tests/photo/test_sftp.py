"""SFTP, where a result is renamed once it is complete: against a server on this machine."""

import os
import socket
import threading
import time
from pathlib import Path

import paramiko
import pytest
from fsspec.implementations.sftp import SFTPFileSystem

from photochrom.errors import UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo import storage
from photochrom.photo.storage import fetch, find, look, stat, store


class OpenFile(paramiko.SFTPHandle):
    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class Files(paramiko.SFTPServerInterface):
    """Serves the files of the machine."""

    def __init__(self, server):
        super().__init__(server)
        self.server = server

    def stat(self, path):
        try:
            return paramiko.SFTPAttributes.from_stat(Path(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    lstat = stat

    def list_folder(self, path):
        try:
            found = sorted(Path(path).iterdir())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        listed = []
        for each in found:
            listed.append(paramiko.SFTPAttributes.from_stat(each.stat()))
            listed[-1].filename = each.name
        return listed

    def open(self, path, flags, attributes):
        if "forbidden" in path:
            return paramiko.SFTP_PERMISSION_DENIED
        try:
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        handle = OpenFile(flags)
        handle.readfile = handle.writefile = os.fdopen(
            descriptor, "wb" if flags & (os.O_WRONLY | os.O_RDWR) else "rb"
        )
        return handle

    def mkdir(self, path, attributes):
        Path(path).mkdir()
        return paramiko.SFTP_OK

    def remove(self, path):
        Path(path).unlink()
        return paramiko.SFTP_OK

    def posix_rename(self, old, new):
        if self.server.breaks:
            return paramiko.SFTP_FAILURE
        Path(old).replace(new)
        return paramiko.SFTP_OK


class Server(paramiko.ServerInterface):
    breaks = False

    def get_allowed_auths(self, name):
        return "password"

    def check_auth_password(self, name, password):
        good = (name, password) == ("anna", "hunter2")
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, number):
        return paramiko.OPEN_SUCCEEDED


def connected():
    return [files for files in SFTPFileSystem._cache.values() if files.client.get_transport()]


@pytest.fixture
def sftp():
    """Run a server; return its address, with the password, and what to break."""
    listening = socket.create_server(("127.0.0.1", 0))
    key, server, transports = paramiko.ECDSAKey.generate(), Server(), []

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
            transport.start_server(server=server)
            transports.append(transport)

    thread = threading.Thread(target=serve)
    thread.start()
    port = listening.getsockname()[1]
    server.transports, server.address = transports, f"sftp://anna:hunter2@127.0.0.1:{port}"
    yield server
    for files in connected():
        files.client.close()
    SFTPFileSystem.clear_instance_cache()
    for transport in transports:
        transport.close()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_files_go_there_and_back_and_appear_whole(sftp, tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(300_000))
    for name in ("a b.jpg", "ü #1?.jpg", "100%25.jpg", "a::b.jpg"):
        address = f"{sftp.address}{tmp_path}/out/below/{name}"
        store(tmp_path / "a", address)
        store(tmp_path / "a", address)  # replaced
        found = fetch(address, tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
        assert found.modified_ns // 10**9 == int((tmp_path / "b").stat().st_mtime)
    folder = f"{sftp.address}{tmp_path}/out"
    assert len(list(find(folder, recursive=True))) == 4
    assert len(list((tmp_path / "out" / "below").iterdir())) == 4
    assert storage.is_folder(folder)


def test_a_rename_that_fails_leaves_nothing(sftp, tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    sftp.breaks = True
    with pytest.raises(UnwritablePhotoError, match=r"^sftp://127\.0\.0\.1") as said:
        store(tmp_path / "a", f"{sftp.address}{tmp_path}/out/a.jpg")
    assert "hunter2" not in str(said.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_may_not_be_read_is_a_sentence(sftp, tmp_path):
    (tmp_path / "forbidden.jpg").write_bytes(b"content")
    with pytest.raises(UnreadablePhotoError, match="access denied"):
        fetch(f"{sftp.address}{tmp_path}/forbidden.jpg", tmp_path / "b")
    assert look(f"{sftp.address}{tmp_path}/none.jpg") is None
    wrong = sftp.address.replace("hunter2", "hunter3")
    with pytest.raises(UnreadablePhotoError, match=r"Authentication failed") as said:
        stat(f"{wrong}{tmp_path}/a.jpg")
    assert "hunter3" not in str(said.value)


def test_several_threads_share_a_connection_and_a_lost_one_is_made_again(sftp, tmp_path):
    wrong = []

    def copy(number):
        content = os.urandom(200_000)
        (tmp_path / f"{number}").write_bytes(content)
        address = f"{sftp.address}{tmp_path}/out/{number}.jpg"
        store(tmp_path / f"{number}", address)
        fetch(address, tmp_path / f"{number}-back")
        if (tmp_path / f"{number}-back").read_bytes() != content:
            wrong.append(number)

    for _ in range(2):
        threads = [threading.Thread(target=copy, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == [] and len(list((tmp_path / "out").iterdir())) == 4
        for transport in sftp.transports:
            transport.close()
        while any(files.client.get_transport().is_active() for files in connected()):
            time.sleep(0.01)
        for number in range(4):
            (tmp_path / "out" / f"{number}.jpg").unlink()
            (tmp_path / f"{number}-back").unlink()
