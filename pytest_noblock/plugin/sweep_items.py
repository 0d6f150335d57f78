"""The items of a sweep: one for every route of the app."""

from typing import TYPE_CHECKING

import pytest

from pytest_noblock.checks.app_import import NotAnApp
from pytest_noblock.sweep.endpoints import place_of

if TYPE_CHECKING:
    from pytest_noblock.plugin.sweep_plugin import SweepPlugin
    from pytest_noblock.sweep.outcome import RouteResult
    from pytest_noblock.sweep.route import Route


class Routes(pytest.Collector):
    """Collects one item for each route of the app."""

    plugin: "SweepPlugin"

    def collect(self) -> "list[RouteItem]":
        """Raises CollectError, in one sentence."""
        problem = ""
        try:
            routes = self.plugin.swept.routes.routes
            return self.plugin.selected.among([self._item(each) for each in routes])
        except (NotAnApp, pytest.UsageError) as mistake:
            problem = str(mistake)
        raise self.CollectError(problem)  # outside the except block: what the user did wrong has no history

    def _item(self, route: "Route") -> "RouteItem":
        item: RouteItem = RouteItem.from_parent(self, name=route.name)
        item.plugin = self.plugin
        item.result = self.plugin.swept.result_of(route)
        return item


class RouteItem(pytest.Item):
    """One route under one method."""

    plugin: "SweepPlugin"
    result: "RouteResult"

    def runtest(self) -> None:
        """Fails where the route blocked, skips where it was not measured."""
        __tracebackhide__ = True
        self.plugin.judge(self)

    def reportinfo(self) -> tuple[str, int | None, str]:
        """The line of the endpoint's `def`; where none is known the first of the folder: pytest skips at lines only."""
        file, line = place_of(self.result.route.endpoint) or (str(self.path), 0)
        return file, line, self.name
