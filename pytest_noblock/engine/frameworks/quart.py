"""What only Quart knows. Read of it (seen on 0.22), and what is lost where a version lacks it.

* `Quart.full_dispatch_request`, `dispatch_request` and their twins for websockets, with `url_rule` and
  `routing_exception` of the request; `view_functions`. Lost: the names of route and endpoint, and whether it was
  reached.
"""

import functools
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pytest_noblock.engine.frameworks.noting import current, reached, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Dispatch = Callable[..., Awaitable[Any]]


def patches() -> Iterator[Patch]:
    app = attribute("quart.app", "Quart")
    for kind in ("request", "websocket"):
        if hasattr(app, f"full_dispatch_{kind}") and hasattr(app, f"dispatch_{kind}"):
            yield Patch(app, f"full_dispatch_{kind}", functools.partial(_noting_route, f"{kind}_ctx"))
            yield Patch(app, f"dispatch_{kind}", functools.partial(_noting_call, f"{kind}_ctx"))


def _noting_route(context_name: str, original: Dispatch) -> Dispatch:
    @functools.wraps(original)
    def full_dispatch(app: Any, context: Any = None) -> Awaitable[Any]:
        if current() is not None:
            guarded(_note, app, _matched(context, context_name))
        return original(app, context)

    return full_dispatch


def _noting_call(context_name: str, original: Dispatch) -> Dispatch:
    @functools.wraps(original)
    def dispatch(app: Any, context: Any = None) -> Awaitable[Any]:
        if current() is not None and guarded(_calls_view, _matched(context, context_name)):
            reached()
        return original(app, context)

    return dispatch


def _matched(context: Any, name: str) -> Any:
    """The request, or the websocket; Flask's convention leaves the context out."""
    found = context or getattr(sys.modules.get("quart.globals"), name)
    return getattr(found, name.removesuffix("_ctx"))


def _note(app: Any, request: Any) -> None:
    if request.url_rule is not None and request.routing_exception is None:
        routed(app.view_functions.get(request.url_rule.endpoint), request.url_rule.rule)


def _calls_view(request: Any) -> bool:
    rule = request.url_rule
    return rule is not None and not (request.method == "OPTIONS" and rule.provide_automatic_options)
