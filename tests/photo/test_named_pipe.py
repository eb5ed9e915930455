"""Pictures from named pipes, and what is no file."""

import os
import threading

import numpy as np
import pytest
from PIL import Image

from photochrom.errors import UnreadablePhotoError
from photochrom.photo import named_pipe
from photochrom.photo.photo import Photo

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "scan.png")
    return tmp_path / "scan.png"


def test_a_picture_comes_through_a_named_pipe(fifo, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.png")
    content = (tmp_path / "b.png").read_bytes()
    assert len(content) > 65536  # more than a pipe holds
    writer = threading.Thread(target=lambda: fifo.write_bytes(content))
    writer.start()
    photo = Photo.open(fifo)
    writer.join()
    assert (photo.upright_size, photo.name) == ((400, 300), str(fifo))


def test_nobody_waits_for_a_pipe_without_a_writer_for_ever(fifo, monkeypatch):
    monkeypatch.setattr(named_pipe, "SILENT_SECONDS", 0.2)
    with pytest.raises(UnreadablePhotoError, match=r"scan.png: a pipe without data for 0.2 s"):
        Photo.open(fifo)


def test_nobody_waits_for_a_writer_that_stops_in_the_middle(fifo, monkeypatch):
    monkeypatch.setattr(named_pipe, "SILENT_SECONDS", 0.3)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    os.write(writer, b"\x89PNG")
    with pytest.raises(UnreadablePhotoError, match="without data"):
        Photo.open(fifo)
    os.close(writer)
    os.close(reader)


def test_a_device_is_no_picture():
    with pytest.raises(UnreadablePhotoError, match="/dev/zero: is a device or a socket"):
        Photo.open("/dev/zero")
