"""Which routes of the entered apps were measured: nobody tests what nobody ran (pure)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_noblock.model.app_routes import AppRoute, AppRoutes

_MOST_APPS = 3
"""So many apps have a line of their own, those with most routes."""


class Asked(NamedTuple):
    """One request, as far as it says which route it was for."""

    request: str
    """`GET /users/7`."""
    route: str | None
    """The template that the framework told; of an app mounted by a way of its own only its last part."""
    endpoint: str | None
    measured: bool


class Coverage:
    """The routes of a run's apps, and which of them were measured."""

    def __init__(self, apps: Iterable[AppRoutes]) -> None:
        self.apps = _joined(apps)
        self._by_method: defaultdict[str, list[AppRoute]] = defaultdict(list)
        for app in self.apps:
            for route in app.routes:
                self._by_method[route.method].append(route)
        self._found: dict[tuple[str, str | None, str | None], tuple[AppRoute, ...]] = {}
        self.measured: set[AppRoute] = set()

    def __bool__(self) -> bool:
        return bool(self.apps)

    def add(self, asked: Asked) -> None:
        """Counts the routes that the request measured."""
        if asked.measured:
            self.measured.update(self.routes_of(asked))

    def routes_of(self, asked: Asked) -> tuple[AppRoute, ...]:
        """The routes that the request was for: as a rule one; where two apps have the same one, both."""
        method, _, path = asked.request.partition(" ")
        key = method, asked.route, asked.endpoint
        found = self._found.get(key)
        if found is None:
            likely = (each for each in self._by_method[method] if _may_be(each, asked))
            found = self._found[key] = _closest(tuple(likely), asked.route)
        return found if len(found) < 2 else tuple(each for each in found if _takes(each.path, path))

    def of(self, app: AppRoutes) -> tuple[int, int]:
        """How many routes of the app were measured, and how many there are."""
        return sum(each in self.measured for each in app.routes), len(app.routes)

    def share(self, named: str | None) -> tuple[int, int, str]:
        """As `of`, of the app with this name, else of all; and what they are called."""
        apps = [each for each in self.apps if each.name == named] or self.apps
        counts = [self.of(each) for each in apps]
        words = apps[0].name if len(apps) == 1 else f"{len(apps)} apps"
        return sum(measured for measured, _ in counts), sum(routes for _, routes in counts), words

    def lines(self, *, others: bool) -> Iterator[str]:
        """For the summary. `others`: lists the routes that were not measured."""
        for app in self.apps[:_MOST_APPS]:
            measured, routes = self.of(app)
            yield f"{measured} of {routes} routes of {app.name} were measured"
            if others:
                yield from (f"      not measured: {each.name}" for each in app.routes if each not in self.measured)
        if len(self.apps) > _MOST_APPS:
            yield f"and those of {len(self.apps) - _MOST_APPS} more apps"


def _joined(apps: Iterable[AppRoutes]) -> Sequence[AppRoutes]:
    """Those with most routes first; each xdist worker tells the same ones."""
    unique = dict.fromkeys(each for each in apps if each.routes)
    return sorted(unique, key=lambda app: (-len(app.routes), app.name))


def _may_be(route: AppRoute, asked: Asked) -> bool:
    if asked.route is None or not route.path.endswith(asked.route):
        return False
    return None in (route.endpoint, asked.endpoint) or route.endpoint == asked.endpoint


def _closest(likely: tuple[AppRoute, ...], route: str | None) -> tuple[AppRoute, ...]:
    """Those with the whole template, where there are some: `/users` is no request for `/api/users`."""
    return tuple(each for each in likely if each.path == route) or likely


def _takes(template: str, path: str) -> bool:
    _host, slash, rest = template.partition("/")
    parts = re.split(r"\{[^}]*\}", slash + rest)
    return re.fullmatch(".+".join(map(re.escape, parts)), path) is not None
