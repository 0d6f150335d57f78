"""Functions that run though no line writes a call of them: pure functions of the stack, and of what replaces a call.

A finalizer, a context manager's exit, an operator: `to_thread(D, ...)` moves the wrong thing, and none of them may be
an `async def`.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

from pytest_noblock.calls import callers, written
from pytest_noblock.judge.remedy import Remedy, named
from pytest_noblock.model.frames import Frame, Stack, exit_stack_at
from pytest_noblock.model.where import Implied, Where

_SPECIAL = re.compile(r"__\w+__$")
_WRITTEN = ("__init__", "__new__", "__call__")
"""Special methods that a written call makes: `D(...)`, `check(...)`."""
_ENTERED = ("__enter__", "__exit__")
_BY_NAME: dict[str, Implied] = {
    "__del__": "finalizer",
    "__enter__": "context manager",
    "__exit__": "context manager",
    "__await__": "awaitable",
    "__iter__": "iterator",
    "__next__": "iterator",
}


def implied(out: Sequence[Frame], caller: int, *, is_thing: bool = False) -> tuple[Implied | None, Frame | None]:
    """How the line of `out[caller]` came to run what is further in, if not by a written call; and the user's function.

    A library's function in between was called by the line, but for those of `with` and of weak references. `is_thing`:
    no coroutine calls `out[caller]`, which may be a finalizer itself.
    """
    if is_thing and (out[caller].function == "__del__" or _of_weakref(out[caller + 1 :])):
        return "finalizer", out[caller]
    inner = [*reversed(out[:caller])]
    passed = [*itertools.takewhile(lambda frame: not frame.user, inner)]
    thing = next(iter(inner[len(passed) :]), None)
    if thing is None:
        return None, None
    return (_by_library(passed) if passed else _direct(thing, out[caller])), thing


def _by_library(passed: Sequence[Frame]) -> Implied | None:
    """`passed`: the library's frames between the line and the user's function, from the line in."""
    first, last = passed[0], passed[-1]
    if {frame.module for frame in passed} == {"weakref"}:
        return "finalizer"
    if first.module == "contextlib" and first.function in _ENTERED:
        return "context manager"
    if (last.module, last.function) == callers.TASK_FACTORY:
        return "task factory"
    if (first.module or "").startswith("asyncio."):
        return "asyncio"
    return "operator" if is_special(first) else None  # functools.cached_property.__get__


def _of_weakref(outer: Sequence[Frame]) -> bool:
    return bool(outer) and outer[0].module == "weakref"


def _direct(thing: Frame, caller: Frame) -> Implied | None:
    if thing.function in _BY_NAME:
        return _BY_NAME[thing.function]
    if is_special(thing) or written.is_read_at(caller.file, caller.line, thing.function):
        return "operator"
    return None


def exits(stack: Stack, frame: Frame) -> Stack:
    """The frames of the exit stack that the frame leaves, innermost first; none where it leaves none."""
    inner = stack[: next((at for at, each in enumerate(stack) if each[:3] == frame[:3]), 0)]
    at = exit_stack_at(inner)
    return () if at is None else inner[at:]


def is_special(thing: Frame) -> bool:
    """Whether no written call makes the method: Python makes it, and awaits nothing of it."""
    return _SPECIAL.match(thing.function) is not None and thing.function not in _WRITTEN


def callee_of(caller: Frame, callee: Frame) -> str | None:
    """What the caller's line calls, as it is written there: of `D.__init__` that is `D`."""
    owner = (callee.qualname or "").split(".")[-2:-1]
    name = owner[0] if callee.function in ("__init__", "__new__") and owner else callee.function
    found = written.called_at(caller.file, caller.line, name)
    if callee.form == "generator" and (found or "").rpartition(".")[2] != name:
        return None  # the line goes on with a generator that another line made: `next(items)`, `items.close()`
    return found


def between(out: Sequence[Frame]) -> tuple[str, ...] | None:
    """The names of the functions further in than the last, from the outermost in, if each may be awaited.

    None where one is a library's, or has no name, or is called by no written call.
    """
    *inner, _ = out
    names = tuple(each.function for each in reversed(inner))
    own = all(each.user and each.function.isidentifier() for each in inner)
    return names if own and _may_become_async(out) else None


def _may_become_async(out: Sequence[Frame]) -> bool:
    """Whether each of these functions but the last, which calls the others, could be an `async def` that is awaited.

    Python awaits nothing of a special method, nor does C await a callback, the `key` of `sorted`.
    """
    called = (_is_written(each, caller) for each, caller in itertools.pairwise(out))
    generators = [at for at, each in enumerate(out) if each.form == "generator"]
    return all(called) and generators in ([], [len(out) - 2])  # what reads a generator further in is no call of it


def _is_written(thing: Frame, caller: Frame) -> bool:
    """Whether the caller calls it by its name, and no decorator has it: `lru_cache` would keep a used coroutine."""
    if written.is_decorated(thing.file, thing.line, thing.function):
        return False
    return thing.function == "__call__" or written.is_called_at(caller.file, caller.line, thing.function)


def ways(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    """The ways out, where the line `at` did not write the call; `at` is empty where nobody knows that line."""
    name = named(where.callee)
    match where.implied:
        case "finalizer":
            before = f"before {at} lets go of the object" if at else "before the object goes"
            yield f"an async def aclose with {_inside(remedy, where)} in the place of {name}, awaited {before}"
        case "context manager":
            yield from _entered(remedy, where, at)
        case "exit stack":
            yield from _left(remedy, where, at)
        case "task factory":
            made = (
                f"let it return a task of an async def with {_inside(remedy, where)}, which then awaits the coroutine"
            )
            yield f"take it out of the task factory {name}: {made}"
        case "asyncio":
            yield f"take it out of {name}, which asyncio calls and does not await"
        case "awaitable":
            yield f"an async def wait with {_inside(remedy, where)}, and return self.wait().__await__() in {name}"
        case "iterator":
            yield from _iterator(remedy, where, at)
        case _:
            yield _unasked(remedy, where, at)


def _unasked(remedy: Remedy, where: Where, at: str) -> str:
    """What Python's operators call, or asyncio does."""
    name = named(where.callee)
    if where.implied == "asyncio":
        return f"take it out of {name}, which asyncio calls and does not await"
    if where.implied == "task factory":
        made = f"a task of an async def with {_inside(remedy, where)}, which then awaits the coroutine"
        return f"take it out of the task factory {name}: let it return {made}"
    return f"await asyncio.to_thread(...) around what calls {name} at {at}{remedy.aside}"


def _inside(remedy: Remedy, where: Where) -> str:
    """What an `async def` in the place of the function has."""
    if where.line is where.callee:
        return ", or ".join(remedy.ways)
    return "smaller pieces and await asyncio.sleep(0)" if remedy.pieces else "await asyncio.to_thread(...)"


def _entered(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    thing, inside = where.callee, _inside(remedy, where)
    if thing is not None and thing.form == "generator":
        yield f"an @asynccontextmanager async def {named(thing)} with {inside}, entered by async with at {at}"
    elif thing is not None and thing.function in _ENTERED:
        both = f"async defs `__aenter__` and `__aexit__` in the place of {named(thing)} and its twin"
        yield f"{both}, with {inside}, entered by async with at {at}"
    yield from _whole_block(remedy, where, at)


def _whole_block(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    if remedy.thread and not where.block_awaits:
        yield f"await asyncio.to_thread(...) of a function that has the whole with block of {at}{remedy.aside}"


def _left(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    yield from _given(remedy, where, at)
    if at and not _is_async(where.exits):
        yield from _whole_block(remedy, where, at)


def _given(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    """What an exit stack was given is given to it as something to await."""
    thing, inside = where.callee, _inside(remedy, where)
    name, of = named(thing), _of_stack(where, at)
    if any(each.function == "_exit_wrapper" for each in where.exits):
        yield from _called_back(remedy, where, f"in the place of callback{of}")
    elif thing is None:
        yield f"take it out of the exit stack: after its block write {inside}"
    elif thing.form == "generator" or thing.function == "__exit__":
        entered = f"entered by enter_async_context in the place of enter_context{of}"
        twins = f"async defs `__aenter__` and `__aexit__` in the place of {name} and its twin, with {inside}"
        made = f"an @asynccontextmanager async def {name} with {inside}" if thing.form == "generator" else twins
        yield f"{made}, {entered}"
    else:
        yield f"an async def in the place of {name}, with {inside}, given to push_async_exit in the place of push{of}"


def _of_stack(where: Where, at: str) -> str:
    which = "" if where.line is where.coroutine else f" at {at}"
    if not _is_async(where.exits):
        return f", with an AsyncExitStack{which}"
    return f", for the exit stack{which}" if which else ""


def _is_async(exits: Stack) -> bool:
    return any(each.form == "async def" for each in exits)


def _called_back(remedy: Remedy, where: Where, place: str) -> Iterator[str]:
    """`place`: where the stack was told to call it."""
    thing = where.callee
    awaited = re.fullmatch(r"await ([\w.]+)\(\.\.\.\)", remedy.instead)
    if thing is not None:
        given = f"given to push_async_callback {place}"
        yield f"an async def in the place of {named(thing)}, with {_inside(remedy, where)}, {given}"
    elif awaited is not None:
        yield f"push_async_callback({awaited[1]}, ...) {place}"
        return
    if remedy.in_thread:
        what = remedy.call if thing is None else named(thing).strip("`")
        known = re.fullmatch(r"(?!contextlib\.)[\w.]+", what)  # neither a lambda, nor what C code the stack called
        yield f"push_async_callback(asyncio.to_thread, {what + ', ' if known else ''}...) {place}"


def _iterator(remedy: Remedy, where: Where, at: str) -> Iterator[str]:
    thing = where.callee
    made = thing is not None and thing.function == "__iter__" and thing.form != "generator"
    if remedy.thread and made:
        yield f"await asyncio.to_thread(iter, ...) at {at}"
    elif remedy.thread:
        yield f"await asyncio.to_thread(next, items, None) for each item at {at}, with items = iter(...)"
    if not made:
        method = "__anext__" if thing is not None and thing.function == "__next__" else "__aiter__"
        yield f"an async def `{method}` with {_inside(remedy, where)}, read there by async for"
