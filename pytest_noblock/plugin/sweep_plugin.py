"""The sweep in pytest: one item for every route of an app. The first of them that runs has all of them sent."""

import json
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_noblock.checks.plan import SAFE
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.many.seldom import full_collections_seldom
from pytest_noblock.model.shown import printable
from pytest_noblock.plugin import markers, options
from pytest_noblock.plugin.app_output import captured
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.outcome import ItemOutcome
from pytest_noblock.plugin.reporter import REPORTER, not_green
from pytest_noblock.plugin.selected import NODE, OF_WORKER, Selected
from pytest_noblock.plugin.sweep_checks import SweepChecks
from pytest_noblock.plugin.sweep_items import RouteItem, Routes
from pytest_noblock.plugin.sweep_progress import Progress
from pytest_noblock.plugin.swept_app import SweptApp

if TYPE_CHECKING:
    from pytest_noblock.plugin.reporter import Reporter
    from pytest_noblock.plugin.session import Session
    from pytest_noblock.sweep.outcome import RouteResult


class SweepPlugin:
    """Registered where `--noblock-sweep` asks for it, in each process that runs tests."""

    def __init__(self, config: pytest.Config, session: "Session", selected: Selected) -> None:
        """Raises UsageError."""
        self.selected = selected
        self.swept = SweptApp(config, session)
        self._config = config
        self._session = session
        self._checks = SweepChecks(config, self.swept, lambda: session.head.meter[0])
        self._in_worker = hasattr(config, "workerinput")  # xdist's
        self._ran = self._has_said = False
        self._counted = ""
        self._failure: str | None = None
        """Why nothing could be swept. The first item is red for it, the others are skipped."""
        self._red_for_all: str | None = None
        """The id of this first item."""
        self._reported: set[str] = set()
        self._while_routes = ExitStack()
        """What is so from the first route that runs to the next test, or to the end."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist's, in its controller: a worker is about to start."""
        node.workerinput[OF_WORKER] = [list(self.selected.routes), self.selected.alone]

    # --- what is collected

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Adds the routes before others choose among the items, or shuffle them."""
        collector: Routes = Routes.from_parent(session, name=NODE, nodeid=NODE)
        collector.plugin = self
        hook = session.ihook
        hook.pytest_collectstart(collector=collector)
        printed: list[tuple[str, str]] = []
        with captured(self._config, lambda *text: printed.append(text)):
            report = hook.pytest_make_collect_report(collector=collector)
        report.sections += [(f"Captured {stream}", text) for stream, text in printed]
        vars(report).pop("call", None)
        for item in report.result:
            hook.pytest_itemcollected(item=item)
        hook.pytest_collectreport(report=report)
        items.extend(report.result)

    def pytest_report_collectionfinish(self, config: pytest.Config) -> list[str]:
        """`--collect-only` has no summary: what the sweep does not see, and with `-v` what is left out on purpose."""
        if not config.option.collectonly or not self.swept.routes_are_known:
            return []
        quiet = () if config.get_verbosity() < 1 else self.swept.routes.left_out
        return [f"noblock: {printable(sentence)}" for sentence in (*self.swept.routes.problems, *quiet)]

    # --- the sweep

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """The first route that runs has all of them sent. One not exercised is skipped at its endpoint's line."""
        if not isinstance(item, RouteItem):
            self._while_routes.close()
        else:
            with captured(self._config, partial(item.add_report_section, "sweep")):
                self._run_all(item.session)
                if not item.result.ran and self._failure is None:
                    self._run([item.result])
            why = self._why_skipped(item.result)
            if why is not None:
                item.add_marker(pytest.mark.skip(reason=why))
        return (yield)

    def _run_all(self, session: pytest.Session) -> None:
        """Once. Where several workers sweep, each sends what changes something with its own item alone: else twice."""
        if self._ran:
            return
        self._ran = True
        self._while_routes.enter_context(full_collections_seldom())
        results = [each.result for each in session.items if isinstance(each, RouteItem)]
        results += self.swept.teachers([each.route for each in results])
        if self._in_worker:
            results = [each for each in results if each.route.method in SAFE]
        self._run(results)

    def _run(self, results: "Sequence[RouteResult]") -> None:
        with Progress(self._config) as progress:
            try:
                self._checks.run(results, progress.show)
            except LifespanFailed as error:
                self._failure = str(error)

    # --- the items

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Puts on record what is skipped: such an item has no call."""
        try:
            return (yield)
        finally:
            if isinstance(item, RouteItem):
                item.user_properties.append((options.ROUTES, self._counts(item.session)))
                item.user_properties.extend((options.SAID, sentence) for sentence in self._said())
                if self._why_skipped(item.result) is not None:
                    self._outcome(item).record(self._checks.not_exercised(item))

    def _said(self) -> tuple[str, ...]:
        """The sentences on what is no route, once; what is left out on purpose only with `-v`."""
        if self._has_said:
            return ()
        self._has_said = True
        routes = self.swept.routes
        return (*routes.problems, *(routes.left_out if self._config.get_verbosity("noblock") > 0 else ()))

    def _counts(self, session: pytest.Session) -> str:
        """How many routes the app has, and how many were selected; see `options.ROUTES`."""
        if not self._counted:
            selected = sum(isinstance(each, RouteItem) for each in session.items)
            routes = self.swept.routes
            self._counted = json.dumps([max(routes.operations, len(routes.routes)), selected])
        return self._counted

    def _why_skipped(self, result: "RouteResult") -> str | None:
        """The whole sentence; None where the item runs."""
        if self._failure is not None:
            return None if self._red_for_all is None else f"failed: the app did not start, see {self._red_for_all}"
        if result.suspect or result.mistake is not None or result.reason is None:
            return None
        return self.swept.given.values.hidden(result.sentence())

    def judge(self, item: RouteItem) -> None:
        """Puts the route's check on record. Fails the item, or skips it."""
        __tracebackhide__ = True
        result = item.result
        outcome = self._outcome(item)
        mistake = self._failure or result.mistake
        if mistake is not None:
            self._red_for_all = item.nodeid if self._failure is not None else None
            outcome.record(self._checks.unmeasured(item, mistake))
            pytest.fail(mistake, pytrace=False)
        check = self._checks.check(item)
        if check.outcome == "not-exercised":
            outcome.record(check)
            pytest.skip(self.swept.given.values.hidden(result.sentence()))
        outcome.fail_if_red(outcome.record(check))

    def _outcome(self, item: RouteItem) -> ItemOutcome:
        return ItemOutcome(item, markers.marked(item))

    # --- the end

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes which items came to their end."""
        if report.when == "teardown":
            self._reported.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tells what was measured of items that did not run, as after Ctrl-C or with `-x`, and stops the app."""
        with GUARD:
            self._tell_rest(session)
        with captured(self._config, lambda *_text: None):
            sentences = self.swept.stop()
        for sentence in sentences:
            self._session.fixtures.tell(sentence)
            not_green(session)

    def pytest_unconfigure(self) -> None:
        """Not before the summary, which would be late by a full collection."""
        self._while_routes.close()

    def _tell_rest(self, session: pytest.Session) -> None:
        reporter: Reporter | None = self._config.pluginmanager.get_plugin(REPORTER)
        if reporter is None or not self._ran:
            return
        for item in session.items:
            if isinstance(item, RouteItem) and item.nodeid not in self._reported and item.result.ran:
                reporter.add(item.nodeid, self._checks.of_rest(item), self._counts(session))
