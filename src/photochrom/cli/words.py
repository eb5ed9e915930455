"""Add command-line parameters to options that are declared as plain dataclasses."""

from collections.abc import Mapping
from dataclasses import field, fields, make_dataclass
from typing import Annotated, get_type_hints

from cyclopts import Parameter


def with_words(kind: type, words: Mapping[str, Parameter]) -> type:
    """Return a dataclass of options that cyclopts parses field by field.

    Parameters
    ----------
    kind : type
        A frozen dataclass whose docstring describes its fields; all fields have defaults.
    words : mapping of str to Parameter
        Field -> its names on the command line and its validators.

    Returns
    -------
    type
        A subclass of `kind` with the same fields.
    """
    hints = get_type_hints(kind)
    made = make_dataclass(
        kind.__name__,
        [
            (
                each.name,
                Annotated[hints[each.name], words[each.name]]
                if each.name in words
                else hints[each.name],
                field(default=each.default),
            )
            for each in fields(kind)
        ],
        bases=(kind,),
        namespace={"__doc__": kind.__doc__, "__module__": __name__},
        frozen=True,
        kw_only=True,
    )
    return Parameter(name="*")(made)
