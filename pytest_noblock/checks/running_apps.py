"""The apps that the fixture runs, until the fixture's scope ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pytest_noblock.checks.checker import Checker
from pytest_noblock.engine.asgi.app_thread import AppThread
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.observe import observe_lifespan
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, user_frame
from pytest_noblock.model.observation import Meter, Observation, OwnLoop

if TYPE_CHECKING:
    from pytest_noblock.checks.watched import WatchRules
    from pytest_noblock.model.check import Check


class RunningApps:
    """Starts an app when the first test asks for it, and stops all apps at the end of the fixture's scope."""

    def __init__(self, root: str, meter: Meter, loop: OwnLoop = "asyncio") -> None:
        """`root` is pytest's rootdir: files below it are shown relative to it. `loop`: what the apps run on."""
        self._root = root
        self._meter = meter
        self._loop = loop
        self._running: dict[int, _Running] = {}
        self._recorded: list[tuple[UserCode, Observation]] = []
        """Starts and stops that no test has been told of."""

    def checker(self, app: ASGIApp, *, goes_on: bool = False) -> Checker:
        """A new checker with its own httpx client, for this app; starts the app if needed. Raises LifespanFailed.

        `goes_on`: see `Checker`.
        """
        running = self._running.get(id(app))  # the thread keeps the app, so nothing else gets its id
        if running is None or not running.thread.usable:
            running = self._running[id(app)] = self._start(app)
        return Checker(running.thread, running.user, self._meter, running.warm, goes_on=goes_on)

    def relative(self, app: ASGIApp) -> Callable[[str], str]:
        """Turns a file into the name that reports show; the app has been started."""
        return self._running[id(app)].user.relative

    def relative_frame(self, app: ASGIApp, frame: Frame | None) -> Frame | None:
        """The frame with the name that reports show."""
        return None if frame is None else frame.named(self.relative(app)(frame.file))

    def user_frame(self, app: ASGIApp, frames: Sequence[RawFrame]) -> Frame | None:
        """The user line among the frames, with the name that reports show."""
        return self.relative_frame(app, user_frame(as_stack(frames, self._running[id(app)].user)))

    def lifespan_checks(self, id: str, rules: "WatchRules") -> "list[Check]":
        """Of the starts and stops since the last call, those of which there is something to say. `id`: the test's."""
        recorded = self._recorded[:]
        self._recorded.clear()
        return [check for user, each in recorded for check in _told(id, each, rules, user)]

    def _start(self, app: ASGIApp) -> "_Running":
        user = UserCode(self._root, starlette.packages_of(app))
        thread = AppThread(app, user, partial(observe_lifespan, self._meter, user, self._recorded), self._loop)
        thread.start()
        return _Running(thread, user)

    def stop(self) -> list[str]:
        """Stops every app. Returns one sentence for each app that could not be stopped, or whose stop failed."""
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
    if not thread.usable:  # its loop did not turn any more; the thread is a daemon and ends with the process
        thread.abandon()
        return None
    try:
        thread.stop()
    except LifespanFailed as error:
        return str(error)
    return None


def _told(id: str, observation: Observation, rules: "WatchRules", user: UserCode) -> "list[Check]":
    """The checks of a start, or of a stop, that say something. Most need no import of the judges for that."""
    if not rules.limits.concern(observation.segments) and not any(each.answered for each in observation.segments):
        return []
    from pytest_noblock.checks.watched import judge_watched

    checks = judge_watched(id, observation, rules, user.relative)
    return [check for check in checks if check.findings or check.notes]
