"""What an observation means: pure functions, one small rule each."""

from collections.abc import Iterable, Iterator
from itertools import chain

from pytest_noblock.judge import attribution, gil_waits
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import Exchange, Observation, Sample, Segment
from pytest_noblock.model.stall import BlamedLine, Stall

_MS = 1_000_000
_SWITCH_INTERVAL_NS = 4 * _MS
"""A little under the 5 ms after which CPython makes a thread hand over the interpreter lock."""

_IN_TIME_NS = 15 * _MS
"""How late a thread may wake on a machine that is not starved; a polling timer's grain is 5 ms."""

_LOCK_WAIT_NS = 6 * _MS
"""Measured beside 4 busy processes: 717 ms with 142 switches, 617 ms with 119."""

_LEAST_SHARE = 1 / 10
"""Of a processor, what a thread that has the lock gets on a busy machine: 202 ms in 717 ms beside 4 busy processes."""


def stalls(observation: Observation, limits: Limits) -> list[Stall]:
    """All stretches that break the limits or are worth a note, in order of time."""
    exchanges = {exchange.number: exchange for exchange in observation.exchanges}
    in_steps = (
        stall
        for segment in observation.segments
        if segment.exchange in exchanges
        for stall in _stalls_of(exchanges[segment.exchange], segment, limits)
    )
    beside = _beside(observation, limits) if observation.gaps or observation.waits or observation.pools else ()
    return sorted(chain(in_steps, beside), key=lambda stall: stall.began)


def _beside(observation: Observation, limits: Limits) -> Iterator[Stall]:
    from pytest_noblock.judge import contention, gil, pool  # only the fixture's checks look for these

    yield from gil.kept(observation)
    yield from contention.kept_waiting(observation)
    yield from pool.starved(observation, limits)


def _stalls_of(exchange: Exchange, segment: Segment, limits: Limits) -> Iterator[Stall]:
    network = list(_network(exchange, segment))
    yield from network
    asked = attribution.asked(segment)
    asleep = max(asked, _asleep(segment) - sum(stall.asleep for stall in network))
    cpu = max(0, segment.cpu - sum(stall.cpu for stall in network))
    for kind, cpu_part, asleep_part in _split(cpu, asleep, limits.max_block):
        place = attribution.of_cpu(segment) if kind == "cpu" else attribution.of_sleep(segment)
        if cpu_part + asleep_part >= NOTE_NS:
            sure = kind == "cpu" or cpu_part + asked >= limits.max_block or _witnessed(segment, place)
            yield Stall(kind, exchange, segment.began, segment.ended, cpu_part, asleep_part, place, sure)


def _split(cpu: int, asleep: int, limit: int) -> list[tuple[Kind, int, int]]:
    """CPU and sleep of one step add up; each is a stall of its own only where each breaks the limit."""
    if cpu >= limit and asleep >= limit:
        return [("cpu", cpu, 0), ("sync-io", 0, asleep)]
    return [("cpu" if cpu > asleep else "sync-io", cpu, asleep)]


def _network(exchange: Exchange, segment: Segment) -> Iterator[Stall]:
    """One stall for each line that made a round trip."""
    for trip in attribution.of_network(segment):
        cpu, asleep = min(trip.cpu, segment.cpu), min(trip.asleep, _asleep(segment))
        yield Stall("sync-network", exchange, segment.began, segment.ended, cpu, asleep, trip.place)


def _asleep(segment: Segment) -> int:
    """What the segment slept by its own doing, as far as it can be measured."""
    if segment.queued is None:
        return min(segment.off_cpu, attribution.waited_in_known_calls(segment))
    return max(0, segment.asleep - _waited_for_us(segment) - waited_for_lock(segment))


def _waited_for_us(segment: Segment) -> int:
    """While the watchdog looked it held the interpreter lock."""
    switches = segment.switches or 0
    unseen = segment.asleep > switches * gil_waits.EVERY_NS  # then one of them at least was another sleep
    waits = max(0, switches - max(len(segment.calls), unseen))  # each seen call slept once itself
    return min(sum(sample.ended - sample.due for sample in _wanting(segment)), waits * gil_waits.EVERY_NS)


def _wanting(segment: Segment) -> list[Sample]:
    """Looks at a thread that may have wanted the interpreter lock: in any other kernel call it did not."""
    return [sample for sample in segment.samples if sample.syscall in ("futex", "running", "unknown")]


def waited_for_lock(segment: Segment) -> int:
    """What of the sleep was waiting for the interpreter lock, held by other threads that worked.

    As long as the waking for it tells: who has the lock may wait for a processor, and burns less meanwhile.
    """
    waits = _own_wakes(segment)
    worked = segment.others_cpu >= segment.asleep * _LEAST_SHARE
    return min(segment.asleep, waits * _LOCK_WAIT_NS) if gil_waits.enough(waits, segment.asleep) and worked else 0


def _own_wakes(segment: Segment) -> int:
    """Voluntary switches but those of seen calls, each of which slept once itself."""
    return max(0, (segment.switches or 0) - len(segment.calls))


def breaking(found: Iterable[Stall], limits: Limits) -> list[Stall]:
    return [stall for stall in found if stall.breaks(limits)]


def doubtful(observation: Observation, found: Iterable[Stall]) -> bool:
    """Whether line counters may find what the step could not tell.

    A round trip over a connection that was opened and closed again (opening one
    sleeps), or one that another thread may have made.
    """
    slept = any(stall.kind == "sync-io" for stall in found)
    return slept or any(segment.doubtful_trips for segment in observation.segments)


def _witnessed(segment: Segment, place: BlamedLine) -> bool:
    """Whether a sleep is the app's own beyond doubt, without a second run.

    A thread that kept the interpreter lock for `sys.getswitchinterval()`, working or
    waiting for a processor, may be made to hand it over, and then sleeps for as long as
    a busy machine keeps the other thread waiting. Having had less time, or seen in
    another kernel call, it was not. Else a user's line has to be seen there, by a look
    that does not explain the sleep itself.
    """
    if segment.queued is None:
        return _machine_had_time(segment)
    if place.witnessed or segment.cpu + segment.collected + segment.queued < _SWITCH_INTERVAL_NS:
        return True
    by_us = 2 * sum(sample.ended - sample.due for sample in _wanting(segment)) >= segment.asleep
    return segment.cpu < _SWITCH_INTERVAL_NS and place.frame is not None and not by_us


def _machine_had_time(segment: Segment) -> bool:
    """Without schedstat: the watchdog was woken in time, and more than once, while the loop thread waited."""
    late = [sample.began - sample.due for sample in segment.samples]
    return len(late) > 1 and max(late) < _IN_TIME_NS
