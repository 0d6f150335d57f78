"""Whether another thread kept the GIL from the loop thread: pure functions of the gaps."""

import itertools
from collections.abc import Iterator, Sequence

from pytest_noblock.calls.known import known, pickles
from pytest_noblock.judge.cpu_lines import definition
from pytest_noblock.judge.gil_waits import (
    FEWEST_SWITCHES,
    NS_PER_SWITCH,
    is_gil_wait,
    is_known_to_keep_it,
    may_pass_it_on,
)
from pytest_noblock.model.concurrency import Gap, Worker
from pytest_noblock.model.frames import Frame, Stack, surely_named, user_frame
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.units import words

_GIL_WATCHDOG = Rule(
    "gil-watchdog",
    f"a thread of ours asked for the GIL while no step ran, woke {FEWEST_SWITCHES} times and more, once in "
    f"{NS_PER_SWITCH // 1_000_000} ms at least, "
    "while a thread of the app computed; the size is what that thread computed in this wait, at least",
)
_GIL_GAP = Rule(
    "gil-gap",
    f"the loop thread woke {FEWEST_SWITCHES} times and more, once in "
    f"{NS_PER_SWITCH // 1_000_000} ms at least, mostly in vain, "
    "while a thread of the request computed; the size is that thread's CPU",
)


_ENTRANCE = "pytest_noblock.engine.asgi"
"""Our own modules, at the border between client and app."""


def kept(observation: Observation) -> Iterator[Stall]:
    """One stall for each gap in which another thread computed and the loop thread waited for the GIL.

    The size of the stall is the CPU of the thread that computed most. A busy machine makes the loop later, and adds
    nothing to that CPU. Where the other threads together computed more than twice as much, they may have handed the
    GIL to each other. Then the stall is not sure: a run with fewer threads has to show it. Nor is it where nobody knows
    how often the thread handed the GIL over.
    """
    for gap in observation.gaps:
        keepers = [worker for worker in gap.workers if _may_keep_it(worker, gap)]
        cpu = min(gap.late, gap.others_cpu, max((worker.cpu for worker in keepers), default=0))
        exchange = under_way(observation.exchanges, gap)
        place = definition(_place(keepers), exchange)
        if cpu >= NOTE_NS and is_gil_wait(gap, cpu) and exchange is not None:
            alone = 2 * cpu >= gap.others_cpu and is_known_to_keep_it(keepers[0], gap)
            yield Stall(
                "gil",
                exchange,
                gap.began,
                gap.ended,
                cpu=cpu,
                asleep=0,
                place=place,
                rule=_GIL_WATCHDOG if gap.seen_by == "watchdog" else _GIL_GAP,
                readings=_readings(gap, keepers[0]),
                sure=alone,
                proof=_proof(gap, cpu),
            )


def _may_keep_it(worker: Worker, gap: Gap) -> bool:
    return not frees_gil(worker) and not may_pass_it_on(worker, gap)


def frees_gil(worker: Worker) -> bool:
    """Whether the thread was in a call that is known to let go of the GIL while the call computes."""
    frame = user_frame(worker.stack)
    entry = known(frame.call) if frame is not None else None
    return entry is not None and entry.frees_gil


def _place(keepers: Sequence[Worker]) -> BlamedLine:
    """The user line of the thread that computed most or, where it runs none, the user line that awaits the thread."""
    places = [
        place for worker in keepers[:1] for place in (_at(worker.stack), _at(_in_app(worker.awaited), awaited=True))
    ]
    pickling = next((worker.stack for worker in keepers[:1] if any(map(_pickles, worker.stack))), ())
    return next((place for place in places if place is not None), BlamedLine(stack=pickling))


def _pickles(frame: Frame) -> bool:
    return pickles(frame.module or "")


def _in_app(awaited: Stack) -> Stack:
    """The frames up to where the request entered the app: those further out are the client's, or the test's."""
    return tuple(itertools.takewhile(lambda frame: not (frame.module or "").startswith(_ENTRANCE), awaited))


def _at(stack: Stack, *, awaited: bool = False) -> BlamedLine | None:
    stack = surely_named(stack)
    frame = user_frame(stack)
    return BlamedLine(frame, stack, "await" if awaited else "worker", witnessed=True) if frame is not None else None


def under_way(exchanges: Sequence[Exchange], gap: Gap) -> Exchange | None:
    """The request that the thread worked for, which may have returned; else the first one under way in the gap."""
    of_thread = (each for each in exchanges if each.number == gap.exchange and each.sent < gap.ended)
    overlapping = (each for each in exchanges if each.sent < gap.ended and (each.returned or gap.ended) > gap.began)
    return next(of_thread, next(overlapping, None))


def _readings(gap: Gap, keeper: Worker) -> Readings:
    return Readings(
        wall=gap.ended - gap.began,
        cpu=keeper.cpu,
        asleep=gap.asleep,
        switches=gap.switches,
        others_cpu=gap.others_cpu,
        samples=len(gap.workers),
    )


def _proof(gap: Gap, cpu: int) -> str:
    return f"a thread computed {words(cpu)} without letting go of the GIL: the loop was {words(gap.late)} late"
