"""Where a source file makes calls: its text, parsed once per version, and the call sites of a line. Pure syntax."""

import ast
import linecache
import re
import sys
import threading
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

Position = tuple[int, int]
"""Line (the first is 1) and column (the first is 0, in UTF-8 bytes), as in `ast` and `co_positions`."""

_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
_COMPREHENSIONS = (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)
# Python 3.12 runs all comprehensions but generator expressions in the frame around them.
_OWN_FRAME = (ast.Lambda, ast.GeneratorExp) if sys.version_info >= (3, 12) else (ast.Lambda, *_COMPREHENSIONS)
FRAME_OF = {
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


class CallSite(NamedTuple):
    """One call in the source."""

    node: ast.expr
    """The whole call."""
    target: ast.expr
    """What is called."""
    implied: str | None
    """The method that `with` or `for` calls, though it is not written; None for a written call."""
    nested: bool
    """Whether it runs in a frame of its own: in a lambda or a generator expression."""

    @property
    def begin(self) -> Position:
        return self.node.lineno, self.node.col_offset

    @property
    def end(self) -> Position:
        return _end(self.node)

    @property
    def name_end(self) -> Position:
        """Where the instruction of the call ends, if the call is part of a chain over several lines."""
        return _end(self.target)

    @property
    def line(self) -> int:
        """The line that a tracer shows for the call: the attribute's where the chain spans lines."""
        target = self.target
        if isinstance(target, ast.Attribute) and target.end_lineno != target.lineno:
            return self.name_end[0]
        return self.node.lineno

    @property
    def arguments(self) -> list[ast.expr]:
        return self.node.args if isinstance(self.node, ast.Call) else []

    def covers(self, line: int) -> bool:
        return self.begin[0] <= line <= self.end[0]

    def holds(self, kind: type[ast.AST]) -> bool:
        return any(isinstance(node, kind) for node in ast.walk(self.node))


@dataclass(frozen=True, slots=True)
class _Source:
    """One version of a file."""

    lines: list[str]
    tree: ast.Module | None
    """None where the text is no Python source."""
    sites: dict[tuple[int, str, int], list[CallSite]] = field(default_factory=dict)
    """The call sites found so far, by line, name of the code and its first line."""


_SOURCES: dict[str, _Source] = {}
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


def call_sites(code: types.CodeType, line: int) -> list[CallSite]:
    """The calls of the statement that the line is part of, in the order in which they end: an argument comes first.

    What the `def` line of the code itself calls (decorators, defaults) ran in the frame around it, and is left out.
    """
    source = _source(code.co_filename)
    key = (line, code.co_name, code.co_firstlineno)
    if key not in source.sites:
        statements = (each for each in _statements_at(source.tree, line) if not _defines(each, code))
        source.sites[key] = [site for each in statements for site in _sites_of(each, line)]
    return source.sites[key]


def syntax_tree(file: str) -> ast.Module | None:
    """The syntax tree of a file; None where there is none. It is shared: change nothing in it."""
    return _source(file).tree


def statements_of_module(file: str, line: int) -> list[ast.stmt]:
    """Those statements of the module itself that a line is in: a class or a function, as a whole."""
    tree = syntax_tree(file)
    return [each for each in tree.body if _spans(each, line)] if tree is not None else []


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_at(file: str, line: int) -> list[Function]:
    """The functions of the source that a line is in, the innermost first."""
    found = _statements_at(_source(file).tree, line)
    return [each for each in found if isinstance(each, Function)][::-1]


def annotated_return(code: types.CodeType) -> str | None:
    """What the function of this code is written to return: `Reply` of `def get(self) -> "Reply"`."""
    for function in functions_at(code.co_filename, code.co_firstlineno):
        if _defines(function, code) and function.returns is not None:
            return ast.unparse(function.returns).strip("'\"")  # it may stand in quotes
    return None


def bound(file: str, line: int, name: str) -> ast.expr | None:
    """What the functions around a line bind to a name, in one place alone: `lock = Lock()`, `with Session() as db`.

    For a frame of another thread, whose variables nobody may read. None where a parameter has the name.
    """
    for function in functions_at(file, line):
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        if name in [each.arg for each in (*named, arguments.vararg, arguments.kwarg) if each is not None]:
            return None
        values = [value for node in own_nodes(function) for value in _bindings(node, name)]
        if values:
            return values[0] if len(values) == 1 else None
    return None


def _bindings(node: ast.AST, name: str) -> Iterator[ast.expr]:
    targets: list[tuple[ast.expr | None, ast.expr | None]] = []
    if isinstance(node, ast.Assign):
        targets = [(target, node.value) for target in node.targets]
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
        targets = [(node.target, node.value)]
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        targets = [(item.optional_vars, item.context_expr) for item in node.items]
    for target, value in targets:
        if isinstance(target, ast.Name) and target.id == name and value is not None:
            yield value


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """What the body of a function itself runs, without the functions and classes that it defines."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _source(file: str) -> _Source:
    lines = source_lines(file)
    source = _SOURCES.get(file)
    if source is None or source.lines is not lines:  # linecache makes a new list when it reads a file again
        if len(_SOURCES) >= _MOST_SOURCES:
            _SOURCES.clear()
        source = _SOURCES[file] = _Source(lines, _parse(lines, file) if lines else None)
    return source


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


def _statements_at(tree: ast.Module | None, line: int) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [tree] if tree else []
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if isinstance(child, _STATEMENTS) and _spans(child, line):
                yield child
                waiting.append(child)


def _spans(statement: ast.AST, line: int) -> bool:
    if isinstance(statement, ast.match_case):
        return True
    if not isinstance(statement, (ast.stmt, ast.excepthandler)):
        return False
    return _first_line(statement) <= line <= (statement.end_lineno or statement.lineno)


def _first_line(statement: ast.stmt | ast.excepthandler) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min((decorator.lineno for decorator in decorators), default=statement.lineno)


def _defines(statement: ast.AST, code: types.CodeType) -> bool:
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return statement.name == code.co_name and _first_line(statement) == code.co_firstlineno


def _sites_of(statement: ast.AST, line: int) -> list[CallSite]:
    sites = sorted((*_written_calls(statement), *_implied_calls(statement)), key=lambda site: site.end)
    compound = any(isinstance(child, _STATEMENTS) for child in ast.iter_child_nodes(statement))
    return [site for site in sites if site.covers(line)] if compound else sites


def _written_calls(statement: ast.AST) -> Iterator[CallSite]:
    waiting = [(child, False) for child in ast.iter_child_nodes(statement)]
    while waiting:
        node, nested = waiting.pop()
        if isinstance(node, _STATEMENTS):
            continue
        if isinstance(node, ast.Call):
            yield CallSite(node, node.func, None, nested)
        waiting += _parts(node, nested=nested)


def _parts(node: ast.AST, *, nested: bool) -> list[tuple[ast.AST, bool]]:
    """The children of a node, each with whether it runs in a frame of its own.

    The first iterable of a generator expression runs in the frame around the expression.
    """
    if isinstance(node, ast.comprehension):
        return [(child, nested) for child in (node.target, *node.ifs)]
    inside = nested or isinstance(node, _OWN_FRAME)
    parts = [(child, inside) for child in ast.iter_child_nodes(node)]
    if isinstance(node, _COMPREHENSIONS):
        first, *others = node.generators
        parts += [(first.iter, nested), *((other.iter, inside) for other in others)]
    return parts


def _implied_calls(statement: ast.AST) -> Iterator[CallSite]:
    if isinstance(statement, ast.With):
        for item in statement.items:
            if not isinstance(item.context_expr, ast.Call):
                yield CallSite(item.context_expr, item.context_expr, "__enter__", nested=False)
    elif isinstance(statement, ast.For) and not isinstance(statement.iter, ast.Call):
        yield CallSite(statement.iter, statement.iter, "__next__", nested=False)


def _end(node: ast.expr) -> Position:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


_DECORATOR_LINES = 30
"""The `def` is searched in so many lines from the first decorator on. Without a `def` the decorator's line is taken."""


def def_line(file: str, first: int) -> int:
    """The line of a function's `def`, where `first` is the first line of its code: a decorator's, if it has one."""
    lines = source_lines(file)
    following = enumerate(lines[first - 1 : first - 1 + _DECORATOR_LINES], first)
    return next((number for number, text in following if text.lstrip().startswith(("def ", "async def "))), first)
