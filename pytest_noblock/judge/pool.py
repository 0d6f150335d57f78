"""Whether a request took all threads of a pool: pure functions of the readings."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise

from pytest_noblock.judge import attribution
from pytest_noblock.model.concurrency import PoolReading, PoolUse, SeenIn
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import THREADS, Exchange, Observation
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import seconds

_SHORTEST_NS = 10_000_000
"""Requests that come at once and take a moment each fill a pool as well, for as long as the loop needs to take
their answers. That is no starvation."""

UNITS = {THREADS: "tokens"}
"""What is had of a pool; threads where nothing else stands here."""
_SEEN: dict[SeenIn, str] = {
    "workers": "workers at this line",
    "tasks": "tasks at this line",
    "responses": "tasks in what it returned",
}
"""What was seen, the most telling first."""


def starved(observation: Observation, limits: Limits) -> Iterator[Stall]:
    """One stall for each stretch in which requests had all threads of a pool."""
    exchanges = {exchange.number: exchange for exchange in observation.exchanges}
    for _, span in groupby(observation.pools, key=lambda reading: (reading.pool, reading.span)):
        readings = [reading for reading in span if _full_of_requests(reading)]
        held = _held(readings)
        sure = all(reading.queued is not None for reading in readings)
        if held >= (_SHORTEST_NS if sure else limits.max_block):
            yield _stall(readings, exchanges, held, sure=sure)


def capacity(observation: Observation) -> str | None:
    """What one worker can serve of this request, in words; None where it needs no thread."""
    each = [(use, use.taken // len(observation.exchanges)) for use in observation.uses]
    return ", ".join(_capacity(use, taken) for use, taken in each if taken >= _SHORTEST_NS) or None


def _capacity(use: PoolUse, taken: int) -> str:
    unit = UNITS.get(use.pool, "threads")
    return f"{use.total} {unit} / {seconds(taken)} = {use.total * 1e9 / taken:.0f} requests per second"


def _full_of_requests(reading: PoolReading) -> bool:
    return len(reading.holders) >= reading.total and any(reading.holders)


def _held(readings: list[PoolReading]) -> int:
    """How long all threads were at work, less what they waited for a processor: that is the machine being busy."""
    return sum(
        max(0, after.at - before.at - ((after.queued or 0) - (before.queued or 0)))
        for before, after in pairwise(readings)
        if min(before.at_work, after.at_work) >= before.total
    )


def _stall(readings: list[PoolReading], exchanges: dict[int, Exchange], held: int, *, sure: bool) -> Stall:
    first, last = readings[0], readings[-1]
    owner = exchanges[Counter(number for number in last.holders if number).most_common(1)[0][0]]
    told = {reading.seen_in for reading in readings if reading.stacks}
    by: SeenIn = next((each for each in _SEEN if each in told), "tasks")
    seen = [reading.stacks for reading in readings if reading.seen_in == by]
    place = attribution.of_stacks(
        (stack for stacks in seen for stack in stacks), "worker" if by == "workers" else "await"
    )
    here = max((attribution.times_at(place, stacks) for stacks in seen), default=0)
    return Stall(
        "pool-starved",
        owner,
        first.at,
        last.at,
        cpu=0,
        asleep=held,
        place=place,
        sure=sure,
        pool=first.pool,
        proof=_proof(readings, exchanges, f"{here} {_SEEN[by]}"),
    )


def _proof(readings: list[PoolReading], exchanges: dict[int, Exchange], here: str) -> str:
    """`40 of 40 tokens taken (40 by app.main.slow), 3 waiting, 40 workers at this line`."""
    last = readings[-1]
    by = Counter(_name(exchanges.get(number)) for number in last.holders)
    shares = ", ".join(f"{times} by {name}" for name, times in by.most_common())
    taken = f"{len(last.holders)} of {last.total} {UNITS.get(last.pool, 'threads')} of {last.pool} taken"
    return f"{taken} ({shares}), {max(reading.waiting for reading in readings)} waiting, {here}"


def _name(exchange: Exchange | None) -> str:
    return (exchange.endpoint or exchange.request) if exchange is not None else "others"
