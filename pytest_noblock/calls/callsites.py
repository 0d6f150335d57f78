"""Where a source file makes calls: its text, parsed once per version, and the call sites of a line. Pure syntax."""

import ast
import linecache
import re
import sys
import threading
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Position = tuple[int, int]
"""Line (the first is 1) and column (the first is 0, in UTF-8 bytes), as in `ast` and `co_positions`."""

_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
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
    repeats: bool = False
    """Whether it is part of a loop on its line: in a comprehension, or what that or a `for` loops over."""

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

    def holds(self, expression: ast.expr) -> bool:
        """Whether an expression of the same statement is a part of the call."""
        return self.begin <= _begin(expression) and _end(expression) <= self.end


class NamesOnLine(NamedTuple):
    """What the statements of a line do with names."""

    binders: Mapping[ast.Name, ast.expr]
    """The lambda or comprehension that binds a name, of those names that one binds."""
    rebound: frozenset[str]
    """Names that a statement both reads and binds: `row = row.next()`."""


Span = tuple[int, int]
"""The first and the last line of a statement."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One version of a file."""

    file: str
    lines: list[str]
    spans: tuple[Span, ...]
    """The statements of the module itself; empty where the text is no Python source."""
    pieces: dict[Span, ast.Module] = field(default_factory=dict)
    """The syntax trees of those lines that were asked for. A tree of a whole file has ten thousand objects, which each
    full garbage collection of the test run would look through."""
    sites: dict[tuple[int, str, int], list[CallSite]] = field(default_factory=dict)
    """The call sites found so far, by line, name of the code and its first line."""
    names: dict[int, NamesOnLine] = field(default_factory=dict)
    """By line, likewise."""

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
        statements = (each for each in _statements_at(source.around(line), line) if not _defines(each, code))
        source.sites[key] = [site for each in statements for site in _sites_of(each, line)]
    return source.sites[key]


def names_on(code: types.CodeType, line: int) -> NamesOnLine:
    """What the statements that the line is part of do with names."""
    source = _source(code.co_filename)
    if line not in source.names:
        binders: dict[ast.Name, ast.expr] = {}
        rebound: set[str] = set()
        for statement in _statements_at(source.around(line), line):
            inside = dict(_bound_inside(statement))
            names = [each for each in _own_expressions(statement) if isinstance(each, ast.Name) and each not in inside]
            read = {each.id for each in names if isinstance(each.ctx, ast.Load)}
            rebound |= read & {each.id for each in names if not isinstance(each.ctx, ast.Load)}
            binders |= inside
        source.names[line] = NamesOnLine(binders, frozenset(rebound))
    return source.names[line]


def _own_expressions(statement: ast.AST) -> Iterator[ast.AST]:
    """All expressions of a statement, without those of the statements in its body."""
    waiting = [statement]
    while waiting:
        children = [each for each in ast.iter_child_nodes(waiting.pop()) if not isinstance(each, _STATEMENTS)]
        yield from children
        waiting += children


def _bound_inside(statement: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Names with the innermost lambda or comprehension that binds them. The first iterable is outside of it."""
    waiting: list[tuple[ast.AST, Mapping[str, ast.expr]]] = [(statement, {})]
    while waiting:
        node, bound = waiting.pop()
        if isinstance(node, ast.Name) and node.id in bound:
            yield node, bound[node.id]
        outside: list[ast.expr] = []
        inside = bound
        if isinstance(node, ast.Lambda):
            outside = [each for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None]
            inside = {**bound, **dict.fromkeys(_parameters(node.args), node)}
        elif isinstance(node, COMPREHENSIONS):
            outside = [node.generators[0].iter]
            targets = (each for one in node.generators for each in ast.walk(one.target))
            inside = {**bound, **{each.id: node for each in targets if isinstance(each, ast.Name)}}
        waiting += [(each, bound) for each in outside]
        waiting += [(each, inside) for each in _children_but(node, outside)]


def _children_but(node: ast.AST, others: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The expressions below a node; what is one of the `others` is left out, also where it is a grandchild."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, (ast.arguments, ast.comprehension)):
            yield from _children_but(each, others)
        elif each not in others and not isinstance(each, _STATEMENTS):
            yield each


def _parameters(arguments: ast.arguments) -> list[str]:
    named = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [each.arg for each in named if each is not None]


def names_around(file: str, line: int) -> frozenset[str]:
    """The names that the functions around a line bind: parameters, and what their bodies bind."""
    functions = functions_at(file, line)
    names = {name for function in functions for node in own_nodes(function) for name in _names_bound(node)}
    return frozenset(names.union(*(_parameters(function.args) for function in functions)))


def _names_bound(node: ast.AST) -> list[str]:
    """The names that a node itself binds in its function."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [each.asname or each.name.partition(".")[0] for each in names]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return [name]
    return []


def statements_of_module(file: str, line: int) -> list[ast.stmt]:
    """Those statements of the module itself that a line is in: a class or a function, as a whole. Change none."""
    tree = _source(file).around(line)
    return [each for each in tree.body if _spans(each, line)] if tree is not None else []


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_at(file: str, line: int) -> list[Function]:
    """The functions of the source that a line is in, the innermost first."""
    found = _statements_at(_source(file).around(line), line)
    return [each for each in found if isinstance(each, Function)][::-1]


def annotated_return(code: types.CodeType) -> str | None:
    """What the function of this code is written to return: `Reply` of `def get(self) -> "Reply"`."""
    for function in functions_at(code.co_filename, code.co_firstlineno):
        if _defines(function, code) and function.returns is not None:
            return ast.unparse(function.returns).strip("'\"")  # it may stand in quotes
    return None


class Imported(NamedTuple):
    """What an import in a function binds to a name: a module, or a name of one."""

    module: str
    """As it is written: with leading dots where it counts from the package of the function's module."""
    name: str | None


Bound = ast.expr | Imported


def bound(file: str, line: int, name: str) -> Bound | None:
    """What the functions around a line bind to a name, in one place alone: `lock = Lock()`, `with Session() as db`.

    For a frame of another thread, whose variables nobody may read. None where a parameter has the name.
    """
    for function in functions_at(file, line):
        if name in _parameters(function.args):
            return None
        nodes = list(own_nodes(function))
        inside = {each for node in nodes if isinstance(node, ast.comprehension) for each in ast.walk(node.target)}
        times = sum(_names_bound(node).count(name) for node in nodes if node not in inside)
        if times:
            values = [value for node in nodes for value in _bindings(node, name)]
            return values[0] if len(values) == times == 1 else None
    return None


def _bindings(node: ast.AST, name: str) -> Iterator[Bound]:
    targets: list[tuple[ast.expr | None, ast.expr | None]] = []
    match node:
        case ast.Assign():
            targets = [(target, node.value) for target in node.targets]
        case ast.AnnAssign() | ast.NamedExpr():
            targets = [(node.target, node.value)]
        case ast.With() | ast.AsyncWith():
            targets = [(item.optional_vars, item.context_expr) for item in node.items]
        case ast.Import() | ast.ImportFrom():
            yield from _imports(node, name)
    for target, value in targets:
        if isinstance(target, ast.Name) and target.id == name and value is not None:
            yield value


def _imports(node: ast.Import | ast.ImportFrom, name: str) -> Iterator[Imported]:
    for each in node.names:
        if isinstance(node, ast.ImportFrom) and (each.asname or each.name) == name:
            yield Imported("." * node.level + (node.module or ""), each.name)
        elif isinstance(node, ast.Import) and (each.asname or each.name.partition(".")[0]) == name:
            yield Imported(each.name if each.asname else name, None)


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
        tree = _parse(lines, file) if lines else None
        source = _SOURCES[file] = _Source(file, lines, tuple(map(_span, tree.body)) if tree is not None else ())
    return source


def _span(statement: ast.stmt) -> Span:
    return _first_line(statement), statement.end_lineno or statement.lineno


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
    waiting = [_Part(child) for child in ast.iter_child_nodes(statement)]
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        waiting = [_Part(each.node, repeats=each.node is statement.iter) for each in waiting]
    while waiting:
        part = waiting.pop()
        if isinstance(part.node, _STATEMENTS):
            continue
        if isinstance(part.node, ast.Call):
            yield CallSite(part.node, part.node.func, None, part.nested, part.repeats)
        waiting += _parts(part)


class _Part(NamedTuple):
    """A node, with what `CallSite` says of a call that it is or holds."""

    node: ast.AST
    nested: bool = False
    repeats: bool = False


def _parts(part: _Part) -> list[_Part]:
    """The children of a node. The first iterable of a generator expression runs in the frame around the expression."""
    node, nested, repeats = part
    if isinstance(node, ast.comprehension):
        return [_Part(child, nested, repeats) for child in (node.target, *node.ifs)]
    inside = nested or isinstance(node, OWN_FRAME)
    repeats = repeats or isinstance(node, COMPREHENSIONS)
    parts = [_Part(child, inside, repeats) for child in ast.iter_child_nodes(node)]
    if isinstance(node, COMPREHENSIONS):
        first, *others = node.generators
        parts += [_Part(first.iter, nested, repeats), *(_Part(other.iter, inside, repeats) for other in others)]
    return parts


def _implied_calls(statement: ast.AST) -> Iterator[CallSite]:
    if isinstance(statement, ast.With):
        for item in statement.items:
            if not isinstance(item.context_expr, ast.Call):
                yield CallSite(item.context_expr, item.context_expr, "__enter__", nested=False)
    elif isinstance(statement, ast.For) and not isinstance(statement.iter, ast.Call):
        yield CallSite(statement.iter, statement.iter, "__next__", nested=False)


def parts(sites: Iterable[CallSite], kinds: tuple[type[ast.expr], ...]) -> list[ast.expr]:
    """The expressions of these kinds in any of the calls. Each node is looked at once: a chain may have 3,000 calls."""
    seen: set[ast.AST] = set()
    waiting: list[ast.AST] = [site.node for site in sites]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += ast.iter_child_nodes(node)
    return [node for node in seen if isinstance(node, kinds)]


def spans(node: ast.expr, begin: Position, end: Position) -> bool:
    return _begin(node) <= begin and end <= _end(node)


def _begin(node: ast.expr) -> Position:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> Position:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


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
