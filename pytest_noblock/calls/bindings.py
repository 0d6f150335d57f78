"""What a source file binds to names: on a line, and in the functions around one. Pure syntax."""

import ast
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_noblock.calls.sources import COMPREHENSIONS, STATEMENTS, functions_at, own_nodes, source_of


class NamesOnLine(NamedTuple):
    """What the statements of a line do with names."""

    binders: Mapping[ast.Name, ast.expr]
    """The lambda or comprehension that binds a name, of those names that one binds."""
    rebound: frozenset[str]
    """Names that a statement both reads and binds: `row = row.next()`."""


def names_on(code: types.CodeType, line: int) -> NamesOnLine:
    """What the statements that the line is part of do with names."""
    source = source_of(code.co_filename)
    return source.once(("names", line), lambda: _names_in(source.statements_at(line)))


def _names_in(statements: Iterable[ast.AST]) -> NamesOnLine:
    binders: dict[ast.Name, ast.expr] = {}
    rebound: set[str] = set()
    for statement in statements:
        inside = dict(_bound_inside(statement))
        names = [each for each in _own_expressions(statement) if isinstance(each, ast.Name) and each not in inside]
        read = {each.id for each in names if isinstance(each.ctx, ast.Load)}
        rebound |= read & {each.id for each in names if not isinstance(each.ctx, ast.Load)}
        binders |= inside
    return NamesOnLine(binders, frozenset(rebound))


def _own_expressions(statement: ast.AST) -> Iterator[ast.AST]:
    """All expressions of a statement, without those of the statements in its body."""
    waiting = [statement]
    while waiting:
        children = [each for each in ast.iter_child_nodes(waiting.pop()) if not isinstance(each, STATEMENTS)]
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
        elif each not in others and not isinstance(each, STATEMENTS):
            yield each


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


def _parameters(arguments: ast.arguments) -> list[str]:
    named = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [each.arg for each in named if each is not None]
