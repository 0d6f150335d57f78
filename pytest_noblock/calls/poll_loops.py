"""Loops that wait: they end by the clock, or when somebody else is done. Pure syntax, by the file and a line.

Only how a loop is written counts, not what its names stand for: this is a second witness, and no proof by itself.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_noblock.calls.sources import Source, source_of

Loop = ast.While | ast.For

_CLOCKS = frozenset("monotonic perf_counter time now utcnow clock default_timer".split())
"""`_ns` at the end is left off."""
_ALIAS = re.compile(r"\b(?:monotonic|perf_counter|time|default_timer)(?:_ns)? as (\w+)")
_ASKS = frozenset("done is_set poll is_alive ready locked".split())
"""Without an argument: whether somebody else is done."""
_YIELDS = frozenset("sleep sched_yield".split())
_WAITS = frozenset("wait wait_for result exception acquire join get put poll select communicate".split())
_BY_ARGUMENT = {"wait": (1,), "result": (1,), "exception": (1,), "poll": (1,), "select": (1, 4), "acquire": (2,)}
"""With so many arguments one of them is a timeout; of `str.join` and `dict.get` none is."""
_OTHERS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_EXITS = (ast.Break, ast.Return)
"""Where the time is over and it raises, the clock guards a loop that ends otherwise."""


class PollLoop(NamedTuple):
    """A loop that waits."""

    line: int
    """Its first one."""
    by_clock: bool
    """Whether it ends by the clock; else when somebody else is done."""


def poll_loop(file: str, line: int) -> PollLoop | None:
    """The outermost loop around the line, in the same function, that waits; None where none does.

    Not one that awaits: each of its rounds is a step of its own.
    """
    source = source_of(file)
    return source.once(("poll loop", line), lambda: _first(source, line))


def _first(source: Source, line: int) -> PollLoop | None:
    imports = "".join(each for each in source.lines if each.lstrip().startswith("from"))
    clocks = _CLOCKS.union(_ALIAS.findall(imports))
    return next(filter(None, (_as_poll_loop(each, clocks) for each in _loops_around(source, line))), None)


def _loops_around(source: Source, line: int) -> list[Loop]:
    loops: list[Loop] = []
    for each in source.statements_at(line):
        if isinstance(each, _OTHERS):
            loops = []
        elif isinstance(each, Loop):
            loops.append(each)
    return loops


def _as_poll_loop(loop: Loop, clocks: frozenset[str]) -> PollLoop | None:
    own = list(_own(loop))
    if any(isinstance(each, ast.Await | ast.AsyncFor | ast.AsyncWith) for each in own):
        return None
    by_clock = _ends_by_clock(loop, own, clocks)
    return PollLoop(loop.lineno, by_clock) if by_clock or _waits_for_somebody(loop, own) else None


def _waits_for_somebody(loop: Loop, own: Iterable[ast.AST]) -> bool:
    if isinstance(loop, ast.For):  # without a way out it ends after so many rounds
        return any(isinstance(each, _EXITS) for each in own) and any(map(_gives_up_its_turn, own))
    return _does_nothing(loop) or any(map(_asks, _own(loop.test))) or any(map(_gives_up_its_turn, own))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without the functions and classes that are defined there."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += [child for child in ast.iter_child_nodes(each) if not isinstance(child, _OTHERS)]


def _ends_by_clock(loop: Loop, own: Iterable[ast.AST], clocks: frozenset[str]) -> bool:
    """Whether a test that may end the loop reads the clock, or a variable that was read from it in the loop."""
    read = {
        name.id
        for each in own
        if isinstance(each, ast.Assign | ast.NamedExpr) and _reads(each.value, clocks, frozenset())
        for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    tests = [each.test for each in own if isinstance(each, ast.If) and any(isinstance(at, _EXITS) for at in _own(each))]
    tests += [loop.test] if isinstance(loop, ast.While) else []
    return any(_reads(each, clocks, frozenset(read)) for each in tests)


def _reads(node: ast.AST, clocks: frozenset[str], variables: frozenset[str]) -> bool:
    return any(
        (isinstance(each, ast.Call) and _name(each).removesuffix("_ns") in clocks)
        or (isinstance(each, ast.Name) and each.id in variables)
        for each in _own(node)
    )


def _does_nothing(loop: ast.While) -> bool:
    """`while not ready(): pass`."""
    nothing = (isinstance(each, ast.Pass | ast.Continue) or _is_constant(each) for each in loop.body)
    return all(nothing) and not isinstance(loop.test, ast.Constant)


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _asks(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node) in _ASKS and not node.args and not node.keywords


def _gives_up_its_turn(node: ast.AST) -> bool:
    """Whether it is a call that sleeps, or waits for so long at most: `items.get(timeout=0.01)`."""
    if not isinstance(node, ast.Call):
        return False
    name = _name(node)
    if name in _YIELDS:
        return True
    if name not in _WAITS:
        return False
    timed = any(each.arg == "timeout" and not _is_none(each.value) for each in node.keywords)
    return timed or len(node.args) in _BY_ARGUMENT.get(name, ()) or _is_for_so_long(name, node.args)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_for_so_long(name: str, arguments: list[ast.expr]) -> bool:
    """`thread.join(0.01)`, `items.get(True, 0.01)`."""
    values = [each.value if isinstance(each, ast.Constant) else None for each in arguments]
    if name == "join":
        return len(values) == 1 and isinstance(values[0], int | float)
    return name == "get" and len(values) == 2 and values[0] is True


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
