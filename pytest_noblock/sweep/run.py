"""Runs a sweep: every route once to get warm, then all at once under the meter, then each suspect alone.

A sweep takes as long as its slowest route, not the sum of all. Only what may have held the loop is sent once more,
alone, with counters at every user line.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from pytest_noblock.checks import assemble
from pytest_noblock.checks.assemble import Subject, Verdict
from pytest_noblock.checks.checker import SentBefore
from pytest_noblock.checks.plan import SAFE, Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.many.flights import AT_ONCE
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.engine.selfcheck import pace_now
from pytest_noblock.judge import capacity
from pytest_noblock.judge.stalls import stalls
from pytest_noblock.model.check import Check
from pytest_noblock.model.observation import Meter, Observation
from pytest_noblock.sweep import hidden, suspects
from pytest_noblock.sweep.flights import Again, Flights, Judge, Pairs, flight_of
from pytest_noblock.sweep.harvest import levels
from pytest_noblock.sweep.hidden import Hidden
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.rounds import Rounds


class MakesRequests(Protocol):
    """What the sweep asks of its user."""

    def request_of(self, result: RouteResult) -> Sent | None:
        """The request of a route; None where it has put into the result why there is none."""

    def knows_more(self, result: RouteResult) -> bool:
        """Whether the route's request would be another one by now."""

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
        self._flights = Flights(app, apps, plan)
        self._rounds = Rounds(plan.limits, self._relative, partial(apps.relative_frame, app))
        self._everything = 0
        """How many requests there are to be."""
        self._told: set[str] = set()
        """What is told once, as many routes were under way."""

    def run(self, results: Sequence[RouteResult], user: MakesRequests) -> None:
        """Fills the results. Raises LifespanFailed where the app does not start.

        Where it is interrupted, as by Ctrl-C, the results say what was measured by then.
        """
        waiting = [each for each in results if not each.ran]
        safe = [each for each in waiting if each.route.method in SAFE]
        unsafe = [each for each in waiting if each.route.method not in SAFE]
        try:
            self._everything += 2 * len(safe) + len(unsafe)
            self._send_safe(safe, user)
            for some in _in_rounds(unsafe):
                self._fly(_pairs(some, user), self._rounds.warm, user)
            user.progress(self._everything, self._everything)
        except KeyboardInterrupt:
            self._rounds.interrupted(results)
            raise

    def _send_safe(self, safe: Sequence[RouteResult], user: MakesRequests) -> None:
        """Each once, where ids come from the answers of others after those; then all that need it, warm.

        What found nothing is asked again where the others' answers tell more by then.
        """
        seconds = 0
        left = list(_in_rounds(safe))
        while left:
            some = left.pop(0)
            seconds = self._send_first(_pairs(some, user), [] if left else _waiting(safe), user)
        more = [each for each in safe if each.may_be_asked_again and user.knows_more(each)]
        seconds += len(more) + self._send_first(_asked_again(more, user), [], user)
        warm = _waiting(safe)
        self._everything += seconds + len(warm) - len(safe)
        self._fly(_again(warm), self._rounds.warm, user)
        Hidden(lambda some: self._send_fewer(some, user)).look(safe)
        exactly = [each for each in safe if self._rounds.may_be_counted(each)]
        self._everything += len(exactly)
        self._fly(_again(exactly), self._rounds.exact, user, exact=True)

    def _send_fewer(self, some: Sequence[RouteResult], user: MakesRequests) -> None:
        self._everything += len(some)
        self._fly(_again(some), self._rounds.again, user)

    def _send_first(self, pairs: Pairs, waiting: Sequence[RouteResult], user: MakesRequests) -> int:
        """Sends first requests. Returns how many second ones went with them.

        `waiting`: who waits for a second one. Where all are more than may be under way at once, the second ones follow
        in the same run: else the slowest of the first ones would keep nearly all of the others waiting.
        """
        crowd = len(pairs) + len(waiting) > AT_ONCE
        also = [(each, flight_of(each, second=True)) for each in waiting] if crowd else []
        if crowd:
            sent = self._fly([*_spread(pairs), *also], self._rounds.both, user, again=self._rounds)
        else:
            sent = self._fly(pairs, self._rounds.cold, user)
        for result, flight in pairs:
            if result.reason is None and flight.response is not None:
                user.learn(result, flight.response)
        return sent - len(pairs)

    def _fly(
        self, pairs: Pairs, judge: Judge, user: MakesRequests, *, exact: bool = False, again: Again | None = None
    ) -> int:
        progress = partial(self._progress, user)
        return self._flights.fly(pairs, judge, progress, exact=exact, again=again)

    def _progress(self, user: MakesRequests, over: int) -> None:
        user.progress(over, self._everything)

    def check(self, id: str, result: RouteResult) -> Check:
        """The Check of a route that was sent; a suspect is sent again, alone.

        What runs with counters do not show again may have been another's thread, which kept the GIL meanwhile. Such
        runs do not see who keeps the GIL: a whole check alone does, and settles both doubts.
        """
        check = self._checked(id, result)
        if result.may_be_anothers and not check.findings:
            result.alone, result.hidden = True, None
            check = self._checked(id, result)
        if result.may_wait_shorter and not check.findings:
            check = self._checked_again(id, result, check)
        if result.unexplained:
            check = self._with_unexplained(id, result, check, result.unexplained)
        if result.hidden:
            return hidden.told(check, result.hidden)
        return hidden.told_shortened(check) if result.shortened else check

    def _with_unexplained(self, id: str, result: RouteResult, check: Check, sentence: str) -> Check:
        """A whole check alone has the last net as well; of a route that is checked by what was recorded, it is made."""
        if result.suspect and not (result.alone or check.findings) and result.route.method in SAFE:
            result.alone = True
            check = self._checked(id, result)
        if sentence in self._told:
            return check
        self._told.add(sentence)
        return hidden.told_unexplained(check, sentence)

    def _checked_again(self, id: str, result: RouteResult, check: Check) -> Check:
        """What made the route a suspect is not in its check: the machine may have made a wait shorter in all its runs.

        One more run tells whether it does so. Where that one shows the wait, the route is checked once more.
        """
        self._flights.fly(_again([result]), self._rounds.again, lambda _over: None)
        if result.first is None or not suspects.slept_too_long(result.first, self._plan.limits):
            return check
        result.shortened = True  # by the check
        return self._checked(id, result)

    def _checked(self, id: str, result: RouteResult) -> Check:
        sent, first = result.sent, result.first
        if sent is None or first is None:
            raise RuntimeError(f"{result.route.name} was not sent")
        if not result.suspect:
            return self._passed(id, first)
        checker = self._flights.checker()
        if result.alone and sent.method in SAFE:
            return checker.check(id, sent, self._plan._replace(warmup=False, expect="any"))
        before = SentBefore(first, result.cold, result.exact)
        return checker.settle(id, sent, self._plan._replace(expect="any"), before)

    def recorded(self, id: str, result: RouteResult) -> Check | None:
        """The Check of a suspect by what the rounds recorded: nothing is sent. None where that leaves a doubt."""
        sent, first, exact = result.sent, result.first, result.exact
        if sent is None or first is None or exact is None or not suspects.of_steps(exact, self._plan.limits):
            return None
        plan = self._plan._replace(expect="any", confirm=False)
        check = self._flights.checker().settle(id, sent, plan, SentBefore(first, result.cold))
        return check if check.findings else None

    def _passed(self, id: str, first: Observation) -> Check:
        exchange = first.exchanges[-1]
        limits = self._plan.limits
        notes = assemble.left(exchange, limits, self._relative)
        held = assemble.held(exchange, first.segments)
        taken = capacity.shares(first, held)
        least = min(limits.max_block, limits.max_total or limits.max_block)
        found = stalls(first, limits) if 2 * held >= least else ()
        check = assemble.measured(
            Subject(id, exchange.request, limits.max_block, self._meter),
            exchange,
            Verdict((), notes, None),
            self._relative,
            loop=first.loop,
            loop_ns=held,
            max_total=limits.max_total,
            almost=assemble.almost((), assemble.told(found, self._relative), limits),
            capacity=capacity.words(taken),
            scarce_ns=capacity.scarcest(taken),
            exchanges=first.exchanges,
        )
        return assemble.with_total(check, first.segments, found, limits, pace_now, self._relative)

    def _relative(self, file: str) -> str:
        return self._apps.relative(self._app)(file)


def _pairs(results: Sequence[RouteResult], user: MakesRequests) -> Pairs:
    """Those of the results for which a request can be made."""
    for each in results:
        each.sent = user.request_of(each)
    return _again([each for each in results if each.sent is not None])


def _asked_again(results: Sequence[RouteResult], user: MakesRequests) -> Pairs:
    """A page of the same round may have linked to them: `/admin/{key}/list` to `/admin/{key}/detail?pk=1`."""
    for each in results:
        each.ask_again()
    return _pairs(results, user)


def _waiting(results: Sequence[RouteResult]) -> list[RouteResult]:
    """Those that wait for their second request."""
    return [each for each in results if each.measured_cold]


def _again(results: Sequence[RouteResult]) -> Pairs:
    return [(each, flight_of(each)) for each in results]


_GOLDEN = (5**0.5 - 1) / 2


def _spread(pairs: Pairs) -> Pairs:
    """In an order in which neighbours are not under way together: they often do the same, as to hold the loop.

    Who holds it while others wait for something else makes the run no longer; several in a row do. By the golden ratio
    each row of neighbours, short or long, is spread evenly over all.
    """
    if len(pairs) <= AT_ONCE:
        return pairs
    places = sorted(range(len(pairs)), key=lambda place: place * _GOLDEN % 1)
    return [pairs[place] for place in places]


def _in_rounds(results: Sequence[RouteResult]) -> Iterator[list[RouteResult]]:
    """Groups that are sent one after the other."""
    by_name: Mapping[str, RouteResult] = {each.route.name: each for each in results}
    for some in levels(each.route for each in results):
        yield [by_name[route.name] for route in some]
