"""Check tables that people edit, such as TOML and JSON, against dataclasses, with pydantic."""

import json
from difflib import get_close_matches
from functools import cache
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar

from photochrom.errors import PhotochromError, RecipeError
from photochrom.extras import require

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")


def checked(
    kind: type[T], table: object, where: str, error: type[PhotochromError] = RecipeError
) -> T:
    """Build a dataclass from a table; only whole numbers are converted, to floats.

    Parameters
    ----------
    kind : type
        A dataclass; its fields may be annotated with ranges and may be dataclasses themselves.
    table : object
        As TOML, JSON or `dataclasses.asdict` gives it.
    where : str
        Name of the table in errors, such as its file.
    error : type
        What is raised if a key is unknown or missing, or a value is of another type or outside its
        range; the message names the field.
    """
    require("evaluate", "Reading tables", "pydantic")
    from pydantic import ValidationError

    adapter = _adapter(kind)  # type: ignore[arg-type]
    try:
        built: T = adapter.validate_json(json.dumps([table], default=str))[0]
    except ValidationError as failure:
        first = failure.errors()[0]
        place = "".join(f" {p}" if isinstance(p, int) else f", {p}" for p in first["loc"][1:])
        raise error(where + _sentence(first, place, adapter)) from failure
    except RecursionError as failure:
        raise error(f"{where}: is nested too deeply.") from failure
    return built


@cache
def _adapter(kind: type[Any]) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter

    # A tuple of one: unlike a dataclass it takes a configuration, and hands it down.
    one: Any = GenericAlias(tuple, kind)
    return TypeAdapter(one, config=ConfigDict(extra="forbid", strict=True))


def _sentence(first: "ErrorDetails", place: str, adapter: "TypeAdapter[Any]") -> str:
    parent, _, key = place.rpartition(", ")
    if first["type"] == "missing":
        inside_list = isinstance(first["loc"][-1], int)
        return f"{place}: is missing." if inside_list else f"{parent}: needs the key '{key}'."
    if first["type"] == "unexpected_keyword_argument":
        tables = adapter.json_schema().get("$defs", {}).values()
        known = [name for table in tables for name in table.get("properties", ())]
        close = get_close_matches(key, known, 1)
        return f"{parent}: unknown key '{key}'." + (f" Did you mean '{close[0]}'?" if close else "")
    if first["type"] == "value_error":
        return f"{place}: {first['ctx']['error']}"
    said = first["msg"].partition(" ")[2].replace(" after validation", "")
    return f"{place}: {said}; got {first['input']!r}."
