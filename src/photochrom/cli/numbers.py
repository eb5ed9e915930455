"""Numbers on the command line: the digits 0 to 9, as in files and in the service."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from cyclopts import Token


def check_digits(text: str) -> None:
    """Refuse other scripts' digits and 1_000, both of which Python takes for numbers.

    Raises
    ------
    ValueError
    """
    if not text.isascii() or "_" in text:
        raise ValueError(f"A number is written in the digits 0 to 9; it is '{text}'.")


def _parts(type_: Any) -> set[Any]:
    """Return a type and all that it is made of, such as float of an optional pair of floats."""
    return {type_}.union(*map(_parts, get_args(type_)))


def convert(type_: Any, tokens: "Sequence[Token]") -> Any:
    """Convert the words of a parameter as cyclopts does; numbers in the digits 0 to 9 alone.

    Raises
    ------
    ValueError
        If a number is written otherwise.
    """
    from cyclopts import convert as converted

    if {int, float} & _parts(type_):
        for token in tokens:
            check_digits(token.value)
    return converted(type_, tokens)
