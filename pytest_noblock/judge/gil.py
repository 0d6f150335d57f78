"""Whether a thread of the request kept the interpreter lock from the loop: pure functions of the gaps."""

from collections.abc import Iterator, Sequence

from pytest_noblock.calls.known import known
from pytest_noblock.judge import gil_waits
from pytest_noblock.model.concurrency import Gap, Worker
from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.units import words


def kept(observation: Observation) -> Iterator[Stall]:
    """One stall for each gap in which threads worked and the loop's thread waited for the lock.

    Its size is what the one burned that burned most: a busy machine makes the loop later, and that one no dearer.
    Where others burned as much, they may have handed the lock to each other: only a run with fewer can tell.
    """
    for gap in observation.gaps:
        keepers = [worker for worker in gap.workers if not _lets_go(worker)]
        cpu = min(gap.late, gap.others_cpu, max((worker.cpu for worker in keepers), default=0))
        place = _place(keepers)
        exchange = _under_way(observation.exchanges, gap)
        waited = gil_waits.enough(gap.switches, cpu) and gil_waits.in_vain(gap.switches, gap.asleep)
        if cpu >= NOTE_NS and waited and exchange is not None:
            alone = 2 * cpu >= gap.others_cpu
            yield Stall("gil", exchange, gap.began, gap.ended, cpu, 0, place, sure=alone, proof=_proof(gap, cpu))


def _lets_go(worker: Worker) -> bool:
    """Whether it was in a call that is known to work outside the lock."""
    frame = user_frame(worker.stack)
    entry = known(frame.call) if frame is not None else None
    return entry is not None and entry.frees_gil


def _place(keepers: Sequence[Worker]) -> BlamedLine:
    """The line of the one that burned most or, where it runs none of the user's, the line that awaits it."""
    looks = [place for worker in keepers[:1] for place in (_at(worker.stack), _at(worker.awaited, awaited=True))]
    return next((place for place in looks if place is not None), BlamedLine())


def _at(stack: Stack, *, awaited: bool = False) -> BlamedLine | None:
    frame = user_frame(stack)
    return BlamedLine(frame, stack, "await" if awaited else "worker", witnessed=True) if frame is not None else None


def _under_way(exchanges: Sequence[Exchange], gap: Gap) -> Exchange | None:
    """A request that had begun and not ended."""
    overlapping = (each for each in exchanges if each.sent < gap.ended and (each.returned or gap.ended) > gap.began)
    return next(overlapping, None)


def _proof(gap: Gap, cpu: int) -> str:
    return (
        f"a thread computed {words(cpu)} without letting go of the GIL: "
        f"the loop was {words(gap.late)} late, and woke {gap.switches} times for it in vain"
    )
