"""Which routes may have held the loop while many were under way: these are checked alone. Pure functions.

A stall in a step has one owner. What happens beside the steps may be another's: then each that may have done it is a
suspect, and its own check tells.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pytest_noblock.judge import first_use
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.concurrency import Gap
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall

_TURNS_BEFORE = 3
"""Turns of the loop. A worker of the app's that a request wakes, as by `Queue.put_nowait`, runs in the turn after next
at the latest."""


def of_steps(observation: Observation, limits: Limits) -> set[int]:
    """The numbers of the exchanges whose own steps may break the limits."""
    found = [each for each in stalls(_without_gaps(observation), limits) if not each.of_app]
    broken = {each.exchange.number for each in breaking(found, limits)}
    slept = {each.exchange.number for each in found if each.kind == "sync-io"}
    doubtful = {each.exchange for each in observation.segments if each.doubtful_trips}
    return broken | slept | doubtful


def computed(observation: Observation, limits: Limits) -> bool:
    """Whether the request computed for too long: a first request does what later ones need not do."""
    return any(each.kind == "cpu" for each in breaking(stalls(_without_gaps(observation), limits), limits))


def keepers(observation: Observation, limits: Limits) -> set[int]:
    """The numbers of the exchanges of which it is known that their threads kept the GIL."""
    found = {each.began for each in breaking(stalls(observation, limits), limits) if each.kind == "gil"}
    return {each.exchange for each in observation.gaps if each.began in found and each.exchange is not None}


def beside_steps(observation: Observation, limits: Limits, steps: Sequence[tuple[int, int]]) -> set[int]:
    """The numbers of the exchanges that may have broken the limits beside their own steps, or may be innocent.

    `steps`: turn and exchange of all steps, as in `observe_many.Many`.
    """
    found = breaking(stalls(observation, limits), limits)
    kept = {number for each in found if each.kind == "gil" for number in _who_kept_gil(each, observation)}
    by_app = {number for each in found if each.of_app for number in _who_woke_app(each, observation, steps)}
    return (kept - keepers(observation, limits)) | by_app


def _without_gaps(observation: Observation) -> Observation:
    return observation._replace(gaps=())


def _who_kept_gil(stall: Stall, observation: Observation) -> Iterator[int]:
    gap = next((each for each in observation.gaps if each.began == stall.began), None)
    if gap is not None and (gap.exchange is not None or gap.waiting):
        yield from (gap.waiting if gap.exchange is None else (gap.exchange,))
        return
    yield from (each.number for each in observation.exchanges if _overlaps(each, stall.began, stall.ended))


def _who_woke_app(stall: Stall, observation: Observation, steps: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Those that had a step right before the app's own."""
    turn = next((each.turn for each in observation.segments if each.began == stall.began), 0)
    yield from (number for at, number in steps if turn - _TURNS_BEFORE <= at <= turn)


def _overlaps(exchange: Exchange, began: int, ended: int) -> bool:
    over = exchange.over_at if exchange.over_at is not None else ended
    return exchange.sent < ended and over > began


def of_each(observation: Observation, owners: Mapping[int, int]) -> dict[int, Observation]:
    """The observation, shared out: what is of one request alone. `owners`: by exchange, the request's own number."""
    exchanges: defaultdict[int, list[Exchange]] = defaultdict(list)
    segments: defaultdict[int, list[Segment]] = defaultdict(list)
    gaps: defaultdict[int, list[Gap]] = defaultdict(list)
    for exchange in observation.exchanges:
        if exchange.number in owners:
            exchanges[owners[exchange.number]].append(exchange)
    for segment in observation.segments:
        if segment.exchange in owners:
            segments[owners[segment.exchange]].append(segment)
    for gap in observation.gaps:
        if gap.exchange is not None and gap.exchange in owners:
            gaps[owners[gap.exchange]].append(gap)
    return {
        owner: observation._replace(
            exchanges=tuple(exchanges[owner]), segments=tuple(segments[owner]), gaps=tuple(gaps[owner])
        )
        for owner in exchanges
    }


def warmed(observation: Observation) -> Observation:
    """The observation of a first request, as if what a process does once had been done before."""
    return first_use.taken_off(observation)
