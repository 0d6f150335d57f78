"""Sends many requests to the app at once, and goes on without those that end the app's event loop, or take it."""

from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy

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
from pytest_noblock.sweep.outcome import RouteResult

_HELD_S = 10.0
"""Seconds after which a step that still runs has taken the loop for good; see `HeldLoop`."""
PATIENCE = Patience()
"""How long each request may take."""
_MOST_RESTARTS = 10
"""So many routes may end the app's loop, or take it, before the sweep gives up."""

Pairs = list[tuple[RouteResult, Flight]]
Judge = Callable[[Pairs, Many, Observation], None]


def flight_of(result: RouteResult) -> Flight:
    """A flight of the route's request, which has been made."""
    if result.sent is None:
        raise RuntimeError(f"{result.route.name} has no request")
    return Flight(result.sent)


class Flights:
    """The app of a sweep, to which many requests are sent at once. All of it runs on the test's thread."""

    def __init__(self, app: ASGIApp, apps: RunningApps, plan: Plan) -> None:
        self._app = app
        self._apps = apps
        self._plan = plan
        self._restarts = 0
        self._over = 0
        """How many requests of the runs before are over."""

    def checker(self) -> Checker:
        """Starts the app where it does not run. No cookie stays from one route to the next."""
        checker = self._apps.checker(self._app)
        checker.client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # httpx's setter takes a jar
        return checker

    def fly(self, pairs: Pairs, judge: Judge, progress: Callable[[int], None], *, exact: bool = False) -> None:
        """Sends all of them, and has them judged; `progress` is told now and then how many requests are over.

        Those that end the loop, or take it, are left out, and the others sent again to a new run of the app.
        """
        left = pairs
        while left:
            many = Many([flight for _result, flight in left])
            try:
                observation = self._observe(many, progress, exact=exact)
            except KeyboardInterrupt:
                if many.observation is not None:
                    judge([(result, flight) for result, flight in left if flight.over], many, many.observation)
                raise
            except (LoopBlocked, LoopEnded) as error:
                left = self._without_culprit(left, many, error)
            else:
                judge(left, many, observation)
                break
        self._over += len(pairs)

    def _observe(self, many: Many, progress: Callable[[int], None], *, exact: bool) -> Observation:
        limits = self._plan.limits
        first = self._over == 0
        run = ManyRun(PATIENCE, sample_after(limits.max_block), limits.linger, collects=first, exact=exact)
        held = HeldLoop(many, _HELD_S)

        def overdue() -> bool:
            progress(self._over + many.over)
            return held.look()

        return self.checker().many(run, many, overdue)

    def _without_culprit(self, left: Pairs, many: Many, error: LoopBlocked | LoopEnded) -> Pairs:
        """What can be sent again, to a new run of the app: a request that may change something is sent once."""
        self._restarts += 1
        culprit = many.flight_of(many.culprit)
        again: Pairs = []
        for result, flight in left:
            if flight is culprit:
                result.mistake = self._sentence(flight, error)
                result.leave_out("failed", "it took the app's event loop")
            elif culprit is None or self._restarts > _MOST_RESTARTS:
                result.mistake = f"{flight.request.method} {flight.request.url} was not measured: {_of_unknown(error)}"
                result.leave_out("failed", "the app's event loop ended")
            elif flight.begun and flight.request.method not in SAFE:
                result.leave_out("failed", "another request took the app's event loop meanwhile")
            else:
                again.append((result, Flight(flight.request)))
        return again

    def _sentence(self, flight: Flight, error: LoopBlocked | LoopEnded) -> str:
        request = f"{flight.request.method} {flight.request.url}"
        if isinstance(error, LoopEnded):
            return f"{request} ended the event loop with {error}"
        return inconclusive.loop_not_returned(request, _HELD_S, self._apps.user_frame(self._app, error.frames))


def _of_unknown(error: LoopBlocked | LoopEnded) -> str:
    return f"the app's event loop ended with {error}" if isinstance(error, LoopEnded) else str(error)
