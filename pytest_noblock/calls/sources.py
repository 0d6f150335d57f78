"""A source file: its lines, parsed once per version, and the statements and functions around a line. Pure syntax."""

import ast
import linecache
import re
import sys
import threading
import types
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
COMPREHENSIONS = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)
# Python 3.12 runs all comprehensions but generator expressions in the frame around them.
OWN_FRAME = (ast.Lambda, ast.GeneratorExp) if sys.version_info >= (3, 12) else (ast.Lambda, *COMPREHENSIONS)
"""Expressions that run in a frame of their own."""
FRAME_OF: dict[str, type[ast.expr]] = {
    "<lambda>": ast.Lambda,
    "<genexpr>": ast.GeneratorExp,
    "<listcomp>": ast.ListComp,
    "<setcomp>": ast.SetComp,
    "<dictcomp>": ast.DictComp,
}
"""By the name of a frame: the expression that runs in it."""

_TRIES = 3
_PARSING = threading.Lock()
_MOST_SOURCES = 64
"""How many parsed files are kept: a run blames lines of a few files."""
_VALID_ESCAPES = "\n\r\\'\"abfnrtvxNuU01234567"

Span = tuple[int, int]
"""The first and the last line of a statement."""
Function = ast.FunctionDef | ast.AsyncFunctionDef

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Source:
    """One version of a file."""

    file: str
    lines: list[str]
    spans: tuple[Span, ...]
    """The statements of the module itself; empty where the text is no Python source."""
    pieces: dict[Span, ast.Module] = field(default_factory=dict)
    """The syntax trees of those lines that were asked for. A tree of a whole file has ten thousand objects, which each
    full garbage collection of the test run would look through."""
    kept: dict[Hashable, Any] = field(default_factory=dict)
    """What `once` has read out of it so far."""

    def around(self, line: int) -> ast.Module | None:
        """A module with the statements around the line, whole, and perhaps others; always the same one for a line."""
        spans = [each for each in self.spans if each[0] <= line <= each[1]]
        if not spans:
            return None
        first, last = min(first for first, _ in spans), max(last for _, last in spans)
        if (first, last) not in self.pieces:
            alone = [*["\n"] * (first - 1), *self.lines[first - 1 : last]]
            tree = _parse(alone, self.file) or _parse(self.lines, self.file)  # another statement may end on the line
            self.pieces[first, last] = tree or ast.Module([], [])
        return self.pieces[first, last]

    def statements_at(self, line: int) -> Iterator[ast.AST]:
        """The statements that the line is part of, the outermost first; `except` and `case` count."""
        around = self.around(line)
        waiting: list[ast.AST] = [around] if around else []
        while waiting:
            for child in ast.iter_child_nodes(waiting.pop()):
                if isinstance(child, STATEMENTS) and _spans(child, line):
                    yield child
                    waiting.append(child)

    def once(self, key: Hashable, read: Callable[[], _T]) -> _T:
        """What `read` returns; it is called once for a key and this version of the file."""
        if key not in self.kept:
            self.kept[key] = read()
        found: _T = self.kept[key]
        return found


_SOURCES: dict[str, Source] = {}
"""By file name. Kept because to parse a file takes milliseconds. Emptied when it is full."""


def source_lines(file: str) -> list[str]:
    """The lines of a file as Python last saw them; empty where there is no such file.

    Many codes share the name `<string>`: its lines may be another code's (Python 3.13 keeps those of `-c`).
    """
    if file == "<string>":
        return []
    try:
        linecache.checkcache(file)
        return linecache.getlines(file)
    except ValueError:  # a name that no file system takes
        return []


def source_of(file: str) -> Source:
    lines = source_lines(file)
    source = _SOURCES.get(file)
    if source is None or source.lines is not lines:  # linecache makes a new list when it reads a file again
        if len(_SOURCES) >= _MOST_SOURCES:
            _SOURCES.clear()
        tree = _parse(lines, file) if lines else None
        source = _SOURCES[file] = Source(file, lines, tuple(map(_span, tree.body)) if tree is not None else ())
    return source


def _span(statement: ast.stmt) -> Span:
    return _first_line(statement), statement.end_lineno or statement.lineno


def statements_of_module(file: str, line: int) -> list[ast.stmt]:
    """Those statements of the module itself that a line is in: a class or a function, as a whole. Change none."""
    tree = source_of(file).around(line)
    return [each for each in tree.body if _spans(each, line)] if tree is not None else []


def functions_at(file: str, line: int) -> list[Function]:
    """The functions of the source that a line is in, the innermost first."""
    return [each for each in source_of(file).statements_at(line) if isinstance(each, Function)][::-1]


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """What the body of a function itself runs, without the functions and classes that it defines."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _parse(lines: list[str], file: str) -> ast.Module | None:
    tree = parsed(_without_stray_escapes("".join(lines)), file)
    return tree if isinstance(tree, ast.Module) else None


def parsed(source: str, file: str = "<annotation>", mode: str = "exec") -> ast.AST | None:
    """The syntax tree; None where it cannot be parsed.

    CPython 3.11 has one counter for all threads that make trees: where two make one at the same time, either gets a
    SystemError ("AST constructor recursion depth mismatch", seen on 3.11.7). So ours take turns, and try once more.
    """
    for _ in range(_TRIES):
        try:
            with _PARSING:
                return ast.parse(source, file, mode)
        except SystemError:
            continue
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return None


def _without_stray_escapes(source: str) -> str:
    r"""`"\d"` makes the parser warn, and a warning filter may make that an error. No position changes."""
    return re.sub(
        r"\\(.)", lambda found: found[0] if found[1] in _VALID_ESCAPES else "/" + found[1], source, flags=re.DOTALL
    )


def _spans(statement: ast.AST, line: int) -> bool:
    if isinstance(statement, ast.match_case):
        return True
    if not isinstance(statement, (ast.stmt, ast.excepthandler)):
        return False
    return _first_line(statement) <= line <= (statement.end_lineno or statement.lineno)


def _first_line(statement: ast.stmt | ast.excepthandler) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min((decorator.lineno for decorator in decorators), default=statement.lineno)


def defines(statement: ast.AST, code: types.CodeType) -> bool:
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return statement.name == code.co_name and _first_line(statement) == code.co_firstlineno


_DECORATOR_LINES = 30
"""The `def` is searched in so many lines from the first decorator on. Without a `def` the decorator's line is taken."""


def def_line(file: str, first: int, name: str) -> int:
    """The line of the `def` of the function `name`; `first` is the first line of its code: that of a decorator, if any.

    A lambda and a generator expression begin where they are written: a `def` after them is another function's.
    """
    if name.startswith("<"):
        return first
    lines = source_lines(file)
    begins = re.compile(rf"\s*(?:async\s+def|def|class)\s+{re.escape(name)}\b")
    following = enumerate(lines[first - 1 : first - 1 + _DECORATOR_LINES], first)
    return next((number for number, text in following if begins.match(text)), first)
