"""The apps that run now: one runner and one checker for each, until the fixture's scope ends."""

from pytest_noblock.check import Checker
from pytest_noblock.engine import starlette
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.lifespan import LifespanFailed
from pytest_noblock.engine.runner import AppRunner
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.observation import Meter


class RunningApps:
    """Starts an app when it is first asked for and stops all of them at the end."""

    def __init__(self, root: str, meter: Meter) -> None:
        self._root = root
        self._meter = meter
        self._running: dict[int, tuple[AppRunner, Checker]] = {}

    def checker(self, app: ASGIApp) -> Checker:
        """The checker of this very app. Raises LifespanFailed."""
        runner, checker = self._running.get(id(app), (None, None))
        if runner is not None and checker is not None and checker.usable:
            return checker
        user = UserCode(self._root, starlette.packages_of(app))
        runner = AppRunner(app, user)
        runner.start()
        checker = Checker(runner, user, self._meter)
        self._running[id(app)] = runner, checker  # the runner keeps the app, so its id stays its own
        return checker

    def stop(self) -> list[str]:
        """Stop every app; what the failures of their lifespans say."""
        failures = [failure for runner, checker in self._running.values() if (failure := _stopped(runner, checker))]
        self._running.clear()
        return failures


def _stopped(runner: AppRunner, checker: Checker) -> str | None:
    if not checker.usable:  # its loop will not turn again; the thread is a daemon
        return None
    try:
        runner.stop()
    except LifespanFailed as error:
        return str(error)
    return None
