"""What held the loop together in one turn, and no request alone in one of its phases: pure functions.

Between two polls of the selector nobody else gets a turn. So the steps of several requests that follow each other
without a poll hold the loop together, and so do the last step of a response and the background task after it. Only
requests of one endpoint are put together: to send many of them at once is what they are asked to bear.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_noblock.judge.sleeps import slept
from pytest_noblock.judge.traced import without_tracing
from pytest_noblock.judge.turns import Turn, joined, turns
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import LIFESPAN, Exchange, Observation, Phase
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import words

LEAST_NS = 5_000_000
"""Ns that a request holds the loop for in one turn, at least, to count among others. Below that lies what a framework
takes for any request, and many good ones at once are no endpoint's fault. Measured on FastAPI with a middleware, two
dependencies and a response model: 0.6 to 2.3 ms of CPU, beside 4 busy processes; a client that is made for each
request (`httpx.AsyncClient()`) took 13 to 40 ms."""


class Shared(NamedTuple):
    """What held the loop together."""

    exchange: Exchange
    """That of the greatest part."""
    phase: Phase
    """Likewise."""
    turn: Turn
    requests: int


class Ran(NamedTuple):
    """One turn of one exchange, in one phase."""

    exchange: Exchange
    turn: Turn

    @property
    def held(self) -> int:
        """Ns that it computed and slept."""
        return held(self.turn)

    @property
    def phase(self) -> Phase:
        return self.exchange.phase_at(self.turn.segment.began)


def held(turn: Turn) -> int:
    """Ns that the loop thread computed and slept in the turn."""
    return turn.segment.cpu + slept(turn.segment)


def shared(ran: Iterable[Ran]) -> Iterator[Shared]:
    """What the requests of one endpoint ran in one turn. `ran`: what no finding of its own tells."""
    groups: defaultdict[tuple[int, object], list[Ran]] = defaultdict(list)
    for each in ran:
        if each.turn.segment.turn and each.exchange.method != LIFESPAN:
            groups[each.turn.segment.turn, _code(each.exchange)].append(each)
    for group in groups.values():
        if len(group) > 1 and len(counted := _counted(group)) > 1:
            yield _shared(counted)


def proof(found: Shared, stall: Stall) -> str:
    """How they held the loop together, in words and numbers."""
    split = f"asleep {words(stall.asleep)}, CPU {words(stall.cpu)}"
    if found.requests > 1:
        each = words(stall.blocked_ns // found.requests)
        return f"{found.requests} requests' steps in one turn of the loop, {each} each on average: {split}"
    return f"its steps before and after the response was complete, in one turn of the loop: {split}"


def lacks_line(finding: Finding) -> bool:
    """Whether no look came while any of the requests held the loop: each did so for too short a time."""
    return finding.requests > 1 and finding.evidence == "endpoint"


def named(finding: Finding, alone: Iterable[Finding]) -> Finding:
    """The finding at the line where one request alone, with counters, does the most of that kind."""
    same = [each for each in alone if (each.kind, each.phase) == (finding.kind, finding.phase)]
    line = max((each for each in same if each.file), key=lambda each: each.blocked_ns, default=None)
    if line is None or not lacks_line(finding):
        return finding
    return finding.at_line_of(line)


def _code(exchange: Exchange) -> object:
    """What requests of one endpoint have in common."""
    defined = exchange.defined
    return (defined.file, defined.line) if defined is not None else (exchange.method, exchange.route or exchange.path)


def _counted(group: Sequence[Ran]) -> list[Ran]:
    """One request alone counts in all its phases; of several, those that took `LEAST_NS` or more."""
    took: defaultdict[int, int] = defaultdict(int)
    for each in group:
        took[each.exchange.number] += each.held
    return [each for each in group if len(took) == 1 or took[each.exchange.number] >= LEAST_NS]


def _shared(counted: Sequence[Ran]) -> Shared:
    greatest = max(counted, key=lambda each: each.held)
    pieces = sorted((piece for each in counted for piece in each.turn.pieces), key=lambda piece: piece.began)
    requests = len({each.exchange.number for each in counted})
    return Shared(greatest.exchange, greatest.phase, Turn(joined(pieces), pieces), requests)


def notes(observation: Observation, found: Sequence[Stall], limits: Limits) -> Mapping[int, str]:
    """By number of an exchange: the sentence on the longest turn that nothing in `found` tells, and it began."""
    observation = without_tracing(observation)
    exchanges = {each.number: each for each in (*observation.exchanges, *observation.probe_exchanges)}
    by_turn: defaultdict[int, list[Turn]] = defaultdict(list)
    for each in turns(observation.segments, exchanges):
        if each.segment.turn:
            by_turn[each.segment.turn].append(each)
    told: dict[int, tuple[int, str]] = {}
    for ran in by_turn.values():
        total = sum(map(held, ran))
        if len(ran) > 1 and total >= limits.max_block and not is_told(_span(ran), found, limits):
            owner = next((each for each in ran if each.segment.exchange in exchanges), None)
            if owner is not None and total > told.get(owner.segment.exchange, (0, ""))[0]:
                told[owner.segment.exchange] = total, _sentence(ran, total, exchanges, limits)
    return {number: sentence for number, (_total, sentence) in told.items()}


def _span(ran: Sequence[Turn]) -> tuple[int, int]:
    return min(each.segment.began for each in ran), max(each.segment.ended for each in ran)


def is_told(span: tuple[int, int], found: Iterable[Stall], limits: Limits) -> bool:
    """Whether one of the stalls tells what held the loop in this time. `span`: its begin and its end."""
    began, ended = span
    on_loop = (each for each in found if KINDS[each.kind].on_loop and not each.is_open)
    return any(each.began < ended and began < each.ended and each.breaks(limits) for each in on_loop)


def _sentence(ran: Sequence[Turn], total: int, exchanges: Mapping[int, Exchange], limits: Limits) -> str:
    requests = {number for each in ran if (number := each.segment.exchange) in exchanges}
    endpoints = len({_code(exchanges[number]) for number in requests})
    several = f" of {endpoints} endpoints" if endpoints > 1 else ""
    who = f"{len(requests)} requests{several}" if len(requests) > 1 else "one request"
    alone = all(each.segment.exchange in requests for each in ran)
    split = f", {words(total // len(requests))} each on average" if alone else " and of the app"
    return (
        f"{UNSETTLED}the event loop stood still for {words(total)} in one turn: steps of {who}{split}; not counted: "
        f"what counts is {words(LEAST_NS)} or more for each request of one endpoint, {words(limits.max_block)} in all"
    )
