import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photochrom.photo import temporary_folders
from photochrom.service.clients import CLIENT
from photochrom.service.jobs import Facts
from photochrom.service.limits import Limits
from photochrom.service.problem_details import Problem
from photochrom.service.sessions import PREFIX, Session, Sessions, make_root

FACTS = Facts("jpeg", 4, 3, 1, 8, (), "neutral")


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture(autouse=True)
def nobody():
    token = CLIENT.set("")
    yield
    CLIENT.reset(token)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(tmp_path, clock):
    return Sessions(tmp_path, Limits(sessions=2, session_seconds=60), clock)


def add(sessions, name="a.jpg"):
    folder = sessions.new_folder()
    source = folder / "photo"
    source.write_bytes(b"pixels")
    return sessions.put(Session(folder, source, name, FACTS, np.zeros((3, 4), np.uint8)))


def is_there(sessions, session):
    try:
        with sessions.hold(session.id):
            return True
    except Problem as problem:
        assert problem.status_code == 404
        return False


def test_the_least_recently_used_photograph_goes_first_with_its_folder(sessions):
    first, second = add(sessions), add(sessions)
    assert is_there(sessions, first)  # which uses it
    third = add(sessions)
    assert [is_there(sessions, s) for s in (first, second, third)] == [True, False, True]
    assert first.folder.exists() and not second.folder.exists()


def by(client, sessions, count=1):
    CLIENT.set(client)
    return [add(sessions) for _ in range(count)]


def test_many_photographs_of_one_client_push_out_its_own(tmp_path, clock):
    sessions = Sessions(tmp_path, Limits(sessions=4), clock)
    (mine,) = by("a", sessions)
    theirs = by("b", sessions, 40)
    assert is_there(sessions, mine)
    assert [is_there(sessions, s) for s in theirs] == [False] * 37 + [True] * 3
    others = by("c", sessions, 2)
    assert [is_there(sessions, s) for s in (mine, *theirs[-3:], *others)].count(True) == 4
    assert all(is_there(sessions, s) for s in (mine, theirs[-1], *others[-1:]))


def test_the_only_photograph_of_a_client_goes_for_anothers_once_it_was_left_alone(tmp_path, clock):
    sessions = Sessions(tmp_path, Limits(sessions=2), clock)
    (first,), (second,) = by("a", sessions), by("b", sessions)
    with pytest.raises(Problem) as caught:
        by("c", sessions)
    assert caught.value.status_code == 503
    clock.seconds = 301
    assert is_there(sessions, second)  # which uses it
    by("c", sessions)
    assert [is_there(sessions, s) for s in (first, second)] == [False, True]


def test_a_photograph_that_nobody_asks_for_goes_after_its_time(sessions, clock):
    old, used = add(sessions), add(sessions)
    clock.seconds = 59
    assert is_there(sessions, used)
    clock.seconds = 61
    sessions.sweep()
    assert not old.folder.exists() and used.folder.exists()
    assert len(sessions) == 1


def test_a_photograph_in_use_keeps_its_folder_until_it_is_let_go(sessions):
    session = add(sessions)
    with sessions.hold(session.id):
        sessions.close(session.id)
        assert not is_there(sessions, session)
        assert session.source.exists()
    assert not session.folder.exists()


def test_a_photograph_in_use_does_not_grow_old(sessions, clock):
    session = add(sessions)
    with sessions.hold(session.id):
        clock.seconds = 1000
        sessions.sweep()
        assert len(sessions) == 1
    assert is_there(sessions, session)


def test_ids_have_128_bits_and_folders_are_private(sessions):
    ids = {add(sessions).id for _ in range(20)}
    assert len(ids) == 20 and all(len(bytes.fromhex(id)) == 16 for id in ids)
    assert os.name == "nt" or sessions.new_folder().stat().st_mode & 0o077 == 0


def test_only_the_newest_request_of_a_kind_is_wanted(sessions):
    session = add(sessions)
    older, other = session.take_turn("preview"), session.take_turn("candidates")
    assert older()
    newer = session.take_turn("preview")
    assert not older() and newer() and other()


@pytest.mark.slow
def test_what_a_killed_process_left_behind_is_removed_and_nothing_else(tmp_path):
    code = (
        "import os, pathlib, sys; from photochrom.service.sessions import make_root;"
        "root = make_root(pathlib.Path(sys.argv[1])); (root / 'photo').touch();"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path])
    (left,) = tmp_path.iterdir()
    assert (left / "photo").exists()
    alive = make_root(tmp_path)
    strange = Path(str(left).replace(left.name.split("-")[2], "elsewhere"))
    strange.mkdir()
    assert temporary_folders.remove_left_behind(tmp_path, PREFIX) == (left,)
    assert sorted(tmp_path.iterdir()) == sorted([alive, strange])


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such locks there")
def test_what_a_service_in_another_container_works_in_stays(tmp_path):
    code = (
        "import pathlib, sys; from photochrom.service.sessions import make_root;"
        "print(make_root(pathlib.Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        root = Path(other.stdout.readline().strip())
        # There it is counted by another number, which here is nobody's.
        beside = root.rename(root.with_name(root.name.replace(str(other.pid), "999999999")))
        assert temporary_folders.remove_left_behind(tmp_path, PREFIX) == () and beside.exists()
        other.stdin.close()
        other.wait()
    assert temporary_folders.remove_left_behind(tmp_path, PREFIX) == (beside,)


def test_what_an_earlier_process_of_the_same_number_left_behind_is_removed(tmp_path):
    alive = make_root(tmp_path)
    earlier = alive.with_name(f"{alive.name}-earlier")
    earlier.mkdir()
    assert temporary_folders.remove_left_behind(tmp_path, PREFIX) == (earlier,)
    assert alive.exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_that_looks_like_a_folder_left_behind_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    name = make_root(tmp_path).name.split("-")
    link = tmp_path / "-".join([*name[:3], "999999999", "x"])
    link.symlink_to(target)
    assert temporary_folders.remove_left_behind(tmp_path, PREFIX) == ()
    assert (target / "precious").exists()
