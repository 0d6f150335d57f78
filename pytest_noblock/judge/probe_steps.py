"""Steps of the user's probes that held the loop because of the request: pure functions.

A request holds a lock of threads across an `await`. Another request, here a probe, then waits for the lock on the loop
thread, and nobody else goes on meanwhile, not even the request that has the lock.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall

StallsOf = Callable[[Exchange, Segment], Iterable[Stall]]


def kept_waiting(observation: Observation, stalls_of: StallsOf) -> Iterator[Stall]:
    """One stall for each step of a probe that waited for a lock while a request was under way.

    A probe that takes as long alone is no evidence. `stalls_of` has the rules of steps.
    """
    probes = {exchange.number: exchange for exchange in observation.probe_exchanges}
    for segment in observation.segments:
        probe = probes.get(segment.exchange)
        request = _under_way(observation.exchanges, segment) if probe is not None else None
        if probe is not None and request is not None:
            yield from _of_lock(stalls_of(request, segment), probe, observation.alone)


def _of_lock(stalls: Iterable[Stall], probe: Exchange, alone: Mapping[str, int]) -> Iterator[Stall]:
    for stall in stalls:
        longer = stall.blocked_ns - alone.get(probe.path, 0) >= NOTE_NS
        if stall.kind == "sync-io" and stall.place.syscall == "futex" and longer:
            yield stall


def _under_way(exchanges: Iterable[Exchange], segment: Segment) -> Exchange | None:
    """The request that had begun before the step, and had not ended."""
    began_before = (each for each in exchanges if each.sent < segment.began)
    return next((each for each in began_before if (each.returned or segment.ended) > segment.began), None)
