"""Which client a test has whose requests nobody watches; asked for tests in which no request was seen alone.

The packages were tried with the versions in brackets; each calls the app past every entrance of
`engine/asgi/entry_points.py`, or is no client of an app in this process at all.
"""

import sys
from types import ModuleType

import pytest

_CALLS_APP_ITSELF = "calls the app past noblock: send them with httpx.AsyncClient(transport=httpx.ASGITransport(app))"
_ELSEWHERE = "is not watched where the server runs in another process"
_CLIENTS = {
    "litestar.testing": _CALLS_APP_ITSELF,  # 2.25
    "quart.testing": _CALLS_APP_ITSELF,  # 0.22
    "django.test": _CALLS_APP_ITSELF,  # 5.2
    "asgiref.testing": _CALLS_APP_ITSELF,  # 3.11
    "channels.testing": _CALLS_APP_ITSELF,  # 4.3
    "falcon.testing": _CALLS_APP_ITSELF,  # 4.4
    "blacksheep.testing": _CALLS_APP_ITSELF,  # 2.6
    "robyn.testing": _CALLS_APP_ITSELF,  # 0.88
    "requests": _ELSEWHERE,
    "urllib3": _ELSEWHERE,
    "aiohttp": _ELSEWHERE,
    "niquests": _ELSEWHERE,
    "playwright": _ELSEWHERE,
    "selenium": _ELSEWHERE,
}
"""By the module that a client comes from: what becomes of its requests."""


def client_of(item: pytest.Item) -> str | None:
    """`litestar.testing calls the app past noblock: ...`; None where the test has no such client.

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
