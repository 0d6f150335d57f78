"""Finds the app: an import string, a factory, or what the project's own fixture returns."""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from pytest_noblock.model import shown

if TYPE_CHECKING:
    from pytest_noblock.engine.exchange import ASGIApp


class NotAnApp(Exception):
    """The user named something that is no ASGI app. The message is a whole sentence for the user."""


def resolved(given: object, folder: str, source: str) -> "ASGIApp":
    """The ASGI app that `given` is, names (`pkg.mod:app`) or builds.

    `folder`: where modules are looked for. `source`: the user's words for `given`, with which a message begins. Raises
    NotAnApp.
    """
    from pytest_noblock.engine.steps.python_threads import app_starts

    with app_starts():  # a client that a module of the app makes may start a thread at once, and run its own code alone
        found = _imported(given, folder, shown.one_line(source)) if isinstance(given, str) else given
        if _is_factory(found):
            found = _built(cast("Callable[[], object]", found), source, folder)
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
        raise NotAnApp(f"{source} cannot be imported: {shown.error(error)}{_where(error, folder)}") from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise NotAnApp(f"{source} cannot be found: module {module_name!r} has no attribute {attribute!r}") from None
        except Exception as error:  # a module's `__getattr__`, a property
            raise NotAnApp(f"{source} cannot be found: {shown.error(error)}{_where(error, folder)}") from error
    return found


def _built(factory: Callable[[], object], source: str, folder: str) -> object:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise NotAnApp(f"{source} is a factory that failed: {shown.error(error)}{_where(error, folder)}") from error


def _where(error: BaseException, folder: str) -> str:
    """` at app/main.py:12 in connect`: the innermost user line, where there is one."""
    from pytest_noblock.engine.errors import place, told
    from pytest_noblock.engine.usercode import UserCode

    at = place(told(error), UserCode(folder))
    return "" if at is None else f" at {at}"


def _is_factory(found: object) -> bool:
    """Whether `found` is a plain function, method or class that takes no arguments. No ASGI app is one of these."""
    if not (inspect.isfunction(found) or inspect.isclass(found) or inspect.ismethod(found)):
        return False
    if inspect.iscoroutinefunction(found):
        return False
    return _binds(found)


def _binds(found: Callable[..., object], *arguments: str, unknown: bool = False) -> bool:
    """Whether `found` can be called with so many arguments; `unknown`: where it does not show what it takes."""
    try:
        signature = _signature(found)
    except Exception:  # noqa: BLE001  # a callable in C has no signature; another's attributes may raise
        return unknown
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def _signature(found: Callable[..., object]) -> inspect.Signature:
    """Of an object, that of its class's `__call__`: a `__getattr__` that answers to all names answers for the rest."""
    call = inspect.getattr_static(type(found), "__call__", None)
    return inspect.signature(call.__get__(found) if inspect.isfunction(call) else found)


def _problem(found: object) -> str | None:
    """Why `found` cannot be an ASGI 3 app; None where it can be one."""
    if inspect.iscoroutine(found) or inspect.isasyncgen(found):
        return (
            "it is what an async fixture returns when nobody awaits it; make the fixture a plain def, "
            "or override noblock_app with one"
        )
    if not callable(found):
        return f"{_named(found)} cannot be called"
    if inspect.getattr_static(type(found), "wsgi_app", None) is not None:
        return f"{_named(found)} is a WSGI app; wrap it in an ASGI adapter"
    if _binds(found, "scope", "receive", "send", unknown=True):
        return None
    return f"{_named(found)} does not take (scope, receive, send){_why_no_factory(found)}"


def _why_no_factory(found: Callable[..., object]) -> str:
    """Why a function or class that builds the app, perhaps, was not called."""
    if inspect.iscoroutinefunction(found) and _binds(found):
        return "; a factory is a plain def: override the noblock_app fixture to await this one"
    if inspect.isfunction(found) or inspect.isclass(found) or inspect.ismethod(found):
        return "; a factory takes no arguments: override the noblock_app fixture to give it some"
    return ""


def _named(found: object) -> str:
    return f"{type(found).__module__}.{type(found).__qualname__}".removeprefix("builtins.") + " object"
