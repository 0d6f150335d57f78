"""Whether a probe of the user waited for something that the request held: pure functions of the waits."""

from collections.abc import Iterator

from pytest_noblock.model.concurrency import HolderSighting, Wait
from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.units import words

_ENDED_BY_REQUEST = Rule("wait-ended-by-request", "a probe waited at an await that a step of the request ended")
_ENDED_AFTER_REQUEST = Rule(
    "wait-ended-after-request",
    "a probe and the request waited in methods of one object, and the probe went on no sooner than the request",
)


def kept_waiting(observation: Observation) -> Iterator[Stall]:
    """One stall for each wait of a probe that the request caused.

    The size of the stall is how long the probe waited, less the time that the probe takes with no request in flight.
    """
    exchanges = {exchange.number: exchange for exchange in observation.exchanges}
    for wait in observation.waits:
        holder = max(
            (each for each in wait.sightings if each.exchange in exchanges), key=lambda each: each.times, default=None
        )
        waited_ns = wait.waited_ns - observation.alone.get(wait.path, 0)
        if holder is None or waited_ns < NOTE_NS or not _is_caused(wait, exchanges) or user_frame(wait.stack) is None:
            continue
        if not _waited_for_thread(observation, wait):
            yield _stall(wait, holder, exchanges[holder.exchange], waited_ns)


def _is_caused(wait: Wait, exchanges: dict[int, Exchange]) -> bool:
    """Whether a step of the request ended the wait or, where no step did, the request left a shared object first."""
    return wait.by in exchanges or (wait.by is None and wait.let_go and wait.shared)


def _waited_for_thread(observation: Observation, wait: Wait) -> bool:
    """Whether a pool was full during the wait: then `pool-starved` tells the wait."""
    return any(wait.began <= reading.at <= wait.ended for reading in observation.pools)


def _stall(wait: Wait, holder: HolderSighting, exchange: Exchange, waited_ns: int) -> Stall:
    return Stall(
        "contention",
        exchange,
        wait.began,
        wait.ended,
        cpu=0,
        asleep=waited_ns,
        place=_place(holder.stack),
        rule=_ENDED_BY_REQUEST if wait.by is not None else _ENDED_AFTER_REQUEST,
        readings=Readings(wall=wait.ended - wait.began, samples=sum(each.times for each in wait.sightings)),
        sure=wait.by is not None,
        proof=_proof(wait),
        held=wait.what,
        waiter=_place(wait.stack),
    )


def _place(stack: Stack) -> BlamedLine:
    return BlamedLine(user_frame(stack), stack, "await", witnessed=True)


def _proof(wait: Wait) -> str:
    """`GET /fast waited 240 ms for asyncio.Lock, until the request let go of it; loop and threads were free`."""
    how = "until the request let go of it" if wait.by is not None else "and went on only after the request did"
    return f"GET {wait.path} waited {words(wait.ended - wait.began)} for {wait.what}, {how}; loop and threads were free"
