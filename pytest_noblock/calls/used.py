"""What a statement goes on to do with what a call on it returns, and whether that may block again. Pure syntax.

`s3.get_object(...)["Body"].read()` waits twice: a thread that has `s3.get_object` alone has the first wait.
"""

import ast
from collections.abc import Iterator, Mapping

from pytest_noblock.calls.sources import STATEMENTS, source_of
from pytest_noblock.calls.tables import uses
from pytest_noblock.calls.written import AWAITS
from pytest_noblock.model.where import Used

_Parents = Mapping[ast.AST, ast.AST]

_WHOLE = tuple(f"{name}." for name in uses.WHOLE.split())
_LATER, _READS = frozenset(uses.LATER.split()), frozenset(uses.READS.split())
_PASSED, _ITERATING = frozenset(uses.PASSED.split()), frozenset(uses.ITERATING.split())
_KEEPING = frozenset(uses.KEEPING.split())
_STOPS = (*AWAITS, ast.Yield, ast.YieldFrom)
"""A function that a thread runs can have none of these."""
_IMPLIED = ("__next__", "__iter__", "__enter__")


def used(file: str, line: int, call: str) -> Used | None:
    """How the statement on this line goes on with the answer of `call`; None where that waits for nothing more."""
    for statement in reversed([*source_of(file).statements_at(line)]):
        parents = {child: node for node in _own(statement) for child in ast.iter_child_nodes(node)}
        sites = [*_sites(parents, call, line)]
        uses_of = (_use(site, parents, call) for site in sites)
        if sites:
            return next((_whole_of(statement, use) for use in uses_of if use is not None), None)
    return None


def _own(statement: ast.AST) -> Iterator[ast.AST]:
    """The statement's own nodes: those in its block are other statements'."""
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [each for each in ast.iter_child_nodes(node) if not isinstance(each, STATEMENTS)]


def _sites(parents: _Parents, call: str, line: int) -> Iterator[ast.AST]:
    """The calls of that name on the line, or what `for` and `with` call though it is not written."""
    name = call.rpartition(".")[2]
    for node, parent in parents.items():
        if isinstance(node, ast.Call):
            if _name(node.func) == name and _is_on(node, line) and not isinstance(parent, ast.Await):
                yield node
        elif name in _IMPLIED and (_is_iterated(node, parent) or isinstance(parent, ast.withitem)):
            yield node


def _is_on(node: ast.Call, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or line)


def _is_whole(node: ast.Call, call: str) -> bool:
    streams = any(each.arg == "stream" and not _is_false(each.value) for each in node.keywords)
    return f"{call}.".startswith(_WHOLE) and call.rpartition(".")[2] not in _LATER and not streams


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _name(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def _use(site: ast.AST, parents: _Parents, call: str) -> Used | None:
    if not isinstance(site, ast.Call):
        return _read_on(site, parents)
    return (None if _is_whole(site, call) else _read_on(site, parents)) or _receiver(site.func)


def _receiver(target: ast.expr) -> Used | None:
    """Of `connect(...).read`, the line makes the object; `[0].read` and `(await f()).read` have no name to write."""
    inner = [*ast.walk(target.value)] if isinstance(target, ast.Attribute) else []
    if any(isinstance(node, ast.Await) for node in inner):
        return "part"
    if any(isinstance(node, ast.Call) for node in inner):
        return "line"
    return "part" if any(isinstance(node, ast.Subscript) for node in inner) else None


def _read_on(node: ast.AST, parents: _Parents) -> Used | None:
    """Goes out from a call as long as it is the same answer, or a part of it."""
    while (parent := parents.get(node)) is not None:
        if isinstance(parent, ast.Call) and node in parent.args:
            name = _name(parent.func) or ""
            if name not in _KEEPING:
                return "line" if name in _PASSED or name in _ITERATING else None
        elif isinstance(parent, ast.Call) and isinstance(node, ast.Attribute):
            if _waits(node.attr, parent):
                return "line"
        elif not (isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node):
            return _kept(node, parent)
        node = parent
    return None


def _waits(method: str, call: ast.Call) -> bool:
    return method in _READS or (method in ("get", "json") and not call.args)  # `get("key")` is a dict's


def _kept(node: ast.AST, parent: ast.AST) -> Used | None:
    if isinstance(parent, ast.withitem) and parent.context_expr is node:
        return "with"
    if isinstance(parent, ast.For) and parent.iter is node:
        return "loop"
    return "line" if isinstance(parent, ast.Starred | ast.YieldFrom) or _is_iterated(node, parent) else None


def _is_iterated(node: ast.AST, parent: ast.AST) -> bool:
    return isinstance(parent, ast.For | ast.comprehension) and parent.iter is node


def _whole_of(statement: ast.AST, use: Used) -> Used | None:
    """What of the statement a thread can have: nothing that awaits, or yields."""
    if use == "part":
        return use
    nodes = _own(statement) if use == "line" else ast.walk(statement)
    if not any(isinstance(node, _STOPS) for node in nodes):
        return use
    return "awaiting line" if use == "line" else "awaiting loop" if use == "loop" else None
