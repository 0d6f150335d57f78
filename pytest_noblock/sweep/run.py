"""Runs a sweep: every route once to get warm, then all at once under the meter, then each suspect alone.

A sweep takes as long as its slowest route, not the sum of all. Only what may have held the loop is sent once more,
alone, with counters at every user line.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

import httpx

from pytest_noblock.checks import assemble, unanswered
from pytest_noblock.checks.assemble import Subject, Verdict
from pytest_noblock.checks.checker import Checker, SentBefore
from pytest_noblock.checks.plan import SAFE, Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.asgi.app_thread import LoopBlocked, LoopEnded
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.engine.observe_many import Flight, Many, ManyRun, Patience
from pytest_noblock.engine.selfcheck import pace_now
from pytest_noblock.judge import inconclusive
from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.check import Check
from pytest_noblock.model.limits import sample_after
from pytest_noblock.model.observation import Meter, Observation
from pytest_noblock.sweep import suspects
from pytest_noblock.sweep.answers import Answer, answer_of, unfinished
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.shadowed import answered_instead

_HELD_S = 10.0
"""Seconds after which a step that still runs has taken the loop for good."""
PATIENCE = Patience()
"""How long each request may take."""
_SENT_TWICE = 200
"""Routes. Up to so many are all sent a second time, warm, whatever the first round shows: half a second on two cores.
For 500 routes of 0.2 s, eight of them bad, it took 1.2 to 2.2 s more, 1.3 to 1.7 s of it CPU (two busy cores).
Of more routes only those are of which the first round shows something: a first request does all that a later one does,
and more, but for an answer that the app keeps and gives again in another way. So the summary says it: `ONCE`."""
ONCE = (
    f"Of more than {_SENT_TWICE} routes only those are sent twice that showed something the first time, so one that "
    f"blocks only once it is warm, as by what it keeps, is not seen: --noblock-include or -k selects fewer."
)
_MOST_RESTARTS = 10
"""So many routes may end the app's loop, or take it, before the sweep gives up."""
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
"""The order in which they are sent: what is made first can be changed, and deleted last."""

Pairs = list[tuple[RouteResult, Flight]]


class MakesRequests(Protocol):
    """What the sweep asks of its user."""

    def request_of(self, result: RouteResult) -> Sent | None:
        """The request of a route; None where it has put into the result why there is none."""

    def learn(self, result: RouteResult, response: httpx.Response) -> None:
        """The whole answer of a route that was measured: later requests may need an id of it."""

    def progress(self, over: int, everything: int) -> None:
        """Called now and then: how many requests have been answered, and how many will be sent."""


class Sweep:
    """One sweep over an app. All of it runs on the test's thread."""

    def __init__(self, app: ASGIApp, apps: RunningApps, plan: Plan, meter: Meter) -> None:
        self._app = app
        self._apps = apps
        self._plan = plan
        self._meter = meter
        self._restarts = 0
        self._twice = True
        """Whether all routes are sent a second time."""
        self._over = self._everything = 0
        """How many requests are over, and how many there are to be."""

    def run(self, results: Sequence[RouteResult], user: MakesRequests) -> None:
        """Fills the results. Raises LifespanFailed where the app does not start.

        Where it is interrupted, as by Ctrl-C, the results say what was measured by then.
        """
        try:
            self._run(results, user)
        except KeyboardInterrupt:
            for each in results:
                if each.measured_cold and each.cold is not None:
                    each.first, each.cold, each.ran = suspects.warmed(each.cold), None, True
                    each.suspect = bool(suspects.of_steps(each.first, self._plan.limits))
            raise

    def _run(self, results: Sequence[RouteResult], user: MakesRequests) -> None:
        waiting = [each for each in results if not each.ran]
        safe = [each for each in waiting if each.route.method in SAFE]
        unsafe = [each for each in waiting if each.route.method not in SAFE]
        self._twice = len(safe) <= _SENT_TWICE
        self._everything = (2 if self._twice else 1) * len(safe) + len(unsafe)
        for some in _in_turn(safe, _depth):
            pairs = _pairs(some, user)
            self._fly(pairs, self._judge_cold, user)
            for result, flight in pairs:
                if result.reason is None and flight.response is not None:
                    user.learn(result, flight.response)
        warm = [each for each in safe if each.measured_cold]
        self._everything += len(warm) - (len(safe) if self._twice else 0)
        self._fly([(each, _flight(each)) for each in warm], self._judge, user)
        exactly = [(each, _flight(each)) for each in safe if self._exactly(each)]
        self._everything += len(exactly)
        self._fly(exactly, self._judge_exact, user, exact=True)
        for some in _in_turn(unsafe, _danger):
            self._fly(_pairs(some, user), self._judge, user)
        user.progress(self._everything, self._everything)

    @property
    def said(self) -> tuple[str, ...]:
        """What the sweep did not look at, a sentence each; known once it ran."""
        return () if self._twice else (ONCE,)

    def check(self, id: str, result: RouteResult) -> Check:
        """The Check of a route that was sent; a suspect is sent again, alone."""
        sent, first = result.sent, result.first
        if sent is None or first is None:
            raise RuntimeError(f"{result.route.name} was not sent")
        if not result.suspect:
            return self._passed(id, first)
        checker = self._checker()
        if result.alone and sent.method in SAFE:
            return checker.check(id, sent, self._plan._replace(warmup=False, expect="any"))
        before = SentBefore(first, result.cold, result.exact)
        return checker.settle(id, sent, self._plan._replace(expect="any"), before)

    def _passed(self, id: str, first: Observation) -> Check:
        exchange = first.exchanges[-1]
        relative = self._apps.relative(self._app)
        limits = self._plan.limits
        notes = assemble.left(exchange, limits, relative)
        held = assemble.held(exchange, first.segments)
        least = min(limits.max_block, limits.max_total or limits.max_block)
        found = stalls(first, limits) if 2 * held >= least else ()
        check = assemble.measured(
            Subject(id, exchange.request, limits.max_block, self._meter),
            exchange,
            Verdict((), notes, None),
            relative,
            loop=first.loop,
            loop_ns=held,
            max_total=limits.max_total,
            almost=assemble.almost((), found, limits, relative),
            exchanges=first.exchanges,
        )
        return assemble.with_total(check, first.segments, found, limits, pace_now, relative)

    def _checker(self) -> Checker:
        """Starts the app where it does not run. No cookie stays from one route to the next."""
        checker = self._apps.checker(self._app)
        checker.client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # httpx's setter takes a jar
        return checker

    def _fly(
        self,
        pairs: Pairs,
        judge: Callable[[Pairs, Many, Observation], None],
        user: MakesRequests,
        *,
        exact: bool = False,
    ) -> None:
        """Sends all of them at once, and has them judged; without those that end the loop, or take it."""
        left = pairs
        while left:
            many = Many([flight for _result, flight in left])
            try:
                observation = self._observe(many, user, exact=exact)
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

    def _observe(self, many: Many, user: MakesRequests, *, exact: bool) -> Observation:
        limits = self._plan.limits
        run = ManyRun(PATIENCE, sample_after(limits.max_block), limits.linger, exact=exact)

        def overdue() -> bool:
            user.progress(self._over + many.over, self._everything)
            return many.holder(_HELD_S) is not None

        return self._checker().many(run, many, overdue)

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

    def _judge_cold(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """The first round: which routes are through, and which are sent a second time, warm."""
        found = self._answered(pairs, observation)
        for result, _flight, mine in found:
            result.first = suspects.warmed(mine)
        self._mark(observation, many, dict(_owners(result for result, _flight, _mine in found)))
        for result, _flight, mine in found:
            if not result.ran and self._needs_second(result, mine):
                result.first, result.cold = None, mine
                result.suspect = result.in_steps = result.alone = False
            result.ran = result.first is not None or result.to_learn

    def _exactly(self, result: RouteResult) -> bool:
        """Whether counters at every line tell where it holds the loop, among others.

        What computes is sent again alone: the counters of a run give up in a hot loop, and would then count no other.
        """
        if not result.in_steps or result.to_learn or result.alone or result.mistake or result.first is None:
            return False
        return not suspects.computed(result.first, self._plan.limits)

    def _needs_second(self, result: RouteResult, mine: Observation) -> bool:
        """A request that computed may have done what a process does once. One that slept is sent again alone."""
        if result.in_steps and not result.alone:
            return suspects.computed(mine, self._plan.limits)
        return self._twice or result.suspect

    def _judge(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """The measured round."""
        found = self._answered(pairs, observation)
        for result, _flight, mine in found:
            result.first = mine if result.cold is not None else suspects.warmed(mine)
            result.ran = True
        self._mark(observation, many, dict(_owners(result for result, _flight, _mine in found)))

    def _judge_exact(self, pairs: Pairs, _many: Many, observation: Observation) -> None:
        """The suspects with counters: only the observation counts, the answer is known."""
        owners = {each.number: place for place, (_result, flight) in enumerate(pairs) for each in flight.exchanges}
        for place, mine in suspects.of_each(observation, owners).items():
            pairs[place][0].exact = mine
            pairs[place][0].requests += len(mine.exchanges)

    def _answered(self, pairs: Pairs, observation: Observation) -> list[tuple[RouteResult, Flight, Observation]]:
        """Puts into each result what its answer says, and gives what is recorded of it alone."""
        owners = {each.number: place for place, (_result, flight) in enumerate(pairs) for each in flight.exchanges}
        shared = suspects.of_each(observation, owners)
        found = []
        for place, (result, flight) in enumerate(pairs):
            mine = shared.get(place)
            result.requests += len(flight.exchanges)
            answer = self._answer(result.route, flight, mine)
            if answer.reason is not None:
                result.mistake = answer.mistake
                result.leave_out(answer.reason, answer.words)
            if mine is not None:
                found.append((result, flight, mine))
        return found

    def _answer(self, route: Route, flight: Flight, mine: Observation | None) -> Answer:
        request = f"{flight.request.method} {flight.request.url}"
        exchanges = mine.exchanges if mine is not None else ()
        if flight.unfinished:
            return unfinished(request, exchanges, self._apps.relative_frame(self._app, flight.sits), PATIENCE.answer_s)
        if flight.refused is not None or not exchanges:
            return Answer("failed", unanswered.reason(request, flight.refused))
        other = answered_instead(route, exchanges[-1])
        if other is not None:
            return Answer("not-found", f"{other} takes its requests: declare the route before that one")
        return answer_of(exchanges[-1], self._apps.relative(self._app))

    def _mark(self, observation: Observation, many: Many, owners: "dict[int, RouteResult]") -> None:
        """Marks the suspects among these."""
        limits = self._plan.limits
        for number in suspects.of_steps(observation, limits):
            if number in owners:
                owners[number].suspect = owners[number].in_steps = True
        for number in suspects.keepers(observation, limits):
            if number in owners:
                owners[number].suspect = True
        beside = suspects.beside_steps(observation, limits, many.steps) | {each.number for each in many.hogs}
        for number in beside:
            if number in owners:
                owners[number].suspect = owners[number].alone = True


def _pairs(results: Iterable[RouteResult], user: MakesRequests) -> Pairs:
    """Those of the results for which a request can be made."""
    found: Pairs = []
    for result in results:
        result.sent = user.request_of(result)
        if result.sent is not None:
            found.append((result, _flight(result)))
    return found


def _flight(result: RouteResult) -> Flight:
    if result.sent is None:
        raise RuntimeError(f"{result.route.name} has no request")
    return Flight(result.sent)


def _owners(results: Iterable[RouteResult]) -> Iterator[tuple[int, RouteResult]]:
    for result in results:
        for exchange in result.first.exchanges if result.first is not None else ():
            yield exchange.number, result


def _in_turn(results: Iterable[RouteResult], order: Callable[[RouteResult], int]) -> Iterator[list[RouteResult]]:
    """Groups that are sent one after the other."""
    groups: defaultdict[int, list[RouteResult]] = defaultdict(list)
    for each in results:
        groups[order(each)].append(each)
    yield from (groups[key] for key in sorted(groups))


def _depth(result: RouteResult) -> int:
    """How many variables the path has: an id comes from the answer of a route with fewer."""
    return result.route.path.count("{")


def _danger(result: RouteResult) -> int:
    return _UNSAFE.index(result.route.method) if result.route.method in _UNSAFE else -1


def _of_unknown(error: LoopBlocked | LoopEnded) -> str:
    return f"the app's event loop ended with {error}" if isinstance(error, LoopEnded) else str(error)
