"""What the loop's thread did while a tick was late, on a loop that does not say when it polls (uvloop).

It is the last net there: whatever kept the loop from turning made the tick late, whether or not a rule knows it.
"""

from pytest_noblock.engine.clocks import CPU, QUEUED, SWITCHES, WALL, LinuxClock, Reading, others_cpu, queued
from pytest_noblock.engine.probing.ticks import LoopTicks
from pytest_noblock.engine.steps import fallen_due
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.model.concurrency import LongTurn

_MOST_TURNS = 1000


class LateTicks:
    """Reads the clock of the loop's thread in every tick. All of it runs on that thread."""

    def __init__(self, ticks: LoopTicks, shortest: int, deductions: Deductions) -> None:
        """`shortest`: a tick that was less late (ns) is not kept. `deductions`: of the loop's steps."""
        self._ticks = ticks
        self._shortest = shortest
        self._clock = LinuxClock()
        self._last = self._clock.end()
        self._deductions = deductions
        self._deducted = deductions.ever
        """Up to the last tick."""
        self._turns: list[LongTurn] = []

    def note(self) -> None:
        """In a tick. Of several ticks that fell due in one turn, the first one tells of the turn."""
        began, self._last = self._last, self._clock.end()
        late = self._last[WALL] - max(self._ticks.due, began[WALL])
        deducted, self._deducted = self._deductions.ever - self._deducted, self._deductions.ever
        if late >= self._shortest and len(self._turns) < _MOST_TURNS:
            self._turns.append(_turn(began, self._last, late, deducted))

    def close(self) -> None:
        self._clock.close()

    def turns(self) -> tuple[LongTurn, ...]:
        """Those of the run, once it is over."""
        return tuple(self._turns)


def _turn(began: Reading, ended: Reading, late: int, deducted: int) -> LongTurn:
    """From the tick before to this one, which came so late (ns). The loop may have slept by itself until it was due.

    So what it slept is a lower bound: all that it computed, or waited for a processor, may have been after that.
    """
    cpu, delay = ended[CPU] - began[CPU], queued(ended[QUEUED]) - queued(began[QUEUED])
    return LongTurn(
        began[WALL],
        ended[WALL],
        cpu,
        delay,
        asleep=max(0, late - cpu - delay),
        switches=ended[SWITCHES] - began[SWITCHES],
        collected=sum(each.cpu for each in fallen_due.since(began[WALL])),
        deducted=deducted,
        others_cpu=others_cpu(began, ended),
        polled=False,
    )
