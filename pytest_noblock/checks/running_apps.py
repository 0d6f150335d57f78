"""The apps that the fixture runs, until the fixture's scope ends."""

from dataclasses import dataclass, field

from pytest_noblock.checks.checker import Checker
from pytest_noblock.engine.asgi.app_thread import AppThread
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Meter


class RunningApps:
    """Starts an app when the first test asks for it, and stops all apps at the end of the fixture's scope."""

    def __init__(self, root: str, meter: Meter) -> None:
        """`root` is pytest's rootdir: files below it are shown relative to it."""
        self._root = root
        self._meter = meter
        self._running: dict[int, _Running] = {}

    def checker(self, app: ASGIApp) -> Checker:
        """A new checker with its own httpx client, for this app; starts the app if needed. Raises LifespanFailed."""
        running = self._running.get(id(app))  # the thread keeps the app, so nothing else gets its id
        if running is None or not running.thread.usable:
            running = self._running[id(app)] = self._start(app)
        return Checker(running.thread, running.user, self._meter, running.warm)

    def _start(self, app: ASGIApp) -> "_Running":
        user = UserCode(self._root, starlette.packages_of(app))
        thread = AppThread(app, user)
        thread.start()
        return _Running(thread, user)

    def stop(self) -> list[str]:
        """Stops every app. Returns one sentence for each app whose lifespan failed at the stop."""
        failures = [failure for running in self._running.values() if (failure := _stopped(running.thread))]
        self._running.clear()
        return failures


@dataclass(frozen=True, slots=True)
class _Running:
    thread: AppThread
    user: UserCode
    warm: set[tuple[str, str]] = field(default_factory=set)
    """Method and path of the requests that the app has answered already."""


def _stopped(thread: AppThread) -> str | None:
    """How the app's shutdown failed; None where it did not, or where the app can no longer be asked."""
    if not thread.usable:  # its loop does not turn any more; the thread is a daemon and ends with the process
        return None
    try:
        thread.stop()
    except LifespanFailed as error:
        return str(error)
    return None
