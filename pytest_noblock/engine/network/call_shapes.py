"""Wrappers of known calls, in the shape of the original: most calls are of no request, and must be passed on at once.

A function that takes any arguments needs twice as long for that as one with the arguments of the original. A test
client's request makes seventy such calls: its loop polls, wakes itself by its own socket, and is waited for.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, FunctionType, MethodDescriptorType
from typing import Any, Protocol

__tracebackhide__ = True
"""pytest leaves this module's frames out of tracebacks: what a wrapped call raises is not ours."""


class Polled(Protocol):
    """Who counts the turns of a loop, by the polls of its selector."""

    polled: bool


Observed = Callable[[FrameType, tuple[Any, ...], dict[str, Any]], Any]
"""Makes the call, given its caller and its arguments."""


def shaped_wrapper(
    original: Callable[..., Any], observers: Mapping[int, object], observed: Observed
) -> Callable[..., Any]:
    """The wrapper of `original`, which calls `observed` while there are observers."""

    def waits(waiter: Any, timeout: Any = None) -> Any:
        if observers:
            return observed(sys._getframe(1), (waiter, timeout), {})
        return original(waiter, timeout)

    def positional(*args: Any) -> Any:
        if observers:
            return observed(sys._getframe(1), args, {})
        return original(*args)

    def anyhow(*args: Any, **kwargs: Any) -> Any:
        if observers:
            return observed(sys._getframe(1), args, kwargs)
        return original(*args, **kwargs)

    if _takes_timeout(original):
        return waits
    return positional if type(original) is MethodDescriptorType and original.__name__ == "recv" else anyhow


def polling_wrapper(
    original: Callable[..., Any],
    observers: Mapping[int, object],
    polling: Mapping[object, Polled],
    observed: Observed,
) -> Callable[..., Any]:
    """The wrapper of a selector's `select`, which a loop calls once in each turn."""

    def select(selector: Any, timeout: Any = None) -> Any:
        if polling and (loop := polling.get(selector)) is not None:
            loop.polled = True
        if observers:
            return observed(sys._getframe(1), (selector, timeout), {})
        return original(selector, timeout)

    def anyhow(selector: Any, *args: Any, **kwargs: Any) -> Any:
        if polling and (loop := polling.get(selector)) is not None:
            loop.polled = True
        if observers:
            return observed(sys._getframe(1), (selector, *args), kwargs)
        return original(selector, *args, **kwargs)

    return select if _takes_timeout(original) else anyhow


_POLLING = {each for each in polling_wrapper.__code__.co_consts if isinstance(each, CodeType)}
"""The code of these wrappers."""


def sees_polls_of(selector: object) -> bool:
    """Whether such a wrapper sees each poll of the selector, and knows it again."""
    kind = type(selector)
    code = getattr(getattr(kind, "select", None), "__code__", None)
    return code in _POLLING and kind.__hash__ is object.__hash__


def _takes_timeout(function: object) -> bool:
    """Whether it is a method in Python with the one argument `timeout`, which may be left out."""
    if type(function) is not FunctionType:
        return False
    code = function.__code__
    plain = not code.co_kwonlyargcount and not code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    return plain and code.co_varnames[: code.co_argcount] == ("self", "timeout") and function.__defaults__ == (None,)
