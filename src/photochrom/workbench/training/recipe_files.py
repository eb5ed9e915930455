"""Find recipes, and read them from TOML.

A file may have profiles: tables that override the rest, such as `paper`, the source's sizes and
schedule, and `here`, suitable for two cores. A profile may name another as its `base`.
"""

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from photochrom.errors import RecipeError

if TYPE_CHECKING:
    from photochrom.workbench.training.recipe import Recipe

DEFAULT_PROFILE = "here"
SHIPPED = Path(__file__).parents[2] / "recipes"  # in a wheel
CHECKOUT = Path(__file__).parents[4] / "recipes"


def own_recipes() -> dict[str, Path]:
    """Return photochrom's own recipes by their names."""
    return {f.stem: f for folder in (CHECKOUT, SHIPPED) for f in sorted(folder.glob("*.toml"))}


def find_recipe(name: Path) -> Path:
    """Find a recipe by its file, or one of photochrom's own by its bare name.

    Raise RecipeError if there is none.
    """
    if name.suffix == ".toml" or len(name.parts) > 1:
        return name
    own = own_recipes()
    if name.name not in own:
        close = get_close_matches(name.name, own, 1)
        meant = f" Did you mean '{close[0]}'?" if close else ""
        raise RecipeError(f"No recipe '{name}'.{meant} photochrom's own: {', '.join(own)}.")
    return own[name.name]


def read_recipe(path: Path, profile: str = "", changes: Sequence[str] = ()) -> "Recipe":
    """Read a recipe.

    The default profile is 'here', if the file has profiles; `changes`, such as 'loss.huber=0.1',
    override its values: see `with_changes`. Raise RecipeError if the file cannot be read, has no
    such profile, or a key is unknown, missing or of the wrong type.
    """
    # Here, so that recipes are listed without the extra that a recipe's checks need.
    from photochrom.workbench.training.recipe import recipe_from_table

    table = _with_profile(_read_table(path), profile, str(path))
    return recipe_from_table(with_changes(table, changes), str(path))


def _read_table(path: Path) -> dict[str, Any]:
    from photochrom.photo.given_files import read_given_text

    try:
        return tomllib.loads(read_given_text(path))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: is not TOML ({error}).") from error


class Listed(NamedTuple):
    """An entry in the list of photochrom's own recipes."""

    name: str
    profiles: tuple[str, ...]
    what: str


def list_recipes() -> list[Listed]:
    """List photochrom's own recipes: name, profiles, and the first line of each file."""
    found = []
    for name, path in own_recipes().items():
        what = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        found.append(Listed(name, tuple(_read_table(path).get("profiles", ())), what))
    return found


def with_changes(table: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Replace single values of a recipe's table, as parsed from TOML or JSON.

    Each change is KEY=VALUE; a key of a table within has dots ('loss.huber=0.1'), a phase its
    number from 0 ('phases.0.size_px=64'). The value is TOML, or text if it is not valid TOML.

    Raise RecipeError if a change is not of that form, or leads through what is no table.
    """
    for change in changes:
        key, equals, text = change.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise RecipeError(f"--set needs KEY=VALUE, such as loss.huber=0.1; got '{change}'.")
        table = _changed(table, names, _toml_value(text.strip()), change)
    return table


def _toml_value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text


def _changed(inside: object, names: Sequence[str], value: object, change: str) -> Any:
    """Return a copy in which one value, at any depth, is replaced."""
    if not names:
        return value
    first, *rest = names
    if isinstance(inside, list):
        if not (first.isascii() and first.isdecimal()) or int(first) >= len(inside):
            raise RecipeError(
                f"--set {change}: needs a number from 0 to {len(inside) - 1} in place of '{first}'."
            )
        number = int(first)
        before, old, after = inside[:number], inside[number], inside[number + 1 :]
        return [*before, _changed(old, rest, value, change), *after]
    if inside is None:  # of a stored recipe: a table that it does not have
        inside = {}
    if not isinstance(inside, dict):
        raise RecipeError(f"--set {change}: '{first}' is not in a table.")
    return {**inside, first: _changed(inside.get(first, {}), rest, value, change)}


def _with_profile(table: dict[str, Any], profile: str, where: str) -> dict[str, Any]:
    profiles = table.pop("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(p, dict) for p in profiles.values()):
        raise RecipeError(f"{where}, profiles: needs a table of tables; got {profiles!r}.")
    if not profile and not profiles:
        return table
    name, chain = profile or DEFAULT_PROFILE, list[str]()
    while name:
        if not isinstance(name, str) or name not in profiles:
            raise RecipeError(
                f"{where}: has no profile '{name}'. Its profiles: {', '.join(profiles) or 'none'}."
            )
        if name in chain:
            circle = " -> ".join((*chain, name))
            raise RecipeError(f"{where}: each profile needs another one as its base: {circle}.")
        chain.append(name)
        name = profiles[name].get("base", "")
    for name in reversed(chain):
        table = _laid_over(table, {k: v for k, v in profiles[name].items() if k != "base"})
    return {**table, "profile": chain[0]}


def _laid_over(table: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge tables recursively; other values, including lists, are replaced."""
    merged = dict(table)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged
