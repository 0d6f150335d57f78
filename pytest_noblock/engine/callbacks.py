"""Whose work a handle of the loop does: the user's, a library's, or the loop's own.

Read of asyncio's own loops (CPython 3.11 to 3.15): `_callback` and `_args` of a handle; `_ready` and `_scheduled` of
the loop. Another loop (uvloop, rloop) has its callbacks wrapped, by `steps.wrapped_callbacks`.
"""

import functools
import sys
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

from pytest_noblock.engine.usercode import UserCode

_LOOPS_OWN = ("asyncio", "_asyncio", "anyio", "sniffio", "uvloop", "rloop")
"""Packages whose timers end a wait of somebody else's: a timeout, a sleep, a future that is set."""
WRAPPED = "noblock_callbacks"
"""The attribute of a loop that has what wraps its callbacks. No table: loops are made and closed within one test."""
_STANDARD = sys.stdlib_module_names - {"builtins"}
"""Without the module of None, which stands for the owner of a plain function."""


def ready(loop: Any) -> Iterable[Any]:
    """The handles that the loop calls in its next turn. Of a loop whose callbacks are wrapped: those of requests."""
    wrapped = getattr(loop, WRAPPED, None)
    return tuple(getattr(loop, "_ready", ()) if wrapped is None else wrapped.ready.values())


def timers(loop: Any) -> Iterable[Any]:
    """The handles that have a time, likewise."""
    wrapped = getattr(loop, WRAPPED, None)
    return tuple(getattr(loop, "_scheduled", ()) if wrapped is None else wrapped.timers.values())


def may_hold(handle: Any, user: UserCode) -> bool:
    """Whether the handle calls what may take long: code of the user's, of the standard library, or in C."""
    return user_code(handle, user) is not None or any(map(_is_foreign, _called(handle)))


def user_code(handle: Any, user: UserCode) -> CodeType | None:
    """The code of the user's that the handle calls: its callback's, or that of what it hands to its callback."""
    codes = (code_of(piece) for piece in _pieces(handle))
    return next((code for code in codes if code is not None and code.co_filename in user), None)


def code_of(function: Any) -> CodeType | None:
    """The code of a function, a method, a coroutine or an object that can be called; None where it is in C."""
    try:
        inner = getattr(function, "__func__", function)
        code = getattr(inner, "__code__", None) or getattr(inner, "cr_code", None)
    except Exception:  # noqa: BLE001  # a `__getattr__` of the user's
        return None
    if code is None and not isinstance(inner, type):
        code = getattr(getattr(type(inner), "__call__", None), "__code__", None)  # noqa: B004  # not whether, but which
    return code if isinstance(code, CodeType) else None


def _pieces(handle: Any) -> Iterator[Any]:
    """The callback and its arguments, out of their partials."""
    yield from _called(handle)
    for argument in getattr(handle, "_args", None) or ():
        yield from _unfolded(argument)


def _called(handle: Any) -> Iterator[Any]:
    yield from _unfolded(getattr(handle, "_callback", None))


def _unfolded(function: Any) -> Iterator[Any]:
    if isinstance(function, functools.partial):
        for each in (function.func, *function.args):
            yield from _unfolded(each)
    elif function is not None:
        yield function


def _is_foreign(function: Any) -> bool:
    """Whether it is a function in C, or of the standard library, and no loop's own."""
    bound = getattr(function, "__self__", None)
    owners = {str(owner).partition(".")[0] for owner in (getattr(function, "__module__", ""), type(bound).__module__)}
    if not owners.isdisjoint(_LOOPS_OWN):
        return False
    return code_of(function) is None or not owners.isdisjoint(_STANDARD)
