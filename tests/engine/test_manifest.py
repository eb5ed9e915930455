import gzip
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.engine.manifest import Manifest, Row, coloured_name, is_manifest
from photochrom.engine.output_names import beside
from photochrom.errors import InvalidValueError, PhotoError


def rows_of(path, output=None, suffix=None):
    with Manifest(str(path), output, suffix) as manifest:
        return [row for rows in manifest.rows() for row in rows]


def table(place, /, **columns):
    pq.write_table(pa.table(columns), place)
    return place


def test_relative_names_lie_below_the_manifest(tmp_path):
    path = table(tmp_path / "m.parquet", path=["a.jpg", "./b/c.heic"])
    assert rows_of(path, "s3://out") == [
        Row(f"{tmp_path}/a.jpg", "s3://out/a-color.jpg", None),
        Row(f"{tmp_path}/b/c.heic", "s3://out/b/c-color.jpg", None),
    ]
    assert rows_of(path)[1].target == f"{tmp_path}/b/c-color.jpg"
    assert rows_of(path, "/out", ".png")[0].target == "/out/a-color.png"


def test_results_and_references_may_be_named(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text('other,path,result,reference\n1,"a,b.jpg",x/y.png,lender.jpg\n2,c.jpg,,\n')
    assert rows_of(path, "/out") == [
        Row(f"{tmp_path}/a,b.jpg", "/out/x/y.png", f"{tmp_path}/lender.jpg"),
        Row(f"{tmp_path}/c.jpg", "/out/c-color.jpg", None),
    ]


def test_results_keep_the_folders_of_their_sources(tmp_path):
    names = ["s3://archive/scans/1/a.jpg", f"{tmp_path}/2/a.jpg", "/elsewhere/3/a.jpg"]
    names += ["zip://4/a.jpg::s3://archive/x.zip", "https://u:p@host/5/a%20b.jpg?sig=x"]
    path = table(tmp_path / "m.parquet", path=names)
    assert [row.target for row in rows_of(path, "/out")] == [
        "/out/scans/1/a-color.jpg",
        "/out/2/a-color.jpg",
        "/out/elsewhere/3/a-color.jpg",
        "/out/x/4/a-color.jpg",
        "/out/5/a b-color.jpg",
    ]
    assert [row.source for row in rows_of(path, "/out")] == names


def test_a_manifest_at_an_address_has_its_pictures_beside_it():
    files = fsspec.filesystem("memory")
    files.pipe_file("/lists/m.csv", b"path\nb/a.jpg\nmemory://lists/c.jpg\n")
    assert rows_of("memory://lists/m.csv", "/out") == [
        Row("memory://lists/b/a.jpg", "/out/b/a-color.jpg", None),
        Row("memory://lists/c.jpg", "/out/c-color.jpg", None),
    ]
    files.store.clear()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"file": ["a.jpg"], "b": [1]}, "needs the column 'path'; its columns are file, b"),
        ({"path": ["a.jpg", None]}, "row 2: the column 'path' needs a path"),
        ({"path": ["a.jpg", ""]}, "row 2: the column 'path' needs a path"),
        ({"path": [1, 2]}, "row 1: the column 'path' needs a path or an address; got 1"),
        ({"path": ["a.jpg", "../b.jpg"]}, "row 2: '../b.jpg' is no name below"),
        ({"path": ["a.jpg"], "result": ["/etc/passwd"]}, "row 1: '/etc/passwd' is no name below"),
        ({"path": ["a.jpg"], "result": [3]}, "row 1: the column 'result' needs a name; got 3"),
        ({"path": ["a.jpg"], "reference": [3]}, "row 1: the column 'reference' needs a name"),
        ({"path": ["a.jpg"], "result": [".."]}, "row 1: '..' is no name below"),
        ({"path": ["s3://a/../../b.jpg"]}, "row 1: '../../b.jpg' is no name below"),
        (
            {"path": ["a.jpg", "b.jpg", "a.jpg"]},
            "rows 1 and 3 have the same result, /out/a-color.jpg",
        ),
        ({"path": ["a.jpg", "b.jpg"], "result": ["x.jpg"] * 2}, "rows 1 and 2 have the same"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named(tmp_path, columns, said):
    path = table(tmp_path / "m.parquet", **columns)
    with pytest.raises(InvalidValueError) as error, Manifest(str(path), "/out") as manifest:
        manifest.survey()
    assert said in str(error.value) and str(path) in str(error.value)


def test_sidecars_need_names_that_differ_without_suffix(tmp_path):
    path = table(tmp_path / "m.parquet", path=["a.jpg", "a.png"])
    with Manifest(str(path), "/out") as manifest:
        assert len(manifest.survey().results) == 2
        with pytest.raises(InvalidValueError, match="rows 1 and 2"):
            manifest.survey(sidecars=True)


@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x00\xff" * 100, b"path\n\xff\xfe.jpg\n"])
def test_a_file_that_is_no_table_is_a_sentence(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with (
        pytest.raises((InvalidValueError, PhotoError), match=name),
        Manifest(str(tmp_path / name), "/out") as manifest,
    ):
        manifest.survey()


def test_a_missing_manifest_is_a_sentence(tmp_path):
    for name in ("m.parquet", "m.csv"):
        with pytest.raises((InvalidValueError, PhotoError), match=rf"{name}: .*"):
            rows_of(tmp_path / name)


def test_a_csv_of_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "m.csv").write_bytes('path,result\r\n"ä ""x"".jpg",\r\n'.encode("utf-8-sig"))
    assert [row.source for row in rows_of(tmp_path / "m.csv")] == [f'{tmp_path}/ä "x".jpg']
    assert is_manifest("s3://a/B.CSV") and not is_manifest("a.csv.jpg")


def test_numbers_in_a_csv_are_names(tmp_path):
    (tmp_path / "m.csv").write_text("path\n001\n2\n")
    assert [row.source for row in rows_of(tmp_path / "m.csv")] == [
        f"{tmp_path}/001",
        f"{tmp_path}/2",
    ]


@given(st.from_regex(r"[a-c./ ]{0,3}[a-c](\.(jpg|heic|PNG|x y|))?", fullmatch=True))
def test_a_coloured_name_is_that_of_a_path(name):
    if not Path(name).name.endswith("."):  # which Python's versions split in two ways
        assert Path(coloured_name(name)) == beside(Path(name))
        assert Path(coloured_name(name, ".png")) == beside(Path(name), None, ".png")


PARTS = st.sampled_from(
    ["a", "é b", ".a", "..", ".", "", "a.b", "c:", "#", "x?y", "%20", "u@h", "a::b", "\\", "1.HEIC"]
)
ROOTS = st.sampled_from(
    [
        "",
        "/",
        "./",
        "s3://b/",
        "s3://b/m/",
        "S3://b/",
        "memory://",
        "https://h/",
        "zip://",
        "file:///",
    ]
)
ENDS = st.sampled_from([".jpg", ".PNG", ".nef", ".heic", "", ".", ".tar"])
NAMES = st.tuples(ROOTS, st.lists(PARTS, max_size=3), ENDS).map(
    lambda parts: parts[0] + "/".join(parts[1]) + parts[2]
)


@given(
    st.lists(NAMES, min_size=1, max_size=3),
    st.sampled_from([None, "/out", "out", "s3://out/x", "zip://::s3://b/x.zip"]),
    st.sampled_from([None, ".png"]),
    st.sampled_from(["m.csv", "/lists/m.csv", "s3://b/m/m.csv"]),
)
def test_a_batch_of_rows_is_read_as_each_row_is(names, output, suffix, place):
    manifest = Manifest(place, output, suffix)
    batch = pa.record_batch({"path": names})
    together = manifest._plain_rows(batch)
    if together is not None:
        assert list(together) == [manifest._row(name, None, None) for name in names]


def test_plain_rows_are_read_together(tmp_path):
    for names in (["a/b.jpg", "é c.NEF"], ["s3://b/a.jpg", "s3://b/c/d.png"], ["/a/b.tif"]):
        rows = Manifest("m.csv", "out")._plain_rows(pa.record_batch({"path": names}))
        assert rows is not None and rows.sources == names
    odd = pa.record_batch({"path": ["a.jpg"], "reference": ["b.jpg"]})
    assert Manifest("m.csv", "out")._plain_rows(odd) is None


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_any_kind_of_text_is_a_path(kind, tmp_path):
    paths = pa.array(["a.jpg", "b/c.jpg"], kind)
    for column in (paths, paths.cast("string").dictionary_encode()):
        path = table(tmp_path / "m.parquet", path=column)
        assert [row.target for row in rows_of(path, "/o")] == ["/o/a-color.jpg", "/o/b/c-color.jpg"]


def test_empty_cells_name_nothing(tmp_path):
    for nothing in (None, "", float("nan")):
        columns = {"result": [nothing], "reference": [nothing]}
        path = table(tmp_path / "m.parquet", path=["a.jpg"], **columns)
        assert rows_of(path, "/o") == [Row(f"{tmp_path}/a.jpg", "/o/a-color.jpg", None)]


def test_a_compressed_csv_is_read(tmp_path):
    content = gzip.compress("path\né.jpg\n".encode())
    for name in ("m.csv.gz", "M.CSV.GZ", "m.csv"):
        (tmp_path / name).write_bytes(content)
        assert is_manifest(name)
        assert rows_of(tmp_path / name, "/o")[0].target == "/o/é-color.jpg"
