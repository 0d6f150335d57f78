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
_PLAIN = (ast.Pass, ast.Continue, ast.Break, ast.Return, ast.If, ast.Expr, ast.Assign)
_SHORT_S = 0.002
_EXITS = (ast.Break, ast.Return)
"""Where the time is over and it raises, the clock guards a loop that ends otherwise."""


class PollLoop(NamedTuple):
    """A loop that waits."""

    line: int
    """Its first one."""
    only_clock: bool
    """Whether it only waits until a moment: nothing else ends it, and no loop around it begins it anew."""


def poll_loop(file: str, line: int) -> PollLoop | None:
    """The outermost loop around the line, in the same function, that waits; None where none does.

    Not one that awaits: each of its rounds is a step of its own.
    """
    source = source_of(file)
    return source.once(("poll loop", line), lambda: _first(source, line))


def _first(source: Source, line: int) -> PollLoop | None:
    imports = "".join(each for each in source.lines if each.lstrip().startswith("from"))
    clocks = _CLOCKS.union(_ALIAS.findall(imports))
    loops = _loops_around(source, line)
    found = next(filter(None, (_as_poll_loop(each, clocks) for each in loops)), None)
    return found if found is None or found.line == loops[0].lineno else found._replace(only_clock=False)


def is_in_loop(file: str, line: int) -> bool:
    """Whether a loop of the same function is around the line."""
    source = source_of(file)
    return source.once(("loop", line), lambda: bool(_loops_around(source, line)))


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
    read = _read_from(own, clocks)
    if _ends_by_clock(loop, own, clocks, read) or _waits_for_somebody(loop, own):
        return PollLoop(loop.lineno, _is_only_clock(loop, own, clocks, read))
    return None


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


def _read_from(own: Iterable[ast.AST], clocks: frozenset[str]) -> frozenset[str]:
    """The variables that are read from the clock in the loop."""
    return frozenset(
        name.id
        for each in own
        if isinstance(each, ast.Assign | ast.NamedExpr) and _reads(each.value, clocks, frozenset())
        for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    )


def _tests(loop: Loop, own: Iterable[ast.AST]) -> list[ast.expr]:
    """Those that may end the loop."""
    inside = [
        each.test for each in own if isinstance(each, ast.If) and any(isinstance(at, _EXITS) for at in _own(each))
    ]
    return [loop.test, *inside] if isinstance(loop, ast.While) and _has_test(loop) else inside


def _ends_by_clock(loop: Loop, own: Iterable[ast.AST], clocks: frozenset[str], read: frozenset[str]) -> bool:
    return any(_reads(each, clocks, read) for each in _tests(loop, own))


def _is_only_clock(loop: Loop, own: Iterable[ast.AST], clocks: frozenset[str], read: frozenset[str]) -> bool:
    tests = _tests(loop, own)
    compared = [each for test in tests for each in (test.values if isinstance(test, ast.BoolOp) else [test])]
    by_clock = all(isinstance(each, ast.Compare) and _reads(each, clocks, read) for each in compared)
    exits = sum(isinstance(each, _EXITS) for each in own) == len(tests) - _has_test(loop)
    plain = all(isinstance(each, _PLAIN) for each in own if isinstance(each, ast.stmt) and each is not loop)
    calls = all(_reads(each, clocks, read) or _is_short(each) for each in own if isinstance(each, ast.Call))
    return isinstance(loop, ast.While) and bool(tests) and by_clock and exits and plain and calls


def _has_test(loop: Loop) -> bool:
    return isinstance(loop, ast.While) and not isinstance(loop.test, ast.Constant)


def _is_short(call: ast.Call) -> bool:
    """Whether it is written to wait for 2 ms at most, or for nothing."""
    asked = [*call.args[-1:], *(each.value for each in call.keywords)]
    values = [each.value if isinstance(each, ast.Constant) else None for each in asked]
    return _gives_up_its_turn(call) and all(isinstance(each, int | float) and each <= _SHORT_S for each in values)


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
