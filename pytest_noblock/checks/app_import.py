"""Finds the app: an import string, a factory, or what the project's own fixture returns."""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pytest_noblock.engine.exchange import ASGIApp


class NotAnApp(Exception):
    """The user named something that is no ASGI app. The message is a whole sentence for the user."""


def resolved(given: object, folder: str, source: str) -> "ASGIApp":
    """The ASGI app that `given` is, names (`pkg.mod:app`) or builds.

    `folder`: where modules are looked for. `source`: the user's words for `given`, with which a message begins. Raises
    NotAnApp.
    """
    found = _imported(given, folder, source) if isinstance(given, str) else given
    if _is_factory(found):
        found = _built(cast("Callable[[], object]", found), source)
    problem = _problem(found)
    if problem:
        raise NotAnApp(f"{source} is not an ASGI app: {problem}")
    return cast("ASGIApp", found)


def _imported(name: str, folder: str, source: str) -> object:
    module_name, _colon, attribute = name.partition(":")
    attribute = attribute.removesuffix("()")
    if not module_name or not attribute:
        raise NotAnApp(f"{source} is not of the form pkg.mod:app")
    if folder not in sys.path:  # as uvicorn does, and for good: the app may import by it later
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise NotAnApp(f"{source} cannot be imported: {type(error).__name__}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise NotAnApp(f"{source} cannot be found: module {module_name!r} has no attribute {attribute!r}")
        found = getattr(found, part)
    return found


def _built(factory: Callable[[], object], source: str) -> object:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise NotAnApp(f"{source} is a factory that failed: {type(error).__name__}: {error}") from error


def _is_factory(found: object) -> bool:
    """Whether `found` is a plain function, method or class that takes no arguments. No ASGI app is one of these."""
    if not (inspect.isfunction(found) or inspect.isclass(found) or inspect.ismethod(found)):
        return False
    if inspect.iscoroutinefunction(found):
        return False
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):
        return False
    return True


def _problem(found: object) -> str | None:
    """Why `found` cannot be an ASGI 3 app; None where it can be one."""
    if inspect.iscoroutine(found) or inspect.isasyncgen(found):
        return (
            "it is what an async fixture returns when nobody awaits it; make the fixture a plain def, "
            "or override noblock_app with one"
        )
    if not callable(found):
        return f"{_named(found)} cannot be called"
    if hasattr(found, "wsgi_app"):
        return f"{_named(found)} is a WSGI app; wrap it in an ASGI adapter"
    return _wrong_signature(found)


def _wrong_signature(found: Callable[..., object]) -> str | None:
    try:
        inspect.signature(found).bind("scope", "receive", "send")
    except TypeError:
        return f"{_named(found)} does not take (scope, receive, send)"
    except ValueError:  # a callable written in C has no signature
        return None
    return None


def _named(found: object) -> str:
    return f"{type(found).__module__}.{type(found).__qualname__}".removeprefix("builtins.") + " object"
