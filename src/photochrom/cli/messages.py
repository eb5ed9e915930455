"""What the command prints: one line each, in which nothing acts on the terminal."""

import sys
import unicodedata
from contextlib import suppress

# Beside control characters: what turns a line's direction, ends it, or is not seen.
ACTING = frozenset("\u061c\u200e\u200f\u2028\u2029\ufeff")
ACTING |= frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
FIRST_BYTE, LAST_BYTE = 0xDC80, 0xDCFF  # how Python holds bytes of a name that is not Unicode


def shown(text: str) -> str:
    """Write out whatever is not simply seen, such as an escape character.

    File names may hold almost any byte, and errors quote what files say.
    """
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    kind, code = unicodedata.category(character), ord(character)
    if FIRST_BYTE <= code <= LAST_BYTE:
        return f"\\x{code - 0xDC00:02x}"
    if kind in ("Cc", "Cs") or character in ACTING:
        return character.encode("unicode_escape").decode()
    return character


def say(text: str) -> None:
    """Print one line on standard error, if there is one and somebody listens."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(shown(text), file=sys.stderr, flush=True)
