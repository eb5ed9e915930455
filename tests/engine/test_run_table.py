import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.engine.hashes import (
    Hashes,
    hashed,
    hashes_of,
    name_hashes,
    pair_hashes,
    recipe_hash,
    state_hash,
)
from photochrom.engine.run_table import RunTable, all_written, read_rows, written
from photochrom.engine.stored import OWN, StoredOutcome
from photochrom.errors import UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo import storage

SOME = StoredOutcome(
    "s3://a/b.jpg", "s3://a/c.jpg", "coloured", ("note",), 1.25, False, 7, "etag", "gray", "recipe"
)


@pytest.fixture(params=["local", "memory"])
def results(request, tmp_path):
    if request.param == "local":
        yield str(tmp_path / "out")
        return
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield "memory://out"
    files.store.clear()


def value_of(done, source, target):
    found, values = done.find(pair_hashes([source], [target]))
    return int(values[0]) if found[0] else None


def test_a_row_has_what_became_of_a_photograph(results):
    table = RunTable(results)
    table.begin()
    table.append([SOME, replace(SOME, target="s3://a/d.jpg", node="other")])
    rows = read_rows(results).to_pylist()
    assert {k: rows[0][k] for k in ("source", "size", "version", "result", "status", "notes")} == {
        "source": "s3://a/b.jpg",
        "size": 7,
        "version": "etag",
        "result": "s3://a/c.jpg",
        "status": "coloured",
        "notes": ["note"],
    }
    assert (rows[0]["method"], rows[0]["recipe"], rows[0]["seconds"]) == ("gray", "recipe", 1.25)
    assert rows[1]["node"] == "other" and rows[0]["node"]
    assert rows[0]["time"].year > 2000


def test_the_newest_row_of_a_source_wins(results):
    table = RunTable(results)
    table.append([SOME])
    table.append([replace(SOME, status="failed")])
    assert value_of(table.done(), SOME.source, SOME.target) == 0
    table.append([replace(SOME, version="new")])
    state = state_hash(7, "new") ^ recipe_hash("recipe")
    assert value_of(table.done(), SOME.source, SOME.target) == state
    assert value_of(table.done(), SOME.source, "other") is None
    table.append([replace(SOME, status="skipped", notes=(OWN,))])
    assert value_of(table.done(), SOME.source, SOME.target) & 1
    assert read_rows(results).num_rows == 1


def test_rows_are_written_in_parts_and_the_rest_at_the_end(results, monkeypatch):
    monkeypatch.setattr("photochrom.engine.run_table.ROWS_PER_PART", 2)
    table = RunTable(results)
    for number in range(5):
        table.add(replace(SOME, source=f"s3://a/{number}.jpg"))
    assert len(table.parts()) == 2 and len(table.done()) == 4
    table.add(replace(SOME, source="s3://a/0.jpg", known=True))
    table.flush()
    assert len(table.parts()) == 3 and len(table.done()) == 5


def test_a_broken_part_is_named_and_left_out(results):
    said = []
    table = RunTable(results, said.append)
    table.append([SOME])
    table.append([replace(SOME, source="s3://a/x.jpg")])
    broken = table.parts()[0]
    content = b"PAR1 and no more"
    if storage.is_address(broken):
        fsspec.filesystem("memory").pipe_file(broken.removeprefix("memory:/"), content)
    else:
        Path(broken).write_bytes(content)
    assert len(table.done()) == 1
    assert len(said) == 1 and broken in said[0] and "cannot be read" in said[0]


def test_a_part_of_another_program_is_left_out(tmp_path):
    said = []
    table = RunTable(str(tmp_path), said.append)
    table.append([SOME])
    pq.write_table(
        pq.read_table(table.parts()[0]).select(["source"]), Path(table.place, "x.parquet")
    )
    assert len(table.done()) == 1 and "x.parquet" in said[0]


def test_several_processes_write_one_table(tmp_path):
    code = (
        "import sys; from photochrom.engine.run_table import RunTable;"
        "from photochrom.engine.stored import StoredOutcome as O\n"
        "table = RunTable(sys.argv[1])\n"
        "for n in range(30): table.append([O(f'{sys.argv[2]}-{n}', 'x', 'coloured', (), 0.0)])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in ("a", "b")
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert len(RunTable(str(tmp_path)).done()) == 60


def test_a_folder_that_cannot_be_written_ends_the_run_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnwritablePhotoError, match=r"file.*cannot be written"):
        RunTable(str(tmp_path / "file")).begin()


def test_rows_wait_while_the_storage_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("photochrom.engine.run_table.ROWS_PER_PART", 1)
    said = []
    table = RunTable(str(tmp_path), said.append)
    (tmp_path / "run.parquet").write_text("in the way")
    table.add(SOME)
    assert "kept and written later" in said[0]
    with pytest.raises(UnwritablePhotoError):
        table.flush()
    (tmp_path / "run.parquet").unlink()
    table.add(replace(SOME, source="s3://a/x.jpg"))
    assert len(table.done()) == 2


def test_no_table_is_a_sentence(tmp_path):
    assert len(RunTable(str(tmp_path)).done()) == 0
    with pytest.raises(UnreadablePhotoError, match="no table of a run"):
        read_rows(str(tmp_path))


def test_names_that_are_no_text_and_secrets_can_be_written(tmp_path):
    odd = b"\xff.jpg".decode("utf-8", "surrogateescape")
    table = RunTable(str(tmp_path))
    table.append([replace(SOME, source=odd), replace(SOME, source="https://h/a?sig=hunter2")])
    names = read_rows(str(tmp_path))["source"].to_pylist()
    assert sorted(names) == ["\\udcff.jpg", "https://h/a"]
    assert value_of(table.done(), written(odd), SOME.target)


@given(
    st.dictionaries(st.text(max_size=5), st.integers(0, 2**64 - 1), max_size=9),
    st.lists(st.text(max_size=5), max_size=9),
)
def test_hashes_are_a_dictionary(known, asked):
    names = list(known)
    values = np.array([known[name] for name in names], np.uint64)
    table = Hashes(name_hashes(names), values)
    found, given_back = table.find(name_hashes(asked + names))
    assert found.tolist() == [name in known for name in asked + names]
    assert [int(v) for v in given_back] == [known.get(name, 0) for name in asked + names]


@given(st.text())
def test_hashes_of_many_are_those_of_one(text):
    assert int(hashes_of([text])[0]) == hashed(text)


@given(st.lists(st.sampled_from(["a.jpg", "s3://u:p@b/é.jpg", "https://h/a?sig=x&b=1", "\udcff"])))
def test_names_of_many_are_written_as_those_of_one(names):
    assert all_written(names) == list(map(written, names))
    assert storage.all_cleaned(names) == list(map(storage.cleaned, names))
