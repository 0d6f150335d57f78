"""Whether a user's probe waited for what the request held: pure functions of the waits."""

from collections.abc import Iterator

from pytest_noblock.model.concurrency import HolderSighting, Wait
from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.units import words


def kept_waiting(observation: Observation) -> Iterator[Stall]:
    """One stall for each wait that the request ended, or that ended no sooner than it let go.

    Its size is what it waited, not counting the machine being busy, less what the probe takes alone.
    """
    exchanges = {exchange.number: exchange for exchange in observation.exchanges}
    for wait in observation.waits:
        sitting = max((each for each in wait.sightings if each.exchange in exchanges), key=_times, default=None)
        held = wait.waited_ns - observation.alone.get(wait.path, 0)
        if sitting is None or held < NOTE_NS or not _caused(wait, exchanges) or user_frame(wait.stack) is None:
            continue
        if not _waited_for_thread(observation, wait):
            yield _stall(wait, sitting, exchanges[sitting.exchange], held)


def _caused(wait: Wait, exchanges: dict[int, Exchange]) -> bool:
    """By a step of the request's or, where it was no request's, through something that both use."""
    return wait.by in exchanges or (wait.by is None and wait.let_go and wait.shared)


def _waited_for_thread(observation: Observation, wait: Wait) -> bool:
    """That is `pool-starved`."""
    return any(wait.began <= reading.at <= wait.ended for reading in observation.pools)


def _stall(wait: Wait, sitting: HolderSighting, exchange: Exchange, held: int) -> Stall:
    return Stall(
        "contention",
        exchange,
        wait.began,
        wait.ended,
        cpu=0,
        asleep=held,
        place=_place(sitting.stack),
        sure=wait.by is not None,
        proof=_proof(wait),
        waiter=_place(wait.stack),
    )


def _place(stack: Stack) -> BlamedLine:
    return BlamedLine(user_frame(stack), stack, "await", witnessed=True)


def _proof(wait: Wait) -> str:
    """`GET /fast waited 240 ms for asyncio.Lock, and went on when the request let go of it`."""
    how = "until the request let go of it" if wait.by is not None else "and went on only after the request did"
    return f"GET {wait.path} waited {words(wait.ended - wait.began)} for {wait.what}, {how}; loop and threads were free"


def _times(sitting: HolderSighting) -> int:
    return sitting.times
