"""Wrappers of known calls, in the shape of the original: most calls are of no request, and must be passed on at once.

A function that takes any arguments needs twice as long for that as one with the arguments of the original. A test
client's request makes seventy such calls: its loop polls, wakes itself by its own socket, and is waited for.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType, FunctionType, MethodDescriptorType
from typing import Any, Protocol

from pytest_noblock.engine.now import now

__tracebackhide__ = True
"""pytest leaves this module's frames out of tracebacks: what a wrapped call raises is not ours."""


class Due(Protocol):
    """When somebody who waits for the GIL was due, and when it last had the GIL (ns)."""

    due: int
    seen: int


class Polled(Protocol):
    """Who counts the turns of a loop, by the polls of its selector."""

    polled: bool
    rings: Due

    def look_between_steps(self) -> None:
        """Called on the loop thread, which has the GIL, where somebody else is overdue. It may have waited itself."""
        ...


class Polling:
    """Who is told of the polls of which selector. Mostly there is one: to look in a dictionary takes as long again."""

    __slots__ = ("of_one", "one", "others")

    def __init__(self) -> None:
        self.one: object = None
        """A selector, and who is told of its polls."""
        self.of_one: Polled | None = None
        self.others: dict[object, Polled] = {}

    def tell(self, polled: Polled, selector: object) -> None:
        """Called by one thread at a time."""
        if self.of_one is None or self.one is selector:
            self.one, self.of_one = selector, polled
        else:
            self.others[selector] = polled

    def who(self, selector: object) -> Polled | None:
        """Who is told of the polls of this one. Another thread may have stopped it just now."""
        if self.one is selector:
            return self.of_one
        return self.others.get(selector) if self.others else None  # to hash a selector takes as long again

    def stop(self, polled: Polled) -> None:
        """Tell it of no poll any more. Any thread may call it."""
        if self.of_one is polled:
            self.one = self.of_one = None
        if self.others:
            for each in [each for each, told in self.others.copy().items() if told is polled]:
                self.others.pop(each, None)


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


def counting_wrapper(observed: Observed) -> Callable[..., Any]:
    """The wrapper that calls `observed` always: somebody counts these calls, whosever they are."""

    def counted(*args: Any, **kwargs: Any) -> Any:
        return observed(sys._getframe(1), args, kwargs)

    return counted


def polling_wrapper(
    original: Callable[..., Any],
    observers: Mapping[int, object],
    polling: Polling,
    observed: Observed,
) -> Callable[..., Any]:
    """The wrapper of a selector's `select`, which a loop calls once in each turn."""

    def select(selector: Any, timeout: Any = None) -> Any:
        loop = polling.of_one if polling.one is selector else polling.others and polling.who(selector)
        if not loop:  # another thread may have stopped it just now
            return observed(sys._getframe(1), (selector, timeout), {}) if observers else original(selector, timeout)
        loop.polled, rings = True, loop.rings
        if rings.seen < rings.due < now():  # a step that no request owns waited for the GIL, and the poll releases it
            loop.look_between_steps()
        try:
            return observed(sys._getframe(1), (selector, timeout), {}) if observers else original(selector, timeout)
        finally:
            if rings.seen < rings.due < now():  # the poll did, and the next step may release it
                loop.look_between_steps()

    return select if _takes_timeout(original) else _polling_anyhow(original, observers, polling, observed)


def _polling_anyhow(
    original: Callable[..., Any], observers: Mapping[int, object], polling: Polling, observed: Observed
) -> Callable[..., Any]:
    """The same of somebody else's `select`, which may take other arguments."""

    def anyhow(selector: Any, *args: Any, **kwargs: Any) -> Any:
        loop = polling.who(selector)
        if loop is not None:
            loop.polled = True
            loop.look_between_steps()
        try:
            if observers:
                return observed(sys._getframe(1), (selector, *args), kwargs)
            return original(selector, *args, **kwargs)
        finally:
            if loop is not None:
                loop.look_between_steps()

    return anyhow


_POLLING = {
    id(each)
    for wrapper in (polling_wrapper, _polling_anyhow)
    for each in wrapper.__code__.co_consts
    if isinstance(each, CodeType)
}
"""The codes of these wrappers, which live as long as this module. To hash one takes 2 us, and each request asks."""


def sees_polls_of(selector: object) -> bool:
    """Whether such a wrapper sees each poll of the selector, and knows it again."""
    kind = type(selector)
    code = getattr(getattr(kind, "select", None), "__code__", None)
    return id(code) in _POLLING and kind.__hash__ is object.__hash__


def _takes_timeout(function: object) -> bool:
    """Whether it is a method in Python with the one argument `timeout`, which may be left out."""
    if type(function) is not FunctionType:
        return False
    code = function.__code__
    plain = not code.co_kwonlyargcount and not code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    return plain and code.co_varnames[: code.co_argcount] == ("self", "timeout") and function.__defaults__ == (None,)
