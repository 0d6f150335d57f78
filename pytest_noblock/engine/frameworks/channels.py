"""What only Channels knows. Read of it (seen on 4.3), and what is lost where a version lacks it.

* `URLRouter.__call__` with its `routes`, and `AsyncConsumer.__call__`. Lost: the names of route and consumer.
"""

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pytest_noblock.engine.frameworks.noting import Route, current, reached, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Call = Callable[..., Awaitable[None]]


def patches() -> Iterator[Patch]:
    consumer = attribute("channels.consumer", "AsyncConsumer")
    if consumer is not None:
        yield Patch(consumer, "dispatch", _noting_consumer)
    router = attribute("channels.routing", "URLRouter")
    if router is not None:
        yield Patch(router, "__call__", _noting_route)


def _noting_consumer(original: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
    @functools.wraps(original)
    def dispatch(consumer: Any, message: Any) -> Awaitable[None]:
        guarded(_note_consumer, consumer)
        return original(consumer, message)

    return dispatch


def _note_consumer(consumer: Any) -> None:
    record = current()
    if record is not None and not record.entered:
        route = record.scope.get("route")
        routed(type(consumer), route.path if isinstance(route, Route) else None)
        reached()


def _noting_route(original: Call) -> Call:
    @functools.wraps(original)
    def __call__(router: Any, scope: Any, *args: Any, **kwargs: Any) -> Awaitable[None]:
        if current() is not None:
            guarded(_note_route, router, scope)
        return original(router, scope, *args, **kwargs)

    return __call__


def _note_route(router: Any, scope: Any) -> None:
    record = current()
    path = scope.get("path_remaining", scope.get("path", "").removeprefix(scope.get("root_path", "")).lstrip("/"))
    found = next((each for each in router.routes if each.pattern.match(path)), None)
    if record is not None and found is not None:
        outer = record.scope.get("route")
        before = outer.path or "" if isinstance(outer, Route) else "/"
        record.scope = {**record.scope, "route": Route(f"{before}{found.pattern}")}
