import re
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import drawn_picture

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.datasets.shards import expand_addresses
from photochrom.workbench.datasets.standardize import encode
from photochrom.workbench.datasets.streaming import decode_pictures, shuffled, stream_pictures


class RangeHandler(SimpleHTTPRequestHandler):
    """Serve files and parts of files, as object stores do."""

    asked: ClassVar[list[tuple[str, int]]] = []
    failing: ClassVar[int] = 0  # so many requests are answered with 503 first

    def log_message(self, *words):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if RangeHandler.failing:
            RangeHandler.failing -= 1
            self.send_error(503)
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not path.is_file() or not found:
            super().do_GET()
            return
        content = path.read_bytes()
        first, last = int(found[1]), min(int(found[2]), len(content) - 1)
        self.asked.append((path.name, last - first + 1))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


@pytest.fixture
def served(tmp_path):
    """Serve `tmp_path` over HTTP; give its address."""
    RangeHandler.asked, RangeHandler.failing = [], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(RangeHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def write_shards(folder: Path, shards: int = 3, rows: int = 20, group: int = 5) -> list[str]:
    keys = []
    for shard in range(shards):
        mine = [f"{shard}-{row}" for row in range(rows)]
        table = pa.table({"image": [k.encode() for k in mine], "key": mine})
        options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
        pq.write_table(table, folder / f"{shard:03d}.parquet", row_group_size=group, **options)
        keys += mine
    return keys


def keys_of(data, **options) -> list[str]:
    return [picture.key for picture in stream_pictures(data, **options)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shards", "ranks", "workers"), [(3, 1, 1), (3, 2, 1), (3, 3, 3), (3, 4, 10), (16, 2, 2)]
)
def test_shares_are_disjoint_and_together_complete(tmp_path, shards, ranks, workers):
    keys = write_shards(tmp_path, shards)
    streams = [
        keys_of(tmp_path, rank=rank, ranks=ranks, worker=worker, workers=workers, seed=3)
        for rank in range(ranks)
        for worker in range(workers)
    ]
    assert Counter(key for stream in streams for key in stream) == Counter(keys)
    assert min(map(len, streams)) >= len(keys) // (ranks * workers) - 20


def test_seed_and_epoch_decide_the_order(tmp_path):
    keys = write_shards(tmp_path)
    orders = [keys_of(tmp_path, seed=s, epoch=e) for s, e in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3
    assert keys_of(tmp_path, shuffle_buffer=1) == keys


def test_pictures_far_away_are_read_by_ranges_without_a_copy_on_the_disk(tmp_path, served):
    keys = write_shards(tmp_path)
    before = sorted(tmp_path.iterdir())
    found = keys_of(f"{served}/{{000..002}}.parquet", seed=1)
    assert sorted(found) == sorted(keys)
    assert found == keys_of(tmp_path, seed=1)
    assert {name for name, _ in RangeHandler.asked} == {"000.parquet", "001.parquet", "002.parquet"}
    assert sorted(tmp_path.iterdir()) == before


def test_a_worker_far_away_opens_only_the_files_of_its_share(tmp_path, served):
    write_shards(tmp_path, 8)
    keys = keys_of(f"{served}/{{000..007}}.parquet", rank=1, ranks=2, seed=0)
    assert len(keys) == 80
    assert len({name for name, _ in RangeHandler.asked}) == 4


@pytest.mark.parametrize("answered", [0, 2, 5])
def test_a_server_that_is_busy_for_a_while_loses_no_picture(
    tmp_path, served, answered, monkeypatch
):
    monkeypatch.setattr("photochrom.workbench.datasets.shards.WAIT_S", 0.01)
    keys = write_shards(tmp_path, 4)
    stream = stream_pictures(f"{served}/{{000..003}}.parquet", shuffle_buffer=1)
    found = [next(stream).key for _ in range(answered * 5)]
    RangeHandler.failing = 2
    assert found + [picture.key for picture in stream] == keys


def test_a_list_of_addresses_names_files_beside_itself(tmp_path, served):
    keys = write_shards(tmp_path)
    (tmp_path / "files.txt").write_text("000.parquet\n\n002.parquet\n")
    expected = [key for key in keys if key[0] != "1"]
    assert keys_of(f"{served}/files.txt", shuffle_buffer=1) == expected
    assert keys_of(tmp_path / "files.txt", shuffle_buffer=1) == expected
    assert (
        keys_of([tmp_path / "000.parquet", f"{served}/002.parquet"], shuffle_buffer=1) == expected
    )


@pytest.mark.slow
@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("shards", [100, 101])
def test_one_damaged_file_in_a_hundred_is_named_and_skipped(
    tmp_path, served, remote, shards, monkeypatch
):
    monkeypatch.setattr("photochrom.workbench.datasets.shards.WAIT_S", 0.001)
    write_shards(tmp_path, shards, 1)
    (tmp_path / "007.parquet").write_bytes(b"PAR1 damaged")
    data = f"{served}/{{000..{shards - 1:03d}}}.parquet" if remote else tmp_path
    lines = []
    assert len(keys_of(data, report=lines.append)) == shards - 1
    assert len(lines) == 1
    assert "007.parquet: skipped" in lines[0]


@pytest.mark.parametrize("shards", [2, 10, 99])
def test_more_than_one_damaged_file_in_a_hundred_is_an_error_that_names_it(tmp_path, shards):
    write_shards(tmp_path, shards, 1)
    (tmp_path / "001.parquet").write_bytes(b"PAR1 damaged")
    with pytest.raises(DataError, match=r"001\.parquet.*Fetch it again"):
        keys_of(tmp_path)


def test_a_damaged_page_is_noticed_by_its_checksum_and_its_rows_are_counted(tmp_path):
    write_shards(tmp_path, 1, 1000, 5)
    file = tmp_path / "000.parquet"
    content = bytearray(file.read_bytes())
    place = content.index(b"0-502")
    content[place + 2] ^= 0xFF
    file.write_bytes(content)
    lines = []
    keys = keys_of(tmp_path, shuffle_buffer=1, report=lines.append)
    assert len(keys) == 995
    assert "000.parquet: 5 rows of row group 100 skipped" in lines[0]
    assert lines[1] == "5 of 1000 pictures skipped: they cannot be read."


def test_too_many_damaged_rows_are_an_error(tmp_path):
    table = pa.table({"image": [b"x"] * 97 + [None] * 3})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="3 of 100 pictures of this share"):
        keys_of(tmp_path)


@pytest.mark.parametrize("broken", [1, 3])
def test_pictures_that_cannot_be_decoded_are_skipped_by_name_up_to_one_in_a_hundred(
    tmp_path, broken
):
    image = encode(drawn_picture(0, 8, 8), "png")
    table = pa.table({"image": [image] * (200 - broken) + [b"broken"] * broken})
    pq.write_table(table, tmp_path / "a.parquet")
    lines = []
    decoded = decode_pictures(stream_pictures(tmp_path), report=lines.append)
    if broken > 2:
        with pytest.raises(DataError, match="at most 1 in 100"):
            list(decoded)
    else:
        found = list(decoded)
        assert len(found) == 199
        assert np.array_equal(found[0][1], drawn_picture(0, 8, 8))
        assert lines == ["a.parquet:199: skipped, it cannot be decoded."]


def test_a_folder_of_pictures_is_streamed_too(picture_folder):
    shares = [keys_of(picture_folder, rank=rank, ranks=3) for rank in range(3)]
    assert sorted(chain(*shares)) == sorted(keys_of(picture_folder))
    assert sum(map(len, shares)) == 10


def test_a_place_that_cannot_be_reached_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr("photochrom.workbench.datasets.shards.WAIT_S", 0.001)
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/a\.parquet"):
        keys_of("http://127.0.0.1:9/a.parquet")


def test_a_range_of_addresses_keeps_its_leading_zeros():
    assert expand_addresses("s3://b/{08..10}-{0..1}.parquet")[:3] == [
        "s3://b/08-0.parquet",
        "s3://b/08-1.parquet",
        "s3://b/09-0.parquet",
    ]


def test_shuffling_gives_every_item_once_and_moves_them_far():
    mixed = list(shuffled(range(500), 100, (1,)))
    assert sorted(mixed) == list(range(500))
    assert np.abs(np.array(mixed) - np.arange(500)).mean() > 40


@pytest.mark.parametrize(
    "options", [{"rank": 2, "ranks": 2}, {"worker": -1}, {"workers": 0}, {"shuffle_buffer": 0}]
)
def test_numbers_without_meaning_are_refused(tmp_path, options):
    with pytest.raises(InvalidValueError, match="must be"):
        stream_pictures(tmp_path, **options)
