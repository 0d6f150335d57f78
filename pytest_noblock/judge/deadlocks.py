"""Waits that cannot end: the loop's thread waits for what only the loop can do. Pure functions of the source."""

import ast
import re
from collections.abc import Iterator

from pytest_noblock.calls.sources import Function, functions_at, own_nodes
from pytest_noblock.calls.written import AWAITS
from pytest_noblock.model.frames import Frame

_LOCKS = re.compile(r"^threading\.(?:Lock|Semaphore|BoundedSemaphore|Condition)\b")
"""The calls of locks that are not the holder's to take again: an RLock lets the loop's thread pass."""
_NAMED_AS_LOCK = re.compile(r"lock|mutex|sema?phore|condition", re.IGNORECASE)
"""What people call a lock. The watchdog cannot read the variables of the running frame."""
_OWN_LOOP = ("get_running_loop", "get_event_loop")


def told(frame: Frame | None) -> str | None:
    """Why the line that waits can never go on; None where nothing in its source says so."""
    functions = functions_at(frame.file, frame.line) if frame is not None else []
    if frame is None or not functions:
        return None
    return _own_coroutine(frame, functions[0]) or _own_lock(frame, functions[0])


def _own_coroutine(frame: Frame, function: Function) -> str | None:
    """For `asyncio.run_coroutine_threadsafe(..., loop).result()`."""
    if not (frame.call or "").endswith((".result", ".run_coroutine_threadsafe")):
        return None
    sent = [each for each in _calls(function) if _last_name(each.func) == "run_coroutine_threadsafe"]
    if not sent:
        return None
    certain = any(len(call.args) > 1 and _is_own_loop(call.args[1], function) for call in sent)
    surely = "a deadlock" if certain else "a deadlock where that loop is this one"
    return f"{surely}: it waits for a coroutine that only this event loop can run (await it instead)"


def _is_own_loop(given: ast.expr, function: Function) -> bool:
    """Whether the expression asks for the running loop, or is a name for what did."""
    if isinstance(given, ast.Name):
        assigned = [
            node.value for node in own_nodes(function) if isinstance(node, ast.Assign) and _names(node, given.id)
        ]
        return any(_asks_for_loop(value) for value in assigned)
    return _asks_for_loop(given)


def _asks_for_loop(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and _last_name(value.func) in _OWN_LOOP


def _names(assignment: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assignment.targets)


def _own_lock(frame: Frame, function: Function) -> str | None:
    """For a lock of threads that a coroutine keeps across an await."""
    if not isinstance(function, ast.AsyncFunctionDef):
        return None
    for lock, awaited in _kept_locks(function, frame.line):
        if _LOCKS.match(frame.call or "") or (not _is_library(frame.call) and _NAMED_AS_LOCK.search(lock)):
            return (
                f"a deadlock: whoever holds {lock} awaits in line {awaited}, and can release it only when this event"
                " loop turns, which this line prevents (an asyncio.Lock instead)"
            )
    return None


def _is_library(call: str | None) -> bool:
    """Whether the call is known to be another one than that of a lock."""
    return call is not None and call.rpartition(".")[2] not in ("acquire", "__enter__", "wait")


def _kept_locks(function: Function, line: int) -> Iterator[tuple[str, int]]:
    """(the lock as it is written, the line of the first await) of the locks that the line takes."""
    awaits = sorted(node.lineno for node in own_nodes(function) if isinstance(node, AWAITS))
    for node in own_nodes(function):
        if isinstance(node, ast.With) and node.lineno <= line < node.body[0].lineno:
            inside = [each for each in awaits if node.lineno < each <= (node.end_lineno or node.lineno)]
            yield from ((ast.unparse(item.context_expr), inside[0]) for item in node.items if inside)
        elif isinstance(node, ast.Call) and node.lineno == line and _last_name(node.func) == "acquire":
            lock = ast.unparse(node.func).removesuffix(".acquire")
            released = max((each.lineno for each in _calls(function) if _releases(each, lock)), default=line)
            inside = [each for each in awaits if line < each <= released]
            yield from ((lock, inside[0]) for _ in inside[:1])


def _releases(call: ast.Call, lock: str) -> bool:
    return ast.unparse(call.func) == f"{lock}.release"


def _calls(function: Function) -> Iterator[ast.Call]:
    return (node for node in own_nodes(function) if isinstance(node, ast.Call))


def _last_name(expression: ast.expr) -> str:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""
