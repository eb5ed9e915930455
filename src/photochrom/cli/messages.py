"""Messages of the command: one line each, without terminal control characters."""

import sys
import unicodedata
from contextlib import suppress

# Also escaped: characters that change the text direction, end a line, or are invisible.
ACTING = frozenset("\u061c\u200e\u200f\u2028\u2029\ufeff")
ACTING |= frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
FIRST_BYTE, LAST_BYTE = 0xDC80, 0xDCFF  # surrogateescape: bytes of a name that is not UTF-8


def shown(text: str) -> str:
    """Return a text with control and invisible characters escaped, and without passwords.

    File names may contain almost any byte, and errors quote the contents of files.
    """
    if ":/" in text:
        from photochrom.photo.addresses import without_secrets

        text = without_secrets(text)
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    kind, code = unicodedata.category(character), ord(character)
    if FIRST_BYTE <= code <= LAST_BYTE:
        return f"\\x{code - 0xDC00:02x}"
    if kind in ("Cc", "Cs") or character in ACTING:
        return character.encode("unicode_escape").decode()
    return character


def say(text: str) -> None:
    """Print one line on standard error; do nothing if it is closed."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(shown(text), file=sys.stderr, flush=True)
