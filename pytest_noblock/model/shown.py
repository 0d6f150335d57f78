"""How a value or a text of the user's stands in a sentence of ours: on one line, short, without control characters."""

import re

_LONGEST = 80
"""The most characters of a value that a sentence shows: the width of a terminal."""
_READ = 4
"""How many times more characters are searched for secrets than are shown."""
_UNSAFE = "\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters, which a terminal obeys, but for the tab; the marks that turn the direction of writing, which
hide what a line says; lone surrogates, which no terminal can be sent."""


def printable(line: str) -> str:
    r"""The line with its control characters as escapes: `\x1b`, `\n`. A terminal shows it as one line of text.

    All that we print passes it once, at the end; so must what Markdown, HTML and annotations show.
    """
    return re.sub(f"[{_UNSAFE}]", _escaped, line) if not (line.isascii() and line.isprintable()) else line


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def one_line(text: object, longest: int = 10 * _LONGEST) -> str:
    """The text of an error as one line. A `__str__` that raises says only the type; long text loses its end."""
    try:
        words = " ".join(str(text).split())
    except Exception:  # noqa: BLE001  # code of the user's
        words = f"<{type(text).__name__}>"
    return printable(_cut(without_secrets(words[: _READ * longest]), longest))


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
    return printable(_cut(without_secrets(words[: _READ * _LONGEST]), _LONGEST))


def without_secrets(text: str) -> str:
    """The text without passwords, tokens, and what a query says."""
    from pytest_noblock.model.masks import masked  # most runs quote nobody

    return masked(text)


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else f"{words[: longest - 3]}..."
