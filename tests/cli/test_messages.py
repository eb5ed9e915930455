"""Nothing that a file is named or says acts on the terminal."""

import io
import sys

import pytest

from photochrom.cli.messages import say, shown


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Großmutter 母.png", "Großmutter 母.png"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nphotochrom: done", "a\\nphotochrom: done"),
        ("\r\t\x00\x07\x7f", "\\r\\t\\x00\\x07\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("gnp.\u202ejpg", "gnp.\\u202ejpg"),
        ("a\u2028b\u2066c", "a\\u2028b\\u2066c"),
        (b"Gro\xdf.png".decode("utf-8", "surrogateescape"), "Gro\\xdf.png"),
        ("\ud83d", "\\ud83d"),
    ],
)
def test_what_would_act_on_a_terminal_is_written_out(name, seen):
    assert shown(name) == seen
    shown(name).encode()


def test_a_closed_standard_error_hinders_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    say("nobody hears this")


def test_each_line_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    say("one\ntwo")
    assert sys.stderr.getvalue() == "one\\ntwo\n"
