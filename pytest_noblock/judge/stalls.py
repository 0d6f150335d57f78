"""Which stalls an observation shows: pure functions, one small rule for each.

The rules of the steps stand here; `gil`, `contention` and `pool` judge what was recorded beside the steps.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from pytest_noblock.judge import attribution, cpu_lines, deadlocks, shares
from pytest_noblock.judge.charged import Charged, charged_for
from pytest_noblock.judge.sleeps import in_doubt, proves, slept
from pytest_noblock.judge.traced import without_tracing
from pytest_noblock.judge.turns import Turn, turns
from pytest_noblock.model.finding import Part
from pytest_noblock.model.kinds import StallKind
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.units import words

_CPU_CLOCK = Rule("cpu-clock", "the loop thread's CPU clock; garbage collection and first imports are taken off")
_SLEPT = Rule(
    "slept",
    "wall time less CPU, garbage collection and run-queue delay, where the loop thread switched voluntarily; "
    "waits for the GIL, and what the machine stood still, are taken off",
)
_SLEPT_ASKED = Rule("slept-asked", "the sleep that the arguments of known calls asked for, and that the calls took")
_SEEN_IN_KNOWN_CALLS = Rule(
    "seen-in-known-calls", "portable meter: the time in which the loop thread was seen in known blocking calls"
)


def stalls(observation: Observation, limits: Limits) -> list[Stall]:
    """All stalls of the run in order of time: those that break the limits, and those that are worth a note."""
    observation = without_tracing(observation)
    exchanges = {exchange.number: exchange for exchange in observation.exchanges}
    judged = [
        _Judged(whose, turn, list(_stalls_in(whose, turn, limits)))
        for turn in turns(_not_of_probes(observation), exchanges)
        for whose in charged_for(turn.segment, exchanges)
    ]
    in_steps = (stall for each in judged for stall in each.found)
    shared = _in_shared_turns(judged, limits) if _share_turns(judged) else ()
    off_loop = _off_loop(observation, limits) if _is_recorded_off_loop(observation) else ()
    return sorted(chain(in_steps, shared, off_loop), key=lambda stall: stall.began)


def of_probes_in_doubt(observation: Observation, limits: Limits) -> Iterator[str]:
    """See `probe_steps.in_doubt`."""
    if observation.probe_exchanges:
        from pytest_noblock.judge import probe_steps

        yield from probe_steps.in_doubt(
            observation, lambda exchange, segment: _stalls_of(exchange, segment, limits), limits
        )


def _not_of_probes(observation: Observation) -> Iterator[Segment]:
    """The segments that a judge of steps reads; `probe_steps` reads those of the probes."""
    probes = {exchange.number for exchange in observation.probe_exchanges}
    return (segment for segment in observation.segments if segment.exchange not in probes)


class _Judged(NamedTuple):
    """One turn of one exchange, in one phase."""

    whose: Charged
    turn: Turn
    found: list[Stall]

    @property
    def may_share(self) -> bool:
        """Whether it may be part of what held the loop together."""
        return self.turn.segment.turn > 0 and not self.whose.of_app

    def is_told(self, limits: Limits) -> bool:
        return any(each.kind in _ADD_UP and not each.is_open and each.breaks(limits) for each in self.found)


_ADD_UP: tuple[StallKind, ...] = ("cpu", "sync-io")


def _share_turns(judged: Sequence[_Judged]) -> bool:
    """Whether two of them ran in one turn."""
    numbers = [each.turn.segment.turn for each in judged if each.may_share]
    return len(set(numbers)) < len(numbers)


def _in_shared_turns(judged: Iterable[_Judged], limits: Limits) -> Iterator[Stall]:
    """The stalls that several requests, or several phases, made together in one turn."""
    from pytest_noblock.judge import shared_turns  # most tests send one request after the other

    ran = (each for each in judged if each.may_share and not each.is_told(limits))
    for together in shared_turns.shared(shared_turns.Ran(each.whose.exchange, each.turn) for each in ran):
        exchange, phase, (segment, pieces), requests = together
        for stall in _stalls_of(exchange, segment, limits, exchange):
            if stall.kind in _ADD_UP and stall.breaks(limits):
                told = shares.with_parts(stall, pieces)
                proof = told.proof or shared_turns.proof(together, told)
                yield told._replace(requests=requests, of_phase=phase, proof=proof)


def _is_recorded_off_loop(observation: Observation) -> bool:
    return bool(observation.gaps or observation.waits or observation.pools or observation.probe_exchanges)


def _off_loop(observation: Observation, limits: Limits) -> Iterator[Stall]:
    from pytest_noblock.judge import contention, gil, pool, probe_steps  # few watched tests record what they judge

    yield from probe_steps.kept_waiting(observation, lambda exchange, segment: _stalls_of(exchange, segment, limits))
    yield from gil.kept(observation)
    yield from contention.kept_waiting(observation)
    yield from pool.starved(observation, limits)


def _stalls_in(whose: Charged, turn: Turn, limits: Limits) -> Iterator[Stall]:
    """The stalls of one turn of the loop, with the lines that shared in each."""
    owner = None if whose.of_app else whose.exchange
    shared = len(turn.pieces) > 1
    found = list(_stalls_of(whose.exchange, turn.segment, limits, owner))
    for stall in _with_waits(found, whose.exchange, turn, limits):
        adds_up = stall.kind in _ADD_UP and not stall.is_open
        told = shares.with_parts(stall, turn.pieces) if shared and adds_up else stall
        yield _of_app(told) if whose.of_app else told


def _with_waits(found: Sequence[Stall], exchange: Exchange, turn: Turn, limits: Limits) -> list[Stall]:
    """The stalls; what is in doubt stands in the place of what the meter charges for the same sleeps, or loop."""
    pieces = [each for each in turn.pieces if each.wall >= limits.max_block and (each.samples or each.calls)]
    if not pieces:
        return list(found)
    from pytest_noblock.judge import open_waits  # few steps take as long as the limit

    doubts = [each for piece in pieces for each in open_waits.of_step(exchange, piece, readings_of(piece), limits)]
    lines = {(each.kind, attribution.key_of(each.place)) for each in doubts}
    return [*(each for each in found if (each.kind, attribution.key_of(each.place)) not in lines), *doubts]


def _of_app(stall: Stall) -> Stall:
    doing = f"asleep {words(stall.asleep)}, CPU {words(stall.cpu)}"
    request, returned = stall.exchange.request, stall.exchange.returned
    when = f"while {request} was under way" if returned is None or stall.began < returned else f"right after {request}"
    return stall._replace(of_app=True, proof=f"no step of the request's: the app ran it {when}; {doing}")


def _stalls_of(exchange: Exchange, segment: Segment, limits: Limits, owner: Exchange | None = None) -> Iterator[Stall]:
    """`owner`: the exchange whose endpoint is to blame where no line is known; None: no endpoint is."""
    network = list(_network(exchange, segment, owner))
    yield from network
    asked = attribution.slept_on_request(segment)
    measured = slept(segment) - sum(stall.asleep for stall in network)
    cpu = max(0, segment.cpu - sum(stall.cpu for stall in network))
    for kind, cpu_part, asleep_part in _split(cpu, max(asked, measured), limits.max_block):
        if cpu_part + asleep_part >= NOTE_NS:
            slept_at = attribution.of_sleep(segment)
            needed = limits.max_block - cpu_part
            sure = needed <= asked or proves(asleep_part, needed, segment, slept_at)
            place = cpu_lines.of_cpu(segment, owner) if kind == "cpu" else slept_at
            place = cpu_lines.or_definition(place, segment, owner)
            rule = _CPU_CLOCK if kind == "cpu" else _rule_of_sleep(segment, asked, measured)
            times = segment.began, segment.ended, cpu_part, asleep_part
            proof = _deadlock(place, cpu_part, asleep_part) if kind == "sync-io" else None
            parts = _parts(kind, segment, cpu_part + asleep_part, limits)
            doubt = min(asleep_part, in_doubt(segment))
            yield Stall(
                kind, exchange, *times, place, rule, readings_of(segment), sure, proof, parts=parts, in_doubt=doubt
            )


def _parts(kind: StallKind, segment: Segment, total: int, limits: Limits) -> tuple[Part, ...]:
    return shares.parts_of(kind, segment, total) if total >= limits.max_block else ()


def _deadlock(place: BlamedLine, cpu: int, asleep: int) -> str | None:
    why = deadlocks.told(place.frame)
    return why and f"{why}; asleep {words(asleep)}, CPU {words(cpu)}"


def _rule_of_sleep(segment: Segment, asked: int, measured: int) -> Rule:
    if asked and asked >= measured:
        return _SLEPT_ASKED
    return _SEEN_IN_KNOWN_CALLS if segment.queued is None else _SLEPT


def readings_of(segment: Segment) -> Readings:
    """The readings of a segment, for the findings that rest on it."""
    return Readings(
        wall=segment.wall,
        cpu=segment.cpu,
        queued=segment.queued,
        asleep=None if segment.queued is None else segment.asleep,
        switches=segment.switches,
        others_cpu=segment.others_cpu,
        collected=segment.collected,
        samples=len(segment.samples),
        exchanged=segment.exchanged,
        others_queued=segment.others_may_have_queued + segment.children_queued or None,
    )


def _split(cpu: int, asleep: int, limit: int) -> list[tuple[StallKind, int, int]]:
    """(kind, CPU, sleep) of each stall of one segment, in ns: one stall of the larger part's kind, with both parts.

    Where CPU and sleep each break the limit, each is a stall of its own.
    """
    if cpu >= limit and asleep >= limit:
        return [("cpu", cpu, 0), ("sync-io", 0, asleep)]
    return [("cpu" if cpu > asleep else "sync-io", cpu, asleep)]


def _network(exchange: Exchange, segment: Segment, owner: Exchange | None) -> Iterator[Stall]:
    """One stall for each line that made a round trip."""
    for trip in attribution.of_network(segment):
        cpu, asleep = min(trip.cpu, segment.cpu), min(trip.asleep, _asleep_in(trip, segment))
        yield Stall(
            "sync-network",
            exchange,
            segment.began,
            segment.ended,
            cpu,
            asleep,
            cpu_lines.or_definition(trip.place, segment, owner),
            trip.rule,
            readings_of(segment),
        )


def _asleep_in(trip: attribution.RoundTrip, segment: Segment) -> int:
    """The most that the loop thread can have slept for this round trip.

    A known call is witnessed: whatever the thread waited for in it, nobody else had their turn.
    """
    return segment.asleep if trip.witnessed and segment.queued is not None else slept(segment)


def breaking(found: Iterable[Stall], limits: Limits) -> list[Stall]:
    return [stall for stall in found if stall.breaks(limits)]


def doubtful(observation: Observation, found: Iterable[Stall]) -> bool:
    """Whether line counters may find a round trip that the counters of a step cannot show.

    One case: the step opened a connection and closed it again; its sleep hints at that. The other case: another
    thread may have made the round trip.
    """
    slept = any(stall.kind == "sync-io" for stall in found)
    return slept or any(segment.doubtful_trips for segment in observation.segments)
