"""The sweep in pytest: one item for every route of an app. The first of them that runs has all of them sent."""

import json
from collections.abc import Generator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_noblock.checks.app_import import NotAnApp, resolved
from pytest_noblock.checks.assemble import Subject, not_exercised, unmeasured, with_route
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.errors import told, words
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.measured import UNMEASURED
from pytest_noblock.model.shown import printable
from pytest_noblock.plugin import markers, options, sweep_options
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.outcome import ItemOutcome
from pytest_noblock.plugin.reporter import REPORTER
from pytest_noblock.plugin.selected import NODE, OF_WORKER, Selected
from pytest_noblock.plugin.sweep_progress import Progress
from pytest_noblock.plugin.sweep_requests import SweepRequests
from pytest_noblock.report.sweep import AWAITS_NOTHING
from pytest_noblock.sweep import routes as app_routes
from pytest_noblock.sweep.endpoints import awaits_nothing, place_of
from pytest_noblock.sweep.openapi import Unreadable, parse
from pytest_noblock.sweep.outcome import RouteResult, teachers
from pytest_noblock.sweep.run import Sweep

if TYPE_CHECKING:
    from pytest_noblock.checks.running_apps import RunningApps
    from pytest_noblock.engine.exchange import ASGIApp
    from pytest_noblock.model.check import Check
    from pytest_noblock.plugin.reporter import Reporter
    from pytest_noblock.plugin.session import Session
    from pytest_noblock.sweep.openapi import Document
    from pytest_noblock.sweep.route import Route
    from pytest_noblock.sweep.routes import Routes

_NO_ROUTES = (
    "it is neither FastAPI's nor Starlette's, or nothing is added to it; "
    "--noblock-openapi=FILE names the OpenAPI document of any other app"
)


class SweptApp(pytest.Collector):
    """Collects one item for each route of the app."""

    plugin: "SweepPlugin"

    def collect(self) -> "list[RouteItem]":
        """Raises CollectError, in one sentence."""
        problem = ""
        try:
            return self.plugin.selected.among([self._item(each) for each in self.plugin.routes.routes])
        except (NotAnApp, pytest.UsageError) as mistake:
            problem = str(mistake)
        raise self.CollectError(problem)  # outside the except block: what the user did wrong has no history

    def _item(self, route: "Route") -> "RouteItem":
        item: RouteItem = RouteItem.from_parent(self, name=route.name)
        item.plugin = self.plugin
        item.result = self.plugin.result_of(route)
        return item


class RouteItem(pytest.Item):
    """One route under one method."""

    plugin: "SweepPlugin"
    result: RouteResult

    def runtest(self) -> None:
        """Fails where the route blocked, skips where it was not measured."""
        __tracebackhide__ = True
        self.plugin.judge(self)

    def reportinfo(self) -> tuple[str, int | None, str]:
        """The line of the endpoint's `def`; where none is known the first of the folder: pytest skips at lines only."""
        file, line = place_of(self.result.route.endpoint) or (str(self.path), 0)
        return file, line, self.name


class SweepPlugin:
    """Registered where `--noblock-sweep` asks for it, in each process that runs tests."""

    def __init__(self, config: pytest.Config, session: "Session", selected: Selected) -> None:
        """Raises UsageError."""
        self.selected = selected
        self._config = config
        self._session = session
        self._given = sweep_options.read(config)
        self._root = str(config.rootpath)
        self._ran = self._has_said = False
        self._failure: str | None = None
        """Why nothing could be swept. The first item is red for it, the others are skipped."""
        self._red_for_all: str | None = None
        """The id of this first item."""
        self._reported: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist's, in its controller: a worker is about to start."""
        node.workerinput[OF_WORKER] = [list(self.selected.routes), self.selected.alone]

    # --- what there is to sweep

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Adds the routes before others choose among the items, or shuffle them."""
        collector: SweptApp = SweptApp.from_parent(session, name=NODE, nodeid=NODE)
        collector.plugin = self
        hook = session.ihook
        hook.pytest_collectstart(collector=collector)
        report = hook.pytest_make_collect_report(collector=collector)
        vars(report).pop("call", None)
        for item in report.result:
            hook.pytest_itemcollected(item=item)
        hook.pytest_collectreport(report=report)
        items.extend(report.result)

    def pytest_report_collectionfinish(self, config: pytest.Config) -> list[str]:
        """`--collect-only` has no summary: what the sweep does not see, and with `-v` what is left out on purpose."""
        if not config.option.collectonly or "routes" not in vars(self):  # or nothing could be collected
            return []
        quiet = () if config.get_verbosity() < 1 else self.routes.left_out
        return [f"noblock: {printable(sentence)}" for sentence in (*self.routes.problems, *quiet)]

    @cached_property
    def routes(self) -> "Routes":
        """Raises NotAnApp and UsageError."""
        folder = self._config.invocation_params.dir
        path = sweep_options.path_of_document(self._given.openapi, folder)
        given = sweep_options.document(self._given.openapi, folder) if path is None else self._answered_document(path)
        found = app_routes.routes_of(self._app, given)
        if not found.routes:
            raise NotAnApp(f"{self._named} has no routes that the sweep can see: {_NO_ROUTES}")
        return found

    def _answered_document(self, path: str) -> "Document":
        """The OpenAPI document that the app itself answers at this path. Raises NotAnApp."""
        option = f"--noblock-openapi={path}"
        problem = ""
        try:
            checker = self._apps.checker(self._app)
            plan = options.of_run(self._config).plan._replace(expect="any", warmup=False, confirm=False)
            check = checker.check(NODE, Sent("GET", path), plan)
            if check.response is not None and check.response.status_code < 400:
                return parse(check.response.content, f"{option}: the answer of the app")
            status = check.response.status_code if check.response is not None else None
            problem = f"{option}: {check.reason or f'the app answered {status}'}"
        except (LifespanFailed, Unreadable) as error:
            problem = str(error)
        raise NotAnApp(problem)

    @cached_property
    def _app(self) -> "ASGIApp":
        """The app, once the hook of a conftest.py has seen it. Raises NotAnApp."""
        app = resolved(self._given.app, self._root, self._named)
        problem = ""
        try:
            other = self._config.hook.pytest_noblock_app(app=app)
        except Exception as error:  # noqa: BLE001  # the user's code
            problem = f"the hook pytest_noblock_app raised {self._told(error)}"
        if problem:
            raise NotAnApp(problem)
        return app if other is None else resolved(other, self._root, "what the hook pytest_noblock_app returned")

    @cached_property
    def _named(self) -> str:
        return f"{self._given.app!r}" if isinstance(self._given.app, str) else "the app of the sweep"

    def _told(self, error: Exception) -> str:
        """What the user's code raised, with its line."""
        return words(told(error), UserCode(self._root))

    def result_of(self, route: "Route") -> RouteResult:
        """The route's result, which is empty; of some routes it is known that they are not sent."""
        result = RouteResult(route)
        if route.kind == "websocket":
            result.leave_out("websocket")
        elif not app_routes.selected((route,), self._given.include, self._given.exclude):
            result.leave_out("excluded")
        elif route.method not in self._given.methods:
            result.leave_out("unsafe-method")
        return result

    # --- the sweep

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """The first route that runs has all of them sent. One not exercised is skipped at its endpoint's line."""
        if isinstance(item, RouteItem):
            self._run_once(item.session)
            why = self._why_skipped(item.result)
            if why is not None:
                item.add_marker(pytest.mark.skip(reason=why))
        return (yield)

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
                    self._outcome(item).record(self._not_exercised(item))

    def _said(self) -> tuple[str, ...]:
        """The sentences on what is no route, once; what is left out on purpose only with `-v`."""
        sentences = () if self._has_said else (*self.routes.problems, *self._sweep.said)
        if not self._has_said and self._config.get_verbosity("noblock") > 0:
            sentences += self.routes.left_out
        self._has_said = True
        return sentences

    def _counts(self, session: pytest.Session) -> str:
        """How many routes the app has, and how many were selected; see `options.ROUTES`."""
        selected = sum(isinstance(each, RouteItem) for each in session.items)
        return json.dumps([max(self.routes.operations, len(self.routes.routes)), selected])

    def _run_once(self, session: pytest.Session) -> None:
        if self._ran:
            return
        self._ran = True
        results = [each.result for each in session.items if isinstance(each, RouteItem)]
        results += self._teachers([each.route for each in results])
        with Progress(self._config) as progress:
            requests = SweepRequests(
                self._config, self._given.values, options.of_run(self._config).plan, progress.show, self._told
            )
            try:
                self._sweep.run(results, requests)
            except LifespanFailed as error:
                self._failure = str(error)

    def _teachers(self, selected: "list[Route]") -> list[RouteResult]:
        """List routes that were not selected, and that know the ids of those that were."""
        others = [each for each in self.routes.routes if each not in selected]
        results = [self.result_of(each) for each in teachers(selected, others)]
        for each in results:
            each.to_learn = True
        return [each for each in results if not each.ran]

    @cached_property
    def _apps(self) -> "RunningApps":
        return self._session.running_apps()

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self._app, self._apps, options.of_run(self._config).plan, self._session.meter[0])

    # --- the items

    def _why_skipped(self, result: RouteResult) -> str | None:
        """The whole sentence; None where the item runs."""
        if self._failure is not None:
            return None if self._red_for_all is None else f"failed: the app did not start, see {self._red_for_all}"
        if result.suspect or result.mistake is not None or result.reason is None:
            return None
        return self._given.values.hidden(result.sentence())

    def judge(self, item: RouteItem) -> None:
        """Puts the route's check on record. Fails the item, or skips it."""
        __tracebackhide__ = True
        result = item.result
        outcome = self._outcome(item)
        mistake = self._failure or result.mistake
        if mistake is not None:
            self._red_for_all = item.nodeid if self._failure is not None else None
            outcome.record(with_route(unmeasured(self._subject(item), mistake), result.route.path))
            pytest.fail(mistake, pytrace=False)
        check = self._check(item)
        if check.outcome == "not-exercised":
            outcome.record(check)
            pytest.skip(self._given.values.hidden(result.sentence()))
        outcome.fail_if_red(outcome.record(check))

    def _check(self, item: RouteItem) -> "Check":
        result = item.result
        check = with_route(self._sweep.check(item.nodeid, result), result.route.path)
        if check.outcome != "failed" and result.reason is not None:
            return self._not_exercised(item)
        if result.reason is not None:
            return replace(check, notes=(*check.notes, f"{UNMEASURED}{result.reason}, {result.words}"))
        if awaits_nothing(result.route.endpoint):
            return replace(check, notes=(*check.notes, AWAITS_NOTHING))
        return check

    def _outcome(self, item: RouteItem) -> ItemOutcome:
        return ItemOutcome(item, markers.marked(item))

    def _subject(self, item: RouteItem) -> Subject:
        limit = options.of_run(self._config).limits.max_block
        return Subject(item.nodeid, item.result.route.name, limit, self._session.meter[0])

    def _not_exercised(self, item: RouteItem) -> "Check":
        result = item.result
        notes = (self._given.values.hidden(result.words),) if result.words else ()
        return not_exercised(self._subject(item), result.route.path, result.reason or "failed", notes)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes which items came to their end."""
        if report.when == "teardown":
            self._reported.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tells what was measured of items that did not run, as after Ctrl-C or with `-x`, and stops the app."""
        with GUARD:
            self._tell_rest(session)
        for sentence in self._apps.stop() if "_apps" in vars(self) else ():
            self._session.tell(sentence)
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _tell_rest(self, session: pytest.Session) -> None:
        reporter: Reporter | None = self._config.pluginmanager.get_plugin(REPORTER)
        if reporter is None or not self._ran:
            return
        for item in session.items:
            if isinstance(item, RouteItem) and item.nodeid not in self._reported and item.result.ran:
                reporter.add(item.nodeid, self._of_rest(item), self._counts(session))

    def _of_rest(self, item: RouteItem) -> "Check":
        """The check of an item that did not run: nothing is sent any more."""
        result = item.result
        if result.suspect or result.mistake is not None:
            why = result.mistake or "it may have held the event loop, and the run ended before it was sent again, alone"
            return with_route(unmeasured(self._subject(item), why), result.route.path)
        return self._not_exercised(item) if result.reason is not None else self._check(item)
