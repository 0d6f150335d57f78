"""The hooks that a conftest.py may implement for the sweep (`--noblock-sweep`). Both are optional.

Where several conftest.py files or plugins implement one, they are called one after the other, the nearest conftest.py
first, until one returns something other than None.
"""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:  # every pytest run loads this module
    from pytest_noblock.sweep.request import Request
    from pytest_noblock.sweep.route import Route

hookspec = pluggy.HookspecMarker("pytest")
"""`pytest.hookspec` by its own name: only `plugin/` imports pytest."""


@hookspec(firstresult=True)
def pytest_noblock_app(app: object) -> object | None:
    """Called once, before the sweep looks at the routes of the app: set `dependency_overrides`, seed a database.

    Return another ASGI app to have that one swept, or None to keep `app`, whatever was changed of it. An app that is
    returned is the one that is swept, and no further implementation is called.
    """


@hookspec(firstresult=True)
def pytest_noblock_request(route: "Route", request: "Request") -> str | None:
    """Called for each route that is to be sent a request, with the request that was made for it.

    Called once more for a route whose request found nothing, where the answers of others have told other values since.

    `route`: `method`, `path` (the template), `endpoint` (the function), `operation` (its OpenAPI object, or None),
    `name` (`GET /users/{user_id}`). `request`: `url`, `params`, `headers`, `cookies`, `json`, `data`, `files` and
    `content`, under httpx's names; change it in place. Where a value could not be made, `url` still has its
    `{user_id}`: fill it in.

    Return a string to say why this route is not exercised: it is not sent, and no further implementation is called.
    Return None to have the request sent as it is now.
    """
