"""How a value or a text of the user's stands in a sentence of ours: on one line, short, without control characters."""

import re

_LONGEST = 80
"""The most characters of a value that a sentence shows: the width of a terminal."""
_UNSAFE = "\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters, which a terminal obeys, but for the tab; the marks that turn the direction of writing, which
hide what a line says; lone surrogates, which no terminal can be sent."""


def printable(line: str) -> str:
    r"""The line with its control characters as escapes: `\x1b`, `\n`. A terminal shows it as one line of text."""
    return re.sub(f"[{_UNSAFE}]", _escaped, line) if not (line.isascii() and line.isprintable()) else line


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def one_line(text: object, longest: int = 10 * _LONGEST) -> str:
    """The text of an error as one line. A `__str__` that raises says only the type; long text loses its end."""
    try:
        words = " ".join(str(text).split())
    except Exception:  # noqa: BLE001  # code of the user's
        words = f"<{type(text).__name__}>"
    return printable(_cut(words, longest))


def error(raised: BaseException) -> str:
    """`ValueError: what it says`, on one line."""
    words = one_line(raised)
    return f"{type(raised).__name__}: {words}" if words else type(raised).__name__


def value(given: object) -> str:
    """The `repr` of a value, on one line and short; only its type where that raises."""
    try:
        words = repr(given)
    except Exception:  # noqa: BLE001  # code of the user's
        words = f"<{type(given).__name__}>"
    return printable(_cut(words, _LONGEST))


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else f"{words[: longest - 3]}..."
