"""Texts that a regular expression matches. What cannot be made is not made: every text is tried before it is given.

`re._parser` is CPython's own parser of regular expressions, seen on 3.11 to 3.13. Lost without it: values for patterns,
so that a route that needs one says `no-value`.
"""

import functools
import importlib
import re
import string
from collections.abc import Iterable, Iterator
from typing import Any

_ALPHABET = string.ascii_letters + string.digits + "_-. " + string.punctuation
"""The characters that a text is made of, the plainest first."""
_EXTRA = 9
"""By up to so many turns more than it must a repeat is made longer."""
_LONGER = (12, 16, 20, 24, 32, 40, 64, 128, 256)
"""The same, where the text must be long: a pattern may take for ever to find out that a long text does not match."""
_LONGEST = 5_000
"""Parts of a pattern in one text."""


class _TooLong(Exception):
    """A text that the pattern matches is too long for a request: `((a{1000}){1000}){1000}`."""


@functools.lru_cache(256)
def compiled(pattern: str) -> re.Pattern[str] | None:
    r"""The pattern, of JavaScript's or Rust's kind as well; None for what Python cannot read, as `\p{L}`."""
    try:
        return re.compile(_pythonic(pattern))
    except (re.error, OverflowError, RecursionError, TypeError):
        return None


def _pythonic(pattern: str) -> str:
    r"""Named groups `(?<name>` and the end `\z` are written otherwise in Python; `$` of the others is Python's `\Z`."""
    return re.sub(r"\(\?<(?![=!])", "(?P<", pattern).replace(r"\z", r"\Z")


def texts_of(pattern: str, least: int = 0, variants: int = 1) -> Iterator[str]:
    """Texts that the pattern matches, not shorter than `least`; the empty text comes last."""
    known = compiled(pattern)
    if known is None:
        return
    seen = {""}
    for variant in range(variants):
        for text in _made(_pythonic(pattern), variant, least):
            if text not in seen and len(text) >= least and known.search(text):
                seen.add(text)
                yield text
    if not least and known.search(""):
        yield ""


def _made(pattern: str, variant: int, least: int) -> Iterator[str]:
    tree = _tree(pattern)
    if tree is None:
        return
    for extra in (*range(_EXTRA), *(_LONGER if least > _EXTRA else ())):
        maker = _Maker(variant, extra)
        try:
            text = maker.of(tree)
        except _TooLong:
            return
        yield text
        required = "".join(maker.ahead)
        yield required + text[len(required) :]
        yield text.ljust(least, "a")
        yield text.rjust(least, "a")


def _tree(pattern: str) -> Iterable[Any] | None:
    try:
        parsed: Iterable[Any] = importlib.import_module("re._parser").parse(pattern)
    except (ImportError, AttributeError, re.error):
        return None
    return parsed


class _Maker:
    """Makes one text: `variant` picks characters and branches, `extra` the turns of repeats."""

    def __init__(self, variant: int, extra: int) -> None:
        self._variant = variant
        self._extra = extra
        self._parts = 0
        self._groups: dict[int, str] = {}
        self.ahead: list[str] = []
        """What the pattern looks ahead for: `(?=.*[A-Z])` wants a capital somewhere."""

    def of(self, tree: Iterable[Any]) -> str:
        return "".join(self._part(str(operation), argument) for operation, argument in tree)

    def _part(self, operation: str, argument: Any) -> str:
        self._parts += 1
        if self._parts > _LONGEST:
            raise _TooLong
        make = getattr(self, f"_{operation.lower()}", None)
        made: str = make(argument) if make is not None else ""  # `^`, `$`, `(?!`: the text is tried in the end
        return made

    def _literal(self, code: int) -> str:
        return chr(code)

    def _not_literal(self, code: int) -> str:
        return self._pick(each for each in _ALPHABET if ord(each) != code)

    def _any(self, _argument: None) -> str:
        return self._pick(_ALPHABET)

    def _in(self, members: list[tuple[Any, Any]]) -> str:
        negated = str(members[0][0]) == "NEGATE"
        known = [(str(operation), argument) for operation, argument in members[negated:]]
        fits = [each for each in _ALPHABET if any(_in_set(each, *member) for member in known) is not negated]
        return self._pick(fits or (chr(_lowest(*member)) for member in known))

    def _branch(self, argument: tuple[None, list[Any]]) -> str:
        branches = argument[1]
        return self.of(branches[self._variant % len(branches)])

    def _subpattern(self, argument: tuple[int | None, int, int, Any]) -> str:
        made = self.of(argument[3])
        if argument[0] is not None:
            self._groups[argument[0]] = made
        return made

    def _groupref(self, group: int) -> str:
        return self._groups.get(group, "")

    def _atomic_group(self, tree: Any) -> str:
        return self.of(tree)

    def _assert(self, argument: tuple[int, Any]) -> str:
        direction, tree = argument
        if direction > 0:
            inside = _Maker(self._variant, 0)
            self.ahead.append(inside.of(tree))
        return ""

    def _max_repeat(self, argument: tuple[int, Any, Any]) -> str:
        least, most, tree = argument
        return "".join(self.of(tree) for _ in range(min(int(most), least + self._extra)))

    _min_repeat = _possessive_repeat = _max_repeat

    def _pick(self, choices: Iterable[str]) -> str:
        known = list(choices)
        return known[self._variant % len(known)] if known else ""


def _in_set(character: str, operation: str, argument: Any) -> bool:
    if operation == "LITERAL":
        return bool(ord(character) == argument)
    if operation == "RANGE":
        return bool(argument[0] <= ord(character) <= argument[1])
    return operation == "CATEGORY" and None is not re.fullmatch(_CATEGORIES.get(str(argument), "(?!)"), character)


def _lowest(operation: str, argument: Any) -> int:
    """A character of a set beyond ASCII."""
    lowest: int = argument[0] if operation == "RANGE" else argument if operation == "LITERAL" else ord("a")
    return lowest


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
