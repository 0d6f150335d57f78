"""Whether requests took all threads of a pool, so that others starved: pure functions of the pool readings."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import assert_never

from pytest_noblock.judge import attribution
from pytest_noblock.judge.capacity import unit_of
from pytest_noblock.model.concurrency import PoolReading, SeenIn
from pytest_noblock.model.finding import Evidence
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import THREADS, Exchange, Observation
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall

_SHORTEST_NS = 10_000_000
"""Ns for which all threads of a pool must be at work before others starve. Many short requests at once fill a pool as
well, but only for as long as the loop needs to fetch their results."""

_POOL_FULL = Rule(
    "pool-full",
    f"requests had all threads of a pool at work, for {_SHORTEST_NS // 1_000_000} ms and more, "
    "run-queue delay of the threads taken off",
)

_MOST_TELLING_FIRST: tuple[SeenIn, ...] = ("workers", "tasks", "responses")


def starved(observation: Observation, limits: Limits) -> Iterator[Stall]:
    """One stall for each span in which requests had all threads of a pool at work for long enough.

    The limit decides where one request alone fills another pool than the one that `def` endpoints share: a `gather` of
    eight short calls fills asyncio's default executor on two processors (six threads), and not on eight.
    """
    exchanges = {exchange.number: exchange for exchange in observation.exchanges}
    for _, span in groupby(observation.pools, key=lambda reading: (reading.pool, reading.span)):
        readings = [reading for reading in span if _full_of_requests(reading)]
        starved_ns = _all_at_work(readings)
        sure = all(reading.queued is not None for reading in readings)
        by_ticks = all(reading.seen_by == "loop thread" for reading in readings)
        always = _is_of_all(readings)
        if starved_ns >= (_SHORTEST_NS if sure and by_ticks and always else limits.max_block):
            yield _stall(readings, exchanges, starved_ns, sure=sure)


def _is_of_all(readings: list[PoolReading]) -> bool:
    """Whether `def` endpoints wait for the pool, or several requests filled it."""
    holders = {number for reading in readings for number in reading.holders}
    return len(holders) > 1 or any(reading.pool == THREADS for reading in readings)


def _full_of_requests(reading: PoolReading) -> bool:
    """Whether the pool is full, and at least half of it is theirs: one that gets the last thread fills no pool."""
    theirs = sum(1 for number in reading.holders if number)
    return len(reading.holders) >= reading.total and 2 * theirs >= reading.total


def _all_at_work(readings: list[PoolReading]) -> int:
    """Ns for which all threads were at work, less their run-queue delay, which is the machine's doing."""
    return sum(
        max(0, after.at - before.at - ((after.queued or 0) - (before.queued or 0)))
        for before, after in pairwise(readings)
        if min(before.at_work, after.at_work) >= before.total
    )


def _stall(readings: list[PoolReading], exchanges: dict[int, Exchange], starved_ns: int, *, sure: bool) -> Stall:
    first, last = readings[0], readings[-1]
    owner = exchanges[Counter(number for number in last.holders if number).most_common(1)[0][0]]
    place, seen = _place(readings)
    return Stall(
        "pool-starved",
        owner,
        first.at,
        last.at,
        cpu=0,
        asleep=starved_ns,
        place=place,
        rule=_POOL_FULL,
        readings=_readings(readings),
        sure=sure,
        pool=first.pool,
        proof=_proof(readings, exchanges, seen),
    )


def _place(readings: list[PoolReading]) -> tuple[BlamedLine, str]:
    """The line at which most stacks are, and in words how many stacks of one reading are there at most."""
    seen_in = {reading.seen_in for reading in readings if reading.stacks}
    best: SeenIn = next((each for each in _MOST_TELLING_FIRST if each in seen_in), "tasks")
    stacks_of_each = [reading.stacks for reading in readings if reading.seen_in == best]
    evidence, words = _seen(best)
    place = attribution.of_stacks((stack for stacks in stacks_of_each for stack in stacks), evidence)
    most = max((attribution.times_at(place, stacks) for stacks in stacks_of_each), default=0)
    return place, f"{most} {words}"


def _seen(seen_in: SeenIn) -> tuple[Evidence, str]:
    match seen_in:
        case "workers":
            return "worker", "workers at this line"
        case "tasks":
            return "await", "tasks at this line"
        case "responses":
            return "await", "tasks in what it returned"
        case _:
            assert_never(seen_in)


def _readings(readings: list[PoolReading]) -> Readings:
    first, last = readings[0], readings[-1]
    queued = None if first.queued is None or last.queued is None else last.queued - first.queued
    return Readings(wall=last.at - first.at, queued=queued, samples=len(readings))


def _proof(readings: list[PoolReading], exchanges: dict[int, Exchange], seen: str) -> str:
    """`40 of 40 tokens of the thread pool taken (40 by app.main.slow), 3 waiting, 40 workers at this line`."""
    last = readings[-1]
    by = Counter(_name(exchanges.get(number)) for number in last.holders)
    shares = ", ".join(f"{times} by {name}" for name, times in by.most_common())
    taken = f"{len(last.holders)} of {last.total} {unit_of(last.pool)} of {last.pool} taken"
    return f"{taken} ({shares}), {max(reading.waiting for reading in readings)} waiting, {seen}"


def _name(exchange: Exchange | None) -> str:
    return (exchange.endpoint or exchange.request) if exchange is not None else "others"
