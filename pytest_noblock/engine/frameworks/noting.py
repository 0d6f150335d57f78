"""What a framework tells of a request, written into its record. For the modules that know one framework each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from pytest_noblock.engine.exchange import CURRENT, LiveExchange, Scope
from pytest_noblock.engine.guard import guarded

Parts = AsyncIterator[Any]
Streams = Callable[[Any, Callable[[Parts], Parts]], bool]
"""Takes an answer whose body is still to be made, and exchanges that for what the function returns for it; returns
False where the body is there already."""


class Handled(Protocol):
    """Awaits the call that answers a request, and records it."""

    def __call__(
        self, app: object, scope: Scope, call: Callable[[], Awaitable[Any]], streams: Streams | None = None, /
    ) -> Awaitable[Any]:
        """`scope`: what is known of the request, in the form of a scope."""


class Route(NamedTuple):
    """In the place of Starlette's route: see `LiveExchange.route`."""

    path: str | None


def routed(endpoint: object, template: object) -> None:
    """The framework has found this endpoint for the request; `reached` says that it is called."""
    guarded(_routed, endpoint, template)


def _routed(endpoint: object, template: object) -> None:
    record = CURRENT.get()
    if record is not None:
        path = template if isinstance(template, str) else None
        # a copy of ours: the app never sees these keys
        record.scope = {**record.scope, "endpoint": endpoint, "route": Route(path)}
        if record.entered is None:
            record.entered = False


def reached() -> None:
    """The framework calls the endpoint now."""
    record = CURRENT.get()
    if record is not None:
        record.entered = True


def calling(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which notes that it is called; it adds nothing to a traceback's end."""

    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        reached()
        return function(*args, **kwargs)

    return call


def current() -> LiveExchange | None:
    """The request whose step it is."""
    return CURRENT.get()
