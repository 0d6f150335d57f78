"""Steps of the user's probes that held the loop because of the request: pure functions.

A request holds a lock of threads across an `await`. Another request, here a probe, then waits for the lock on the loop
thread, and nobody else goes on meanwhile, not even the request that has the lock.
"""

from collections.abc import Callable, Iterable, Iterator

from pytest_noblock.model.limits import NOTE_NS, UNSETTLED, Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import words

StallsOf = Callable[[Exchange, Segment], Iterable[Stall]]


def kept_waiting(observation: Observation, stalls_of: StallsOf) -> Iterator[Stall]:
    """One stall for each step of a probe that waited for a lock while a request was under way.

    A probe that takes as long alone is no evidence. `stalls_of` has the rules of steps.
    """
    return (stall for stall, _probe, _longer in _slept(observation, stalls_of) if _waited_for_lock(stall))


def in_doubt(observation: Observation, stalls_of: StallsOf, limits: Limits) -> Iterator[str]:
    """A note on the longest sleep of a probe's step that was none for a lock of threads, and was shorter alone.

    It may be the request's doing, as where a database is locked, or the probe's own.
    """
    others = (each for each in _slept(observation, stalls_of) if not _waited_for_lock(each[0]))
    longest = max(others, key=lambda each: each[2], default=None)
    if longest is not None and longest[2] >= limits.max_block:
        stall, probe, longer = longest
        where = f" in {stall.place.frame.function}" if stall.place.frame is not None else ""
        yield (
            f"{UNSETTLED}the probe {probe.path} held the event loop itself, asleep{where}, {words(longer)} longer than "
            f"alone, while {stall.exchange.request} was under way: whether it waited for the request is not known, so "
            "it is not counted"
        )


def _slept(observation: Observation, stalls_of: StallsOf) -> Iterator[tuple[Stall, Exchange, int]]:
    """The sleeps in steps of probes, each with its probe, and by how many ns it was longer than the probe alone."""
    probes = {exchange.number: exchange for exchange in observation.probe_exchanges}
    for segment in observation.segments:
        probe = probes.get(segment.exchange)
        request = _under_way(observation.exchanges, segment) if probe is not None else None
        if probe is not None and request is not None:
            for stall in stalls_of(request, segment):
                longer = stall.blocked_ns - observation.alone.get(probe.path, 0)
                if stall.kind == "sync-io" and longer >= NOTE_NS:
                    yield stall, probe, longer


def _waited_for_lock(stall: Stall) -> bool:
    return stall.place.syscall == "futex"


def _under_way(exchanges: Iterable[Exchange], segment: Segment) -> Exchange | None:
    """The request that had begun before the step, and had not ended."""
    began_before = (each for each in exchanges if each.sent < segment.began)
    return next((each for each in began_before if (each.returned or segment.ended) > segment.began), None)
