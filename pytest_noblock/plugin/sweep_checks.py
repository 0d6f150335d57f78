"""The check of each route: what its item puts on record."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.acceptance.allowances import accept
from pytest_noblock.checks.assemble import Subject, not_exercised, unmeasured, with_route
from pytest_noblock.model.measured import UNMEASURED
from pytest_noblock.plugin import markers, options
from pytest_noblock.plugin.sweep_requests import SweepRequests
from pytest_noblock.report.sweep import AWAITS_NOTHING
from pytest_noblock.sweep.endpoints import awaits_nothing
from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.run import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_noblock.model.check import Check
    from pytest_noblock.model.observation import Meter
    from pytest_noblock.plugin.sweep_items import RouteItem
    from pytest_noblock.plugin.swept_app import SweptApp
    from pytest_noblock.sweep.outcome import RouteResult

_ENDED = "it may have held the event loop, and the run ended before it was sent again, alone"


class SweepChecks:
    """The sweep of the session, and what it says of each route."""

    def __init__(self, config: pytest.Config, swept: "SweptApp", meter: "Callable[[], Meter]") -> None:
        self._config = config
        self._swept = swept
        self._meter = meter

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self._swept.app, self._swept.apps, options.of_run(self._config).plan, self._meter())

    @cached_property
    def _harvest(self) -> Harvest:
        """One for all runs: in a worker of xdist's what changes something is sent later than the rest."""
        return Harvest(self._swept.routes.routes)

    def run(self, results: "Sequence[RouteResult]", progress: "Callable[[int, int], None]") -> None:
        """Raises LifespanFailed."""
        self._sweep.run(results, self._requests(progress))

    def _requests(self, progress: "Callable[[int, int], None]") -> SweepRequests:
        plan = options.of_run(self._config).plan
        values = self._swept.given.values.for_routes(each.template for each in self._swept.routes.routes)
        return SweepRequests(self._config, values, plan, progress, self._swept.told, self._harvest)

    def check(self, item: "RouteItem") -> "Check":
        """Of a route that was sent; a suspect is sent again, alone."""
        result = item.result
        check = with_route(self._sweep.check(item.nodeid, result), result.route.template)
        if check.outcome != "failed" and result.reason is not None:
            return self.not_exercised(item)
        if result.reason is not None:
            return replace(check, notes=(*check.notes, f"{UNMEASURED}{result.reason}, {result.words}"))
        if awaits_nothing(result.route.endpoint):
            return replace(check, notes=(*check.notes, AWAITS_NOTHING))
        return check

    def not_exercised(self, item: "RouteItem") -> "Check":
        result = item.result
        notes = (self._swept.given.values.hidden(result.words),) if result.words else ()
        return not_exercised(self._subject(item), result.route.template, result.reason or "failed", notes)

    def unmeasured(self, item: "RouteItem", why: str) -> "Check":
        """The check of a route that is red, and of which nothing is known; `why`: a sentence."""
        return with_route(unmeasured(self._subject(item), why), item.result.route.template)

    def of_rest(self, item: "RouteItem") -> "Check":
        """The check of an item that did not run: nothing is sent any more."""
        result = item.result
        if result.mistake is not None:
            return self.unmeasured(item, result.mistake)
        if result.suspect:
            return self._as_recorded(item)
        return self.not_exercised(item) if result.reason is not None else self.check(item)

    def _subject(self, item: "RouteItem") -> Subject:
        limit = options.of_run(self._config).limits.max_block
        return Subject(item.nodeid, item.result.route.name, limit, self._meter())

    def _as_recorded(self, item: "RouteItem") -> "Check":
        """Of a suspect, by what was recorded of it."""
        check = self._sweep.recorded(item.nodeid, item.result)
        if check is None:
            return self.unmeasured(item, _ENDED)
        return accept(with_route(check, item.result.route.template), markers.allowances(markers.marked(item)))
