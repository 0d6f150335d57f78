"""Which routes may have held the loop while many were under way: these are checked alone. Pure functions.

A stall in a step has one owner. What happens beside the steps may be another's: then each that may have done it is a
suspect, and its own check tells.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from pytest_noblock.judge import first_use, last_net
from pytest_noblock.judge.attribution import slept_on_request
from pytest_noblock.judge.gil_waits import is_gil_wait
from pytest_noblock.judge.sleeps import slept
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.concurrency import Gap
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import LOOP, Exchange, Observation, Probe
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import SWITCH_INTERVAL_NS
from pytest_noblock.sweep import shortened_waits

T = TypeVar("T")

_TURNS_BEFORE = 3
"""Turns of the loop. A worker of the app's that a request wakes, as by `Queue.put_nowait`, runs in the turn after next
at the latest."""


class Seen(NamedTuple):
    """The numbers of the exchanges of one run that may have held the loop."""

    in_steps: set[int]
    """Their own steps may break the limits."""
    keepers: set[int]
    """It is known that their threads kept the GIL."""
    beside: set[int]
    """They may have broken the limits beside their own steps, or may be innocent."""
    hidden: dict[int, int]
    """A run with fewer requests tells what they hold. A thread of theirs may have kept the GIL while others held the
    loop, or nobody knows whose thread it was: what it computed in a wait for the GIL (ns), 0 where the loop did not ask
    for the GIL. Or they waited for another thread or process, which went on while others held the loop: 0."""
    shortened: frozenset[int] = frozenset()
    """Of the hidden ones, those that waited for another thread or process."""
    unexplained: Mapping[int, str] = MappingProxyType({})
    """Of the hidden ones, those that were under way while the loop came late, and no cause was found: a sentence."""


def of_run(
    observation: Observation,
    limits: Limits,
    steps: Sequence[tuple[int, int]],
    waits: Mapping[int, int],
    late: Sequence[tuple[int, int]] = (),
) -> Seen:
    """`steps`: turn and exchange of all steps, as in `Many`; `late` as there. `waits`: as in `StepMeter`."""
    found = stalls(_without_gaps(observation), limits)
    broken = breaking(stalls(observation, limits) if observation.gaps else found, limits)
    keepers = _keepers(broken, observation)
    by_app = {number for each in broken if each.of_app for number in _who_woke_app(each, observation, steps)}
    own = _of_steps(found, observation, limits)
    shortened = set(shortened_waits.of_run(observation, limits, waits, late)) - own.broken
    unexplained = _unexplained(observation, limits, late)
    hidden = dict.fromkeys((*shortened, *unexplained), 0) | _threads_hidden(observation, limits)
    hidden = {each: ns for each, ns in hidden.items() if each not in keepers | by_app}
    in_steps = own.broken | (own.may_have_broken - shortened)
    beside = by_app | _seen_by_watchdog(keepers, observation)
    return Seen(in_steps, keepers, beside, hidden, frozenset(shortened & hidden.keys()), unexplained)


def beside_first(seen: Seen, observation: Observation, first: Container[int]) -> set[int]:
    """Which of those beside were under way with one of the `first` requests, which do what a process does once.

    What the process does once, as to import in a thread, may be all that there was.
    """
    over = [each.over_at for each in observation.exchanges if each.number in first]
    last = max((math.inf if at is None else at for at in over), default=0)
    sure = seen.in_steps | seen.keepers
    doubtful = seen.beside | seen.hidden.keys()
    return {each.number for each in observation.exchanges if each.sent < last} & doubtful - sure


def waited(segments: Sequence[Segment]) -> bool:
    """Whether a request's own steps slept, or may have used a connection."""
    return any(each.round_trips or each.doubtful_trips or slept(each) >= NOTE_NS for each in segments)


def known_to_use_network(segments: Sequence[Segment]) -> bool:
    """Whether a known call talked to the network: where it comes again, that is all there is to know."""
    return any(call.network for each in segments for call in each.calls)


def in_doubt(observation: Observation, limits: Limits) -> set[int]:
    """Those with a step that waited for the GIL for too long, while a thread of another request kept it.

    The step may have slept as well: then a run without that thread shows it. Its sleep may be 0 by then, as all of the
    wait has been taken off; that it woke every `SWITCH_INTERVAL_NS` tells. What it asked to sleep is no doubt.
    """
    waiting = (
        each
        for each in observation.segments
        if each.switches is not None
        and max(each.asleep, each.switches * SWITCH_INTERVAL_NS) >= limits.max_block <= each.others_cpu
    )
    return {each.exchange for each in waiting if max(slept(each), slept_on_request(each)) < limits.max_block}


def uncounted(observation: Observation) -> set[int]:
    """Those that ran on after the counters of the run had given up."""
    gave_up = min((each.ended for each in observation.segments if not each.counted), default=math.inf)
    return {each.exchange for each in observation.segments if each.began >= gave_up}


def of_steps(observation: Observation, limits: Limits) -> set[int]:
    """The numbers of the exchanges whose own steps may break the limits."""
    own = _of_steps(stalls(_without_gaps(observation), limits), observation, limits)
    return own.broken | own.may_have_broken


class _OwnSteps(NamedTuple):
    """The numbers of the exchanges whose own steps ..."""

    broken: set[int]
    """... break the limits."""
    may_have_broken: set[int]
    """... slept for less, or used a connection, or another thread did."""


def _of_steps(found: Sequence[Stall], observation: Observation, limits: Limits) -> _OwnSteps:
    own = [each for each in found if not each.of_app]
    slept = {each.exchange.number for each in own if each.kind == "sync-io"}
    doubtful = {each.exchange for each in observation.segments if each.doubtful_trips}
    return _OwnSteps({each.exchange.number for each in breaking(own, limits)}, slept | doubtful)


def computed(observation: Observation, limits: Limits) -> bool:
    """Whether the request computed for too long: a first request does what later ones need not do."""
    return any(each.kind == "cpu" for each in breaking(stalls(_without_gaps(observation), limits), limits))


def slept_too_long(observation: Observation, limits: Limits) -> bool:
    """Whether the request's own steps slept in the kernel for too long."""
    return any(each.kind == "sync-io" for each in breaking(stalls(_without_gaps(observation), limits), limits))


def _keepers(broken: Sequence[Stall], observation: Observation) -> set[int]:
    found = {each.began for each in broken if each.kind == "gil"}
    return {each.exchange for each in observation.gaps if each.began in found and each.exchange is not None}


def _unexplained(observation: Observation, limits: Limits, late: Sequence[tuple[int, int]]) -> dict[int, str]:
    """Who was under way while the loop came late for no reason that anybody saw, and what is to be said of it."""
    ticks = tuple(Probe(LOOP, due, came) for due, came in late)
    found: dict[int, str] = {}
    for turn, sentence in last_net.of_many(observation._replace(probes=ticks), limits):
        under_way = [each for each in observation.exchanges if _overlaps(each, turn.began, turn.ended)]
        for each in under_way or _last_before(turn.began, observation.exchanges):
            found.setdefault(each.number, sentence)
    return found


def _last_before(moment: int, exchanges: Sequence[Exchange]) -> list[Exchange]:
    """What it left behind may go on."""
    over = [each for each in exchanges if each.over_at is not None and each.over_at <= moment]
    return sorted(over, key=lambda each: each.over_at or 0)[-1:]


def _seen_by_watchdog(keepers: Container[int], observation: Observation) -> set[int]:
    """Those of the keepers of which the line may be lost: the loop may go on before the watchdog looks."""
    gaps = (each for each in observation.gaps if each.seen_by == "watchdog")
    return {each.exchange for each in gaps if each.exchange is not None and each.exchange in keepers}


def _without_gaps(observation: Observation) -> Observation:
    return observation._replace(gaps=())


def _threads_hidden(observation: Observation, limits: Limits) -> dict[int, int]:
    """Whose thread may have kept the GIL, and what was computed in that gap at most (ns); see `Seen.hidden`."""
    found: dict[int, int] = {}
    for gap in observation.gaps:
        for number, cpu in _may_have_kept_gil(gap, observation, limits):
            found[number] = max(found.get(number, 0), min(cpu, gap.late) if is_gil_wait(gap, cpu) else 0)
    return found


def _may_have_kept_gil(gap: Gap, observation: Observation, limits: Limits) -> Iterator[tuple[int, int]]:
    """The exchanges whose thread computed for too long in the gap, by number, and how long.

    A thread that nobody knows, as a client's own, may have worked for each request that was under way.
    """
    least = limits.max_block
    if gap.late < least:
        return
    under_way = [each.number for each in observation.exchanges if _overlaps(each, gap.began, gap.ended)]
    for worker in gap.workers:
        cpu = max(worker.cpu, worker.at_most)
        if cpu >= least:
            others = (worker.of_pool and gap.waiting) or under_way
            yield from ((number, cpu) for number in worker.exchanges or others)
    unknown = max(gap.others_cpu, gap.shared_cpu) - sum(each.cpu for each in gap.workers)
    if unknown >= least:
        yield from ((number, unknown) for number in under_way)


def _who_woke_app(stall: Stall, observation: Observation, steps: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Those that had a step right before the app's own."""
    turn = next((each.turn for each in observation.segments if each.began == stall.began), 0)
    yield from (number for at, number in steps if turn - _TURNS_BEFORE <= at <= turn)


def _overlaps(exchange: Exchange, began: int, ended: int) -> bool:
    over = exchange.over_at if exchange.over_at is not None else ended
    return exchange.sent < ended and over > began


def of_each(observation: Observation, owners: Mapping[int, int]) -> dict[int, Observation]:
    """The observation, shared out: what is of one request alone. `owners`: by exchange, the request's own number."""
    exchanges = _shared_out(observation.exchanges, lambda each: each.number, owners)
    segments = _shared_out(observation.segments, lambda each: each.exchange, owners)
    gaps = _shared_out(observation.gaps, lambda each: each.exchange, owners)
    uses = _shared_out(observation.uses, lambda each: each.exchange, owners)
    return {
        owner: observation._replace(
            long_turns=(),
            exchanges=tuple(mine),
            segments=tuple(segments.get(owner, ())),
            gaps=tuple(gaps.get(owner, ())),
            uses=tuple(uses.get(owner, ())),
        )
        for owner, mine in exchanges.items()
    }


def _shared_out(all_: Iterable[T], number: Callable[[T], int | None], owners: Mapping[int, int]) -> dict[int, list[T]]:
    """By owner. `number`: of the exchange."""
    found: defaultdict[int, list[T]] = defaultdict(list)
    for each in all_:
        owner = owners.get(number(each) or 0)
        if owner is not None:
            found[owner].append(each)
    return found


def warmed(observation: Observation) -> Observation:
    """The observation of a first request, as if what a process does once had been done before."""
    return first_use.taken_off(observation)
