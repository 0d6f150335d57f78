"""What can be said of an endpoint by its code alone: where it is defined, and whether it awaits anything."""

import dis
import functools
import inspect
from types import CodeType
from typing import Any

from pytest_noblock.engine.endpoints import code_of, undecorated

_NAMES = ("GET_AWAITABLE", "GET_AITER", "GET_ANEXT", "BEFORE_ASYNC_WITH")
_AWAITS = {dis.opmap[name] for name in _NAMES if name in dis.opmap}
"""CPython 3.11 to 3.14: one of these stands in the code of whatever awaits, iterates with `async for`, or enters an
`async with` block. Each instruction has two bytes, the first says which; `co_code` shows its caches as zeros."""

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def place_of(endpoint: object) -> tuple[str, int] | None:
    """File and line, counted from 0 as pytest does, of the endpoint's `def`; None where it is not Python's."""
    code = code_of(_function(endpoint))
    return None if code is None else (code.co_filename, code.co_firstlineno - 1)


def awaits_nothing(endpoint: object) -> bool:
    """Whether it is an `async def` that never gives the loop back: as a plain `def` it would run in a thread."""
    function = _function(endpoint)
    code = code_of(function)
    if code is None or not inspect.iscoroutinefunction(function):
        return False
    return not (_makes_coroutines(code) or _AWAITS & {*code.co_code[::2]})


def _makes_coroutines(code: CodeType) -> bool:
    """Whether an `async def` stands in it, as the stream that it answers with: that runs on the loop all the same."""
    return any(each.co_flags & _ASYNC for each in code.co_consts if isinstance(each, CodeType))


def _function(endpoint: object) -> Any:
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return undecorated(endpoint)
