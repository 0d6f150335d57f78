"""The apps that requests of tests entered, in the process that runs the tests; loaded with the first of them.

Of apps that are made anew for each test one stands for all that have the same routes. It is kept until the end of the
run, because only then its routes are asked for: that may make the app's OpenAPI document, which takes time, and which
the app keeps.
"""

import sys
from collections.abc import Iterable
from functools import cached_property

from pytest_noblock.engine.endpoints import dotted
from pytest_noblock.engine.frameworks.reached import apps_in
from pytest_noblock.engine.frameworks.shown_routes import routes_key
from pytest_noblock.engine.guard import noted

_MOST_APPS = 50
"""A suite of a framework makes thousands of apps: of these nobody wants to know."""

Told = list[object]
"""What travels to the controller: the app's name, and method, path, endpoint and name of each route."""


class EnteredApps:
    """Apps, each once."""

    def __init__(self) -> None:
        self._kept: dict[object, tuple[object, str | None]] = {}
        """By what the routes of an app are: the app, and its name where the user gave it one."""

    def note(self, app: object, named: str | None = None) -> None:
        """A request enters this app, for the first time. On the thread that runs it; nothing may be raised there."""
        if len(self._kept) >= _MOST_APPS:
            return
        try:
            key = routes_key(app)
            if key is not None and (key not in self._kept or named is not None):
                self._kept[key] = app, named
        except Exception as error:  # noqa: BLE001  # ours, and not the user's
            noted(error)

    def told(self) -> list[Told]:
        """The routes of all of them."""
        from pytest_noblock.sweep.routes import routes_of

        found: list[Told] = []
        names = _Names(app for app, _named in self._kept.values())
        for app, named in self._kept.values():
            try:
                routes = routes_of(app).routes
                endpoints = [dotted(each.endpoint) if each.endpoint is not None else None for each in routes]
                named_routes = zip(routes, endpoints, strict=True)
                rows = [[each.method, each.template, name, each.name] for each, name in named_routes]
                found.append([named or names.of(app, filter(None, endpoints)), rows])
            except Exception as error:  # noqa: BLE001  # ours, and not the user's
                noted(error)
        return found


class _Names:
    """Where the modules have the apps. They are asked once for all apps: a process has 100,000 names and more."""

    def __init__(self, apps: Iterable[object]) -> None:
        self._inside = {id(app): list(apps_in(app)) for app in apps}

    def of(self, app: object, endpoints: Iterable[str]) -> str:
        """`app.main:app`; where no module has the app, the module of its first endpoint."""
        names = [name for each in self._inside[id(app)] for name in self._found.get(id(each), ())]
        if names:
            return min(names, key=lambda name: (name.startswith("test"), len(name), name))
        module = next(iter(endpoints), type(app).__module__).rpartition(".")[0]
        return f"an app of {module.partition('.<locals>')[0]}"

    @cached_property
    def _found(self) -> dict[int, list[str]]:
        wanted: dict[int, list[str]] = {id(each): [] for inside in self._inside.values() for each in inside}
        for module, loaded in list(sys.modules.items()):
            names = dict(getattr(loaded, "__dict__", {}))
            if not (wanted.keys().isdisjoint(map(id, names.values())) or module.startswith("pytest_noblock.")):
                for name, value in names.items():
                    if id(value) in wanted:
                        wanted[id(value)].append(f"{module}:{name}")
        return wanted
