"""The frameworks beside Starlette and FastAPI: where their requests enter, and which module of ours knows one.

Loads a module of ours only where its framework is loaded. Imports no framework: it reads `sys.modules`.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.patches import Patch, attribute

_ROOMS = {
    "litestar.app": "litestar",
    "quart.app": "quart",
    "falcon.asgi.app": "falcon",
    "django.core.handlers.base": "django",
    "channels.consumer": "channels",
    "blacksheep.server.application": "blacksheep",
    "sanic.router": "sanic",
}
"""By the module that shows that the framework is loaded: the module of ours that names its endpoints."""

APPS = {
    "litestar.app": ("Litestar",),
    "quart.app": ("Quart",),
    "falcon.asgi.app": ("App",),
    "django.core.handlers.asgi": ("ASGIHandler",),
    "channels.routing": ("ProtocolTypeRouter", "URLRouter"),
    "channels.consumer": ("AsyncConsumer",),
    "blacksheep.server.application": ("Application",),
    "sanic.app": ("Sanic",),
}
"""Classes whose `__call__` takes scope, receive and send, by their modules."""

WITHOUT_ASGI = {
    "django.test.client": ("AsyncClientHandler", "__call__", "django"),
    "blacksheep.server.application": ("Application", "handle", "blacksheep"),
    "sanic.server.protocols.http_protocol": ("HttpProtocol", "__init__", "sanic"),
}
"""By module, where a request enters that is handed over in a form of the framework's own: class, method, and the module
of ours whose `entering` wraps it."""

PACKAGES = {module.partition(".")[0] for module in APPS} | {"asgiref", "django", "starlette", "fastapi"}
"""No code of these is the user's."""

MODULES = tuple(_ROOMS)
"""The modules that `patches` looks for."""

_NOT_ROUTED = {404, 405}
"""What these frameworks answer where no endpoint is for the request."""


def patches() -> Iterator[Patch]:
    """What tells the endpoint and the route of requests, of each framework that is loaded."""
    for shown, ours in _ROOMS.items():
        if shown in sys.modules:
            yield from room(ours).patches()


def room(ours: str) -> ModuleType:
    """The module of ours that knows one framework."""
    return import_module(f"{__package__}.{ours}")


def apps() -> Iterator[type]:
    """The classes of apps that are loaded."""
    for module, names in APPS.items():
        if module in sys.modules:
            yield from (kind for name in names if isinstance(kind := attribute(module, name), type))


def is_theirs(app: object) -> bool:
    """Whether the app is one of these frameworks'."""
    return issubclass(type(app), tuple(apps()))


def refused(record: LiveExchange) -> bool:
    """Whether one of these frameworks answered that it has no endpoint for the request."""
    return record.status in _NOT_ROUTED and is_theirs(record.app)
