"""Sends many requests to the app at once, and goes on without those that end the app's event loop, or take it."""

from collections.abc import Callable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

from pytest_noblock.checks.checker import Checker
from pytest_noblock.checks.plan import SAFE, Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.asgi.app_thread import LoopBlocked, LoopEnded
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.many.flights import Flight, Many, ManyRun, Patience
from pytest_noblock.engine.many.held import HeldLoop
from pytest_noblock.judge import inconclusive
from pytest_noblock.model.limits import sample_after
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.sweep.outcome import RouteResult

_HELD_S = 10.0
"""Seconds after which a step that still runs has taken the loop for good; see `HeldLoop`."""
PATIENCE = Patience()
"""How long each request may take."""
_MOST_RESTARTS = 10
"""So many routes may end the app's loop, or take it, before the sweep gives up."""

Pairs = list[tuple[RouteResult, Flight]]
Judge = Callable[[Pairs, Many, Observation], None]


class Again(Protocol):
    """Says of a request that has been answered once whether it is sent a second time; see `Rounds`."""

    def is_sent_again(self, flight: Flight, segments: Sequence[Segment]) -> bool:
        """`segments`: those of its own steps."""

    def holds(self, segments: Sequence[Segment]) -> bool:
        """Whether it holds the loop."""


def flight_of(result: RouteResult, *, second: bool = False) -> Flight:
    """A flight of the route's request, which has been made."""
    if result.sent is None:
        raise RuntimeError(f"{result.route.name} has no request")
    return Flight(result.sent, second=second)


class Flights:
    """The app of a sweep, to which many requests are sent at once. All of it runs on the test's thread."""

    def __init__(self, app: ASGIApp, apps: RunningApps, plan: Plan) -> None:
        self._app = app
        self._apps = apps
        self._plan = plan
        self._restarts = 0
        self._began = False
        self._over = 0
        """How many requests of the runs before are over."""

    def checker(self) -> Checker:
        """Starts the app where it does not run. No cookie stays from one route to the next."""
        checker = self._apps.checker(self._app, goes_on=self._began)
        self._began = True
        checker.client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # httpx's setter takes a jar
        return checker

    def fly(
        self,
        pairs: Pairs,
        judge: Judge,
        progress: Callable[[int], None],
        *,
        exact: bool = False,
        again: Again | None = None,
    ) -> int:
        """Sends all of them, and has them judged; `progress` is told now and then how many requests are over.

        Those that end the loop, or take it, are left out, and the others sent again to a new run of the app. `again`:
        who is sent a second time in the same run. Returns how many requests were sent.
        """
        left = list(pairs)
        while left:
            many = Many([flight for _result, flight in left])
            following = None if again is None else _Following(left, many, again)
            try:
                observation = self._observe(many, progress, exact=exact, again=following)
            except KeyboardInterrupt:
                if many.observation is not None:
                    judge([(result, flight) for result, flight in left if flight.over], many, many.observation)
                raise
            except (LoopBlocked, LoopEnded) as error:
                left = self._without_culprit(left, many, error)
            else:
                judge(left, many, observation)
                break
        sent = max(len(pairs), len(left))
        self._over += sent
        return sent

    def _observe(
        self, many: Many, progress: Callable[[int], None], *, exact: bool, again: "_Following | None"
    ) -> Observation:
        limits = self._plan.limits
        run = ManyRun(PATIENCE, sample_after(limits.max_block), limits.linger, exact=exact, again=again)
        held = HeldLoop(many, _HELD_S)

        def overdue() -> bool:
            progress(self._over + many.over)
            return held.look()

        return self.checker().many(run, many, overdue)

    def _without_culprit(self, left: Pairs, many: Many, error: LoopBlocked | LoopEnded) -> Pairs:
        """What can be sent again, to a new run of the app: a request that may change something is sent once."""
        self._restarts += 1
        culprit = many.flight_of(many.culprit)
        guilty = next((result for result, flight in left if flight is culprit), None)
        again: Pairs = []
        for result, flight in left:
            if flight.second and not result.measured_cold:
                continue  # its first request is among these, and brings it about again
            if result is guilty:
                result.mistake = self._sentence(flight, error)
                result.leave_out("failed", "it took the app's event loop")
            elif culprit is None or self._restarts > _MOST_RESTARTS:
                result.mistake = f"{flight.request.method} {flight.request.url} was not measured: {_of_unknown(error)}"
                result.leave_out("failed", "the app's event loop ended")
            elif flight.begun and flight.request.method not in SAFE:
                result.leave_out("failed", "another request took the app's event loop meanwhile")
            else:
                again.append((result, Flight(flight.request, second=flight.second)))
        return again

    def _sentence(self, flight: Flight, error: LoopBlocked | LoopEnded) -> str:
        request = f"{flight.request.method} {flight.request.url}"
        if isinstance(error, LoopEnded):
            return f"{request} ended the event loop with {error}"
        return inconclusive.loop_not_returned(request, _HELD_S, self._apps.user_frame(self._app, error.frames))


class _Following:
    """Which flight follows one that is over: the same request a second time, where `again` says so."""

    def __init__(self, pairs: Pairs, many: Many, again: Again) -> None:
        """`pairs`: all of the run; those that follow are added."""
        self._pairs = pairs
        self._results = {flight: result for result, flight in pairs}
        self._many = many
        self._again = again

    def __call__(self, flight: Flight) -> Flight | None:
        """On the loop's thread."""
        if flight.second:
            return None
        segments = self._many.segments_of(flight)
        if not self._again.is_sent_again(flight, segments):
            return None
        keeps = any(each.number in self._many.keepers for each in flight.exchanges)
        second = Flight(flight.request, second=True, holds=keeps or self._again.holds(segments))
        self._pairs.append((self._results[flight], second))
        return second


def _of_unknown(error: LoopBlocked | LoopEnded) -> str:
    return f"the app's event loop ended with {error}" if isinstance(error, LoopEnded) else str(error)
