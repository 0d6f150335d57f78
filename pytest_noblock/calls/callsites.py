"""Which calls stand on a line of a source file. Pure syntax."""

import ast
import types
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_noblock.calls.sources import COMPREHENSIONS, OWN_FRAME, STATEMENTS, defines, source_of

Position = tuple[int, int]
"""Line (the first is 1) and column (the first is 0, in UTF-8 bytes), as in `ast` and `co_positions`."""


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


def call_sites(code: types.CodeType, line: int) -> list[CallSite]:
    """The calls of the statement that the line is part of, in the order in which they end: an argument comes first.

    What the `def` line of the code itself calls (decorators, defaults) ran in the frame around it, and is left out.
    """
    source = source_of(code.co_filename)
    statements = (each for each in source.statements_at(line) if not defines(each, code))
    key = "call sites", line, code.co_name, code.co_firstlineno
    return source.once(key, lambda: [site for each in statements for site in _sites_of(each, line)])


def _sites_of(statement: ast.AST, line: int) -> list[CallSite]:
    sites = sorted((*_written_calls(statement), *_implied_calls(statement)), key=lambda site: site.end)
    compound = any(isinstance(child, STATEMENTS) for child in ast.iter_child_nodes(statement))
    return [site for site in sites if site.covers(line)] if compound else sites


def _written_calls(statement: ast.AST) -> Iterator[CallSite]:
    waiting = [_Part(child) for child in ast.iter_child_nodes(statement)]
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        waiting = [_Part(each.node, repeats=each.node is statement.iter) for each in waiting]
    while waiting:
        part = waiting.pop()
        if isinstance(part.node, STATEMENTS):
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
