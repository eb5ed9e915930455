"""Tables that come from elsewhere: whatever stands in them, the error is one of photochrom's."""

import json

import pytest

from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.sidecar import Sidecar, read_sidecar
from photochrom.errors import PhotochromError
from photochrom.options.hint import Hint

STRANGE = [
    *(None, True, 0, -1, 1.5, 1e400, float("nan"), 10**400, "", "x", "\ud800", "١", "9" * 5000),
    *([], {}, [[]], [1], {"a": 1}, [[1, 2, 3]], {"file": 5}),
]


def paths_of(table, path=()):
    """Return the place of each value in a table, its own included."""
    yield path
    if isinstance(table, dict | list):
        keys = table if isinstance(table, dict) else range(len(table))
        for key in keys:
            yield from paths_of(table[key], (*path, key))


def replaced(table, path, value):
    """Return a copy of a table with another value at a place."""
    if not path:
        return value
    table = json.loads(json.dumps(table))
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return table


def test_a_sidecar_with_something_strange_in_it_is_an_error_of_ours(tmp_path):
    guidance = Guidance((Hint.point(3, 4, "#aa3030"),))
    whole = json.loads(Sidecar.of(Colorizer("gray"), guidance, (20, 30)).to_json())
    file = tmp_path / "a.json"
    refused = 0
    for path in paths_of(whole):
        for value in STRANGE:
            file.write_text(json.dumps(replaced(whole, path, value)))
            try:
                read_sidecar(file)
            except PhotochromError:
                refused += 1
    assert refused > 200


def test_a_hint_with_something_strange_in_it_is_an_error_of_ours():
    whole = {"shape": "point", "points": [[1, 2]], "colour": "#aabbcc", "radius": 3}
    refused = 0
    for path in paths_of(whole):
        for value in STRANGE:
            try:
                Hint.from_table(replaced(whole, path, value))
            except PhotochromError:
                refused += 1
    assert refused > 100


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b'{"a":' * 50_000, b"null", b""])
def test_a_sidecar_that_is_none_is_an_error_of_ours(content, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(PhotochromError, match="not a sidecar"):
        read_sidecar(tmp_path / "a.json")
