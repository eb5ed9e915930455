"""Training pictures in an object store: a server of S3 on this machine."""

import io
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import drawn_picture, encoded

from photochrom.errors import DataError
from photochrom.workbench.datasets.shards import read_errors
from photochrom.workbench.datasets.streaming import decode_pictures, stream_pictures

pytest.importorskip("s3fs", reason="the extra storage is not installed")
server = pytest.importorskip("moto.server", reason="no server of S3 to try it with")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of moto's own

KEYS = [f"k{number}" for number in range(24)]


def png(seed):
    return encoded(drawn_picture(seed, 40, 48), "PNG")


@pytest.fixture(scope="module")
def address():
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def bucket(address, monkeypatch, tmp_path):
    """Four files of six pictures; found as the library of S3 finds any store, by its variables."""
    import fsspec
    import s3fs

    given = {"AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1"}
    secrets = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in (given | secrets).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    files = fsspec.filesystem("s3")
    files.makedirs("scans", exist_ok=True)
    for shard in range(4):
        mine = range(6 * shard, 6 * shard + 6)
        table = pa.table({"image": [png(n) for n in mine], "key": [KEYS[n] for n in mine]})
        content = io.BytesIO()
        pq.write_table(table, content, row_group_size=2)
        files.pipe_file(f"scans/train/{shard:03}.parquet", content.getvalue())
    yield "s3://scans/train"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("data", ["*.parquet", "{000..003}.parquet"])
def test_two_machines_read_every_picture_of_a_bucket_once(bucket, data):
    shares = [
        [p.key for p, _ in decode_pictures(stream_pictures(f"{bucket}/{data}", rank=r, ranks=2))]
        for r in range(2)
    ]
    assert min(map(len, shares)) >= 8
    assert Counter(shares[0] + shares[1]) == Counter(KEYS)


def test_a_bucket_that_is_not_there_is_named(bucket, monkeypatch):
    monkeypatch.setattr("photochrom.workbench.datasets.shards.WAIT_S", 0.001)
    with pytest.raises(DataError, match=r"s3://nobody/\{?0.*parquet"):
        list(stream_pictures("s3://nobody/{000..001}.parquet"))
    with pytest.raises(DataError, match=r"s3://nobody/\*\.parquet"):
        list(stream_pictures("s3://nobody/*.parquet"))


def test_a_store_without_rights_or_out_of_reach_is_named(bucket, monkeypatch):
    import s3fs

    monkeypatch.setattr("photochrom.workbench.datasets.shards.WAIT_S", 0.001)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(DataError, match=r"s3://scans/train/\*\.parquet.*[Cc]redentials"):
        list(stream_pictures(f"{bucket}/*.parquet"))
    assert any(kind.__module__.startswith("botocore") for kind in read_errors())


def test_an_address_whose_library_is_not_known_says_what_it_needs():
    with pytest.raises(DataError, match="nosuch://a/b.parquet: cannot be opened .*s3fs for s3://"):
        list(stream_pictures("nosuch://a/b.parquet"))
