"""The apps that run now, until the fixture's scope ends."""

from dataclasses import dataclass, field

from pytest_noblock.checks.checker import Checker
from pytest_noblock.engine.asgi.app_thread import AppThread
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Meter


class RunningApps:
    """Starts an app when it is first asked for and stops all of them at the end."""

    def __init__(self, root: str, meter: Meter) -> None:
        self._root = root
        self._meter = meter
        self._running: dict[int, _Running] = {}

    def checker(self, app: ASGIApp) -> Checker:
        """A new checker of this very app. Raises LifespanFailed."""
        running = self._running.get(id(app))  # the runner keeps the app, so its id stays its own
        if running is None or not running.runner.usable:
            running = self._running[id(app)] = self._start(app)
        return Checker(running.runner, running.user, self._meter, running.warm)

    def _start(self, app: ASGIApp) -> "_Running":
        user = UserCode(self._root, starlette.packages_of(app))
        runner = AppThread(app, user)
        runner.start()
        return _Running(runner, user)

    def stop(self) -> list[str]:
        """Stop every app; what the failures of their lifespans say."""
        failures = [failure for running in self._running.values() if (failure := _stopped(running.runner))]
        self._running.clear()
        return failures


@dataclass(frozen=True, slots=True)
class _Running:
    runner: AppThread
    user: UserCode
    warm: set[tuple[str, str]] = field(default_factory=set)


def _stopped(runner: AppThread) -> str | None:
    if not runner.usable:  # its loop will not turn again; the thread is a daemon
        return None
    try:
        runner.stop()
    except LifespanFailed as error:
        return str(error)
    return None
