"""Files that a user names are read whole, whatever they are."""

import json
import os
import socket
import threading

import pytest

from photochrom.colorization.network import NetworkMethod
from photochrom.engine.sidecar import read_sidecar
from photochrom.errors import PhotochromError
from photochrom.photo import given_files, named_pipe
from photochrom.photo.given_files import read_given, read_given_text
from photochrom.photo.reading import read_profile
from photochrom.workbench.evaluation.records import _read_json
from photochrom.workbench.training.recipe_files import read_recipe

ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="pipes, sockets and devices of POSIX")
READERS = [read_sidecar, read_profile, read_recipe, NetworkMethod, _read_json]


def test_a_file_is_read_to_its_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert read_given(path, 100) == b"x" * 100
    with pytest.raises(OSError, match="more than 99 bytes"):
        read_given(path, 99)


def test_lines_end_in_one_way(tmp_path):
    path = tmp_path / "a"
    path.write_bytes("ä\r\nb\rc\n".encode())
    assert read_given_text(path) == "ä\nb\nc\n"


@ON_POSIX
def test_a_pipe_of_a_shell_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"some words",))
    writer.start()
    assert read_given(path) == b"some words"
    writer.join()


@pytest.fixture(params=["pipe", "socket", "device"])
def strange(request, tmp_path, monkeypatch):
    monkeypatch.setattr(named_pipe, "SILENT_SECONDS", 0.2)
    path = tmp_path / "strange"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        monkeypatch.chdir(tmp_path)  # its name has at most 108 bytes
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    else:
        path.symlink_to("/dev/zero")
    return path


@ON_POSIX
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_what_never_ends_or_begins_is_one_line(strange, read):
    with pytest.raises(PhotochromError, match="a pipe without data|a device or a socket") as caught:
        read(strange)
    assert "\n" not in str(caught.value)


def test_a_sidecar_of_any_size_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("photochrom.engine.sidecar.MOST_BYTES", 1000)
    path = tmp_path / "a.json"
    path.write_text(json.dumps([0] * 1000))
    with pytest.raises(PhotochromError, match="more than 1,000 bytes"):
        read_sidecar(path)
    assert given_files.MOST_BYTES < given_files.MOST_NETWORK_BYTES
