"""Where the requests of a test went in which none was seen; asked for such tests alone.

The best answer is a count of what the test's clients sent (`client_calls.Sent`). Of some clients nobody counts: where
the test has one of these, it is named.
"""

import sys
from types import ModuleType

import pytest

_ELSEWHERE = "is not watched where the server runs in another process"
_WSGI = "calls the app as WSGI, where no event loop runs: send them with"
_CLIENTS = {
    "django.test": f"{_WSGI} AsyncClient",  # its `Client`, 5.2; its `AsyncClient` is seen
    "flask.testing": f"{_WSGI} an ASGI client",  # 3.1
    "robyn.testing": "calls no ASGI app: noblock cannot watch it",  # 0.88
    "niquests": _ELSEWHERE,
    "playwright": _ELSEWHERE,
    "selenium": _ELSEWHERE,
}
"""By the module that a client comes from, with the version it was seen on: what becomes of its requests."""

if sys.version_info < (3, 12):  # where the look (`engine/asgi/look.py`) cannot be
    _CLIENTS["asgiref.testing"] = "calls the app past noblock: send them with httpx.ASGITransport, or on Python 3.12"


def where_sent(item: pytest.Item, sent: tuple[str, int] | None) -> str | None:
    """What the summary and a red test say; None where nothing is known. `sent`: which client sent how many requests."""
    return client_of(item) if sent is None else counted(*sent)


def counted(client: str, count: int) -> str:
    """`requests.Session.send sent 2 requests, and none entered ...`."""
    requests, none = ("1 request", "it did not enter") if count == 1 else (f"{count} requests", "none entered")
    return f"{client} sent {requests}, and {none} an app that noblock can watch (in another process it cannot)"


def client_of(item: pytest.Item) -> str | None:
    """`playwright is not watched where ...`; None where the test has no such client.

    It looks at the values of the test's fixtures, then at what its module imports.
    """
    if not any(name in sys.modules for name in _CLIENTS):
        return None
    fixtures = getattr(item, "funcargs", {}) or {}
    module = getattr(getattr(item, "module", None), "__dict__", {})
    names = [*map(_origin, fixtures.values()), *map(_origin, list(module.values()))]
    return next((found for name in names if (found := _told(name)) is not None), None)


def _told(origin: str) -> str | None:
    name = next((each for each in _CLIENTS if origin == each or origin.startswith(f"{each}.")), None)
    return None if name is None else f"{name} {_CLIENTS[name]}"


def _origin(value: object) -> str:
    """The module that a value is, or comes from; no attribute of the user's own is asked for."""
    if isinstance(value, ModuleType):
        return str(vars(value).get("__name__", ""))
    module = vars(value).get("__module__") if isinstance(value, type) else type(value).__module__
    return module if isinstance(module, str) else ""
