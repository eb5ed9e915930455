import time

import pytest

from photochrom.workbench.training.progress import Progress, duration


def test_a_line_is_due_only_when_nothing_was_said_for_a_while():
    lines = []
    told = Progress(lines.append, every=0.1)
    assert not told.due
    time.sleep(0.12)
    assert told.due
    told("here")
    assert not told.due
    assert lines == ["here"]


def test_what_takes_long_is_told_of_until_it_is_done():
    lines = []
    told = Progress(lines.append, every=0.05)
    told.begin("step 1 of 36")
    with told.alive():
        deadline = time.monotonic() + 30
        while len(lines) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert lines[0].startswith("... step 1 of 36: ")
    assert lines[0].endswith(" s so far")
    count = len(lines)
    time.sleep(0.2)
    assert len(lines) == count


def test_the_watch_ends_with_an_error_too():
    lines = []
    told = Progress(lines.append, every=0.05)
    with pytest.raises(ZeroDivisionError), told.alive():
        raise ZeroDivisionError
    count = len(lines)
    time.sleep(0.2)
    assert len(lines) == count


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-20, "0 s"), (0.4, "0 s"), (59, "59 s"), (120, "2 min"), (3600, "60 min"), (9000, "2.5 h")],
)
def test_a_duration_is_never_negative_and_in_the_unit_that_fits(seconds, said):
    assert duration(seconds) == said
