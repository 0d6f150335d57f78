"""What each round of a sweep says of its routes: it is put into their results."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence

from pytest_noblock.checks import unanswered
from pytest_noblock.checks.confirming import by_two_runs
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.many.flights import Flight, Many
from pytest_noblock.judge import grouping
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall
from pytest_noblock.sweep import flights, suspects
from pytest_noblock.sweep.answers import Answer, answer_of, unfinished
from pytest_noblock.sweep.flights import Pairs
from pytest_noblock.sweep.hints import hint
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.reasons import reason_of
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.shadowed import answered_instead
from pytest_noblock.sweep.suspects import Seen

Found = list[tuple[RouteResult, Observation]]


class Rounds:
    """Judges the rounds of one sweep."""

    def __init__(
        self, limits: Limits, relative: Callable[[str], str], relative_frame: Callable[[Frame | None], Frame | None]
    ) -> None:
        """`relative`, `relative_frame`: turn a file, and a frame's, into the name that reports show."""
        self._limits = limits
        self._relative = relative
        self._relative_frame = relative_frame

    def cold(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """The first round: which routes are through, and which are sent a second time, warm."""
        self._cold(pairs, self._seen(many, observation), observation)

    def warm(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """The measured round: the second one, or the only one of what is sent once."""
        self._warm(pairs, self._seen(many, observation), observation)

    def both(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """The two in one run. What a first request may have done to a second one, a later round has to show again."""
        seen = self._seen(many, observation)
        first = [(result, flight) for result, flight in pairs if not flight.second]
        self._cold(first, seen, observation, followed={result for result, flight in pairs if flight.second})
        doubtful = suspects.beside_first(seen, observation, _owners(first))
        second = []
        for result, flight in pairs:
            if not flight.second:
                continue
            if result.measured_cold and doubtful.isdisjoint(each.number for each in flight.exchanges):
                second.append((result, flight))
            else:
                result.requests += len(flight.exchanges)
        self._warm(second, seen, observation)

    def is_sent_again(self, flight: Flight, segments: Sequence[Segment]) -> bool:
        """Whether a first request needs a second one, by what is known once it is over; see `_needs_second`.

        `segments`: those of its own steps.
        """
        if flight.unfinished or flight.response is None or reason_of(flight.response.status_code) is not None:
            return False
        return self.holds(segments) or suspects.known_to_use_network(segments) or not suspects.waited(segments)

    def holds(self, segments: Sequence[Segment]) -> bool:
        """Whether a request holds the loop for too long."""
        return any(each.held >= self._limits.max_block for each in segments)

    def _seen(self, many: Many, observation: Observation) -> Seen:
        waits = many.metering.steps.waits if many.metering is not None else {}
        seen = suspects.of_run(observation, self._limits, many.steps, waits, many.late)
        return seen._replace(beside=seen.beside | {each.number for each in many.hogs})

    def _doubt(self, found: Found, observation: Observation) -> None:
        """Once the suspects among these are marked: of them a whole check tells, as too little may be recorded."""
        doubtful = suspects.in_doubt(observation, self._limits)
        for number, result in _results_by_exchange(found):
            if number in doubtful:
                result.in_doubt = not result.suspect
                result.suspect = result.alone = True

    def _cold(self, pairs: Pairs, seen: Seen, observation: Observation, followed: Container[RouteResult] = ()) -> None:
        """`followed`: those whose second request was sent in the same run."""
        found = self._answered(pairs, observation)
        for result, mine in found:
            result.first = suspects.warmed(mine)
        _mark(found, seen)
        self._doubt(found, observation)
        for result, mine in found:
            if not result.ran and (result in followed or self._needs_second(result, mine)):
                result.first, result.cold = None, mine
                result.was_suspect = result.suspect
                result.hidden = 0 if result.suspect and not (result.in_steps or result.alone) else None
                result.suspect = result.in_steps = result.alone = result.in_doubt = result.shortened = False
                result.unexplained = None
            result.ran = result.first is not None or result.to_learn

    def _warm(self, pairs: Pairs, seen: Seen, observation: Observation) -> None:
        found = self._answered(pairs, observation)
        for result, mine in found:
            result.first = mine if result.cold is not None else suspects.warmed(mine)
            result.ran = True
        _mark(found, seen)
        self._doubt(found, observation)

    def again(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """Some that others may have hidden, without those: only the observation counts, the answer is known."""
        seen = self._seen(many, observation)
        shared = suspects.of_each(observation, _owners(pairs))
        for place, mine in shared.items():
            result = pairs[place][0]
            result.requests += len(mine.exchanges)
            result.first, result.hidden, result.shortened, result.unexplained = mine, None, False, None
        _mark([(pairs[place][0], mine) for place, mine in shared.items()], seen)

    def exact(self, pairs: Pairs, many: Many, observation: Observation) -> None:
        """The suspects with counters: only the observation counts, the answer is known.

        A doubt is gone where the run shows nothing, and did not make a wait shorter either. Whose thread kept the GIL
        such a run does not show: where that is open as well, a whole check alone tells.
        """
        uncounted = suspects.uncounted(observation)
        shortened = self._seen(many, observation).shortened
        for place, mine in suspects.of_each(observation, _owners(pairs)).items():
            result = pairs[place][0]
            result.requests += len(mine.exchanges)
            if result.in_doubt:
                result.in_doubt = False
                result.shortened = not shortened.isdisjoint(each.number for each in mine.exchanges)
                is_open = result.shortened or result.hidden is not None
                result.suspect = result.alone = is_open or bool(suspects.of_steps(mine, self._limits))
                result.hidden = None
            elif uncounted.isdisjoint(each.number for each in mine.exchanges):
                result.exact = mine

    def may_be_counted(self, result: RouteResult) -> bool:
        """Whether counters at every line tell where it holds the loop, among others.

        What computes is sent again alone: the counters of a run give up in a hot loop, and would then count no other.
        """
        if result.in_doubt:
            return not result.to_learn and not result.mistake
        if not result.in_steps or result.to_learn or result.alone or result.mistake or result.first is None:
            return False
        return not (suspects.computed(result.first, self._limits) or self._shown_twice(result.first, result.cold))

    def _shown_twice(self, first: Observation, cold: Observation | None) -> bool:
        """Whether two runs are proof of all that held the loop."""
        if cold is None or first.meter != "full":
            return False
        found, before = stalls(first, self._limits), breaking(stalls(cold, self._limits), self._limits)
        return bool(by_two_runs(first, found, before, self._limits, self._findings))

    def _findings(self, found: Iterable[Stall]) -> list[Finding]:
        return grouping.findings(found, self._relative, advised=False)

    def interrupted(self, results: Iterable[RouteResult]) -> None:
        """Of what only the first round has measured, that round tells."""
        for each in results:
            if each.measured_cold and each.cold is not None:
                each.first, each.cold, each.ran = suspects.warmed(each.cold), None, True
                each.suspect = each.was_suspect or bool(suspects.of_steps(each.first, self._limits))

    def _needs_second(self, result: RouteResult, mine: Observation) -> bool:
        """A request that computed may have done what a process does once. One that slept is sent again alone."""
        return not result.in_steps or result.alone or suspects.computed(mine, self._limits)

    def _answered(self, pairs: Pairs, observation: Observation) -> Found:
        """Puts into each result what its answer says, and gives what is recorded of it alone."""
        shared = suspects.of_each(observation, _owners(pairs))
        found = []
        for place, (result, flight) in enumerate(pairs):
            mine = shared.get(place)
            result.requests += len(flight.exchanges)
            answer = self._answer(result.route, flight, mine)
            if answer.reason is not None:
                result.mistake = answer.mistake
                result.leave_out(answer.reason, answer.words)
            if mine is not None:
                found.append((result, mine))
        return found

    def _answer(self, route: Route, flight: Flight, mine: Observation | None) -> Answer:
        request = f"{flight.request.method} {flight.request.url}"
        exchanges = mine.exchanges if mine is not None else ()
        if flight.unfinished:
            return unfinished(request, exchanges, self._relative_frame(flight.sits), flights.PATIENCE.answer_s)
        if flight.refused is not None or not exchanges:
            return Answer("failed", unanswered.reason(request, flight.refused))
        other = answered_instead(route, exchanges[-1])
        if other is not None:
            return Answer("not-found", f"{other} takes its requests: declare the route before that one")
        answer = answer_of(exchanges[-1], self._relative)
        return answer if answer.reason is None else _with_hint(answer, route, exchanges[-1], flight.response)


def _mark(found: Found, seen: Seen) -> None:
    """Marks the suspects among these."""
    owners = dict(_results_by_exchange(found))
    for number in seen.in_steps & owners.keys():
        owners[number].suspect = owners[number].in_steps = True
    for number in seen.keepers & owners.keys():
        owners[number].suspect = True
    for number in seen.beside & owners.keys():
        owners[number].suspect = owners[number].alone = True
    for number in seen.hidden.keys() & owners.keys():
        owners[number].hidden = max(owners[number].hidden or 0, seen.hidden[number])
    for number in seen.shortened & owners.keys():
        owners[number].shortened = True
    for number in seen.unexplained.keys() & owners.keys():
        owners[number].unexplained = seen.unexplained[number]


def _with_hint(answer: Answer, route: Route, exchange: Exchange, response: httpx.Response | None) -> Answer:
    told = hint(route, answer.reason or "failed", exchange, response)
    return answer._replace(words=f"{answer.words} ({told})") if told else answer


def _owners(pairs: Pairs) -> dict[int, int]:
    """By the number of an exchange, the place of the pair that it is of."""
    return {each.number: place for place, (_result, flight) in enumerate(pairs) for each in flight.exchanges}


def _results_by_exchange(found: Found) -> Iterator[tuple[int, RouteResult]]:
    for result, mine in found:
        yield from ((exchange.number, result) for exchange in mine.exchanges)
