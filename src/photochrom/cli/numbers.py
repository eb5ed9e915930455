"""Numbers on the command line: ASCII digits only, as in files and in the service."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from cyclopts import Token


def check_digits(text: str) -> None:
    """Reject non-ASCII digits and 1_000, both of which Python accepts as numbers.

    Raises
    ------
    ValueError
    """
    if not text.isascii() or "_" in text:
        raise ValueError(f"A number needs the digits 0 to 9; got '{text}'.")


def _parts(type_: object) -> set[object]:
    """Return a type and all its parts, such as float for an optional pair of floats."""
    return {type_}.union(*map(_parts, get_args(type_)))


def convert(type_: object, tokens: "Sequence[Token]") -> object:
    """Convert the tokens of a parameter as cyclopts does, but accept only ASCII digits.

    Raises
    ------
    ValueError
        If a number contains anything else.
    """
    from cyclopts import convert as converted

    if {int, float} & _parts(type_):
        for token in tokens:
            check_digits(token.value)
    return converted(type_, tokens)
