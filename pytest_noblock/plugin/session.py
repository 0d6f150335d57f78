"""What one pytest session shares: the rules of its meter, and the way from a check to a test's outcome."""

import sys
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import markers, options
from pytest_noblock.plugin.outcome import ItemOutcome
from pytest_noblock.plugin.reporter import Reporter, attach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_noblock.checks.running_apps import RunningApps
    from pytest_noblock.client import Noblock
    from pytest_noblock.engine.exchange import ASGIApp, LiveExchange
    from pytest_noblock.engine.usercode import UserCode
    from pytest_noblock.engine.watch import Kit
    from pytest_noblock.model.limits import Limits
    from pytest_noblock.model.observation import Meter
    from pytest_noblock.plugin.watching import ItemWatch
    from pytest_noblock.report.uneventful import UneventfulTexts
    from pytest_noblock.report.wire import Record


class _TestRun:
    """One run of one test: the fixture's requests and the watched ones meet in its outcome."""

    watch: "ItemWatch | None" = None
    judged = False

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self.ours = markers.marked(item)

    @cached_property
    def outcome(self) -> ItemOutcome:
        return ItemOutcome(self._item, self.ours)


_RUN = pytest.StashKey[_TestRun]()


class Session:
    """Made at configure time, when nothing may cost anything: the rest comes on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._leaving: ItemWatch | None = None
        self._siblings = False
        """Between the test whose watch is leaving and the next, no fixtures end but its own."""

    @cached_property
    def meter(self) -> "tuple[Meter, str]":
        """The rules that hold on this machine, found by a planted self-check, and what is missing for the full ones."""
        wanted: str = self._config.getini("noblock_meter")
        if wanted == "portable":
            return "portable", "noblock_meter = portable"
        from pytest_noblock.engine.steps.selfcheck import meter_of_this_machine

        kind, missing = meter_of_this_machine()
        if wanted == "full" and kind != "full":
            raise pytest.UsageError(f"noblock_meter = full, but this machine does not show {missing}")
        return kind, missing

    def header(self) -> list[str]:
        kind, missing = self.meter
        if kind == "full":
            return ["noblock: full meter, asyncio (sleep, CPU and round trips are told from a busy machine)"]
        return [f"noblock: portable rules, asyncio (not seen here: {missing})"]

    def environment(self) -> "Record":
        """The head of every report."""
        python = sys.version.split()[0]
        return {"python": python, "platform": sys.platform, "meter": self.meter[0], "loop": "asyncio"}

    def reporter(self) -> Reporter:
        folder = self._config.invocation_params.dir
        files = [folder / file for file in options.reports(self._config)]
        return Reporter(files, self.environment, must_watch=self._watches_all)

    def running_apps(self) -> "RunningApps":
        from pytest_noblock.checks.running_apps import RunningApps

        return RunningApps(str(self._config.rootpath), self.meter[0])

    def stop(self, apps: "RunningApps") -> None:
        """At the end of the fixture's scope."""
        failures = apps.stop()
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    def client(self, item: pytest.Item, app: object, apps: "RunningApps") -> "Noblock":
        """The fixture's value for one test."""
        __tracebackhide__ = True
        from pytest_noblock.checks.checker import Plan
        from pytest_noblock.client import Noblock
        from pytest_noblock.engine.asgi.lifespan import LifespanFailed

        asgi = _asgi(app, str(self._config.rootpath))
        problem = ""
        try:
            checker = apps.checker(asgi)
        except LifespanFailed as error:
            problem = str(error)
        if problem:  # outside the except block: what the user did wrong has no history
            pytest.fail(problem, pytrace=False)
        outcome = self._run(item).outcome
        plan = Plan(limits=outcome.settings.limits, probes=outcome.settings.probes)
        return Noblock(checker, item.nodeid, plan, outcome.seen, outcome.fail)

    def _run(self, item: pytest.Item) -> _TestRun:
        run = item.stash.get(_RUN, None)
        if run is None:
            run = item.stash[_RUN] = _TestRun(item)
        return run

    @cached_property
    def _watches_all(self) -> bool:
        return options.watches_all(self._config)

    @cached_property
    def _limits(self) -> "Limits":
        return options.of_options(self._config).limits

    @cached_property
    def _user(self) -> "UserCode":
        from pytest_noblock.engine.usercode import UserCode

        return UserCode(str(self._config.rootpath))

    def begin(self, item: pytest.Item) -> None:
        """From the test's setup on, for fixtures make requests, too."""
        if self._watches_all or markers.watches(item):
            from pytest_noblock.plugin.watching import ItemWatch

            run = self._run(item)
            kit = self._kit if self._watches_all else self._new_kit()
            limits = run.outcome.settings.limits if run.ours.marks else self._limits
            run.watch = ItemWatch(kit, limits, keep=self._watches_all)
            self._start(run.watch)

    def _start(self, watch: "ItemWatch") -> None:
        """Where every test is watched, one's patches stay until the next one's are on: to change classes is dear."""
        before, self._leaving = self._leaving, None
        watch.start(inherits=before is not None and self._siblings)
        if before is not None and not self._siblings:
            before.leave()

    def _new_kit(self) -> "Kit":
        from pytest_noblock.engine.watch import Kit

        return Kit(self.meter[0], self._user)

    @cached_property
    def _kit(self) -> "Kit":
        """Where every test is watched, one for all of them; elsewhere nothing outlives a test."""
        kit = self._new_kit()
        self._config.add_cleanup(self._leave_last)
        self._config.add_cleanup(kit.close)
        return kit

    def _leave_last(self) -> None:
        if self._leaving is not None:
            self._leaving.leave()

    def end(self, item: pytest.Item, *, passing: bool) -> None:
        """At the end of the test's call; judged in any case, and failed if nothing else failed it."""
        run = item.stash.get(_RUN, None)
        if run is not None and run.watch is not None and not run.judged:
            run.judged = True
            run.watch.stop()
            uneventful = None if run.ours.marks else run.watch.uneventful()
            if uneventful is None:
                checks = run.watch.checks(item.nodeid, lifespan=self._judges_lifespan)
                run.outcome.finish(checks, self._user, passing=passing)
            else:
                self._attach(item, uneventful)

    def _attach(self, item: pytest.Item, requests: "Sequence[LiveExchange]") -> None:
        id = item.nodeid
        for each in requests:
            attach(item, self._texts.text(id, each.request, each.route, each.endpoint, each.duration))

    @cached_property
    def _texts(self) -> "UneventfulTexts":
        from pytest_noblock.report.uneventful import UneventfulTexts

        return UneventfulTexts()

    @cached_property
    def _judges_lifespan(self) -> bool:
        return options.judges_lifespan(self._config)

    def leave(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """After the test's fixtures. It may be run again."""
        run = item.stash.get(_RUN, None)
        if run is None:
            return
        if run.watch is not None:
            if following is not None and self._watches_all:
                self._siblings = following.parent is item.parent
                self._leaving = run.watch
            else:
                run.watch.leave()
        del item.stash[_RUN]


def _asgi(app: object, folder: str) -> "ASGIApp":
    __tracebackhide__ = True
    from pytest_noblock.checks.app_import import NotAnApp, resolved

    problem = ""
    try:
        return resolved(app, folder, f"{app!r}" if isinstance(app, str) else "what noblock_app returned")
    except NotAnApp as error:
        problem = str(error)
    pytest.fail(problem, pytrace=False)
