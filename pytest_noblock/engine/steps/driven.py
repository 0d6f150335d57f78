"""Coroutines that are resumed by us, in the place of whoever resumes them."""

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pytest_noblock.engine.raw_stacks import border

border(__file__, inside=("send", "throw", "__next__"))

T = TypeVar("T")


class Driven(Coroutine[Any, Any, T]):
    """Wraps a coroutine; `_resume` may do something around each resumption. In all else it behaves as that one does."""

    def __init__(self, call: Coroutine[Any, Any, T]) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)  # `cr_frame` and the like, which whoever prints tasks reads

    def send(self, value: Any) -> Any:
        __tracebackhide__ = True
        return self._resume(self._call.send, value)

    def throw(self, *error: Any) -> Any:
        __tracebackhide__ = True
        return self._resume(self._call.throw, *error)

    def close(self) -> None:
        self._call.close()

    def __await__(self) -> "Driven[T]":  # the iterator that `await` sends to and throws at
        return self

    def __iter__(self) -> "Driven[T]":
        return self

    def __next__(self) -> Any:
        __tracebackhide__ = True
        return self.send(None)

    @abstractmethod
    def _resume(self, resume: Callable[..., Any], *given: Any) -> Any: ...
