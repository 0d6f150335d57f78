"""The names that a frame sees, and what they stand for: its globals, its variables, what the source binds to them."""

import ast
import builtins
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

from pytest_noblock.calls.bindings import Bound, Imported
from pytest_noblock.calls.public_names import found_at, is_a
from pytest_noblock.calls.scopes import Place

NO_OBJECT = object()
"""Stands for an object of which only the type is known."""


class Inferred(NamedTuple):
    """An object and its type, or the type alone."""

    cls: type
    thing: object = NO_OBJECT


class FrameScope:
    """The names that a frame sees, and what was inferred from them: each link of a chain of calls is inferred once."""

    def __init__(
        self,
        namespace: Mapping[str, object],
        bound: Callable[[str], Bound | None] = lambda _name: None,
        *,
        variables: Mapping[str, object] | None = None,
        place: Callable[[ast.Name], Place] = lambda _name: "global",
    ) -> None:
        """`namespace`: the globals. `variables`: the frame's own; None: another thread runs it.

        `bound`: what the source binds to a name of which neither knows the value. `place`: whose a name is.
        """
        self.namespace = namespace
        self.variables = variables
        self._bound = bound
        self._place = place
        self._bindings: dict[ast.Name, Bound | None] = {}
        self.inferred: dict[ast.expr, Inferred | None] = {}
        self.names: dict[ast.expr, str | None] = {}
        """The names of what was called, see `resolve`."""

    def binding(self, name: ast.Name) -> Bound | None:
        """What the source binds to a name of which nobody knows the value; None for `row = row.next()`."""
        if name not in self._bindings:
            known = self._place(name) == "elsewhere" or self.value(name) is not None
            value = None if known else self._bound(name.id)
            itself = isinstance(value, ast.expr) and any(
                isinstance(each, ast.Name) and each.id == name.id for each in ast.walk(value)
            )
            self._bindings[name] = None if itself else value
        return self._bindings[name]

    def bound_to(self, name: ast.Name) -> Bound | None:
        """What the source binds to a name, whether or not its value is known."""
        return None if self._place(name) == "elsewhere" else self._bound(name.id)

    def value(self, name: ast.Name) -> Inferred | None:
        """What a name stands for; None where the values of its scope are not known."""
        match self._place(name):
            case "global":
                return _global(name.id, self)
            case "local":
                return read(self.variables, name.id)
            case "local or global":
                known = self.variables is not None
                return read(self.variables, name.id) or (_global(name.id, self) if known else None)
            case _:
                return None

    def imported(self, what: Imported) -> Inferred | None:
        """What an import has bound, if its module is there."""
        package = read(self.namespace, "__package__")
        module = what.module
        if module.startswith("."):
            if package is None or type(package.thing) is not str:
                return None
            up = len(module) - len(module.lstrip(".")) - 1
            module = ".".join([*package.thing.split(".")[: -up or None], *filter(None, [module.lstrip(".")])])
        found = sys.modules.get(module) if what.name is None else found_at(f"{module}.{what.name}")
        return None if found is None else inferred_of(found)

    @cached_property
    def own_package(self) -> str:
        """The top-level package of the frame's code; empty where it has none."""
        name = _global("__name__", self)
        return name.thing.partition(".")[0] if name and is_a(name.thing, str) else ""


def _global(name: str, scope: FrameScope) -> Inferred | None:
    found = read(scope.namespace, name)
    return inferred_of(vars(builtins)[name]) if found is None and name in vars(builtins) else found


def read(names: Mapping[str, object] | None, name: str) -> Inferred | None:
    if names is None:
        return None
    try:
        return inferred_of(names[name])
    except Exception:  # noqa: BLE001 - `exec` and metaclasses accept any mapping for the locals
        return None


def inferred_of(thing: object) -> Inferred:
    return Inferred(type(thing), thing)
