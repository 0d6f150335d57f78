"""What only Falcon knows. Read of it (seen on 4.4), and what is lost where a version lacks it.

* `falcon.asgi.App._get_responder`, which returns responder, parameters, resource and template. Lost: the names of
  route and endpoint, and whether it was reached.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from pytest_noblock.engine.frameworks.noting import calling, current, routed
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch, attribute

Find = Callable[[Any, Any], tuple[Any, ...]]


def patches() -> Iterator[Patch]:
    app = attribute("falcon.asgi.app", "App")
    if hasattr(app, "_get_responder"):
        yield Patch(app, "_get_responder", _noting_route)


def _noting_route(original: Find) -> Find:
    @functools.wraps(original)
    def _get_responder(app: Any, request: Any) -> tuple[Any, ...]:
        found = original(app, request)
        return found if current() is None else guarded(_note, found) or found

    return _get_responder


def _note(found: tuple[Any, ...]) -> tuple[Any, ...]:
    responder, *rest = found
    if str(getattr(responder, "__module__", "")).partition(".")[0] == "falcon":  # it answers 404 or 405
        return found
    routed(responder, rest[-1])
    return calling(responder), *rest
