"""Whole checks as JSON text, which travels from the process that ran a test to the process that writes the reports.

A Check is a tree of named tuples, dataclasses and tuples. `encode` writes their fields by name; `decode` follows the
annotations of the same classes, so that a new field travels without a line here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, SimpleNamespace
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    NotRequired,
    TypedDict,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pytest_noblock.model.app_routes import AppRoutes
from pytest_noblock.model.check import Check
from pytest_noblock.model.observation import Meter

if TYPE_CHECKING:
    from pytest_noblock.report.routes import RouteRow

T = TypeVar("T")

_STAYS = "response"
"""The one field that does not travel: an `httpx.Response` of the user's test."""


class Environment(TypedDict):
    """Where the run took place."""

    python: str
    platform: str
    meter: Meter
    loop: str
    """The event loops that ran, joined by commas: `asyncio`, `trio,uvloop`."""
    version: NotRequired[str]
    """Of pytest-noblock."""
    root: NotRequired[str]
    """The name of the folder that the files of findings are relative to."""
    folder: NotRequired[str]
    """Where this folder lies in its repository, `services/api`; `.` for its top, empty where none is known."""
    ended: NotRequired[bool]
    """False where the run was stopped before its end: there may have been more to measure."""


class Run(NamedTuple):
    """What a report is rendered from: all checks, sorted by their test, those of one test in the order of recording."""

    environment: Environment
    checks: tuple[Check, ...]
    apps: tuple[AppRoutes, ...] = ()
    """The apps that requests of tests entered, with all of their routes."""
    routes: "tuple[RouteRow, ...] | None" = None
    """None: the routes of `checks`."""
    quiet: Mapping[str, int] = MappingProxyType({})
    """How many checks there were besides, by outcome: those of a merge that say nothing but their outcome."""
    tests: int | None = None
    """How many tests there were; None: the tests of `checks`."""
    failed: frozenset[str] | None = None
    """The ids of the tests that failed, for whatever reason; None where that is not known."""


def encode(check: Check) -> str:
    return json.dumps(_plain(check), separators=(",", ":"))


def decode(text: str) -> Check:
    """The Check that `encode` wrote. Other text may raise KeyError or TypeError."""
    return cast("Check", _value(Check, json.loads(text)))


def _plain(value: Any) -> Any:
    """The value as JSON knows it: a named tuple or a dataclass becomes a dict of its fields."""
    names = _names(type(value))
    if names:
        return {name: _plain(getattr(value, name)) for name in names if name != _STAYS}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _names(kind: Any) -> tuple[str, ...]:
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind))
    return tuple(getattr(kind, "_fields", ()))


def _value(hint: Any, plain: Any) -> Any:
    """The value of the annotation `hint` that `plain` was written for."""
    if plain is None:
        return None
    return _reader(hint)(plain)


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) is tuple:
        item, *rest = get_args(hint)
        if rest == [...]:
            return lambda plain: tuple(_value(item, each) for each in plain)
        return lambda plain: tuple(map(_value, (item, *rest), plain))
    if isinstance(hint, type) and _names(hint):
        return _fields_reader(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    others = [each for each in get_args(hint) if each is not NoneType]
    if len(others) == 1 and NoneType in get_args(hint):
        return _reader(others[0])
    return lambda plain: plain  # text, numbers and literals


def _fields_reader(kind: type[T]) -> Callable[[Any], T]:
    hints = get_type_hints(kind, localns={"httpx": SimpleNamespace(Response=object)})
    return lambda plain: kind(**{name: _value(hints[name], value) for name, value in plain.items()})
