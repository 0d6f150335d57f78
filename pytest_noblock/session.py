"""What one pytest session shares: the rules of its meter, and the way from a check to a test's outcome."""

import sys
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock import settings
from pytest_noblock.outcomes import ItemOutcome
from pytest_noblock.reporting import Reporter

if TYPE_CHECKING:
    from pytest_noblock.client import Noblock
    from pytest_noblock.engine.exchange import ASGIApp
    from pytest_noblock.engine.usercode import UserCode
    from pytest_noblock.engine.watch import Kit
    from pytest_noblock.observation import Meter
    from pytest_noblock.report.record import Record
    from pytest_noblock.running import RunningApps
    from pytest_noblock.watching import ItemWatch


_WATCH: "pytest.StashKey[ItemWatch]" = pytest.StashKey()
_JUDGED = pytest.StashKey[bool]()
_OUTCOME = pytest.StashKey[ItemOutcome]()


class Session:
    """Made at configure time, when nothing may cost anything: the rest comes on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._leaving: ItemWatch | None = None

    @cached_property
    def meter(self) -> "tuple[Meter, str]":
        """The rules that hold on this machine, found by a planted self-check, and what is missing for the full ones."""
        wanted: str = self._config.getini("noblock_meter")
        if wanted == "portable":
            return "portable", "noblock_meter = portable"
        from pytest_noblock.engine.selfcheck import meter_of_this_machine

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
        files = [folder / file for file in settings.reports(self._config)]
        return Reporter(files, self.environment, must_watch=settings.watches_all(self._config))

    def running_apps(self) -> "RunningApps":
        from pytest_noblock.running import RunningApps

        return RunningApps(str(self._config.rootpath), self.meter[0])

    def stop(self, apps: "RunningApps") -> None:
        """At the end of the fixture's scope."""
        failures = apps.stop()
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    def client(self, item: pytest.Item, app: object, apps: "RunningApps") -> "Noblock":
        """The fixture's value for one test."""
        __tracebackhide__ = True
        from pytest_noblock.check import Plan
        from pytest_noblock.client import Noblock
        from pytest_noblock.engine.lifespan import LifespanFailed

        asgi = _asgi(app, str(self._config.rootpath))
        problem = ""
        try:
            checker = apps.checker(asgi)
        except LifespanFailed as error:
            problem = str(error)
        if problem:  # outside the except block: what the user did wrong has no history
            pytest.fail(problem, pytrace=False)
        outcome = self._outcome(item)
        plan = Plan(limits=outcome.settings.limits, probes=outcome.settings.probes)
        return Noblock(checker, item.nodeid, plan, outcome.seen, outcome.fail)

    def _outcome(self, item: pytest.Item) -> ItemOutcome:
        """One for each run of a test: the fixture's and the watched requests meet in it."""
        if _OUTCOME not in item.stash:
            item.stash[_OUTCOME] = ItemOutcome(item)
        return item.stash[_OUTCOME]

    @cached_property
    def _user(self) -> "UserCode":
        from pytest_noblock.engine.usercode import UserCode

        return UserCode(str(self._config.rootpath))

    def begin(self, item: pytest.Item) -> None:
        """From the test's setup on, for fixtures make requests, too."""
        if settings.watches(item):
            from pytest_noblock.watching import ItemWatch

            keep = settings.watches_all(self._config)
            limits = self._outcome(item).settings.limits
            item.stash[_WATCH] = ItemWatch(self._kit if keep else self._new_kit(), limits, keep=keep)
            self._hand_over(None)

    def _new_kit(self) -> "Kit":
        from pytest_noblock.engine.watch import Kit

        return Kit(self.meter[0], self._user)

    @cached_property
    def _kit(self) -> "Kit":
        """Where every test is watched, one for all of them; elsewhere nothing outlives a test."""
        kit = self._new_kit()
        self._config.add_cleanup(lambda: self._hand_over(None))
        self._config.add_cleanup(kit.close)
        return kit

    def _hand_over(self, watch: "ItemWatch | None") -> None:
        """Where every test is watched, one's patches stay until the next one's are on: to change classes is dear."""
        before, self._leaving = self._leaving, watch
        if before is not None:
            before.leave()

    def end(self, item: pytest.Item, *, passing: bool) -> None:
        """At the end of the test's call; judged in any case, and failed if nothing else failed it."""
        watch = item.stash.get(_WATCH, None)
        if watch is not None and not item.stash.get(_JUDGED, False):
            item.stash[_JUDGED] = True
            checks = watch.stop(item.nodeid, lifespan=settings.judges_lifespan(self._config))
            self._outcome(item).finish(checks, self._user, passing=passing)

    def leave(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """After the test's fixtures. It may be run again."""
        if _WATCH in item.stash:
            if following is not None and settings.watches_all(self._config):
                self._hand_over(item.stash[_WATCH])
            else:
                item.stash[_WATCH].leave()
            del item.stash[_WATCH]
            del item.stash[_JUDGED]
        if _OUTCOME in item.stash:
            del item.stash[_OUTCOME]


def _asgi(app: object, folder: str) -> "ASGIApp":
    __tracebackhide__ = True
    from pytest_noblock.discovery import NotAnApp, resolved

    problem = ""
    try:
        return resolved(app, folder, f"{app!r}" if isinstance(app, str) else "what noblock_app returned")
    except NotAnApp as error:
        problem = str(error)
    pytest.fail(problem, pytrace=False)
