"""What one pytest session shares: the rules of its meter, and the way from a check to a test's outcome."""

import sys
import warnings
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock import settings
from pytest_noblock.reporting import attach

if TYPE_CHECKING:
    from pytest_noblock.client import Noblock
    from pytest_noblock.findings import Check
    from pytest_noblock.report.record import Record
    from pytest_noblock.engine.exchange import ASGIApp
    from pytest_noblock.observation import Meter
    from pytest_noblock.running import RunningApps


class NoblockWarning(UserWarning):
    """A finding under `action="warn"`."""


class Session:
    """Made at configure time, when nothing may cost anything: the rest comes on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

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

    def running_apps(self) -> "RunningApps":
        from pytest_noblock.running import RunningApps

        return RunningApps(str(self._config.rootpath), self.meter[0])

    def client(self, item: pytest.Item, app: object, apps: "RunningApps") -> "Noblock":
        """The fixture's value for one test."""
        __tracebackhide__ = True
        from pytest_noblock.check import Plan
        from pytest_noblock.client import Noblock
        from pytest_noblock.engine.lifespan import LifespanFailed

        wanted = settings.settings_of(item)
        try:
            checker = apps.checker(_asgi(app, str(self._config.rootpath)))
        except LifespanFailed as error:
            pytest.fail(str(error), pytrace=False)
        plan = Plan(limits=wanted.limits, probes=wanted.probes)
        return Noblock(checker, item.nodeid, plan, lambda check: self._seen(item, check, wanted), self._fail)

    def _seen(self, item: pytest.Item, check: "Check", wanted: settings.Settings) -> "Check":
        """Every check is on record, whatever the test makes of it."""
        from pytest_noblock.report.failure import failure
        from pytest_noblock.report.record import record

        if wanted.action == "warn" and check.outcome == "failed":
            check = _accepted(check, "action=warn")
            warnings.warn(failure(check).partition("\n")[0], NoblockWarning, stacklevel=4)
        attach(item, record(check))
        return check

    def _fail(self, check: "Check") -> None:
        __tracebackhide__ = True
        if check.outcome in ("failed", "inconclusive"):
            from pytest_noblock.report.failure import failure

            pytest.fail(failure(check, self._config.get_verbosity("noblock")), pytrace=False)


def _accepted(check: "Check", reason: str) -> "Check":
    findings = tuple(replace(finding, accepted=finding.accepted or reason) for finding in check.findings)
    return replace(check, findings=findings, outcome="accepted")


def _asgi(app: object, folder: str) -> "ASGIApp":
    __tracebackhide__ = True
    from pytest_noblock.discovery import NotAnApp, resolved

    try:
        return resolved(app, folder, "what noblock_app returned")
    except NotAnApp as error:
        pytest.fail(str(error), pytrace=False)
