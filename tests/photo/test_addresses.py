import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photochrom.errors import InvalidValueError
from photochrom.photo import addresses
from photochrom.photo.addresses import (
    beside,
    checked_below,
    cleaned,
    expanded,
    inside,
    is_address,
    is_below,
    join,
    link,
    local_name,
    name_of,
    parent_of,
    path_of,
    path_or_address,
    without_secrets,
)

SECRET = "hunter2"


def test_paths_are_no_addresses():
    assert is_address("s3://bucket/a.jpg") and is_address("zip://a.jpg::b.zip")
    for path in ("a.jpg", "/a/b.jpg", "C://a.jpg", "./s3://b", "a:b", "http:/a", "-"):
        assert not is_address(path), path
        assert path_or_address(path) == Path(path)


@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
def test_a_file_address_is_a_path():
    assert path_or_address("file:///scans/old%20photo.jpg") == Path("/scans/old photo.jpg")
    assert path_or_address("file://localhost/a.jpg") == Path("/a.jpg")
    assert path_or_address("s3://a/b.jpg") == "s3://a/b.jpg"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://archive/a@b/c?d#e.jpg", "s3://archive/a@b/c?d#e.jpg"),
        ("sftp://anna:hunter2@host:22/a.jpg", "sftp://host:22/a.jpg"),
        ("sftp://anna:hunter2@home@host/a.jpg", "sftp://host/a.jpg"),
        ("abfss://box@acct.dfs.core.windows.net/a", "abfss://box@acct.dfs.core.windows.net/a"),
        ("abfs://me:hunter2@acct.dfs.core.windows.net/a", "abfs://acct.dfs.core.windows.net/a"),
        ("https://h/a.jpg?X-Amz-Signature=hunter2&X-Amz-Expires=9&id=7", "https://h/a.jpg?id=7"),
        ("https://h/a.jpg?sv=2021&sig=hunter2", "https://h/a.jpg"),
        ("https://h/a.jpg?access%5Ftoken=hunter2", "https://h/a.jpg"),
        ("https://h/a.jpg?size=big&page=2#sig=hunter2", "https://h/a.jpg?size=big&page=2"),
        ("zip://a.jpg::https://u:hunter2@h/b.zip?token=hunter2", "zip://a.jpg::https://h/b.zip"),
        ("zip://a@b.jpg::s3://h/b.zip", "zip://a@b.jpg::s3://h/b.zip"),
        ("/scans/a@b?token=1.jpg", "/scans/a@b?token=1.jpg"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert cleaned(address) == shown
    assert cleaned(shown) == shown
    assert SECRET not in without_secrets(f"could not open '{address}' (403)")


def test_a_long_value_of_a_query_is_a_hash_that_stays_the_same():
    first, second = (cleaned(f"https://h/a.jpg?q={letter * 60}") for letter in "ab")
    assert first != second and "aaaa" not in first
    assert first == cleaned(f"https://h/a.jpg?q={'a' * 60}")


@pytest.mark.parametrize(
    ("address", "name", "folder", "path"),
    [
        ("s3://b/a/c d#1?.jpg", "c d#1?.jpg", "s3://b/a", "a/c d#1?.jpg"),
        ("https://h/a/c%20d.jpg?id=1", "c d.jpg", "https://h/a", "a/c d.jpg"),
        ("zip://a/c::d.jpg::s3://b/x.zip", "c::d.jpg", "zip://a/::s3://b/x.zip", "x/a/c::d.jpg"),
        ("zip://q::x.jpg::/a/x.zip", "q::x.jpg", "zip://::/a/x.zip", "x/q::x.jpg"),
        ("memory://b/c.jpg", "c.jpg", "memory://b", "c.jpg"),
    ],
)
def test_an_address_has_a_name_a_folder_and_a_path(address, name, folder, path):
    assert (name_of(address), parent_of(address), path_of(address)) == (name, folder, path)


def test_names_are_joined_inside_the_archive():
    assert join("s3://b/a", "c", "d.jpg") == join("s3://b/a/", "c/d.jpg") == "s3://b/a/c/d.jpg"
    assert join(inside("s3://b/x.tar"), "a/b.jpg") == "tar://a/b.jpg::s3://b/x.tar"
    assert beside("zip://a/b.jpg::x.zip", "c.xmp") == "zip://a/c.xmp::x.zip"
    assert beside("sftp://u:p@h/a/b.jpg", "c.jpg") == "sftp://u:p@h/a/c.jpg"


@pytest.mark.parametrize("name", ["../a.jpg", "a/../b.jpg", "/etc/a.jpg", "a//b.jpg", "a/.", "a\0"])
def test_no_name_leads_out_of_its_folder(name):
    with pytest.raises(InvalidValueError, match="no name below a folder"):
        join("s3://bucket/results", name)
    with pytest.raises(InvalidValueError, match="no name below a folder"):
        addresses.below("/results", name)


@given(st.text())
def test_what_is_joined_stays_below(name):
    try:
        checked_below(name)
    except InvalidValueError:
        return
    assert Path("/results", name).resolve().is_relative_to("/results")


@given(st.text(), st.text())
def test_splitting_a_member_from_its_archive_loses_nothing(member, archive):
    assert "".join(link(f"zip://{member}::{archive}")) == f"zip://{member}::{archive}"


def test_a_name_that_no_file_can_have_says_so():
    with pytest.raises(InvalidValueError, match="too long"):
        local_name(f"s3://b/{'ä' * 150}.jpg")


def test_a_folder_is_not_inside_one_with_a_longer_name():
    assert is_below("s3://b/scans/out", "s3://b/scans/")
    assert is_below("sftp://u:p@h/a/b", "sftp://h/a")
    assert not is_below("s3://b/scans-out", "s3://b/scans")
    assert is_below("gcs://b/scans/out", "gs://b/scans") and is_below("AZ://b/a", "abfss://b")
    assert not is_below("gs://b/scans/out", "s3://b/scans") and is_below("/b/scans", "/b")


def test_braces_stand_for_numbers_and_words(tmp_path, monkeypatch):
    assert expanded("s-{008..010}.tar") == ["s-008.tar", "s-009.tar", "s-010.tar"]
    assert expanded("{a,b}/{0..1}.zip") == ["a/0.zip", "a/1.zip", "b/0.zip", "b/1.zip"]
    assert expanded("a{b}.tar") == ["a{b}.tar"]
    monkeypatch.chdir(tmp_path)
    Path("{a,b}.tar").touch()
    assert expanded("{a,b}.tar") == ["{a,b}.tar"]
    with pytest.raises(InvalidValueError, match="must rise"):
        expanded("s3://b/{5..1}.tar")
    with pytest.raises(InvalidValueError, match="must rise"):
        expanded("s3://b/{0..99999999999}.tar")
